import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listSnapshots, status } from '../../src/archive/index.ts';
import { readSnapshot } from '../../src/archive/snapshots.ts';
import { encodeSnapshot } from '../../src/bundle/index.ts';
import { parseSnapshotName, type Snapshot } from '../../src/domain/index.ts';
import { archiveAt, packOnce, pruneOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { snapshotsOf } from '../support/eventful-night.ts';
import { DAY } from '../support/mail-store.ts';
import { makeNightsOfMail, NIGHTLY, type NightsOfMail, restoredFlaws } from '../support/pruned-archive.ts';

let nights: NightsOfMail;
/** Six nights of which the second, the fifth and the sixth were kept, the record, and two nights after it. */
let pruned: string;
let names: string[];
let archive: string;
beforeAll(async () => {
	nights = await makeNightsOfMail(6, [1]);
	pruned = nights.copy();
	await pruneOnce(pruned, { last: 2 }, { now: nights.now });
	for (const night of [1, 2]) await packOnce(pruned, nights.spec, { now: nights.now + night * DAY, bundles: NIGHTLY });
	names = snapshotsOf(pruned);
	expect(names).toHaveLength(6);
});
afterAll(() => nights.remove());
beforeEach(() => {
	archive = nights.copy(pruned);
});
afterEach(() => rmSync(archive, { recursive: true, force: true }));

function pathOf(name: string): string {
	return join(archive, 'snapshots', name.slice(0, 4), `${name}.json`);
}

function read(name: string): Snapshot {
	return readSnapshot(archive, parseSnapshotName(name)).snapshot;
}

/** Puts a snapshot under the name that is its own. */
function plant(snapshot: Snapshot): string {
	const { name, bytes } = encodeSnapshot(snapshot);
	writeFileSync(pathOf(name), bytes);
	return name;
}

async function codes(): Promise<string[]> {
	const { findings, result } = await verifyOnce(archive, 'quick');
	const errors = findings.filter(({ severity }) => severity === 'error');
	expect(errors.length === 0).toBe(result.damaged.length + result.missing.length === 0);
	return findings.map(({ code, subject }) => `${code} ${subject}`);
}

describe('verify, after a prune,', () => {
	it('finds nothing, and whatever else reads the archive lives with the gaps', async () => {
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
		const request = { now: nights.now };
		expect((await listSnapshots(archiveAt(archive), request)).result.rows.map(({ name }) => name)).toEqual(names);
		expect((await status(archiveAt(archive), nights.now + 2 * DAY)).result).toMatchObject({ snapshots: 6, next: [] });
		expect(await restoredFlaws(archive, names.slice(0, 3), nights.trees)).toEqual([]);
	});

	it('is whole, as is every other reading, where the catalog is gone, or stands at a snapshot that was pruned since', async () => {
		const catalog = join(archive, 'catalog.sqlite');
		const { record } = (await pruneOnce(archive, { last: 3 }, { now: nights.now + 3 * DAY })).result;
		const old = readFileSync(catalog);
		expect((await pruneOnce(archive, { last: 2 }, { now: nights.now + 4 * DAY })).result.pruned).toContainEqual(
			expect.objectContaining({ name: record }),
		);
		for (const content of [null, old]) {
			rmSync(catalog);
			if (content !== null) writeFileSync(catalog, content);
			expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
			expect((await status(archiveAt(archive), nights.now)).findings).toEqual([]);
			expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
		}
	});

	it('finds each single snapshot that is deleted', async () => {
		for (const name of names) {
			const bytes = readFileSync(pathOf(name));
			rmSync(pathOf(name));
			expect(await codes(), name).toContain(`snapshot-missing ${name}`);
			writeFileSync(pathOf(name), bytes);
		}
		expect(await codes()).toEqual([]);
	});

	it('finds each single snapshot that is altered, also where it gets a name that fits', async () => {
		for (const name of names) {
			const bytes = readFileSync(pathOf(name));
			chmodSync(pathOf(name), 0o600);
			writeFileSync(pathOf(name), bytes.toString().replace('"messages":', '"messages":1'));
			expect(await codes(), name).toContain(`snapshot-damaged ${name}`);
			rmSync(pathOf(name));
			const other = plant({ ...JSON.parse(bytes.toString()), bundles: [] });
			// Of the newest nothing here tells but the catalog, which knows its name.
			expect(await codes(), name).toContain(`snapshot-missing ${name}`);
			rmSync(pathOf(other));
			writeFileSync(pathOf(name), bytes);
		}
	});

	it('finds two that are swapped', async () => {
		const [first = '', second = ''] = names;
		renameSync(pathOf(first), pathOf('20260101T000000Z-aaaaaaaa'));
		renameSync(pathOf(second), pathOf(first));
		renameSync(pathOf('20260101T000000Z-aaaaaaaa'), pathOf(second));
		expect(await codes()).toEqual([`snapshot-damaged ${first}`, `snapshot-damaged ${second}`]);
	});

	it('finds an entry that is dropped from the record', async () => {
		const [first = '', , , record = ''] = names;
		const { history, ...rest } = read(record);
		const kept = history?.kept.filter(({ name }) => name !== first) ?? [];
		rmSync(pathOf(record));
		plant({ ...rest, history: { kept, pruned: [] } });
		expect(await codes()).toContain(`snapshot-missing ${record}`);
		// And where all that lead to the record are written anew.
		for (const name of names.slice(3)) rmSync(pathOf(name), { force: true });
		for (const name of snapshotsOf(archive).slice(3)) rmSync(pathOf(name));
		const forged = plant({ ...rest, history: { kept, pruned: history?.pruned ?? [] } });
		expect(await codes()).toEqual(
			expect.arrayContaining([`snapshot-unknown ${first}`, expect.stringMatching(`^snapshot-missing ${names[5]}$`)]),
		);
		expect(forged).not.toBe(record);
	});

	it('finds a snapshot that somebody put among those before the record, and prune then removes nothing', async () => {
		const [first = ''] = names;
		const stranger = plant({ ...read(first), time: '2026-01-02T12:00:00.000Z' });
		expect(await codes()).toEqual([`snapshot-unknown ${stranger}`]);
		await expect(pruneOnce(archive, { last: 1 }, { now: nights.now + 9 * DAY })).rejects.toMatchObject({
			code: 'archive-damaged',
			details: { snapshot: stranger },
		});
		// A pack that cleans up must not take what only it names.
		expect(snapshotsOf(archive)).toContain(stranger);
	});

	it('notes one that stands beside the chain; a prune keeps it and lists it, the one after that judges it', async () => {
		const newest = read(String(names[5]));
		const aside = plant({ ...newest, time: new Date(Date.parse(newest.time) - 3600_000).toISOString(), bundles: [] });
		expect(await codes()).toEqual([`snapshot-aside ${aside}`]);
		const { result } = await pruneOnce(archive, { daily: 1 }, { now: nights.now + 9 * DAY });
		expect(result.kept.map(({ name, reasons }) => [name, reasons])).toEqual([
			[names[0], ['tagged before-upgrade']],
			[aside, ['aside']],
			[names[5], ['newest', expect.stringMatching(/^daily /)]],
		]);
		expect(await codes()).toEqual([]);
		const again = await pruneOnce(archive, { daily: 1 }, { now: nights.now + 10 * DAY });
		expect(again.result.pruned.map(({ name }) => name)).toEqual([aside, result.record]);
		expect(await codes()).toEqual([]);
	});

	it('finds a newest that names no record, or one that its parents do not lead to', async () => {
		const { record: _record, ...newest } = read(String(names[5]));
		const later = new Date(Date.parse(newest.time) + DAY).toISOString();
		const without = plant({ ...newest, time: later });
		expect((await codes()).filter((code) => code.startsWith('snapshot-missing'))).not.toEqual([]);
		rmSync(pathOf(without));
		plant({ ...read(String(names[5])), time: later, parent: null });
		expect(await codes()).toContain(`snapshot-chain ${names[3]}`);
	});

	it('notes what a prune that was cut off left, and the next pack removes it', async () => {
		const left = String(nights.snapshots[2]);
		writeFileSync(pathOf(left), readFileSync(join(nights.archive, 'snapshots', left.slice(0, 4), `${left}.json`)));
		expect(await codes()).toEqual([`prune-unfinished ${left}`]);
		await expect(restoreOnce(archive, temporaryFolder(), { at: left })).rejects.toMatchObject({
			code: 'not-found',
			message: `Cannot read snapshot ${left}: it was pruned`,
		});
		writeFileSync(pathOf(left), 'half of it');
		expect(await codes()).toEqual([`prune-unfinished ${left}`]);
		await packOnce(archive, nights.spec, { now: nights.now + 3 * DAY });
		expect(snapshotsOf(archive)).not.toContain(left);
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	});
});

describe('prune()', () => {
	it.each([
		['a kept snapshot is missing', 0, null],
		['a kept snapshot is damaged', 1, 'half of it'],
		['the record is missing', 3, null],
		['one after the record is damaged', 4, 'half of it'],
	] as const)('removes nothing where %s', async (_what, index, content) => {
		const path = pathOf(String(names[index]));
		rmSync(path);
		if (content !== null) writeFileSync(path, content);
		const before = snapshotsOf(archive);
		for (const dryRun of [true, false]) {
			await expect(pruneOnce(archive, { last: 1 }, { dryRun, now: nights.now + 9 * DAY })).rejects.toMatchObject({
				code: 'archive-damaged',
				hint: expect.stringContaining('put'),
			});
		}
		expect(snapshotsOf(archive)).toEqual(before);
	});

	it('removes nothing where messages lack their bundle, which an older snapshot may have, until a pack stored them again', async () => {
		const { kind, id } = read(String(names[5])).bundles[0] ?? { kind: 'sealed', id: '' };
		rmSync(join(archive, 'bundles', kind, id.slice(0, 2), `${id}.zip`));
		const now = nights.now + 3 * DAY;
		expect((await pruneOnce(archive, { last: 1 }, { dryRun: true })).findings).toMatchObject([{ code: 'bundle-missing', subject: id }]);
		await expect(pruneOnce(archive, { last: 1 }, { now })).rejects.toMatchObject({
			code: 'archive-damaged',
			message: expect.stringMatching(`${id}.* only known copy of 1 message`),
		});
		expect(snapshotsOf(archive)).toEqual(names);
		await packOnce(archive, nights.spec, { now, rescan: true, bundles: NIGHTLY });
		const { result, findings } = await pruneOnce(archive, { last: 1 }, { now: now + DAY });
		expect(result.pruned).not.toEqual([]);
		// What the newest still names is still missed.
		expect(findings.every(({ code, subject }) => code === 'bundle-missing' && subject === id)).toBe(true);
	});
});
