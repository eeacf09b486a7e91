import { createHash, hash as hashOnce } from 'node:crypto';

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
	return hashOnce('sha256', bytes, 'hex');
}

/** SHA-256 of bytes that come in pieces, in lower-case hex. */
export function sha256Of(chunks: Iterable<Uint8Array>): string {
	if (Array.isArray(chunks) && chunks.length === 1 && chunks[0] instanceof Uint8Array) return sha256(chunks[0]);
	const hash = createHash('sha256');
	for (const chunk of chunks) hash.update(chunk);
	return hash.digest('hex');
}
