import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { snapshotPath } from '../../../src/archive/layout.ts';
import { packOnce } from '../../support/archive.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { type ByHand, bundleIds, pruneByHand, replaceBundles } from '../../support/pruned-target.ts';
import {
	ATTACHMENT_MIN,
	blobsOf,
	copyOf,
	DAMAGES,
	flawsOfTarget,
	folderStore,
	type Packed,
	packNights,
	quickFolder,
	repairOnce,
	restoreFrom,
	SMALL_BUNDLES,
	syncOnce,
	targetAt,
	thinArchive,
	timeOf,
	verifyHere,
	verifyRemote,
} from '../../support/target.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../../support/tree-state.ts';

const LATER = 60;

let packed: Packed;
/** Pruned, and packed once more since. */
let archive: string;
let byHand: ByHand;
/** A target that has all of it, and what was pruned. */
let path: string;
let newest: string;
let tree: Map<string, FolderState>;

beforeAll(async () => {
	packed = await packNights(3);
	const night = { bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN };
	await replaceBundles(packed.archive, packed.life.store.spec, timeOf(LATER));
	archive = copyOf(packed.archive);
	path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	byHand = await pruneByHand(archive, { keep: 1, now: timeOf(LATER + 1) });
	packed.life.live(LATER + 2);
	newest = String((await packOnce(archive, packed.life.store.spec, { now: timeOf(LATER + 2), ...night })).result.snapshot);
	tree = readTreeState(packed.life.store.root);
	await syncOnce(archive, path);
});

function snapshotsHere(dir: string): string[] {
	return blobsOf(dir, /^snapshots\/.*json$/).map((name) => name.slice(-30, -5));
}

async function expectWhole(dir: string): Promise<void> {
	expect(snapshotsHere(dir)).toEqual(snapshotsHere(archive));
	expect(bundleIds(dir)).toEqual(bundleIds(archive));
	expect((await verifyHere(thinArchive(dir))).findings).toEqual([]);
	expect(compareTreeStates(tree, (await restoreFrom(thinArchive(dir))).tree)).toEqual([]);
}

test('an archive that is made anew gets what was kept, and neither snapshots that were pruned nor bundles that only these name', async () => {
	const dir = join(quickFolder(), 'archive');
	mkdirSync(dir);
	writeFileSync(join(dir, 'mailseal.json'), readFileSync(join(archive, 'mailseal.json')));
	const { findings } = await repairOnce(dir, await targetAt(path));
	expect(findings).toEqual([]);
	expect(byHand.pruned.length).toBeGreaterThan(2);
	expect(byHand.bundles.length).toBeGreaterThan(5);
	expect(bundleIds(path)).toEqual(expect.arrayContaining([...byHand.bundles]));
	await expectWhole(dir);
});

test('a repair of an archive that lacks nothing brings nothing back, and does not read what was pruned', async () => {
	const dir = copyOf(archive);
	const { store, calls } = faultyStore(folderStore(path), () => null);
	const { result, findings } = await repairOnce(dir, await targetAt(path, { store }), { quick: true });
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ damaged: [], missing: [], repaired: 0, checked: bundleIds(archive).length });
	expect(calls.filter(({ operation }) => operation === 'read')).toEqual([]);
});

test.each([
	['missing', (file: string) => rmSync(file)],
	['damaged', (file: string) => DAMAGES['with one bit changed']?.(file)],
] as const)('a record that is %s here comes back first, so that nothing else does', async (how, harm) => {
	const dir = copyOf(archive);
	harm(snapshotPath(dir, byHand.record));
	const { store, calls } = faultyStore(folderStore(path), () => null);
	const planned = await repairOnce(dir, await targetAt(path), { quick: true, dryRun: true });
	const { result, findings } = await repairOnce(dir, await targetAt(path, { store }), { quick: true });
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ damaged: [], missing: [], [how]: [byHand.record], repaired: 1 });
	expect(planned.result).toMatchObject({ damaged: [], missing: [], [how]: [byHand.record], repaired: 1 });
	expect(calls.filter(({ operation }) => operation === 'read')).toHaveLength(1);
	await expectWhole(dir);
});

test('where the record is at neither place, what was pruned comes back: nothing says that it was', async () => {
	const dir = copyOf(archive);
	rmSync(snapshotPath(dir, byHand.record));
	const other = copyOf(path);
	for (const name of blobsOf(other, new RegExp(byHand.record))) rmSync(join(other, name));
	const { findings } = await repairOnce(dir, await targetAt(other), { quick: true });
	expect(findings).toMatchObject([{ code: 'not-at-target', subject: byHand.record }]);
	expect(snapshotsHere(dir)).toEqual(expect.arrayContaining([...byHand.pruned]));
	expect(bundleIds(dir)).toEqual(expect.arrayContaining([...byHand.bundles]));
});

test('a snapshot that the record lists as kept and that is at neither place is named', async () => {
	const dir = copyOf(archive);
	const [kept = ''] = snapshotsHere(dir);
	expect(kept < byHand.record).toBe(true);
	const other = copyOf(path);
	for (const [place, pattern] of [[dir, kept] as const, [other, kept] as const])
		for (const name of blobsOf(place, new RegExp(pattern))) rmSync(join(place, name));
	const { result, findings } = await repairOnce(dir, await targetAt(other), { quick: true });
	expect(findings).toMatchObject([{ code: 'not-at-target', severity: 'error', subject: kept }]);
	expect(result.missing).toEqual([kept]);
	expect((await verifyRemote(other, 'quick')).result.missing).toContain(kept);
});

test('an archive that was set back to before the prune is told what the record that comes will make its next pack do', async () => {
	const dir = copyOf(packed.archive);
	const { findings } = await repairOnce(dir, await targetAt(path), { quick: true });
	expect(findings).toMatchObject([{ code: 'repair-brings-prune', severity: 'warning', subject: byHand.record }]);
	expect(findings[0]?.text).toContain(`${byHand.pruned.length} snapshots`);
	expect(snapshotsHere(dir)).toEqual([...byHand.pruned, ...snapshotsHere(archive)].sort());
	expect(compareTreeStates(tree, (await restoreFrom(thinArchive(dir))).tree)).toEqual([]);
	expect(snapshotsHere(dir)).toContain(newest);
});

test('nor does a record that takes the place of a damaged one come without a word', async () => {
	const dir = copyOf(packed.archive);
	const { record, pruned } = await pruneByHand(dir, { keep: 1, now: timeOf(LATER + 1), reach: 'record' });
	const there = join(quickFolder(), 'target');
	await syncOnce(dir, there);
	rmSync(snapshotPath(dir, record));
	writeFileSync(snapshotPath(dir, record), 'damaged');
	const { findings } = await repairOnce(dir, await targetAt(there), { quick: true });
	expect(findings).toMatchObject([{ code: 'repair-brings-prune', severity: 'warning', subject: record }]);
	expect(findings[0]?.text).toContain(`${pruned.length} snapshots`);
});

test('verify --target tells of what was pruned and is still there in one note, and of nothing that was removed', async () => {
	const before = await verifyRemote(path, 'deep');
	expect(before.findings).toMatchObject([{ code: 'pruned-at-target', severity: 'note' }]);
	expect(before.findings[0]?.text).toContain(`${byHand.pruned.length} snapshots`);
	expect(before.result).toMatchObject({ damaged: [], missing: [], snapshots: snapshotsHere(archive).length });
	const after = copyOf(path);
	await syncOnce(copyOf(archive), after, { prune: { grace: 0 }, now: Date.now() + 1000 });
	expect(await flawsOfTarget(after, { trees: new Map([[newest, tree]]) })).toEqual([]);
});
