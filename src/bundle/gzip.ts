import { pipeline, Readable } from 'node:stream';
import { crc32, createGunzip, gunzipSync } from 'node:zlib';
import { systemCode } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { libdeflateGzip } from './libdeflate.ts';

/** Of libdeflate. Nearly all of the time goes into messages, nearly all of the bytes are in attachments; a sample only asks whether to try. */
const LEVELS = { message: 1, attachment: 4, sample: 1, manifest: 1 } as const;
/** RFC 1952, 2.3: ten bytes of header, an empty deflate block of two, CRC32 and ISIZE. */
const SMALLEST_MEMBER = 20;
const LARGEST_CHUNK = 1 << 20;
const BROKEN: ReadonlySet<string | undefined> = new Set(['Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT']);

/** One gzip member that depends on nothing but the bytes and what they are: WebAssembly computes with integers, and MTIME is 0. */
export function gzip(bytes: Uint8Array, as: keyof typeof LEVELS): Uint8Array {
	return libdeflateGzip(bytes, LEVELS[as]);
}

/** The content of exactly one gzip member, at most `limit` bytes. `thing` is what an error calls it. */
export function gunzip(stored: Uint8Array, options: { readonly limit: number; readonly thing: string }): Uint8Array {
	const { limit, thing } = options;
	if (stored.length < SMALLEST_MEMBER) {
		throw damaged('bad-gzip', `Cannot decompress ${thing}: it has ${stored.length} bytes (a gzip member has ${SMALLEST_MEMBER} or more)`);
	}
	const trailer = Buffer.from(stored.buffer, stored.byteOffset + stored.length - 8, 8);
	const claimed = trailer.readUInt32LE(4);
	if (claimed > limit) throw tooLarge(thing, limit);
	const mismatch = `Cannot decompress ${thing}: its content is not what its trailer says, or bytes follow it`;
	let plain: Uint8Array;
	try {
		// A bomb either claims too much in ISIZE or gives more than it claims: both end before more than `limit` is in memory.
		plain = gunzipSync(stored, {
			maxOutputLength: Math.max(1, claimed),
			chunkSize: Math.min(Math.max(claimed + 1, 64), LARGEST_CHUNK),
		});
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ERR_BUFFER_TOO_LARGE') throw damaged('bad-gzip', mismatch, { cause: error });
		if (!BROKEN.has(code)) throw error;
		throw damaged('bad-gzip', `Cannot decompress ${thing}: it is not a whole gzip member`, { cause: error });
	}
	// zlib takes several members for one and ignores what follows the last: bytes could hide there.
	if (plain.length !== claimed || crc32(plain) !== trailer.readUInt32LE(0)) {
		throw damaged('bad-gzip', mismatch);
	}
	return plain;
}

function tooLarge(thing: string, limit: number): Error {
	return damaged('too-large', `Cannot decompress ${thing}: its content is longer than ${limit} bytes`);
}

/** The content of a gzip member that is too large for memory, at most `limit` bytes, piece by piece. */
export async function* gunzipPieces(
	stored: AsyncIterable<Uint8Array>,
	options: { readonly limit: number; readonly thing: string },
): AsyncGenerator<Uint8Array, void, undefined> {
	const { limit, thing } = options;
	let length = 0;
	const inflated: AsyncIterable<Uint8Array> = pipeline(Readable.from(stored, { objectMode: false }), createGunzip(), () => {
		// An error reaches the loop below through the last stream.
	});
	try {
		for await (const piece of inflated) {
			length += piece.length;
			if (length > limit) throw tooLarge(thing, limit);
			yield piece;
		}
	} catch (error) {
		if (!BROKEN.has(systemCode(error))) throw error;
		throw damaged('bad-gzip', `Cannot decompress ${thing}: it is not a whole gzip member`, { cause: error });
	}
}
