import { BrokenStream } from './broken-stream.ts';

const BLOCK_MAGIC = 0x3141_5926_5359;
const END_MAGIC = 0x1772_4538_5090;
const GROUP = 50;
const MAX_CODE_LENGTH = 20;
const RUN_A = 0;
const RUN_B = 1;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte << 24;
	for (let bit = 0; bit < 8; bit++) value = value & 0x8000_0000 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
	return value >>> 0;
});

/** Undoes bzip2, any number of streams, and checks every checksum. Throws BrokenStream. */
export function bunzip2(bytes: Uint8Array, limit: number): Buffer {
	const bits = new BitReader(bytes);
	const pieces: Buffer[] = [];
	let left = limit;
	while (bits.bytesLeft > 0) {
		if (bits.read(24) !== 0x42_5a68) throw new BrokenStream('no bzip2 stream starts here');
		const blockSize = (bits.read(8) - 0x30) * 100_000;
		if (blockSize < 100_000 || blockSize > 900_000) throw new BrokenStream('a bzip2 block size that does not exist');
		let combined = 0;
		for (;;) {
			const magic = bits.read(24) * 0x100_0000 + bits.read(24);
			const stored = bits.read(16) * 0x1_0000 + bits.read(16);
			if (magic === END_MAGIC) {
				if (stored !== combined) throw new BrokenStream('a bzip2 checksum differs');
				break;
			}
			if (magic !== BLOCK_MAGIC) throw new BrokenStream('no bzip2 block starts here');
			const block = expandRuns(decodeBlock(bits, blockSize), left);
			if (checksum(block) !== stored) throw new BrokenStream('a bzip2 checksum differs');
			combined = (((combined << 1) | (combined >>> 31)) ^ stored) >>> 0;
			left -= block.length;
			pieces.push(block);
		}
		bits.toNextByte();
	}
	return Buffer.concat(pieces);
}

class BitReader {
	readonly #bytes: Uint8Array;
	#position = 0;
	#held = 0;
	#count = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	get bytesLeft(): number {
		return this.#bytes.length - this.#position;
	}

	/** Up to 24 bits, the highest first. */
	read(count: number): number {
		while (this.#count < count) {
			const byte = this.#bytes[this.#position++];
			if (byte === undefined) throw new BrokenStream('bzip2 data is cut off');
			this.#held = ((this.#held << 8) | byte) >>> 0;
			this.#count += 8;
		}
		this.#count -= count;
		return (this.#held >>> this.#count) & ((1 << count) - 1);
	}

	toNextByte(): void {
		this.#count -= this.#count % 8;
	}
}

/** A Huffman code by canonical rank: for each length the last code, and where its symbols start. */
interface Code {
	readonly last: Int32Array;
	readonly first: Int32Array;
	readonly symbols: Uint16Array;
}

/** One block before the runs are expanded. */
function decodeBlock(bits: BitReader, blockSize: number): Uint8Array {
	if (bits.read(1) === 1) throw new BrokenStream('a randomised bzip2 block, which no program has written since 1997');
	const origin = bits.read(24);
	const front: number[] = [];
	const ranges = bits.read(16);
	for (let range = 0; range < 16; range++) {
		if (((ranges >> (15 - range)) & 1) === 0) continue;
		const used = bits.read(16);
		for (let low = 0; low < 16; low++) if ((used >> (15 - low)) & 1) front.push(range * 16 + low);
	}
	if (front.length === 0) throw new BrokenStream('a bzip2 block without symbols');
	const end = front.length + 1;
	const tableCount = bits.read(3);
	const selectors = readSelectors(bits, tableCount);
	const codes = Array.from({ length: tableCount }, () => readCode(bits, end + 1));

	const column = new Uint8Array(blockSize);
	let size = 0;
	let run = 0;
	let weight = 1;
	for (let position = 0; ; position++) {
		const code = codes[selectors[Math.floor(position / GROUP)] ?? -1];
		if (code === undefined) throw new BrokenStream('a bzip2 block is longer than its selectors say');
		const symbol = readSymbol(bits, code);
		if (symbol === RUN_A || symbol === RUN_B) {
			run += weight << symbol;
			weight <<= 1;
			if (run > blockSize) throw new BrokenStream('a bzip2 run longer than its block');
			continue;
		}
		if (size + run + (symbol === end ? 0 : 1) > blockSize) throw new BrokenStream('a bzip2 block that is too long');
		column.fill(front[0] ?? 0, size, size + run);
		size += run;
		run = 0;
		weight = 1;
		if (symbol === end) break;
		const [byte] = front.splice(symbol - 1, 1);
		if (byte === undefined) throw new BrokenStream('a bzip2 symbol that does not exist');
		front.unshift(byte);
		column[size++] = byte;
	}
	return untransform(column.subarray(0, size), origin);
}

/** Which code each group of fifty symbols uses, moved to front. */
function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
	const count = bits.read(15);
	if (tableCount < 2 || tableCount > 6 || count === 0) throw new BrokenStream('a bzip2 block without tables');
	const front = Array.from({ length: tableCount }, (_, index) => index);
	return Uint8Array.from({ length: count }, () => {
		let rank = 0;
		while (bits.read(1) === 1) if (++rank >= tableCount) throw new BrokenStream('a bzip2 table that does not exist');
		const [table = 0] = front.splice(rank, 1);
		front.unshift(table);
		return table;
	});
}

function readCode(bits: BitReader, symbolCount: number): Code {
	const lengths: number[] = [];
	let length = bits.read(5);
	for (let symbol = 0; symbol < symbolCount; symbol++) {
		while (bits.read(1) === 1) length += bits.read(1) === 1 ? -1 : 1;
		if (length < 1 || length > MAX_CODE_LENGTH) throw new BrokenStream('a bzip2 code that is too long');
		lengths.push(length);
	}
	const last = new Int32Array(MAX_CODE_LENGTH + 1).fill(-1);
	const first = new Int32Array(MAX_CODE_LENGTH + 1);
	const symbols: number[] = [];
	let next = 0;
	for (let bit = 1; bit <= MAX_CODE_LENGTH; bit++) {
		next <<= 1;
		first[bit] = next - symbols.length;
		for (const [symbol, own] of lengths.entries()) if (own === bit) symbols.push(symbol);
		next = symbols.length + (first[bit] ?? 0);
		last[bit] = next - 1;
	}
	return { last, first, symbols: Uint16Array.from(symbols) };
}

function readSymbol(bits: BitReader, code: Code): number {
	let value = 0;
	for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
		value = (value << 1) | bits.read(1);
		if (value > (code.last[length] ?? -1)) continue;
		const symbol = code.symbols[value - (code.first[length] ?? 0)];
		if (symbol !== undefined) return symbol;
	}
	throw new BrokenStream('a bzip2 code that does not exist');
}

/** The inverse of the Burrows-Wheeler transform. */
function untransform(column: Uint8Array, origin: number): Uint8Array {
	if (origin >= column.length) throw new BrokenStream('a bzip2 block that starts outside itself');
	const starts = new Uint32Array(257);
	for (const byte of column) starts[byte + 1] = (starts[byte + 1] ?? 0) + 1;
	for (let byte = 0; byte < 256; byte++) starts[byte + 1] = (starts[byte + 1] ?? 0) + (starts[byte] ?? 0);
	const next = new Uint32Array(column.length);
	for (const [index, byte] of column.entries()) {
		const place = starts[byte] ?? 0;
		next[place] = index;
		starts[byte] = place + 1;
	}
	const out = new Uint8Array(column.length);
	let position = next[origin] ?? 0;
	for (let index = 0; index < out.length; index++) {
		out[index] = column[position] ?? 0;
		position = next[position] ?? 0;
	}
	return out;
}

/** After four equal bytes one byte says how many more follow. */
function expandRuns(block: Uint8Array, limit: number): Buffer {
	let size = 0;
	function walk(emit: (byte: number, count: number) => void): void {
		let equal = 0;
		let before = -1;
		for (const byte of block) {
			if (equal === 4) {
				emit(before, byte);
				equal = 0;
				before = -1;
				continue;
			}
			equal = byte === before ? equal + 1 : 1;
			before = byte;
			emit(byte, 1);
		}
	}
	walk((_byte, count) => {
		size += count;
	});
	if (size > limit) throw new BrokenStream('bzip2 data that would grow beyond the limit');
	const out = Buffer.allocUnsafe(size);
	let position = 0;
	walk((byte, count) => {
		out.fill(byte, position, position + count);
		position += count;
	});
	return out;
}

function checksum(bytes: Uint8Array): number {
	let value = 0xffff_ffff;
	for (const byte of bytes) value = (value << 8) ^ (CRC_TABLE[(value >>> 24) ^ byte] ?? 0);
	return ~value >>> 0;
}
