import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { emptyRecord, readRecord, readRecords, type TargetRecord, targetKey, writeRecord } from '../../../src/archive/target/record.ts';
import { parseBundleId, parseSnapshotName } from '../../../src/domain/index.ts';
import { openFiles } from '../../../src/platform/index.ts';
import { quickFolder } from '../../support/target.ts';

const ID = parseBundleId('ab'.repeat(32));
const OTHER = parseBundleId('cd'.repeat(32));
const ADDRESS = { url: 's3://bucket/mail', endpoint: 'https://s3.example.org' };
const RECORD: TargetRecord = {
	address: ADDRESS,
	synced: { time: '2026-01-02T03:04:05.000Z', snapshot: parseSnapshotName('20260102T030405Z-0a1b2c3d') },
	copies: new Map([
		[ID, { sealedHash: 'ef'.repeat(32), size: 12_345, md5: '01'.repeat(16) }],
		[OTHER, { md5: '02'.repeat(16) }],
	]),
	dropped: new Map([[ID, 12_000]]),
};

test('a record is read as it was written', () => {
	const dir = quickFolder();
	for (const record of [RECORD, emptyRecord(ADDRESS), { ...RECORD, address: { url: '/mnt/disk' }, synced: null }]) {
		writeRecord(openFiles(), dir, record);
		expect(readRecord(dir, record.address)).toEqual(record);
	}
	expect(
		readRecords(dir)
			.map(({ address }) => address.url)
			.sort(),
	).toEqual(['/mnt/disk', 's3://bucket/mail']);
});

test('targets are told apart by their address and their server', () => {
	const keys = [ADDRESS, { url: ADDRESS.url }, { ...ADDRESS, endpoint: 'https://other.example.org' }, { url: 's3://bucket/mail2' }].map(
		targetKey,
	);
	expect(new Set(keys).size).toBe(4);
	for (const key of keys) expect(key).toMatch(/^[0-9a-f]{16}$/);
	expect(readRecord(quickFolder(), ADDRESS)).toBeNull();
	expect(readRecords(quickFolder())).toEqual([]);
});

describe('a record that is not as one is written is refused by name, and not taken for none:', () => {
	const text = (change: object): string =>
		JSON.stringify({ format: 1, address: ADDRESS, synced: null, copies: {}, dropped: {}, ...change });
	test.each([
		['nothing', ''],
		['half of it', text({}).slice(0, 40)],
		['a list', '[]'],
		['another format', text({ format: 2 })],
		['no address', text({ address: undefined })],
		['an address that is a text', text({ address: 's3://bucket' })],
		['a server that is a number', text({ address: { url: 'x', endpoint: 1 } })],
		['copies that are a list', text({ copies: [] })],
		['a copy of no bundle', text({ copies: { x: {} } })],
		['a copy that is null', text({ copies: { [ID]: null } })],
		['a copy with a hash that is a number', text({ copies: { [ID]: { sealedHash: 1 } } })],
		['a copy with a size that is a text', text({ copies: { [ID]: { size: '1' } } })],
		['a dropped bundle that is none', text({ dropped: { '../x': 1 } })],
		['a dropped bundle of no size', text({ dropped: { [ID]: null } })],
		['a dropped bundle of a size below zero', text({ dropped: { [ID]: -1 } })],
		['a snapshot that is none', text({ synced: { time: '2026', snapshot: '../../x' } })],
	])('%s', (_what, content) => {
		const dir = quickFolder();
		const path = join(dir, 'targets', `${targetKey(ADDRESS)}.json`);
		mkdirSync(join(dir, 'targets'));
		writeFileSync(path, content);
		const refusal = expect.objectContaining({ code: 'archive-damaged', message: expect.stringContaining(path), hint: expect.any(String) });
		expect(() => readRecord(dir, ADDRESS)).toThrow(refusal);
		expect(() => readRecords(dir)).toThrow(refusal);
	});
});

test('files beside the records are not read', () => {
	const dir = quickFolder();
	writeRecord(openFiles(), dir, RECORD);
	for (const name of ['0123456789abcdef.lock', '.tmp-0123456789abcdef', 'notes.json']) writeFileSync(join(dir, 'targets', name), 'x');
	expect(readRecords(dir)).toEqual([RECORD]);
});
