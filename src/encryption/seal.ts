import { openChunkCutter } from './cut-chunks.ts';
import { makeHead, type NewHead } from './header.ts';
import { CHUNK, SEALED_CHUNK, sealedSize } from './payload.ts';
import type { Recipients } from './recipients.ts';
import { SeenTags } from './seen-tags.ts';

/** The encryption of one file, to be done as often as needed: to hash the result, to send it, to send it again. */
export interface Sealing {
	/** Bytes before the first chunk: header and nonce. */
	readonly headerLength: number;
	/** Bytes of the encrypted file. */
	sizeOf(plainSize: number): number;
	/**
	 * Encrypts. The same content gives the same bytes at every call, whatever the pieces it comes in; other content than that of an
	 * earlier call ends, at its first chunk that differs, with `archive-damaged`, and nothing of that chunk is given out. Pieces have
	 * about 1 MiB, each in memory of its own. A piece of the source is done with when the next is asked for.
	 */
	seal(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Chunks in one piece of output. */
const GROUP = 16;

/** Draws the key and the nonce of one file, and encrypts the key to the recipients. */
export async function beginSealing(recipients: Recipients): Promise<Sealing> {
	const head = await makeHead(recipients);
	const seen = new SeenTags();
	return {
		headerLength: head.head.length,
		sizeOf: (plainSize) => sealedSize(plainSize, head.head.length),
		seal: (source) => sealPieces(head, seen, source),
	};
}

async function* sealPieces({ head, cipher }: NewHead, seen: SeenTags, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
	const cutter = openChunkCutter(CHUNK);
	let piece = Buffer.allocUnsafeSlow(head.length + GROUP * SEALED_CHUNK);
	piece.set(head);
	let used = head.length;
	let index = 0;

	function put(chunk: Uint8Array, last: boolean): void {
		const { bytes, tag } = cipher.seal({ index, last }, chunk);
		seen.check(index, tag);
		piece.set(bytes, used);
		piece.set(tag, used + bytes.length);
		used += bytes.length + tag.length;
		index++;
	}

	for await (const bytes of source) {
		for (const chunk of cutter.push(bytes)) {
			put(chunk, false);
			if (piece.length - used >= SEALED_CHUNK) continue;
			yield piece.subarray(0, used);
			piece = Buffer.allocUnsafeSlow(GROUP * SEALED_CHUNK);
			used = 0;
		}
	}
	put(cutter.last(), true);
	yield piece.subarray(0, used);
}
