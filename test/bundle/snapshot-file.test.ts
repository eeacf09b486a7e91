import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot } from '../../src/bundle/index.ts';
import { parseBundleId, parseSnapshotName, type Snapshot } from '../../src/domain/index.ts';
import { RUNS, SEED } from './sample-content.ts';

const hex64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const anyText = fc.string({ unit: 'binary', maxLength: 20 });
const time = fc
	.date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
	.map((date) => date.toISOString());
const anyRef = hex64.map((sha256) => ({ name: parseSnapshotName(`20261122T021500Z-${sha256.slice(0, 8)}`), sha256 }));
const anySnapshot: fc.Arbitrary<Snapshot> = fc.record(
	{
		format: fc.constant(1 as const),
		time,
		parent: fc.option(anyRef, { nil: null }),
		tags: fc.array(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,9}$/), { maxLength: 3 }),
		record: anyRef,
		history: fc.record(
			{
				kept: fc.array(anyRef, { maxLength: 3 }),
				pruned: fc.array(
					anyRef.map(({ name }) => name),
					{ maxLength: 3 },
				),
			},
			{ noNullPrototype: true },
		),
		bundles: fc.array(
			fc.record(
				{ id: hex64.map(parseBundleId), kind: fc.constantFrom('sealed' as const, 'volatile' as const), size: fc.maxSafeNat() },
				{ noNullPrototype: true },
			),
			{ maxLength: 4 },
		),
		counts: fc.record(
			{ accounts: fc.maxSafeNat(), folders: fc.maxSafeNat(), messages: fc.maxSafeNat(), bytes: fc.maxSafeNat() },
			{ noNullPrototype: true },
		),
		changes: fc.record({ added: fc.maxSafeNat(), changed: fc.maxSafeNat(), removed: fc.maxSafeNat() }, { noNullPrototype: true }),
		skipped: fc.array(
			fc.record(
				{
					code: anyText,
					severity: fc.constantFrom('error' as const, 'warning' as const, 'note' as const),
					subject: anyText,
					text: anyText,
					hint: anyText,
				},
				{ requiredKeys: ['code', 'severity', 'subject', 'text'], noNullPrototype: true },
			),
			{ maxLength: 3 },
		),
	},
	{ requiredKeys: ['format', 'time', 'parent', 'bundles', 'counts', 'skipped'], noNullPrototype: true },
);

const SNAPSHOT: Snapshot = {
	format: 1,
	time: '2026-11-23T02:15:00.000Z',
	parent: null,
	bundles: [
		{ id: parseBundleId('ab'.repeat(32)), kind: 'sealed', size: 5 },
		{ id: parseBundleId('cd'.repeat(32)), kind: 'volatile', size: 6 },
	],
	counts: { accounts: 1, folders: 2, messages: 3, bytes: 4 },
	skipped: [],
};

/** The name that belongs to bytes, so that what is refused is what they say. */
function named(text: string) {
	return [parseSnapshotName(`20261123T021500Z-${hash('sha256', text, 'hex').slice(0, 8)}`), Buffer.from(text)] as const;
}

describe('encodeSnapshot() and decodeSnapshot()', () => {
	it('give back any snapshot, and the bytes they were given', () => {
		fc.assert(
			fc.property(anySnapshot, (snapshot) => {
				const { name, bytes, sha256 } = encodeSnapshot(snapshot);
				const decoded = decodeSnapshot(name, bytes);
				expect(decoded).toStrictEqual({ snapshot, sha256 });
				expect(Buffer.from(encodeSnapshot(decoded.snapshot).bytes).equals(bytes)).toBe(true);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('name a snapshot by its time and the hash of its bytes', () => {
		const { name, bytes, sha256 } = encodeSnapshot(SNAPSHOT);
		expect(sha256).toBe(hash('sha256', bytes, 'hex'));
		expect(name).toBe(`20261123T021500Z-${sha256.slice(0, 8)}`);
	});

	it('write one bundle a line', () => {
		expect(Buffer.from(encodeSnapshot(SNAPSHOT).bytes).toString()).toBe(
			`${[
				'{',
				'"format":1,',
				'"time":"2026-11-23T02:15:00.000Z",',
				'"parent":null,',
				'"counts":{"accounts":1,"folders":2,"messages":3,"bytes":4},',
				'"bundles":[',
				`{"id":"${'ab'.repeat(32)}","kind":"sealed","size":5},`,
				`{"id":"${'cd'.repeat(32)}","kind":"volatile","size":6}`,
				'],',
				'"skipped":[]',
				'}',
			].join('\n')}\n`,
		);
	});
});

describe('encodeSnapshot()', () => {
	it.each(['2026-11-23', '2026-11-23T02:15:00Z', '+012026-11-23T02:15:00.000Z'])('refuses the time "%s"', (wrong) => {
		expect(() => encodeSnapshot({ ...SNAPSHOT, time: wrong })).toThrow('Cannot encode snapshot');
	});
});

describe('decodeSnapshot()', () => {
	const { name, bytes } = encodeSnapshot(SNAPSHOT);
	const text = Buffer.from(bytes).toString();

	it('refuses every single flipped bit', () => {
		for (let bit = 0; bit < bytes.length * 8; bit++) {
			const copy = Buffer.from(bytes);
			copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			expect(() => decodeSnapshot(name, copy)).toThrow(
				expect.objectContaining({ code: 'archive-damaged', details: { damage: 'wrong-hash' } }),
			);
		}
	});

	it('gives again what it gave of the same bytes, and still refuses others under their name, or them under another name', () => {
		const first = decodeSnapshot(name, bytes);
		expect(decodeSnapshot(name, Buffer.from(bytes)).snapshot).toBe(first.snapshot);
		expect(() => decodeSnapshot(name, bytes.subarray(1))).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
		expect(() => decodeSnapshot(parseSnapshotName(name.replace('0215', '0216')), bytes)).toThrow('field "time"');
		expect(first.snapshot).toEqual(SNAPSHOT);
	});

	it('refuses a name with another time', () => {
		const other = parseSnapshotName(name.replace('20261123', '20261124'));
		expect(() => decodeSnapshot(other, bytes)).toThrow('field "time"');
	});

	it('says that a later format is newer, whatever else is in it', () => {
		expect(() => decodeSnapshot(...named('{"format":2,"shape":"unknown"}'))).toThrow(expect.objectContaining({ code: 'format-newer' }));
	});

	it.each([
		['format', text.replace('"format":1', '"format":0')],
		['format', text.replace('"format":1,', '')],
		['time', text.replace('.000Z', 'Z')],
		['parent', text.replace('"parent":null', '"parent":7')],
		['parent', text.replace('"parent":null,', '')],
		['changes', text.replace('"bundles":', '"changes":3,"bundles":')],
		['changes.removed', text.replace('"bundles":', '"changes":{"added":1,"changed":2,"removed":-3},"bundles":')],
		['parent.sha256', text.replace('"parent":null', '"parent":{"name":"20261122T021500Z-0a1b2c3d","sha256":"no"}')],
		['parent.name', text.replace('"parent":null', `"parent":{"name":"..","sha256":"${'ab'.repeat(32)}"}`)],
		['counts.bytes', text.replace('"bytes":4', '"bytes":-4')],
		['counts.files', text.replace('"bytes":4', '"bytes":4,"files":1')],
		['bundles[1].id', text.replace('cd', 'CD')],
		['bundles[0].kind', text.replace('sealed', 'open')],
		['bundles[0].extra', text.replace('"size":5', '"size":5,"extra":1')],
		['bundles[1]', text.replace(/\{"id":"cd.*\}/, '7')],
		['skipped', text.replace('"skipped":[]', '"skipped":{}')],
		['skipped[0].severity', text.replace('"skipped":[]', '"skipped":[{"code":"a","severity":"bad","subject":"s","text":"t"}]')],
		['colour', text.replace('"skipped"', '"colour":1,"skipped"')],
		['', '[]'],
		['', '{'],
	])('refuses field "%s" with its name (variant %#)', (field, wrong) => {
		expect(() => decodeSnapshot(...named(wrong))).toThrow(
			expect.objectContaining({ code: 'archive-damaged', details: { damage: 'bad-snapshot', field } }),
		);
	});

	it('refuses bytes that are not UTF-8', () => {
		const wrong = Buffer.from('{"format":1,"time":"é"}', 'latin1');
		expect(() => decodeSnapshot(parseSnapshotName(`20261123T021500Z-${hash('sha256', wrong, 'hex').slice(0, 8)}`), wrong)).toThrow('UTF-8');
	});
});
