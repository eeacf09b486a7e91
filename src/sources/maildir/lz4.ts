import { BrokenStream } from './broken-stream.ts';

const MAGIC_LENGTH = 15;
/** Dovecot writes 65,536. */
const CHUNK_LIMIT = 1024 * 1024;

/**
 * Undoes Dovecot's framing of LZ4: magic, u32 big-endian size of the largest chunk, then u32 big-endian length and one raw block
 * until the end. Throws BrokenStream.
 */
export function decodeDovecotLz4(bytes: Buffer, limit: number): Buffer {
	if (bytes.length < MAGIC_LENGTH + 4) throw new BrokenStream('LZ4 data is cut off');
	const largest = bytes.readUInt32BE(MAGIC_LENGTH);
	if (largest === 0 || largest > CHUNK_LIMIT) throw new BrokenStream(`an LZ4 chunk of ${largest} bytes`);
	const chunk = Buffer.allocUnsafe(largest);
	const pieces: Buffer[] = [];
	let total = 0;
	for (let position = MAGIC_LENGTH + 4; position < bytes.length; ) {
		if (position + 4 > bytes.length) throw new BrokenStream('LZ4 data is cut off');
		const length = bytes.readUInt32BE(position);
		const end = position + 4 + length;
		if (length === 0 || end > bytes.length) throw new BrokenStream('an LZ4 block is cut off');
		const size = decodeBlock(bytes.subarray(position + 4, end), chunk);
		total += size;
		if (total > limit) throw new BrokenStream('LZ4 data that would grow beyond the limit');
		pieces.push(Buffer.from(chunk.subarray(0, size)));
		position = end;
	}
	return Buffer.concat(pieces, total);
}

/** One raw block of the LZ4 block format: literals and matches in turn, ending with literals. Gives the number of bytes in `out`. */
function decodeBlock(block: Buffer, out: Buffer): number {
	let position = 0;
	let size = 0;
	/** A length of 15 goes on in further bytes, up to the first that is not 255. */
	function length(nibble: number): number {
		let value = nibble;
		let byte = nibble === 15 ? 255 : 0;
		while (byte === 255) {
			if (position >= block.length) throw new BrokenStream('an LZ4 length is cut off');
			byte = block[position++] ?? 0;
			value += byte;
		}
		return value;
	}
	for (;;) {
		const token = block[position++];
		if (token === undefined) throw new BrokenStream('an LZ4 block ends with a match');
		const literals = length(token >> 4);
		if (position + literals > block.length || size + literals > out.length) throw new BrokenStream('LZ4 literals run over the end');
		block.copy(out, size, position, position + literals);
		position += literals;
		size += literals;
		if (position === block.length) return size;
		if (position + 2 > block.length) throw new BrokenStream('an LZ4 offset is cut off');
		const offset = block.readUInt16LE(position);
		position += 2;
		const match = length(token & 15) + 4;
		if (offset === 0 || offset > size || size + match > out.length) throw new BrokenStream('an LZ4 match runs over the start or end');
		// Byte by byte: source and target overlap where a run repeats.
		for (let index = 0; index < match; index++) out[size + index] = out[size + index - offset] ?? 0;
		size += match;
	}
}
