import * as crypto from 'node:crypto';

// In Node 20.12 and later; the types of Node 20 lack it.
const oneShot = (crypto as unknown as { hash(algorithm: string, data: Uint8Array, encoding: 'hex'): string }).hash;

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
	return oneShot('sha256', bytes, 'hex');
}

/** SHA-256 of bytes that come in pieces, in lower-case hex. */
export function sha256Of(chunks: Iterable<Uint8Array>): string {
	const hash = crypto.createHash('sha256');
	for (const chunk of chunks) hash.update(chunk);
	return hash.digest('hex');
}
