import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { writeZip } from '../../src/bundle/write-zip.ts';
import { encodeEnd, writeCentralRecord, type ZipEntry } from '../../src/bundle/zip-encode.ts';
import { parseEnd } from '../../src/bundle/zip-records.ts';
import { RUNS, SEED } from './sample-content.ts';

const NEVER = new AbortController().signal;
/** yazl 3.3.1 takes more than its published types, which stop at 2.4, know of. */
const STORED = { compress: false, mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true } as const;

/** What yazl keeps of an entry, as far as its record in the directory goes. */
interface YazlEntry {
	crc32: number;
	compressedSize: number;
	uncompressedSize: number;
	relativeOffsetOfLocalHeader: number;
	getCentralDirectoryRecord(): Buffer;
}

async function byYazl(entries: readonly { readonly name: string; readonly stored: Uint8Array }[]): Promise<Buffer> {
	const zip = new ZipFile();
	for (const { name, stored } of entries) zip.addBuffer(Buffer.from(stored), name, STORED);
	zip.end();
	return buffer(zip.outputStream);
}

async function byUs(entries: readonly { readonly name: string; readonly stored: Uint8Array }[]): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	await writeZip(entries, { sink: (bytes) => pieces.push(bytes), signal: NEVER });
	return Buffer.concat(pieces);
}

describe('writeZip()', () => {
	it('writes byte for byte what yazl writes', async () => {
		const entries = fc.uniqueArray(
			fc.record({ name: fc.stringMatching(/^[a-z]{1,9}\/[a-z0-9.]{0,60}[a-z]$/), stored: fc.uint8Array({ maxLength: 400 }) }),
			{ selector: ({ name }) => name, maxLength: 12 },
		);
		await fc.assert(
			fc.asyncProperty(entries, async (some) => {
				expect((await byUs(some)).equals(await byYazl(some))).toBe(true);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('writes it too where items are larger than what it gathers', async () => {
		const entries = [10, 65_535, 65_536, 1_048_570, 1_048_576, 3_000_000, 7].map((length, index) => ({
			name: `messages/${index}.eml`,
			stored: Buffer.alloc(length, `item ${index} `),
		}));
		expect((await byUs(entries)).equals(await byYazl(entries))).toBe(true);
	});
});

describe('writeCentralRecord()', () => {
	it.each([
		['a small entry', 10, 100],
		['an entry of just below 4 GiB', 0xfffffffe, 0],
		['an entry of 4 GiB', 0xffffffff, 0],
		['an entry of 5 GiB behind 6 GiB', 5 * 2 ** 30, 6 * 2 ** 30],
		['a small entry just below 4 GiB', 1, 0xfffffffe],
		['a small entry behind 4 GiB', 1, 0xffffffff],
	])('writes for %s what yazl writes', (_what, size, headerOffset) => {
		const entry: ZipEntry = { name: 'messages/ab/x.eml', crc32: crc32('x'), size };
		const zip = new ZipFile() as unknown as { addBuffer(bytes: Buffer, name: string, options: object): void; entries: YazlEntry[] };
		zip.addBuffer(Buffer.from('x'), entry.name, STORED);
		const [made] = zip.entries;
		if (made === undefined) throw new Error('yazl made no entry');
		Object.assign(made, { compressedSize: size, uncompressedSize: size, relativeOffsetOfLocalHeader: headerOffset });
		const bytes = Buffer.alloc(200);
		const end = writeCentralRecord(bytes, 0, { ...entry, headerOffset });
		expect(bytes.subarray(0, end)).toEqual(made.getCentralDirectoryRecord());
	});
});

describe('encodeEnd()', () => {
	it.each([
		[3, 1000, 150],
		[8000, 0xfffffffe, 1_000_000],
		[8000, 0xffffffff, 1_000_000],
		[0xffff, 1000, 5_000_000],
		[2, 7 * 2 ** 30, 0xffffffff],
	])('is read back: %d entries, a directory at %d of %d bytes', (entryCount, directoryOffset, directorySize) => {
		const bytes = encodeEnd({ entryCount, directoryOffset, directorySize });
		const end = parseEnd(bytes, directoryOffset + directorySize + bytes.length);
		expect(end).toEqual({ entryCount, directoryOffset, directorySize });
		const isPlain = entryCount < 0xffff && directoryOffset < 0xffffffff && directorySize < 0xffffffff;
		expect(bytes.length).toBe(isPlain ? 22 : 98);
	});
});
