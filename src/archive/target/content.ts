import { createHash } from 'node:crypto';
import { MailsealError } from '../../domain/index.ts';
import type { BlobContent } from '../../remote/index.ts';
import { sha256 } from '../hash.ts';

/** Content that is held in memory. */
export function bytesContent(bytes: Uint8Array): BlobContent {
	return {
		size: bytes.length,
		sha256: sha256(bytes),
		async *open() {
			yield bytes;
		},
	};
}

/** SHA-256 in lower-case hex, and the length, of bytes that come in pieces. */
export async function digestOf(
	pieces: AsyncIterable<Uint8Array>,
	options: { readonly signal: AbortSignal },
): Promise<{ readonly sha256: string; readonly size: number }> {
	const digest = createHash('sha256');
	let size = 0;
	for await (const piece of pieces) {
		if (options.signal.aborted) throw new MailsealError('interrupted', 'Interrupted', { hint: 'run the command again to go on' });
		digest.update(piece);
		size += piece.length;
	}
	return { sha256: digest.digest('hex'), size };
}
