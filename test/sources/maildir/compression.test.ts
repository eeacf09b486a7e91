import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import createModule from 'libdeflate-module';
import { describe, expect, test } from 'vitest';
import { BrokenStream } from '../../../src/sources/maildir/broken-stream.ts';
import { bunzip2 } from '../../../src/sources/maildir/bzip2.ts';
import { methodOf, UNPACKED_LIMIT, unpack } from '../../../src/sources/maildir/compression.ts';
import { decodeDovecotLz4 } from '../../../src/sources/maildir/lz4.ts';
import { unzstd } from '../../../src/sources/maildir/zstd.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const LIMIT = 64 * 1024 * 1024;
const TEXT = Buffer.from('Subject: hello\n\nA line that repeats. A line that repeats.\n'.repeat(500));
const RANDOM = Buffer.from(Array.from({ length: 40_000 }, (_, index) => (index * index * 31 + index) % 251));

/** Null where this machine has no such program; the test then says so. */
function run(program: string, args: readonly string[], input: Buffer): Buffer | null {
	try {
		return execFileSync(program, args, { input, maxBuffer: LIMIT });
	} catch (error) {
		if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
		console.warn(`skipped: needs the program ${program}`);
		return null;
	}
}

/** Random bytes and long runs, which the formats treat differently. */
const SAMPLE = fc
	.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 600 })), { maxLength: 40 })
	.map((runs) => Buffer.concat(runs.map(([byte, count]) => Buffer.alloc(count, byte))));

describe('bunzip2()', () => {
	test.each([
		['nothing', Buffer.alloc(0)],
		['text', TEXT],
		['bytes', RANDOM],
		['a run of 3 MB', Buffer.alloc(3_000_000, 97)],
		['runs of 4 and 5', Buffer.from('aaaabbbbbccccddddde')],
	])('undoes what bzip2 makes of %s', (_name, bytes) => {
		const packed = run('bzip2', ['-c'], bytes);
		if (packed !== null) expect(bunzip2(packed, LIMIT).equals(bytes)).toBe(true);
	});

	test('undoes blocks of random content as bzip2 writes them', () => {
		fc.assert(
			fc.property(SAMPLE, (bytes) => {
				const packed = run('bzip2', ['-1', '-c'], bytes);
				return packed === null || bunzip2(packed, LIMIT).equals(bytes);
			}),
			propertyRuns(20),
		);
	});

	test('undoes several streams', () => {
		const packed = run('bzip2', ['-c'], TEXT);
		if (packed !== null) expect(bunzip2(Buffer.concat([packed, packed]), LIMIT).equals(Buffer.concat([TEXT, TEXT]))).toBe(true);
	});

	test('gives no wrong byte where a bit was changed, and refuses a cut anywhere', () => {
		const text = TEXT.subarray(0, 2000);
		const packed = run('bzip2', ['-c'], text);
		if (packed === null) return;
		let refused = 0;
		for (let position = 0; position < packed.length; position++) {
			const changed = Buffer.from(packed);
			changed[position] = (changed[position] ?? 0) ^ 0x10;
			try {
				// A bit of a table that no symbol uses, or of the last checksum, changes nothing.
				expect(bunzip2(changed, LIMIT).equals(text), `bit of byte ${position}`).toBe(true);
			} catch (error) {
				if (!(error instanceof BrokenStream)) throw error;
				refused++;
			}
			if (position > 0) expect(() => bunzip2(packed.subarray(0, position), LIMIT), `cut at ${position}`).toThrow(BrokenStream);
		}
		expect(refused).toBeGreaterThan(packed.length / 2);
	});

	test('refuses to grow beyond the limit', () => {
		const packed = run('bzip2', ['-c'], Buffer.alloc(3_000_000, 97));
		if (packed !== null) expect(() => bunzip2(packed, 2_999_999)).toThrow(BrokenStream);
	});
});

describe('unzstd()', () => {
	test.each([
		['nothing', Buffer.alloc(0)],
		['text', TEXT],
		['bytes', RANDOM],
		['a run of 3 MB', Buffer.alloc(3_000_000, 97)],
	])('undoes what zstd makes of %s', (_name, bytes) => {
		const packed = run('zstd', ['-q', '-c'], bytes);
		if (packed !== null) expect(unzstd(packed, LIMIT).equals(bytes)).toBe(true);
	});

	test('undoes several frames, and skips those that are to be skipped', () => {
		const packed = run('zstd', ['-q', '-c'], TEXT);
		const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
		if (packed !== null) expect(unzstd(Buffer.concat([packed, skippable, packed]), LIMIT).equals(Buffer.concat([TEXT, TEXT]))).toBe(true);
	});

	test('refuses frames that are cut off, followed by other bytes, or would grow beyond the limit', () => {
		const packed = run('zstd', ['-q', '-c'], TEXT);
		if (packed === null) return;
		for (let length = 1; length < packed.length; length++) expect(() => unzstd(packed.subarray(0, length), LIMIT)).toThrow(BrokenStream);
		expect(() => unzstd(Buffer.concat([packed, Buffer.from('x')]), LIMIT)).toThrow(BrokenStream);
		expect(() => unzstd(packed, 1000)).toThrow(BrokenStream);
	});

	test('refuses a header that asks for gigabytes of memory', () => {
		const hostile = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00]);
		expect(() => unzstd(hostile, LIMIT)).toThrow(/window/);
	});

	test('throws nothing but BrokenStream, whatever the bytes', () => {
		const packed = run('zstd', ['-q', '-c'], RANDOM.subarray(0, 3000));
		if (packed === null) return;
		fc.assert(
			fc.property(fc.integer({ min: 4, max: packed.length - 1 }), fc.integer({ min: 1, max: 255 }), (position, change) => {
				const changed = Buffer.from(packed);
				changed[position] = (changed[position] ?? 0) ^ change;
				try {
					unzstd(changed, LIMIT);
				} catch (error) {
					if (!(error instanceof BrokenStream)) throw error;
				}
			}),
			propertyRuns(),
		);
	});
});

describe('decodeDovecotLz4()', () => {
	const MAGIC = Buffer.from('Dovecot-LZ4\x0d\x2a\x9b\xc5', 'latin1');

	function frame(blocks: readonly Buffer[], chunk = 65_536): Buffer {
		const size = Buffer.alloc(4);
		size.writeUInt32BE(chunk);
		const framed = blocks.flatMap((block) => {
			const length = Buffer.alloc(4);
			length.writeUInt32BE(block.length);
			return [length, block];
		});
		return Buffer.concat([MAGIC, size, ...framed]);
	}

	/** The first block of an LZ4 frame as the lz4 program writes it (LZ4 frame format 1.6.2, independent blocks, no checksums). */
	function blockOf(bytes: Buffer): Buffer | null {
		const packed = run('lz4', ['-q', '-c', '-B4', '--no-frame-crc', '-'], bytes);
		if (packed === null) return null;
		const size = packed.readUInt32LE(7);
		expect(size & 0x8000_0000).toBe(0);
		return packed.subarray(11, 11 + size);
	}

	test('undoes blocks that the lz4 program made, overlapping matches and long lengths too', () => {
		const samples = [TEXT.subarray(0, 5000), Buffer.alloc(60_000, 120), Buffer.concat([TEXT.subarray(0, 700), RANDOM.subarray(0, 300)])];
		const blocks = samples.map(blockOf);
		if (blocks.includes(null)) return;
		const packed = frame(blocks.filter((block) => block !== null));
		expect(decodeDovecotLz4(packed, LIMIT).equals(Buffer.concat(samples))).toBe(true);
	});

	test('undoes a block of literals only', () => {
		expect(decodeDovecotLz4(frame([Buffer.from([0x30, 97, 98, 99])]), LIMIT).toString()).toBe('abc');
	});

	test.each([
		['a match before the start', frame([Buffer.from([0x10, 97, 5, 0, 0x00])])],
		['an offset of zero', frame([Buffer.from([0x10, 97, 0, 0, 0x00])])],
		['literals beyond the block', frame([Buffer.from([0x50, 97])])],
		['a block that ends with a match', frame([Buffer.from([0x10, 97, 1, 0])])],
		['an empty block', frame([Buffer.alloc(0)])],
		['more than a chunk', frame([Buffer.from([0x30, 97, 98, 99])], 2)],
		['a chunk of 2 MiB', frame([Buffer.from([0x10, 97])], 2 * 1024 * 1024)],
		['a cut length', Buffer.concat([frame([Buffer.from([0x10, 97])]), Buffer.from([0, 0])])],
		['a cut block', frame([Buffer.from([0x30, 97, 98, 99])]).subarray(0, -1)],
		['magic only', MAGIC],
	])('refuses %s', (_name, bytes) => {
		expect(() => decodeDovecotLz4(bytes, LIMIT)).toThrow(BrokenStream);
	});
});

describe('unpack()', () => {
	function unpacked(bytes: Buffer) {
		const method = methodOf(bytes.subarray(0, 15));
		if (method === null) throw new Error('a plain message');
		return unpack(bytes, method);
	}

	test('gives no more than can be compressed again', () => {
		const libdeflate = createModule({ printErr() {} });
		const compressor = libdeflate._libdeflate_alloc_compressor(1);
		const rooms = [UNPACKED_LIMIT, libdeflate._libdeflate_gzip_compress_bound(compressor, UNPACKED_LIMIT)];
		expect(rooms.map((bytes) => libdeflate._malloc(bytes) > 0)).toEqual([true, true]);
	});

	test('undoes gzip of several members', () => {
		const { bytes, oddity } = unpacked(Buffer.concat([gzipSync('one '), gzipSync('two')]));
		expect([bytes.toString(), oddity]).toEqual(['one two', undefined]);
	});

	test.each([
		['that is cut off', gzipSync(TEXT).subarray(0, -3)],
		['that zeros follow', Buffer.concat([gzipSync(TEXT), Buffer.alloc(20)])],
		['that text follows', Buffer.concat([gzipSync(TEXT), Buffer.from('hello')])],
		['with a changed byte', Buffer.concat([gzipSync(TEXT).subarray(0, -5), Buffer.from([1, 2, 3, 4, 5])])],
		['that is only a magic', Buffer.from([0x1f, 0x8b])],
	])('keeps gzip %s as it lies', (_name, packed) => {
		const { bytes, oddity } = unpacked(packed);
		expect(oddity).toBe('broken-compression');
		expect(bytes.equals(packed)).toBe(true);
	});

	test('keeps xz and encrypted mail as it lies', () => {
		const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2]);
		expect(unpacked(xz)).toEqual({ bytes: xz, oddity: 'unknown-compression' });
		const crypted = Buffer.from('CRYPTED\x03\x07abc', 'latin1');
		expect(unpacked(crypted)).toEqual({ bytes: crypted, oddity: 'encrypted' });
	});

	test('takes mail that only looks like a magic at first for plain', () => {
		for (const text of ['', 'B', 'BZhello: x', 'BZ', 'Dovecot-LZ4 is fine', 'CRYPTED', '\x1f']) {
			expect(methodOf(Buffer.from(text, 'latin1')), JSON.stringify(text)).toBeNull();
		}
	});
});
