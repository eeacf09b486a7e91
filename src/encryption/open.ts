import { openChunkCutter } from './cut-chunks.ts';
import { damaged } from './damage.ts';
import { MAX_HEAD, openHeadReader } from './head-reader.ts';
import { openHead } from './header.ts';
import type { Identity } from './identities.ts';
import { CHUNK, type ChunkCipher, chunksIn, isLastChunk, plainSize, SEALED_CHUNK } from './payload.ts';

/** An encrypted file that can be read at any place. */
export interface SealedSource {
	/** Bytes. */
	readonly size: number;
	/** Exactly `length` bytes at `offset`. */
	read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** The plain file in an encrypted one; a source of ranges itself. */
export interface OpenedSealed {
	/** Bytes of the plain file. Follows from the size of the source, and is proved by any read that reaches the end. */
	readonly size: number;
	/** Bytes before the first chunk: header and nonce. */
	readonly headerLength: number;
	/** These bytes. Whoever keeps them opens the file again without a read; they are no secret. */
	readonly head: Uint8Array;
	/**
	 * Exactly `length` bytes at `offset` of the plain file, by one read of the chunks that hold them. `archive-damaged` where they are
	 * not what was encrypted there, or the file ends before; nothing is given of a range that is not whole.
	 */
	read(offset: number, length: number): Promise<Uint8Array>;
}

/** Enough for 40 recipients. */
const FIRST_READ = 4096;

/**
 * Opens an encrypted file for reading at any place: one read for the header, a second where it is longer than `firstRead` bytes (4 KiB),
 * none where `head` holds the first bytes. `permission` where no identity fits, `archive-damaged` where it is no whole age file.
 */
export async function openSealed(options: {
	readonly source: SealedSource;
	readonly identities: readonly Identity[];
	readonly head?: Uint8Array;
	readonly firstRead?: number;
}): Promise<OpenedSealed> {
	const { source, identities } = options;
	const head = await readHead(source, options);
	const headerLength = head.length;
	const chunks = chunksIn(source.size, headerLength);
	const size = plainSize(source.size, headerLength);
	const cipher = await openHead(head, identities);

	async function readChunks(first: number, last: number): Promise<Uint8Array> {
		const from = headerLength + first * SEALED_CHUNK;
		return await readExactly(source, from, Math.min(source.size, headerLength + (last + 1) * SEALED_CHUNK) - from);
	}

	/** `at`: which of the chunks in `sealed`. */
	function openChunk(sealed: Uint8Array, at: number, index: number): Uint8Array {
		return cipher.open({ index, last: index === chunks - 1 }, sealed.subarray(at * SEALED_CHUNK, (at + 1) * SEALED_CHUNK));
	}

	// No read would ever prove that the file was empty when it was encrypted.
	if (size === 0) openChunk(await readChunks(0, 0), 0, 0);
	return {
		size,
		headerLength,
		head,
		async read(offset, length) {
			if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
				throw damaged('seal-size', `Cannot decrypt file: it holds ${size} bytes (${length} at byte ${offset} were expected)`);
			}
			const plain = new Uint8Array(length);
			if (length === 0) return plain;
			const first = Math.floor(offset / CHUNK);
			const last = Math.floor((offset + length - 1) / CHUNK);
			const sealed = await readChunks(first, last);
			for (let index = first; index <= last; index++) {
				const to = index * CHUNK - offset;
				plain.set(openChunk(sealed, index - first, index).subarray(Math.max(0, -to), length - to), Math.max(0, to));
			}
			return plain;
		},
	};
}

async function readHead(source: SealedSource, options: { readonly head?: Uint8Array; readonly firstRead?: number }): Promise<Uint8Array> {
	const reader = openHeadReader();
	let known = options.head?.length ?? 0;
	let rest = options.head === undefined ? null : reader.push(options.head);
	for (const upTo of [options.firstRead ?? FIRST_READ, MAX_HEAD]) {
		const length = Math.min(upTo, source.size) - known;
		if (rest !== null || length <= 0) continue;
		rest = reader.push(await readExactly(source, known, length));
		known += length;
	}
	return reader.head();
}

async function readExactly(source: SealedSource, offset: number, length: number): Promise<Uint8Array> {
	const bytes = await source.read(offset, length);
	if (bytes.length === length) return bytes;
	throw damaged('seal-size', `Cannot decrypt file: ${bytes.length} bytes came from byte ${offset} on (${length} were expected)`);
}

/**
 * Decrypts a whole file as it comes, chunk by chunk, each proved before it is given out. That a file was cut at the border of a chunk
 * shows when it ends: until then, what came may be less than the whole. Fails as `openSealed()` does. A piece of the source is done
 * with when the next is asked for.
 */
export async function* openSealedStream(source: AsyncIterable<Uint8Array>, identities: readonly Identity[]): AsyncIterable<Uint8Array> {
	const reader = openHeadReader();
	const cutter = openChunkCutter(SEALED_CHUNK);
	let cipher: ChunkCipher | null = null;
	let index = 0;
	for await (const piece of source) {
		let sealed: Uint8Array | null = piece;
		if (cipher === null) {
			sealed = reader.push(piece);
			if (sealed === null) continue;
			cipher = await openHead(reader.head(), identities);
		}
		for (const chunk of cutter.push(sealed)) {
			yield cipher.open({ index, last: false }, chunk);
			index++;
		}
	}
	cipher ??= await openHead(reader.head(), identities);
	const chunk = cutter.last();
	if (!isLastChunk(chunk.length, index)) {
		throw damaged('seal-size', `Cannot decrypt file: its last chunk has ${chunk.length} bytes (no encrypted file ends so)`);
	}
	const plain = cipher.open({ index, last: true }, chunk);
	if (plain.length > 0) yield plain;
}
