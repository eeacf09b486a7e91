import { BrokenStream } from './broken-stream.ts';

const BLOCK_MAGIC = 0x3141_5926_5359;
const END_MAGIC = 0x1772_4538_5090;
const GROUP = 50;
const MAX_CODE_LENGTH = 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte << 24;
	for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
	return value;
});

/** Undoes bzip2, any number of streams, and checks every block's checksum. Throws BrokenStream. */
export function bunzip2(bytes: Uint8Array, limit: number): Buffer {
	const bits = new BitReader(bytes);
	const pieces: Buffer[] = [];
	let left = limit;
	while (!bits.atEnd()) {
		check(bits.read(24) === 0x42_5a68, 'no bzip2 stream starts here');
		const level = bits.read(8) - 0x30;
		check(level >= 1 && level <= 9, 'a bzip2 block size that does not exist');
		for (;;) {
			const magic = bits.read(24) * 0x100_0000 + bits.read(24);
			const stored = bits.read(16) * 0x1_0000 + bits.read(16);
			if (magic === END_MAGIC) break;
			check(magic === BLOCK_MAGIC, 'no bzip2 block starts here');
			const block = expandRuns(decodeBlock(bits, level * 100_000), left);
			check(checksum(block) === stored, 'a bzip2 checksum differs');
			left -= block.length;
			pieces.push(block);
		}
		bits.toNextByte();
	}
	return Buffer.concat(pieces);
}

function check(condition: boolean, text: string): void {
	if (!condition) throw new BrokenStream(text);
}

class BitReader {
	readonly #bytes: Uint8Array;
	#position = 0;
	#held = 0;
	#count = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	/** Up to 24 bits, the highest first. */
	read(count: number): number {
		for (; this.#count < count; this.#count += 8) {
			check(this.#position < this.#bytes.length, 'bzip2 data is cut off');
			this.#held = (this.#held << 8) | (this.#bytes[this.#position++] ?? 0);
		}
		this.#count -= count;
		return (this.#held >>> this.#count) & ((1 << count) - 1);
	}

	/** Fewer than eight bits are held between two reads. */
	toNextByte(): void {
		this.#count = 0;
	}

	atEnd(): boolean {
		return this.#position === this.#bytes.length;
	}
}

/** One block before the runs are expanded. */
function decodeBlock(bits: BitReader, blockSize: number): Uint8Array {
	check(bits.read(1) === 0, 'a randomised bzip2 block, which no program has written since 1997');
	const origin = bits.read(24);
	const front = setBits(bits.read(16)).flatMap((high) => setBits(bits.read(16)).map((low) => high * 16 + low));
	check(front.length > 0, 'a bzip2 block without symbols');
	const end = front.length + 1;
	const tableCount = bits.read(3);
	const selectors = readSelectors(bits, tableCount);
	const codes = Array.from({ length: tableCount }, () => readCode(bits, end + 1));
	const column = new Uint8Array(blockSize);
	let size = 0;
	let weight = 1;
	for (let position = 0; ; position++) {
		const symbol = readSymbol(bits, codes[selectors[Math.floor(position / GROUP)] ?? -1]);
		if (symbol === end) return untransform(column.subarray(0, size), origin);
		if (symbol > 1) front.unshift(...front.splice(symbol - 1, 1));
		// Symbols 0 and 1 are digits of a run's length, in a number system with the digits one and two.
		const count = symbol > 1 ? 1 : weight << symbol;
		weight = symbol > 1 ? 1 : weight << 1;
		check(size + count <= blockSize, 'a bzip2 block that is too long');
		column.fill(front[0] ?? 0, size, size + count);
		size += count;
	}
}

/** Which of sixteen bits are set. */
function setBits(map: number): readonly number[] {
	return Array.from({ length: 16 }, (_, index) => index).filter((index) => (map >> (15 - index)) & 1);
}

/** Which code each group of fifty symbols uses, moved to front. */
function readSelectors(bits: BitReader, tableCount: number): readonly number[] {
	const count = bits.read(15);
	check(tableCount >= 2 && tableCount <= 6 && count > 0, 'a bzip2 block without tables');
	const front = Array.from({ length: tableCount }, (_, index) => index);
	return Array.from({ length: count }, () => {
		let rank = 0;
		while (bits.read(1) === 1) rank++;
		check(rank < tableCount, 'a bzip2 table that does not exist');
		front.unshift(...front.splice(rank, 1));
		return front[0] ?? 0;
	});
}

/** Symbols by their Huffman code, with a 1 in front of it that tells `01` from `001`. */
function readCode(bits: BitReader, symbolCount: number): ReadonlyMap<number, number> {
	let length = bits.read(5);
	const lengths = Array.from({ length: symbolCount }, () => {
		while (bits.read(1) === 1) length += bits.read(1) === 1 ? -1 : 1;
		check(length >= 1 && length <= MAX_CODE_LENGTH, 'a bzip2 code length that does not exist');
		return length;
	});
	const code = new Map<number, number>();
	let next = 0;
	for (let bit = 1; bit <= MAX_CODE_LENGTH; bit++, next <<= 1) {
		for (const [symbol, own] of lengths.entries()) if (own === bit) code.set((1 << bit) | next++, symbol);
	}
	return code;
}

function readSymbol(bits: BitReader, code: ReadonlyMap<number, number> | undefined): number {
	let value = 1;
	for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
		value = (value << 1) | bits.read(1);
		const symbol = code?.get(value);
		if (symbol !== undefined) return symbol;
	}
	throw new BrokenStream('a bzip2 code that does not exist');
}

/** The inverse of the Burrows-Wheeler transform. */
function untransform(column: Uint8Array, origin: number): Uint8Array {
	check(origin < column.length, 'a bzip2 block that starts outside itself');
	const starts = new Uint32Array(257);
	for (const byte of column) starts[byte + 1] = (starts[byte + 1] ?? 0) + 1;
	for (let byte = 1; byte <= 256; byte++) starts[byte] = (starts[byte] ?? 0) + (starts[byte - 1] ?? 0);
	const next = new Uint32Array(column.length);
	for (const [index, byte] of column.entries()) {
		next[starts[byte] ?? 0] = index;
		starts[byte] = (starts[byte] ?? 0) + 1;
	}
	let position = origin;
	return column.map(() => {
		position = next[position] ?? 0;
		return column[position] ?? 0;
	});
}

/** After four equal bytes one byte says how many more follow. */
function expandRuns(block: Uint8Array, limit: number): Buffer {
	let out = Buffer.allocUnsafe(block.length * 2);
	let size = 0;
	let equal = 0;
	let before = 0;
	for (const byte of block) {
		const count = equal === 4 ? byte : 1;
		check(size + count <= limit, 'bzip2 data that would grow beyond the limit');
		if (size + count > out.length) out = Buffer.concat([out], out.length * 2 + count);
		if (equal === 4) out.fill(before, size, size + count);
		else out[size] = byte;
		size += count;
		equal = equal === 4 ? 0 : equal > 0 && byte === before ? equal + 1 : 1;
		before = byte;
	}
	return out.subarray(0, size);
}

function checksum(bytes: Uint8Array): number {
	let value = -1;
	for (const byte of bytes) value = (value << 8) ^ (CRC_TABLE[(value >>> 24) ^ byte] ?? 0);
	return ~value >>> 0;
}
