import { Decompress } from 'fzstd';
import { BrokenStream } from './broken-stream.ts';

const MAGIC = 0xfd2f_b528;
const SKIPPABLE = 0x184d_2a50;
/** RFC 8878, 3.1.1.2.4: no block gives more. */
const BLOCK_LIMIT = 128 * 1024;
/** The window that decoders must not exceed unasked is 8 MiB (RFC 8878, 3.1.1.1.2); 128 MiB is what zstd itself allows. */
const WINDOW_LIMIT = 128 * 1024 * 1024;
/** The decoder moves the whole window for each block. */
const MOVE_LIMIT = 32 * 1024 * 1024 * 1024;

interface Frame {
	readonly end: number;
	/** Null for a frame that is to be skipped. */
	readonly contentSize: number | null | undefined;
	readonly isSkippable: boolean;
}

/** Undoes zstd (RFC 8878), any number of frames. Throws BrokenStream. */
export function unzstd(bytes: Buffer, limit: number): Buffer {
	const pieces: Uint8Array[] = [];
	let total = 0;
	const budget = { output: limit, moves: MOVE_LIMIT };
	for (let position = 0; position < bytes.length; ) {
		const frame = checkFrame(bytes, position, budget);
		const before = total;
		if (!frame.isSkippable) {
			const decoder = new Decompress((piece) => {
				pieces.push(piece);
				total += piece.length;
			});
			decode(decoder, bytes.subarray(position, frame.end));
		}
		if (typeof frame.contentSize === 'number' && total - before !== frame.contentSize) {
			throw new BrokenStream(`a zstd frame gives ${total - before} bytes (${frame.contentSize} by its header)`);
		}
		position = frame.end;
	}
	return Buffer.concat(pieces, total);
}

function decode(decoder: Decompress, frame: Uint8Array): void {
	try {
		decoder.push(frame, true);
	} catch (error) {
		// The decoder reads past tables and buffers where the data is damaged.
		if (error instanceof RangeError || error instanceof TypeError) throw new BrokenStream('damaged zstd data');
		if (error instanceof Error && 'code' in error && typeof error.code === 'number') throw new BrokenStream(`zstd: ${error.message}`);
		throw error;
	}
}

/** Walks one frame's blocks without decoding them: bounds, and what the frame may cost at most. */
function checkFrame(bytes: Buffer, start: number, budget: { output: number; moves: number }): Frame {
	const magic = readLittle(bytes, start, 4);
	if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE) {
		const end = start + 8 + readLittle(bytes, start + 4, 4);
		if (end > bytes.length) throw new BrokenStream('a zstd frame is cut off');
		return { end, contentSize: null, isSkippable: true };
	}
	if (magic !== MAGIC) throw new BrokenStream(`no zstd frame starts at ${start}`);
	const descriptor = readLittle(bytes, start + 4, 1);
	const isSingleSegment = (descriptor & 0x20) !== 0;
	const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
	const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
	let position = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
	if (dictionaryBytes > 0 && readLittle(bytes, position - dictionaryBytes, dictionaryBytes) !== 0)
		throw new BrokenStream('a zstd dictionary');
	const contentSize = sizeBytes === 0 ? undefined : readLittle(bytes, position, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
	position += sizeBytes;
	const window = isSingleSegment ? (contentSize ?? 0) : windowSize(readLittle(bytes, start + 5, 1));
	if (window > WINDOW_LIMIT) throw new BrokenStream(`a zstd window of ${window} bytes`);
	for (let isLast = false; !isLast; ) {
		const header = readLittle(bytes, position, 3);
		isLast = (header & 1) === 1;
		const type = (header >> 1) & 3;
		const size = header >> 3;
		if (size > BLOCK_LIMIT) throw new BrokenStream(`a zstd block of ${size} bytes`);
		position += 3 + (type === 1 ? 1 : size);
		budget.output -= type === 2 ? Math.min(BLOCK_LIMIT, window) : size;
		budget.moves -= window;
		if (budget.output < 0 || budget.moves < 0) throw new BrokenStream('zstd data that would grow beyond the limit');
	}
	const end = position + ((descriptor & 4) === 0 ? 0 : 4);
	if (end > bytes.length) throw new BrokenStream('a zstd frame is cut off');
	return { end, contentSize, isSkippable: false };
}

/** RFC 8878, 3.1.1.1.2. */
function windowSize(descriptor: number): number {
	const base = 2 ** (10 + (descriptor >> 3));
	return base + (base / 8) * (descriptor & 7);
}

function readLittle(bytes: Buffer, position: number, length: number): number {
	if (position + length > bytes.length) throw new BrokenStream('zstd data is cut off');
	let value = 0;
	for (let index = length - 1; index >= 0; index--) value = value * 256 + (bytes[position + index] ?? 0);
	return value;
}
