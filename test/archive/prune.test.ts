import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { prune } from '../../src/archive/index.ts';
import { bundlePath } from '../../src/archive/layout.ts';
import { historyOf } from '../../src/archive/prune.ts';
import { chainHere, openPrunedHere } from '../../src/archive/pruned-here.ts';
import { readSnapshot } from '../../src/archive/snapshots.ts';
import { openCatalog } from '../../src/catalog/index.ts';
import {
	type History,
	MOST_PRUNED,
	NO_RETENTION,
	parseBundleId,
	parseSnapshotName,
	SILENT,
	type Snapshot,
} from '../../src/domain/index.ts';
import { acquireLock } from '../../src/platform/index.ts';
import { archiveAt, filesBelow, never, packOnce, pruneOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { bundlesOf, leftovers, snapshotsOf } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../support/mail-store.ts';
import { makeNightsOfMail, NIGHTLY, type NightsOfMail, restoredFlaws } from '../support/pruned-archive.ts';

let nights: NightsOfMail;
beforeAll(async () => {
	nights = await makeNightsOfMail(6, [1]);
});
afterAll(() => nights.remove());

function bundleFiles(archive: string): string[] {
	return [...filesBelow(join(archive, 'bundles')).keys()].map((path) => path.slice(-68, -4)).sort();
}

function knownBundles(archive: string): string[] {
	const catalog = openCatalog({ kind: 'file', path: join(archive, 'catalog.sqlite') });
	try {
		return catalog
			.knownBundles()
			.map(({ id }) => String(id))
			.sort();
	} finally {
		catalog.close();
	}
}

function read(archive: string, name: string) {
	return readSnapshot(archive, parseSnapshotName(name));
}

describe('prune()', () => {
	it('removes what the policy does not keep and bundles that only that names, and says so in a record', async () => {
		const archive = nights.copy();
		const before = bundleFiles(archive);
		const newest = read(archive, String(nights.snapshots.at(-1)));
		const { result, findings } = await pruneOnce(archive, { last: 2 }, { now: nights.now });
		expect(findings).toEqual([]);
		const kept = [1, 4, 5].map((index) => String(nights.snapshots[index]));
		const gone = [0, 2, 3].map((index) => String(nights.snapshots[index]));
		expect(result.kept.map(({ name, reasons }) => [name, reasons])).toEqual([
			[kept[0], ['tagged before-upgrade']],
			[kept[1], ['last']],
			[kept[2], ['newest', 'last']],
		]);
		expect(result.pruned.map(({ name }) => name)).toEqual(gone);
		const record = String(result.record);
		expect(snapshotsOf(archive)).toEqual([...kept, record]);
		const written = read(archive, record).snapshot;
		expect(written).toMatchObject({ parent: { name: newest.name, sha256: newest.sha256 }, bundles: newest.snapshot.bundles });
		expect(written.counts).toEqual(newest.snapshot.counts);
		expect(written.history).toEqual({ kept: kept.map((name) => ({ name, sha256: read(archive, name).sha256 })), pruned: gone });
		const needed = new Set(kept.flatMap((name) => bundlesOf(archive, name).map(({ id }) => id)));
		expect(bundleFiles(archive)).toEqual(before.filter((id) => needed.has(id)));
		expect(result.bundles).toBe(before.length - needed.size);
		expect(result.bundles).toBeGreaterThan(0);
		expect(leftovers(archive)).toEqual([]);
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
		expect(await restoredFlaws(archive, kept, nights.trees)).toEqual([]);
	});

	it('writes nothing at all where nothing goes, also when run again', async () => {
		const archive = nights.copy();
		const before = filesBelow(archive);
		expect((await pruneOnce(archive, { daily: 6 })).result).toMatchObject({ record: null, pruned: [], bundles: 0, bytes: 0 });
		expect(filesBelow(archive)).toEqual(before);
		const { record } = (await pruneOnce(archive, { last: 1 }, { now: nights.now })).result;
		const after = filesBelow(archive);
		const again = (await pruneOnce(archive, { last: 1 }, { now: nights.now + DAY })).result;
		expect(again).toMatchObject({ record: null, pruned: [] });
		expect(again.kept.at(-1)).toMatchObject({ name: record, reasons: ['record'] });
		expect(filesBelow(archive)).toEqual(after);
	});

	it('changes nothing in a dry run, and tells what a prune then does', async () => {
		const archive = nights.copy();
		const before = filesBelow(archive);
		const planned = (await pruneOnce(archive, { last: 2 }, { dryRun: true })).result;
		expect(filesBelow(archive)).toEqual(before);
		const done = (await pruneOnce(archive, { last: 2 }, { now: nights.now })).result;
		expect(planned).toEqual({ ...done, record: null, dryRun: true, seconds: planned.seconds });
	});

	it('counts the bytes that the archive gets smaller by', async () => {
		const archive = nights.copy();
		const sizes = (): number =>
			[...filesBelow(join(archive, 'bundles')).values()].reduce((total, text) => total + Number(text.split(' ')[0]), 0);
		const before = sizes();
		const { bytes } = (await pruneOnce(archive, { last: 1 }, { now: nights.now })).result;
		expect(bytes).toBeGreaterThan(0);
		expect(before - sizes()).toBe(bytes);
	});

	it('replaces the record before, carries on what it pruned, and goes on so night after night', async () => {
		const place = await makeNightsOfMail(3);
		const { archive } = place;
		let pruned: string[] = [];
		for (let night = 0; night < 4; night++) {
			const now = place.now + night * DAY;
			const newest = await place.nextNight(archive, now);
			const before = snapshotsOf(archive);
			const { result } = await pruneOnce(archive, { last: 2 }, { now: now + 60_000 });
			const record = String(result.record);
			expect(snapshotsOf(archive)).toEqual([before.filter((name) => place.trees.has(name)).at(-2), newest, record]);
			pruned = [...pruned, ...result.pruned.map(({ name }) => name)].sort();
			expect(read(archive, record).snapshot.history?.pruned).toEqual(pruned);
			expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
			expect(await restoredFlaws(archive, [newest], place.trees)).toEqual([]);
			expect(leftovers(archive)).toEqual([]);
			// A sync takes what the catalog knows for what snapshots name.
			expect(knownBundles(archive)).toEqual(bundleFiles(archive));
		}
		place.remove();
	});

	it('takes no night for another of the same day where a clock was ahead once', async () => {
		const archive = nights.copy();
		await nights.nextNight(archive, nights.now + 3650 * DAY);
		for (let night = 1; night < 3; night++) await nights.nextNight(archive, nights.now + night * DAY);
		const { result } = await pruneOnce(archive, { daily: 30 }, { now: nights.now + 3 * DAY });
		expect(result).toMatchObject({ pruned: [], record: null });
		expect(snapshotsOf(archive)).toHaveLength(nights.snapshots.length + 3);
	});

	it('carries on what the snapshot before could not read', async () => {
		const store = makeMailStore();
		store.put('anna/INBOX/1.mail:2,S');
		const archive = join(temporaryFolder(), 'archive');
		for (const night of [0, 1]) await packOnce(archive, store.spec, { now: nights.now + night * DAY });
		// The clock of a third night went back: a warning, and so a line of its snapshot.
		const third = await packOnce(archive, store.spec, { now: nights.now - DAY });
		const skipped = read(archive, String(third.result.snapshot)).snapshot.skipped;
		expect(skipped).toMatchObject([{ code: 'clock-went-back' }]);
		const { result, findings } = await pruneOnce(archive, { last: 1 }, { now: nights.now + 9 * DAY });
		expect(findings).toEqual([]);
		expect(read(archive, String(result.record)).snapshot.skipped).toEqual(skipped);
	});

	it('is refused while another holds the lock, as a pack does, and without a snapshot or a count', async () => {
		const archive = nights.copy();
		const before = filesBelow(archive);
		const lock = acquireLock(join(archive, '.lock'), 'it');
		await expect(pruneOnce(archive, { last: 1 })).rejects.toMatchObject({ code: 'busy' });
		lock.release();
		await expect(pruneOnce(archive, {})).rejects.toMatchObject({
			code: 'usage',
			hint: expect.stringContaining('--keep-daily 30 --keep-monthly 12'),
		});
		expect(filesBelow(archive)).toEqual(before);
		const empty = join(temporaryFolder(), 'archive');
		await expect(pruneOnce(empty, { last: 1 })).rejects.toMatchObject({ code: 'not-found' });
	});

	it('changes nothing of what the pack after it writes', async () => {
		const archive = nights.copy();
		const other = nights.copy();
		await pruneOnce(archive, { last: 1 }, { now: nights.now });
		for (const dir of [archive, other]) await packOnce(dir, nights.spec, { now: nights.now + DAY, bundles: NIGHTLY });
		const [one, two] = [archive, other].map((dir) => bundlesOf(dir, String(snapshotsOf(dir).at(-1))));
		expect(one).toEqual(two);
		expect(read(archive, String(snapshotsOf(archive).at(-1))).snapshot.record?.name).toBe(snapshotsOf(archive).at(-2));
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	});

	it('of a snapshot that was pruned, --at says that it was', async () => {
		const archive = nights.copy();
		await pruneOnce(archive, { last: 1 }, { now: nights.now });
		const name = String(nights.snapshots[0]);
		await expect(restoreOnce(archive, temporaryFolder(), { at: name })).rejects.toMatchObject({
			code: 'not-found',
			message: `Cannot read snapshot ${name}: it was pruned`,
		});
	});

	it('of a thin archive, leaves alone what lies at a target only, and does not miss it', async () => {
		const dir = nights.copy();
		const newest = bundlesOf(dir, String(nights.snapshots.at(-1)));
		const dropped = new Set(newest.filter(({ kind }) => kind === 'sealed').map(({ id }) => id));
		const gone = bundlesOf(dir, String(nights.snapshots[2])).find(
			({ id, kind }) => kind === 'volatile' && !newest.some((ref) => ref.id === id),
		);
		if (gone === undefined) throw new Error('the third night has no volatile bundle of its own');
		dropped.add(gone.id);
		for (const kind of ['sealed', 'volatile']) {
			for (const id of dropped) rmSync(join(dir, 'bundles', kind, id.slice(0, 2), `${id}.zip`), { force: true });
		}
		const offsite = { ...archiveAt(dir).offsite, has: (id: string) => dropped.has(id) };
		const here = { ...archiveAt(dir), offsite };
		const request = { keep: { ...NO_RETENTION, last: 1 }, now: nights.now, progress: SILENT, signal: never };
		const planned = (await prune(here, { ...request, dryRun: true })).result;
		const { result } = await prune(here, { ...request, dryRun: false });
		expect(result.bundles).toBe(planned.bundles);
		const files = bundleFiles(dir);
		const kept = new Set(result.kept.flatMap(({ name }) => bundlesOf(dir, name).map(({ id }) => id)));
		expect(files).toEqual([...kept].filter((id) => !dropped.has(id)).sort());
	});

	it('tells of a bundle that is missing and that only an older snapshot needs which stays', async () => {
		const archive = nights.copy();
		const [, tagged = ''] = nights.snapshots;
		const others = new Set(bundlesOf(archive, String(nights.snapshots.at(-1))).map(({ id }) => id));
		const only = bundlesOf(archive, tagged).find(({ id }) => !others.has(id));
		if (only === undefined) throw new Error('that night has a bundle that the newest does not name');
		rmSync(bundlePath(archive, only.kind, parseBundleId(only.id)));
		for (const dryRun of [true, false]) {
			const { findings } = await pruneOnce(archive, { last: 1 }, { now: nights.now, dryRun });
			expect(findings).toMatchObject([{ code: 'bundle-missing', severity: 'error', subject: only.id }]);
		}
	});

	it('that runs beside a verify takes nothing that verify would miss', async () => {
		const archive = nights.copy();
		const { isNamed } = openPrunedHere(archive, chainHere(archive));
		const before = new Set(nights.snapshots.flatMap((name) => bundlesOf(archive, name).map(({ id }) => parseBundleId(id))));
		for (const id of before) expect(isNamed(id)).toBe(true);
		const { result } = await pruneOnce(archive, { last: 1 }, { now: nights.now });
		const files = bundleFiles(archive);
		expect(files).toHaveLength(before.size - result.bundles);
		for (const id of before) expect(isNamed(id), id).toBe(files.includes(id));
	});

	it('tells how far it is', async () => {
		const steps: [string, number | undefined][] = [];
		let done = 0;
		const progress = {
			step: (name: string, total?: number) => void steps.push([name, total]),
			advance(units: number) {
				done += units;
			},
		};
		const { result } = await pruneOnce(nights.copy(), { last: 1 }, { now: nights.now, progress });
		expect(steps).toEqual([['prune', result.pruned.length + result.bundles]]);
		expect(done).toBe(result.pruned.length + result.bundles);
	});
});

test('tags of a pack stand in its snapshot, sorted, each once, and only in that', async () => {
	const store = makeMailStore();
	store.put('anna/INBOX/1.mail:2,S');
	const archive = join(temporaryFolder(), 'archive');
	const first = await packOnce(archive, store.spec, { now: nights.now, tags: ['v2', 'before-upgrade', 'v2'] });
	const second = await packOnce(archive, store.spec, { now: nights.now + DAY });
	expect(read(archive, String(first.result.snapshot)).snapshot.tags).toEqual(['before-upgrade', 'v2']);
	expect(read(archive, String(second.result.snapshot)).snapshot).not.toHaveProperty('tags');
});

test('a record lists all that its prune removes, however much that is: what is cut off must not be left as if nobody knew of it', () => {
	const names = Array.from({ length: MOST_PRUNED + 20 }, (_one, index) =>
		parseSnapshotName(`${new Date(DAY_ZERO + index * 3_600_000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-0a1b2c3d`),
	);
	const decisions = names.map((name) => ({ name, time: '', tags: [], isRecord: false, keep: false, reasons: [] }));
	const plan = { kept: [], hashes: new Map() };
	const record = (history: History) => ({
		record: { name: names[0] ?? parseSnapshotName(''), sha256: '', snapshot: { history } as Snapshot },
	});
	expect(historyOf({ ...plan, pruned: decisions }, { record: null }).pruned).toEqual(names);
	const before = { kept: [], pruned: names.slice(0, -1) };
	expect(historyOf({ ...plan, pruned: decisions.slice(-1) }, record(before)).pruned).toEqual(names.slice(-MOST_PRUNED));
	expect(historyOf({ ...plan, pruned: decisions.slice(0, 1) }, record({ kept: [], pruned: names.slice(1) })).pruned).toEqual([
		names[0],
		...names.slice(-MOST_PRUNED),
	]);
});
