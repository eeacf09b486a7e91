import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { snapshotPath } from '../../../src/archive/layout.ts';
import { bundleBlob } from '../../../src/archive/target/names.ts';
import { readRecord, writeRecord } from '../../../src/archive/target/record.ts';
import { parseBundleId, parseSnapshotName } from '../../../src/domain/index.ts';
import type { BlobStore } from '../../../src/remote/index.ts';
import { bundleNames } from '../../support/archive.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { DAY } from '../../support/mail-store.ts';
import { bundleIds, incompleteThere, pruneByHand, type Reach, replaceBundles, snapshotsThere } from '../../support/pruned-target.ts';
import {
	copyOf,
	flawsOfTarget,
	folderStore,
	type Packed,
	packNights,
	quickFolder,
	type SyncSetup,
	snapshotBlobs,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';
import { readTreeState } from '../../support/tree-state.ts';

const PRUNE = { prune: { grace: 0 }, now: Date.now() + 365 * DAY };
const LATER = 60;

let packed: Packed;
/** The archive's tree, by which every later snapshot is judged. */
let trees: Map<string, ReturnType<typeof readTreeState>>;

beforeAll(async () => {
	packed = await packNights(2);
	const replaced = await replaceBundles(packed.archive, packed.life.store.spec, timeOf(LATER));
	packed.trees.set(replaced, readTreeState(packed.life.store.root));
	trees = new Map(packed.trees);
});

async function prune(dir: string, reach: Reach = 'all', keep = 1) {
	const done = await pruneByHand(dir, { keep, now: timeOf(LATER + 1), reach });
	trees.set(done.record, [...packed.trees.values()].at(-1) ?? new Map());
	if (keep === 1)
		expect(done.bundles.filter((id) => bundleNames(packed.archive, 'sealed').some((name) => name.includes(id))).length).toBeGreaterThan(1);
	return done;
}

/** Before the call that has this number, and the answer to it, the archive is pruned. */
function prunedAt(dir: string, path: string, at: number, reach: Reach) {
	const plain = folderStore(path);
	let seen = 0;
	let struck: string | null = null;
	async function strike(operation: string): Promise<void> {
		if (seen++ !== at) return;
		struck = operation;
		await prune(dir, reach);
	}
	const store: BlobStore = {
		...plain,
		async *list(...call) {
			await strike('list');
			yield* plain.list(...call);
		},
		async stat(...call) {
			await strike('stat');
			return plain.stat(...call);
		},
		async create(...call) {
			await strike('create');
			return plain.create(...call);
		},
		async prove(...call) {
			await strike('prove');
			return plain.prove(...call);
		},
		async remove(...call) {
			await strike('remove');
			return plain.remove(...call);
		},
	};
	return { store, struck: () => struck };
}

async function endOf(call: ReturnType<typeof syncOnce>): Promise<readonly string[]> {
	try {
		return (await call).findings.flatMap(({ code, severity }) => (severity === 'note' ? [] : [code]));
	} catch (error) {
		return [(error as { readonly code: string }).code];
	}
}

describe.each<[string, SyncSetup, Reach]>([
	['a first sync', {}, 'all'],
	['a first sync (a prune that is cut off)', {}, 'snapshots'],
])('whenever an archive is pruned during %s', (_what, request, reach) => {
	test('nothing that was pruned is missed, each snapshot there is complete, and the next one completes it', async () => {
		const struck = new Set<string>();
		for (let at = 0; ; at++) {
			const dir = copyOf(packed.archive);
			const path = join(quickFolder(), 'target');
			const { store, struck: call } = prunedAt(dir, path, at, reach);
			const end = await endOf(syncOnce(dir, path, { ...request, store, check: 1 }));
			const place = `call ${at}, ${call()}`;
			expect(end, place).toEqual([]);
			expect(incompleteThere(path), place).toEqual([]);
			expect(await endOf(syncOnce(dir, path, PRUNE)), place).toEqual([]);
			if (call() !== null) expect(snapshotsThere(path), place).toHaveLength(2);
			if (at % 8 === 0) expect(await flawsOfTarget(path, { trees, mode: 'quick' }), place).toEqual([]);
			rmSync(dir, { recursive: true });
			if (call() === null) break;
			struck.add(call() ?? '');
		}
		for (const operation of ['list', 'stat', 'create']) expect(struck).toContain(operation);
	});
});

test('whenever an archive is pruned during a sync --prune, it removes nothing that is needed, or says that it is to be run again', async () => {
	const before = join(quickFolder(), 'target');
	const first = copyOf(packed.archive);
	await syncOnce(first, before);
	await prune(first, 'all', 2);
	const ends = new Set<string>();
	for (let at = 0; ; at++) {
		const dir = copyOf(first);
		const path = copyOf(before);
		const { store, struck } = prunedAt(dir, path, at, 'all');
		const end = await endOf(syncOnce(dir, path, { ...PRUNE, store }));
		const place = `call ${at}, ${struck()}`;
		expect([[], ['busy']], place).toContainEqual(end);
		expect(incompleteThere(path), place).toEqual([]);
		expect(await endOf(syncOnce(dir, path, PRUNE)), place).toEqual([]);
		expect(bundleIds(path), place).toEqual(bundleIds(dir));
		ends.add(String(end));
		if (struck() === null) break;
	}
	expect([...ends].sort()).toEqual(['', 'busy']);
});

test('whenever an archive is pruned while bundles are dropped, none that nothing needs comes on record, and nothing is missing', async () => {
	const struck = new Set<string>();
	for (let at = 0; ; at += 3) {
		const dir = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		const { store, struck: call } = prunedAt(dir, path, at, 'all');
		const place = `call ${at}`;
		expect(await endOf(syncOnce(dir, path, { store, dropLocal: true })), place).toEqual([]);
		const dropped = [...(readRecord(dir, { url: path })?.dropped.keys() ?? [])].sort();
		expect(dropped.length, place).toBeGreaterThan(0);
		expect(
			(await verifyHere(thinArchive(dir), 'quick')).findings.filter(({ severity }) => severity !== 'note'),
			place,
		).toEqual([]);
		rmSync(dir, { recursive: true });
		if (call() === null) break;
		struck.add(call() ?? '');
	}
	expect(struck).toContain('create');
});

test('what a prune takes after the target has proved it, and before it is dropped, does not come on record', async () => {
	const dir = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const plain = folderStore(path);
	let lists = 0;
	let taken: readonly string[] = [];
	const store: BlobStore = {
		...plain,
		async *list(...call) {
			// The first is that of the sync, the second comes after snapshots were shipped, the third before anything is removed here.
			if (call[0] === 'bundles/' && ++lists === 3) taken = (await prune(dir)).bundles;
			yield* plain.list(...call);
		},
	};
	const { findings, result } = await syncOnce(dir, path, { store, dropLocal: true });
	expect(findings).toEqual([]);
	expect(taken.length).toBeGreaterThan(2);
	const dropped: readonly string[] = [...(readRecord(dir, { url: path })?.dropped.keys() ?? [])];
	expect(dropped).toHaveLength(result.dropped?.bundles ?? 0);
	expect(dropped.length).toBeGreaterThan(1);
	expect(dropped.filter((id) => taken.includes(id))).toEqual([]);
});

describe('a bundle that was dropped here', () => {
	/** A thin archive whose first snapshot was pruned, and a bundle at its target that is on record as dropped and that no snapshot names. */
	async function thinned() {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		expect((await syncOnce(life.archive, path, { dropLocal: true })).findings).toEqual([]);
		const record = readRecord(life.archive, { url: path });
		if (record === null) throw new Error('a sync remembers its target');
		const needed = [...record.dropped.keys()];
		const unnamed = parseBundleId('1'.padStart(64, '0'));
		const blob = join(path, bundleBlob({ id: unnamed, kind: 'sealed' }, null));
		mkdirSync(dirname(blob), { recursive: true });
		writeFileSync(blob, 'x');
		writeRecord(thinArchive(life.archive).files, life.archive, { ...record, dropped: new Map(record.dropped).set(unnamed, 1) });
		await pruneByHand(life.archive, { keep: 1, now: timeOf(3) });
		const onRecord = () => [...(readRecord(life.archive, { url: path })?.dropped.keys() ?? [])];
		return { life, path, needed, unnamed, onRecord };
	}

	test('stays on record while a kept snapshot names it; one that none names is forgotten by the next sync, and then removed', async () => {
		const { life, path, needed, unnamed, onRecord } = await thinned();
		expect(needed.length).toBeGreaterThan(1);
		expect(await endOf(syncOnce(life.archive, path))).toEqual([]);
		expect(onRecord()).toEqual(needed);
		expect(bundleIds(path)).toContain(unnamed);
		const { result } = await syncOnce(life.archive, path, PRUNE);
		expect(result.pruned).toMatchObject({ snapshots: 1 });
		expect(bundleIds(path)).not.toContain(unnamed);
		expect(bundleIds(path)).toEqual(expect.arrayContaining(needed));
	});

	test('and that no snapshot here names stays on record, and there, while one is missing here that may name it', async () => {
		const { life, path, unnamed, onRecord } = await thinned();
		const kept = [...life.trees.keys()].at(-1) ?? '';
		rmSync(snapshotPath(life.archive, parseSnapshotName(kept)));
		await endOf(syncOnce(life.archive, path));
		expect(onRecord()).toContain(unnamed);
		// Nor is it taken where the one that is missing does not lie there either.
		for (const name of snapshotBlobs(path)) if (name.includes(kept)) rmSync(join(path, name));
		await endOf(syncOnce(life.archive, path, PRUNE));
		expect(onRecord()).toContain(unnamed);
		expect(bundleIds(path)).toContain(unnamed);
	});
});

test('what a prune that was cut off left here is not shipped', async () => {
	const dir = copyOf(packed.archive);
	const { record, pruned } = await prune(dir, 'record');
	const path = join(quickFolder(), 'target');
	const { store, calls } = faultyStore(folderStore(path), () => null);
	expect(await endOf(syncOnce(dir, path, { store }))).toEqual([]);
	expect(snapshotsThere(path)).toHaveLength(2);
	expect(snapshotsThere(path)).toContain(record);
	expect(calls.filter(({ operation, name }) => operation === 'create' && pruned.some((one) => name.includes(one)))).toEqual([]);
	expect(await flawsOfTarget(path, { trees, mode: 'full' })).toEqual([]);
});
