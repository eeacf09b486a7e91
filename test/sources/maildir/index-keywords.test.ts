import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/domain/index.ts';
import { BrokenIndex } from '../../../src/sources/maildir/dovecot-index.ts';
import { type IndexFiles, parseIndexFiles, readIndexKeywords } from '../../../src/sources/maildir/index-keywords.ts';
import { temporaryDirectory } from '../../support/maildir.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const INDEX_ID = 77;
const EXTERNAL = 0x1000_0000;

function u32(...values: readonly number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
	return bytes;
}

function padded(bytes: Buffer, unit: number): Buffer {
	return Buffer.concat([bytes, Buffer.alloc((unit - (bytes.length % unit)) % unit)]);
}

function record(type: number, data: Buffer): Buffer {
	const size = (data.length + 8) / 4;
	const digits = [(size >> 21) & 0x7f, (size >> 14) & 0x7f, (size >> 7) & 0x7f, size & 0x7f].map((digit) => digit | 0x80);
	return Buffer.concat([Buffer.from(digits), u32(type), data]);
}

const append = (...uids: readonly number[]) => record(0x02, u32(...uids.flatMap((uid) => [uid, 0])));
const expunge = (first: number, last: number, external = true) => record(0xcd91 | (external ? EXTERNAL : 0), u32(first, last));
function keyword(name: string, ranges: readonly number[], remove = false): Buffer {
	const head = Buffer.from([remove ? 1 : 0, 0, Buffer.byteLength(name), 0]);
	return record(0x400, Buffer.concat([padded(Buffer.concat([head, Buffer.from(name)]), 4), u32(...ranges)]));
}

function log(records: readonly Buffer[], options: { sequence?: number; previous?: number; id?: number } = {}): Buffer {
	const header = Buffer.alloc(40);
	header[0] = 1;
	header.writeUInt16LE(40, 2);
	u32(options.id ?? INDEX_ID, options.sequence ?? 1, options.previous ?? 0).copy(header, 4);
	return Buffer.concat([header, ...records]);
}

/** A snapshot of messages with keyword bits, which goes on in log `sequence` at `offset`. */
function snapshot(options: {
	names: readonly string[];
	messages: readonly (readonly [number, number])[];
	sequence: number;
	offset: number;
}) {
	const { names, messages, sequence, offset } = options;
	const header = Buffer.alloc(120);
	header[0] = 7;
	header[1] = 3;
	header.writeUInt16LE(120, 2);
	header[12] = 1;
	const texts = names.map((name) => Buffer.from(`${name}\0`));
	const starts = texts.map((_, index) => texts.slice(0, index).reduce((sum, text) => sum + text.length, 0));
	const data = Buffer.concat([u32(names.length), ...starts.map((start) => u32(0, start)), ...texts]);
	const other = Buffer.concat([u32(4, 0), Buffer.from([0, 0, 0, 0, 0, 0, 5, 0]), padded(Buffer.from('cache\0\0\0'), 8), padded(u32(9), 8)]);
	const extension = Buffer.concat([u32(data.length, 0), Buffer.from([5, 0, 1, 0, 1, 0, 8, 0]), Buffer.from('keywords'), padded(data, 8)]);
	const headers = Buffer.concat([header, other, extension]);
	u32(headers.length, 6).copy(headers, 4);
	u32(INDEX_ID).copy(headers, 16);
	u32(messages.length).copy(headers, 32);
	u32(sequence, offset, offset).copy(headers, 60);
	return Buffer.concat([headers, ...messages.map(([uid, bits]) => Buffer.concat([u32(uid), Buffer.from([0, bits])]))]);
}

function keywordsOf(files: Partial<IndexFiles>): Record<number, string[]> | null {
	const state = parseIndexFiles({ index: null, log: null, olderLog: null, ...files });
	if (state === null) return null;
	return Object.fromEntries([...state.byUid].map(([uid, set]) => [uid, [...set].map((number) => state.names[number] ?? '?').sort()]));
}

describe('parseIndexFiles()', () => {
	test('reads a log without a snapshot: appends, keywords added and removed, expunges', () => {
		const records = [append(1, 2, 3, 4), keyword('a', [1, 3]), keyword('B', [2, 2, 4, 9]), keyword('A', [2, 2], true), expunge(3, 3)];
		expect(keywordsOf({ log: log(records) })).toEqual({ 1: ['a'], 2: ['B'], 4: ['B'] });
	});

	test('takes an expunge without the external bit for a request', () => {
		expect(keywordsOf({ log: log([append(1, 2), expunge(1, 2, false)]) })).toEqual({ 1: [], 2: [] });
	});

	test('removes single messages by GUID, and all keywords at a reset', () => {
		const records = [append(1, 2, 3), keyword('a', [1, 3]), record(0xed90 | EXTERNAL, Buffer.concat([u32(2), Buffer.alloc(16)]))];
		expect(keywordsOf({ log: log([...records, record(0x800, u32(3, 3))]) })).toEqual({ 1: ['a'], 3: [] });
	});

	test('goes on from a snapshot in the log that it names, and in the next', () => {
		const older = log([keyword('x', [1, 1]), append(3), keyword('two', [3, 3])], { sequence: 4, previous: 3 });
		const newer = log([keyword('one', [3, 3])], { sequence: 5, previous: 4 });
		const names = ['one', 'two'];
		const offset = 40 + keyword('x', [1, 1]).length;
		const index = snapshot({
			names,
			messages: [
				[1, 0b01],
				[2, 0b10],
			],
			sequence: 4,
			offset,
		});
		expect(keywordsOf({ index, log: newer, olderLog: older })).toEqual({ 1: ['one'], 2: ['two'], 3: ['one', 'two'] });
	});

	test('leaves an older log aside', () => {
		const index = snapshot({ names: ['one'], messages: [[1, 1]], sequence: 5, offset: 40 });
		const olderLog = log([keyword('old', [1, 1])], { sequence: 4, previous: 3 });
		expect(keywordsOf({ index, log: log([], { sequence: 5, previous: 4 }), olderLog })).toEqual({ 1: ['one'] });
	});

	test('stops at a record that is not finished, and before a transaction that is not', () => {
		const unfinished = Buffer.from(keyword('b', [1, 1]));
		unfinished[0] = 0;
		expect(keywordsOf({ log: log([append(1), unfinished, keyword('c', [1, 1])]) })).toEqual({ 1: [] });
		const boundary = record(0x80000, u32(1000));
		expect(keywordsOf({ log: log([append(1), boundary, keyword('c', [1, 1])]) })).toEqual({ 1: [] });
		const whole = record(0x80000, u32(12 + keyword('c', [1, 1]).length));
		expect(keywordsOf({ log: log([append(1), whole, keyword('c', [1, 1])]) })).toEqual({ 1: ['c'] });
	});

	test('an index that gives thousands of keywords to a message is a finding', () => {
		const directory = temporaryDirectory();
		const names = Array.from({ length: 5 }, (_, index) => `${index}`.repeat(2000));
		writeFileSync(join(directory, 'dovecot.index.log'), log([]));
		function keywordsOf(bits: number) {
			writeFileSync(join(directory, 'dovecot.index'), snapshot({ names, messages: [[7, bits]], sequence: 1, offset: 40 }));
			const findings: Finding[] = [];
			const keywords = readIndexKeywords(directory, [], findings);
			return { count: keywords?.byUid.get(7)?.length, codes: findings.map(({ code }) => code) };
		}
		expect(keywordsOf(0b01111)).toEqual({ count: 4, codes: [] });
		expect(keywordsOf(0b11111)).toEqual({ count: undefined, codes: ['keyword-index-damaged'] });
	});

	test('says nothing where there are no files', () => {
		expect(keywordsOf({})).toBeNull();
	});

	const index = snapshot({ names: ['one'], messages: [[1, 1]], sequence: 4, offset: 40 });
	test.each<[string, Partial<IndexFiles>]>([
		['a snapshot whose log is gone', { index, log: log([], { sequence: 6, previous: 5 }) }],
		['a snapshot without logs', { index }],
		['a log that is not the first, without a snapshot', { log: log([], { sequence: 2, previous: 1 }) }],
		['logs with one missing between them', { log: log([], { sequence: 3, previous: 2 }), olderLog: log([]) }],
		['a log of another folder', { index, log: log([], { sequence: 4, id: 78 }) }],
		['a log that Dovecot marked as bad', { log: log([], { id: 0 }) }],
		['an empty log', { log: Buffer.alloc(0) }],
		['a snapshot that is cut off', { index: index.subarray(0, -1), log: log([], { sequence: 4 }) }],
		['a snapshot of another version', { index: Buffer.concat([Buffer.from([8]), index.subarray(1)]), log: log([], { sequence: 4 }) }],
	])('refuses %s', (_name, files) => {
		expect(() => keywordsOf(files)).toThrow(BrokenIndex);
	});

	test('refuses a log that would keep it busy for hours', () => {
		const uids = Array.from({ length: 2000 }, (_, index) => index + 1);
		const ranges = Array.from({ length: 20_000 }, () => [1, 0xffff_ffff]).flat();
		expect(() => keywordsOf({ log: log([append(...uids), keyword('a', ranges)]) })).toThrow(/longer than any/);
	});

	test('throws nothing but BrokenIndex, whatever the bytes', () => {
		const whole = log([append(1, 2, 3), keyword('a', [1, 3]), expunge(2, 2)], { sequence: 4, previous: 3 });
		const change = fc.array(fc.tuple(fc.nat(index.length + whole.length), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
		fc.assert(
			fc.property(change, fc.nat(index.length), fc.nat(whole.length), (changes, indexCut, logCut) => {
				const bytes = Buffer.concat([index, whole]);
				for (const [position, value] of changes) bytes[position] = value;
				const files = {
					index: bytes.subarray(0, index.length - (indexCut % 7)),
					log: bytes.subarray(index.length, bytes.length - (logCut % 20)),
				};
				try {
					keywordsOf(files);
					keywordsOf({ log: files.log });
				} catch (error) {
					if (!(error instanceof BrokenIndex)) throw error;
				}
			}),
			propertyRuns(3000),
		);
	});
});
