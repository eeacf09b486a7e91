import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { filesBelow } from '../../support/archive.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import {
	archiveIdOf,
	bundleBlobs,
	copyOf,
	flawsOfTarget,
	folderStore,
	makeKeys,
	openMailLife,
	openRemote,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	snapshotBlobs,
	syncOnce,
	timeOf,
} from '../../support/target.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

let keys: Awaited<ReturnType<typeof makeKeys>>;
/** Two hosts with the same mail, packed by each for itself, and one with other mail. */
let anna: Packed;
let twin: Packed;
let other: Packed;

beforeAll(async () => {
	keys = await makeKeys();
	anna = await packNights(2);
	twin = await packNights(2);
	const life = openMailLife();
	life.store.put('emil@three.example/INBOX/own:2,S', { content: 'Subject: mine\n\nmine alone\n', at: timeOf(-200) });
	other = await packNights(1, { life });
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

function newTarget(): string {
	return join(quickFolder(), 'target');
}

async function expectAllWhole(path: string, kind: Kind, all: readonly Packed[]): Promise<void> {
	for (const { archive, trees } of all) {
		expect(await flawsOfTarget(path, { trees, archiveId: archiveIdOf(archive), ...openingOf(kind) })).toEqual([]);
	}
}

/** Ids of bundles, each as often as it is stored. */
function idsAt(path: string): string[] {
	return bundleBlobs(path).map((name) => /[0-9a-f]{64}/.exec(name)?.[0] ?? '');
}

test('two hosts with the same mail make the same sealed bundles', () => {
	const [a, b] = [anna, twin].map(({ archive }) => bundleBlobs(archive, 'sealed'));
	expect(a?.length).toBeGreaterThan(5);
	expect(a).toEqual(b);
	expect(archiveIdOf(anna.archive)).not.toBe(archiveIdOf(twin.archive));
});

describe.each(KINDS)('at a target that is %s', (kind) => {
	test('the same bundle of two archives is stored once, and each archive is restored by itself', async () => {
		const path = newTarget();
		const first = await syncOnce(copyOf(anna.archive), path, keysOf(kind));
		const second = await syncOnce(copyOf(twin.archive), path, keysOf(kind));
		const third = await syncOnce(copyOf(other.archive), path, keysOf(kind));
		const shared = bundleBlobs(anna.archive).filter((name) => bundleBlobs(twin.archive).includes(name));
		expect(second.result).toMatchObject({ confirmed: shared.length, shipped: bundleBlobs(twin.archive).length - shared.length });
		expect(first.result.shipped).toBe(bundleBlobs(anna.archive).length);
		expect(third.result.snapshots).toBe(1);
		expect(new Set(idsAt(path)).size).toBe(idsAt(path).length);
		await expectAllWhole(path, kind, [anna, twin, other]);
	});

	test('several archives are shipped side by side, and nothing is torn', async () => {
		const path = newTarget();
		const all = [anna, twin, other];
		const results = await Promise.all(all.map(({ archive }) => syncOnce(copyOf(archive), path, { ...keysOf(kind), transfers: 3 })));
		for (const { findings } of results) expect(findings).toEqual([]);
		// Two that seal the same bundle at the same moment make two age files of it.
		if (kind === 'plain') expect(new Set(idsAt(path)).size).toBe(idsAt(path).length);
		await expectAllWhole(path, kind, all);
		const again = await syncOnce(copyOf(twin.archive), path, keysOf(kind));
		expect(again.result).toMatchObject({ shipped: 0, snapshots: 0 });
	});

	test('a reader must say which archive is meant, unless there is one, or one is its own', async () => {
		const path = newTarget();
		await syncOnce(copyOf(anna.archive), path, keysOf(kind));
		await openRemote(path, openingOf(kind));
		await syncOnce(copyOf(other.archive), path, keysOf(kind));
		const ids = [anna, other].map(({ archive }) => archiveIdOf(archive));
		await expect(openRemote(path, openingOf(kind))).rejects.toMatchObject({
			code: 'usage',
			message: expect.stringContaining('there are 2'),
			hint: expect.stringMatching(new RegExp(`${ids.join('|')}`)),
		});
		for (const named of [{ archiveId: ids[1] ?? '' }, { ownId: ids[1] ?? '' }, { archiveId: ids[1] ?? '', ownId: ids[0] ?? '' }]) {
			const { archive } = await openRemote(path, { ...openingOf(kind), ...named });
			const { tree } = await restoreFrom(archive);
			expect([...tree.keys()]).toContain('emil@three.example/');
		}
		await expect(openRemote(path, { ...openingOf(kind), ownId: 'f'.repeat(32) })).rejects.toMatchObject({ code: 'usage' });
		await expect(openRemote(path, { ...openingOf(kind), archiveId: 'f'.repeat(32) })).rejects.toMatchObject({ code: 'not-found' });
		await expect(openRemote(path, { ...openingOf(kind), archiveId: '../x' })).rejects.toMatchObject({ code: 'usage' });
	});

	test('a prune by one archive leaves each other one whole, and what both have', async () => {
		const path = newTarget();
		const own = await packNights(2);
		const store = folderStore(path);
		await syncOnce(own.archive, path, keysOf(kind));
		await syncOnce(copyOf(other.archive), path, keysOf(kind));
		// Bundles of an archive that has no snapshot there (yet), which are shared with nobody.
		const lone = await packNights(3);
		const cut = faultyStore(store, ({ name, operation }) =>
			operation === 'create' && name.includes('/snapshots/') ? 'unreachable' : null,
		);
		await expect(syncOnce(lone.archive, path, { ...keysOf(kind), store: cut.store })).rejects.toMatchObject({ code: 'unreachable' });
		const before = idsAt(path);
		// Without a key, what others need cannot be told: then nothing is deleted.
		const prune = { prune: { grace: 0 }, now: Date.now() };
		if (kind === 'encrypted') {
			await expect(syncOnce(own.archive, path, { ...keysOf(kind), ...prune })).rejects.toMatchObject({ code: 'permission' });
			expect(idsAt(path)).toEqual(before);
		}
		const { result } = await syncOnce(own.archive, path, { ...openingOf(kind), ...prune });
		expect(result.pruned?.bundles).toBeGreaterThan(0);
		await expectAllWhole(path, kind, [own, other]);
		// Whoever was cut off ships again what was deleted, and nothing else.
		const back = await syncOnce(lone.archive, path, keysOf(kind));
		expect(back.findings).toEqual([]);
		await expectAllWhole(path, kind, [own, other, lone]);
	});
});

test('a bundle that is pruned while another archive confirms it is shipped again before that sync ends', async () => {
	const path = newTarget();
	await syncOnce(copyOf(other.archive), path);
	// Shipped before, and named by no snapshot: the sync was cut off.
	const cut = faultyStore(folderStore(path), ({ name, operation }) =>
		operation === 'create' && name.includes('/snapshots/') ? 'unreachable' : null,
	);
	const archive = copyOf(anna.archive);
	await expect(syncOnce(archive, path, { store: cut.store })).rejects.toMatchObject({ code: 'unreachable' });
	const pruner = copyOf(other.archive);
	await syncOnce(pruner, path);
	let pruned: number | undefined;
	const plain = folderStore(path);
	// After this sync listed the bundles, and before its first snapshot is there.
	const store = {
		...plain,
		async create(...call: Parameters<typeof plain.create>) {
			if (call[0].includes('/snapshots/') && pruned === undefined) {
				pruned = 0;
				const { result } = await syncOnce(pruner, path, { prune: { grace: 0 }, now: Date.now() });
				pruned = result.pruned?.bundles;
			}
			return plain.create(...call);
		},
	};
	const { result, findings } = await syncOnce(archive, path, { store });
	expect(pruned).toBeGreaterThan(0);
	expect(findings).toEqual([]);
	expect(result.shipped).toBeGreaterThanOrEqual(pruned ?? 0);
	await expectAllWhole(path, 'plain', [anna, other]);
});

test('of two syncs of one archive with one target at once, one says busy and nothing is torn', async () => {
	const path = newTarget();
	const archive = copyOf(anna.archive);
	const ends = await Promise.allSettled([syncOnce(archive, path), syncOnce(archive, path), syncOnce(archive, path)]);
	const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
	expect(reasons).toHaveLength(2);
	for (const reason of reasons) expect(reason).toMatchObject({ code: 'busy', message: expect.stringContaining(path) });
	await expectAllWhole(path, 'plain', [anna]);
	// And the lock is given back.
	expect((await syncOnce(archive, path)).result.shipped).toBe(0);
});

test('syncs of one archive with two targets go on side by side', async () => {
	const [one, two] = [newTarget(), newTarget()];
	const archive = copyOf(anna.archive);
	const results = await Promise.all([syncOnce(archive, one), syncOnce(archive, two)]);
	for (const { findings } of results) expect(findings).toEqual([]);
	expect([...filesBelow(one).keys()].sort()).toEqual([...filesBelow(two).keys()].sort());
	for (const path of [one, two]) await expectAllWhole(path, 'plain', [anna]);
});

test('a sync ships what a pack commits before it looks, and leaves what comes after to the next', async () => {
	const path = newTarget();
	const life = await packNights(1);
	const plain = folderStore(path);
	let hasPacked = false;
	const store = {
		...plain,
		async create(...call: Parameters<typeof plain.create>) {
			if (!hasPacked && call[0].startsWith('bundles/')) {
				hasPacked = true;
				await life.pack();
			}
			return plain.create(...call);
		},
	};
	const { findings, result } = await syncOnce(life.archive, path, { store });
	expect([findings, result.snapshots]).toEqual([[], 1]);
	await expectAllWhole(path, 'plain', [life]);
	expect((await syncOnce(life.archive, path)).result.snapshots).toBe(1);
	expect(snapshotBlobs(path)).toHaveLength(2);
	await expectAllWhole(path, 'plain', [life]);
	expect(readFileSync(join(path, 'README.txt'), 'utf8').length).toBeGreaterThan(100);
});
