import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readRecord } from '../../../src/archive/target/record.ts';
import { counted } from '../../../src/remote/index.ts';
import { filesBelow } from '../../support/archive.ts';
import { failingAt, faultyStore } from '../../support/faulty-store.ts';
import {
	archiveIdOf,
	bundleBlobs,
	bytesBelow,
	copyOf,
	flawsOfTarget,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	rewrite,
	snapshotBlobs,
	syncOnce,
	timeOf,
} from '../../support/target.ts';

let packed: Packed;
let keys: Awaited<ReturnType<typeof makeKeys>>;
beforeAll(async () => {
	packed = await packNights(3);
	keys = await makeKeys();
});

const KINDS = ['plain', 'encrypted'] as const;

function keysOf(kind: (typeof KINDS)[number]) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function newTarget(): string {
	return join(quickFolder(), 'target');
}

describe.each(KINDS)('a sync with a target that is %s', (kind) => {
	test('ships everything the first time, so that the target alone gives back the newest snapshot', async () => {
		const path = newTarget();
		const { result, findings } = await syncOnce(packed.archive, path, keysOf(kind));
		const bundles = bundleBlobs(packed.archive).length;
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ target: path, confirmed: 0, shipped: bundles, snapshots: 3, damaged: [], dryRun: false });
		expect(result.newest).toBe([...packed.trees.keys()].at(-1));
		expect(bundleBlobs(path)).toHaveLength(bundles);
		expect(bundleBlobs(path, 'volatile').length).toBeGreaterThan(1);
		expect(bundleBlobs(path, 'sealed').length).toBeGreaterThan(4);
		expect(await flawsOfTarget(path, { trees: packed.trees, ...(kind === 'plain' ? {} : { keys: keys.opening }) })).toEqual([]);
	});

	test('asks for two listings where nothing is new, writes nothing, and reads nothing but the head of the target', async () => {
		const path = newTarget();
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path, keysOf(kind));
		const before = filesBelow(path);
		const { store, counts } = counted(folderStore(path));
		const { result, findings } = await syncOnce(archive, path, { ...keysOf(kind), store });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ confirmed: bundleBlobs(archive).length, shipped: 0, shippedBytes: 0, snapshots: 0, proved: 0 });
		expect(counts).toMatchObject({ lists: 2, stats: 1, reads: 1, creates: 0, bytesWritten: 0, proofs: 0, removes: 0 });
		expect(counts.bytesRead).toBeLessThan(100);
		expect(filesBelow(path)).toEqual(before);
	});

	test('ships after a night what that night made, and nothing again', async () => {
		const life = await packNights(2);
		const path = newTarget();
		await syncOnce(life.archive, path, keysOf(kind));
		const before = filesBelow(path);
		const bundles = bundleBlobs(life.archive);
		await life.pack();
		const fresh = bundleBlobs(life.archive).filter((name) => !bundles.includes(name));
		expect(fresh.length).toBeGreaterThan(1);
		const { result } = await syncOnce(life.archive, path, keysOf(kind));
		expect(result).toMatchObject({ confirmed: bundles.length, shipped: fresh.length, snapshots: 1 });
		const after = filesBelow(path);
		for (const [name, state] of before) expect(after.get(name), name).toBe(state);
		expect(after.size).toBe(before.size + fresh.length + 1);
		expect(await flawsOfTarget(path, { trees: life.trees, ...(kind === 'plain' ? {} : { keys: keys.opening }) })).toEqual([]);
	});

	test('that is only tried changes nothing, here or there, and says what it would ship', async () => {
		const archive = copyOf(packed.archive);
		const path = newTarget();
		const before = bytesBelow(archive);
		const bundles = bundleBlobs(archive).length;
		const planned = await syncOnce(archive, path, { ...keysOf(kind), dryRun: true });
		expect(planned.result).toMatchObject({ confirmed: 0, shipped: bundles, snapshots: 3, dryRun: true, newest: null });
		expect(bytesBelow(path)).toEqual(new Map());
		await syncOnce(archive, path, keysOf(kind));
		const there = bytesBelow(path);
		const again = await syncOnce(archive, path, { ...keysOf(kind), dryRun: true, check: 1 });
		expect(again.result).toMatchObject({ confirmed: bundles, proved: bundles, shipped: 0, snapshots: 0, dryRun: true });
		expect(bytesBelow(path)).toEqual(there);
		const changed = [...bytesBelow(archive).keys()].filter((name) => !before.has(name));
		expect(changed.every((name) => name.startsWith('targets/'))).toBe(true);
	});

	test('makes the whole head of the archive again where it is lost or damaged at the target', async () => {
		const path = newTarget();
		await syncOnce(packed.archive, path, keysOf(kind));
		const head = join(path, 'archives', archiveIdOf(packed.archive), 'mailseal.json');
		const right = readFileSync(head);
		rmSync(head);
		await syncOnce(packed.archive, path, keysOf(kind));
		expect(readFileSync(head)).toEqual(right);
		rewrite(head, () => Buffer.from('{}'));
		await syncOnce(packed.archive, path, keysOf(kind));
		expect(readFileSync(head)).toEqual(right);
		rewrite(head, (bytes) => bytes.fill(32, 20, 30));
		await syncOnce(packed.archive, path, { ...keysOf(kind), check: 30 });
		expect(readFileSync(head)).toEqual(right);
	});
});

test('a sync ships bundles before the snapshots that name them, and each snapshot as soon as it is complete', async () => {
	const path = newTarget();
	const { store, calls } = faultyStore(folderStore(path), () => null);
	await syncOnce(copyOf(packed.archive), path, { store, transfers: 3 });
	const created = calls.filter(({ operation }) => operation === 'create').map(({ name }) => name);
	const firstSnapshot = created.findIndex((name) => name.includes('/snapshots/'));
	expect(created.slice(firstSnapshot).some((name) => name.startsWith('bundles/'))).toBe(true);
	const there = new Set<string>();
	for (const name of created) {
		there.add(name);
		if (!name.includes('/snapshots/')) continue;
		const { bundles } = JSON.parse(readFileSync(join(path, name), 'utf8')) as { bundles: { id: string; kind: string }[] };
		for (const { id, kind } of bundles) expect(there).toContain(`bundles/${kind}/${id.slice(0, 2)}/${id}.zip`);
	}
	const heads = created.filter((name) => name.endsWith('/mailseal.json'));
	expect(heads).toHaveLength(1);
	expect(created.indexOf(String(heads[0]))).toBeLessThan(firstSnapshot);
});

test('what somebody else put under a name meanwhile is proved, and replaced where it is something else', async () => {
	const path = newTarget();
	const [first = '', second = ''] = bundleBlobs(packed.archive);
	let planted = false;
	// After the listing, before the first bundle is written.
	const { store } = faultyStore(folderStore(path), ({ operation, name }) => {
		if (planted || operation !== 'create' || !name.startsWith('bundles/')) return null;
		planted = true;
		for (const blob of [first, second]) mkdirSync(dirname(join(path, blob)), { recursive: true });
		writeFileSync(join(path, first), readFileSync(join(packed.archive, first)));
		writeFileSync(join(path, second), 'half of it');
		return null;
	});
	const { result, findings } = await syncOnce(copyOf(packed.archive), path, { store });
	expect(planted).toBe(true);
	expect(findings).toEqual([]);
	expect(result.shipped).toBe(bundleBlobs(packed.archive).length - 1);
	expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
});

test('a link in the place of a bundle is no bundle, and gives way to one', async () => {
	const path = newTarget();
	const archive = copyOf(packed.archive);
	const [name = ''] = bundleBlobs(archive);
	await syncOnce(archive, path);
	rmSync(join(path, name));
	symlinkSync(join(archive, name), join(path, name));
	const { findings, result } = await syncOnce(archive, path);
	expect([findings, result.shipped]).toEqual([[], 1]);
	expect(filesBelow(path).has(name)).toBe(true);
	expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
});

describe('where this archive is harmed itself, a sync', () => {
	test('names the bundle, ships everything else, and no snapshot that needs it', async () => {
		for (const harm of ['missing', 'short', 'changed'] as const) {
			const archive = copyOf(packed.archive);
			const newest = [...packed.trees.keys()].at(-1);
			const old = JSON.parse(readFileSync(join(archive, String(snapshotBlob(archive, 1))), 'utf8')) as { bundles: { id: string }[] };
			const known = new Set(old.bundles.map(({ id }) => id));
			const victim = bundleBlobs(archive, 'sealed').find((name) => !known.has(name.slice(-68, -4))) ?? '';
			if (harm === 'missing') rmSync(join(archive, victim));
			else rewrite(join(archive, victim), (bytes) => (harm === 'short' ? bytes.subarray(1) : bytes.fill(0, 50, 60)));
			const path = newTarget();
			for (const keyed of KINDS) {
				const place = `${path}-${keyed}`;
				const { result, findings } = await syncOnce(archive, place, keysOf(keyed));
				expect(findings.map(({ code, severity }) => [code, severity])).toEqual([
					['bundle-not-shipped', 'error'],
					['snapshot-not-shipped', 'error'],
				]);
				expect(findings[0]?.subject).toBe(victim.slice(-68, -4));
				expect(findings[1]?.subject).toBe(newest);
				expect(result).toMatchObject({ snapshots: 2, shipped: bundleBlobs(archive).length - (harm === 'missing' ? 0 : 1) });
				const opening = keyed === 'plain' ? {} : { keys: keys.opening };
				expect(await flawsOfTarget(place, { trees: packed.trees, ...opening })).toEqual([]);
			}
		}
	});

	test('does not ship a damaged snapshot, nor takes the whole copy there for damaged', async () => {
		const archive = copyOf(packed.archive);
		const path = newTarget();
		const first = String(snapshotBlob(archive, 0));
		await syncOnce(archive, path);
		const there = bytesBelow(path);
		rewrite(join(archive, first), (bytes) => Buffer.concat([bytes, Buffer.from(' ')]));
		const { findings } = await syncOnce(archive, path, { check: 1 });
		expect(findings).toEqual([]);
		expect(bytesBelow(path)).toEqual(there);
		const empty = newTarget();
		const second = await syncOnce(archive, empty);
		expect(second.findings.map(({ code, severity }) => [code, severity])).toEqual([['snapshot-damaged', 'error']]);
		expect(snapshotBlobs(empty)).toHaveLength(2);
	});
});

/** The snapshot of a night, as a path in the archive. */
function snapshotBlob(archive: string, night: number): string | undefined {
	return [...filesBelow(join(archive, 'snapshots')).keys()].sort().map((name) => `snapshots/${name}`)[night];
}

test('a sync knows the bundles of snapshots that the catalog has not seen', async () => {
	const archive = copyOf(packed.archive);
	const path = newTarget();
	// As after a repair: the older snapshot came back behind the catalog's back.
	const first = String(snapshotBlob(archive, 0));
	const aside = join(quickFolder(), 'aside');
	renameSync(join(archive, first), aside);
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(archive, `catalog.sqlite${suffix}`), { force: true });
	await syncOnce(archive, path);
	renameSync(aside, join(archive, first));
	const only = bundleBlobs(archive).filter((name) => !bundleBlobs(path).includes(name));
	const { result, findings } = await syncOnce(archive, path);
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ shipped: only.length, confirmed: bundleBlobs(archive).length - only.length, snapshots: 1 });
	const { store, counts } = counted(folderStore(path));
	await syncOnce(archive, path, { store });
	expect(counts.creates).toBe(0);
});

describe('what an archive remembers of a target', () => {
	test('is where it is, when it was synced and what lay there, for the owner alone', async () => {
		const archive = copyOf(packed.archive);
		const path = newTarget();
		await syncOnce(archive, path, { now: timeOf(5), keys: keys.sealing });
		const record = readRecord(archive, { url: path });
		expect(record?.address).toEqual({ url: path });
		expect(record?.synced).toEqual({ time: new Date(timeOf(5)).toISOString(), snapshot: [...packed.trees.keys()].at(-1) });
		expect(record?.copies.size).toBe(bundleBlobs(archive).length);
		expect(record?.dropped.size).toBe(0);
		expect(readRecord(archive, { url: `${path}x` })).toBeNull();
		expect(readRecord(archive, { url: path, endpoint: 'http://127.0.0.1:1' })).toBeNull();
	});

	test('stays as true as it was when a sync fails', async () => {
		const archive = copyOf(packed.archive);
		const path = newTarget();
		await syncOnce(archive, path, { now: timeOf(5) });
		const before = readRecord(archive, { url: path });
		const { store } = failingAt(folderStore(path), 2, 'unreachable');
		await expect(syncOnce(archive, path, { store, now: timeOf(6) })).rejects.toMatchObject({ code: 'unreachable' });
		expect(readRecord(archive, { url: path })).toEqual(before);
	});

	test('says that the target was synced although what came after failed', async () => {
		const archive = copyOf(packed.archive);
		const path = newTarget();
		const { store } = faultyStore(folderStore(path), ({ operation }) => (operation === 'leftovers' ? 'unreachable' : null));
		const call = syncOnce(archive, path, { store, now: timeOf(5), prune: { grace: 0 } });
		await expect(call).rejects.toMatchObject({ code: 'unreachable' });
		expect(readRecord(archive, { url: path })?.synced).not.toBeNull();
	});
});
