import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, packOnce, pruneOnce } from '../../support/archive.ts';
import { failingAt, faultyStore } from '../../support/faulty-store.ts';
import { DAY } from '../../support/mail-store.ts';
import {
	ATTACHMENT_MIN,
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
	repairOnce,
	rewrite,
	SMALL_BUNDLES,
	snapshotBlobs,
	syncOnce,
	targetAt,
	timeOf,
} from '../../support/target.ts';
import { type FolderState, readTreeState } from '../../support/tree-state.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

let keys: Awaited<ReturnType<typeof makeKeys>>;
/** An archive, what it was two nights before, and what that became when it was put back and went on by itself. */
let packed: Packed;
let forked: string;
let stranger: string;
const trees = new Map<string, Map<string, FolderState>>();

beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(2);
	forked = copyOf(packed.archive);
	stranger = join(quickFolder(), 'archive');
	// Cut at other sizes, the same mail makes other bundles.
	await packOnce(stranger, packed.life.store.spec, {
		now: timeOf(20),
		bundles: { ...SMALL_BUNDLES, target: 4096 },
		attachmentMin: ATTACHMENT_MIN,
	});
	for (let night = 0; night < 2; night++) await packed.pack();
	for (const [name, tree] of packed.trees) trees.set(name, tree);
	for (let day = 4; day < 6; day++) {
		packed.life.live(day);
		const { result } = await packOnce(forked, packed.life.store.spec, {
			now: timeOf(day),
			bundles: SMALL_BUNDLES,
			attachmentMin: ATTACHMENT_MIN,
		});
		trees.set(String(result.snapshot), readTreeState(packed.life.store.root));
	}
});

/** Time enough for what was written just now to be as old as it must be. */
const NOW = { now: Date.now() + 365 * DAY };
const AT_ONCE = { ...NOW, prune: { grace: 0 } };

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

/** A target with bundles that no snapshot names, as another archive's first sync leaves them that never came to its end. */
async function outgrown(kind: Kind) {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const other = copyOf(stranger);
	await syncOnce(other, path, keysOf(kind));
	rmSync(join(path, 'archives', archiveIdOf(other)), { recursive: true });
	await syncOnce(archive, path, keysOf(kind));
	const here = new Set(bundleBlobs(archive).map((name) => name.slice(-68, -4)));
	return { archive, path, gone: idsAt(path).filter((id) => !here.has(id)) };
}

function idsAt(path: string): string[] {
	return bundleBlobs(path)
		.map((name) => /[0-9a-f]{64}/.exec(name)?.[0] ?? '')
		.sort();
}

function flawsOf(path: string, kind: Kind): Promise<string[]> {
	return flawsOfTarget(path, { trees, mode: 'full', ...openingOf(kind) });
}

describe.each(KINDS)('a prune of a target that is %s', (kind) => {
	test('is a plan first: a dry run tells what would go, and deletes nothing', async () => {
		const { archive, path, gone } = await outgrown(kind);
		expect(gone.length).toBeGreaterThan(1);
		const before = filesBelow(path);
		const { result, findings } = await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE, dryRun: true });
		expect(findings).toEqual([]);
		expect(result.pruned).toMatchObject({ bundles: gone.length, leftovers: 0 });
		expect(result.pruned?.bytes).toBeGreaterThan(1000);
		expect(filesBelow(path)).toEqual(before);
	});

	test('deletes what no snapshot names, and no snapshot', async () => {
		const { archive, path, gone } = await outgrown(kind);
		const before = idsAt(path);
		const planned = await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE, dryRun: true });
		const { result, findings } = await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE });
		expect(findings).toEqual([]);
		expect(result.pruned).toEqual(planned.result.pruned);
		expect(snapshotBlobs(path)).toHaveLength(4);
		expect(idsAt(path)).toEqual(before.filter((id) => !gone.includes(id)));
		expect(await flawsOf(path, kind)).toEqual([]);
		const again = await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE });
		expect(again.result).toMatchObject({ pruned: { bundles: 0, leftovers: 0, bytes: 0 }, shipped: 0 });
	});

	test('leaves bundles that are younger than the grace, and takes them later', async () => {
		const { archive, path, gone } = await outgrown(kind);
		const before = idsAt(path);
		const first = await syncOnce(archive, path, { ...keysOf(kind), ...NOW, prune: { grace: 7 * DAY } });
		expect(first.result.pruned).toMatchObject({ bundles: 0 });
		expect(idsAt(path)).toEqual(before);
		for (const name of bundleBlobs(path)) {
			const old = new Date(Date.now() - 8 * DAY);
			if (gone.some((id) => name.includes(id))) utimesSync(join(path, name), old, old);
		}
		const second = await syncOnce(archive, path, { ...keysOf(kind), ...NOW, prune: { grace: 7 * DAY } });
		expect(second.result.pruned).toMatchObject({ bundles: gone.length });
		expect(await flawsOf(path, kind)).toEqual([]);
	});

	test('deletes nothing where a snapshot arrived after the plan', async () => {
		const { archive, path } = await outgrown(kind);
		const before = [...filesBelow(path).keys()];
		const plain = folderStore(path);
		let lists = 0;
		let arrived = '';
		const store = {
			...plain,
			async *list(...call: Parameters<typeof plain.list>) {
				// The second listing of all archives is that after the plan.
				if (call[0] === 'archives/' && ++lists === 2) {
					arrived = `archives/${'f'.repeat(32)}/snapshots/2026/20260101T000000Z-00000000.json`;
					await plain.create(arrived, { size: 0, sha256: EMPTY, async *open() {} }, { signal: call[1] });
				}
				yield* plain.list(...call);
			},
		};
		await expect(syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE, store })).rejects.toMatchObject({
			code: 'busy',
			message: expect.stringContaining('20260101T000000Z-00000000'),
		});
		expect(arrived).not.toBe('');
		expect([...filesBelow(path).keys()].sort()).toEqual([...before, arrived].sort());
	});

	test('is refused to an archive that was set back', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		await syncOnce(life.archive, path, keysOf(kind));
		const old = copyOf(life.archive);
		await life.pack();
		await syncOnce(life.archive, path, keysOf(kind));
		const before = filesBelow(path);
		for (const dryRun of [true, false]) {
			await expect(syncOnce(old, path, { ...keysOf(kind), ...AT_ONCE, dryRun })).rejects.toMatchObject({
				code: 'archive-damaged',
				hint: expect.stringContaining('mailseal repair --from'),
			});
		}
		expect(filesBelow(path)).toEqual(before);
	});

	test('is refused to an archive that was put back and went on by itself: what it does not have may be nowhere else', async () => {
		const path = join(quickFolder(), 'target');
		await syncOnce(copyOf(packed.archive), path, keysOf(kind));
		const archive = copyOf(forked);
		const { result, findings } = await syncOnce(archive, path, keysOf(kind));
		expect([result.snapshots, findings.map(({ code }) => code)]).toEqual([0, ['target-is-newer']]);
		const before = filesBelow(path);
		await expect(syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE })).rejects.toMatchObject({
			code: 'archive-damaged',
			hint: expect.stringContaining('mailseal repair --from'),
		});
		expect(filesBelow(path)).toEqual(before);
	});

	test.each(['cut', 'lost-answer'] as const)('(%s) that ends at any of its steps leaves each snapshot there complete', async (fault) => {
		const { archive, path } = await outgrown(kind);
		const right = copyOf(path);
		const { store: whole, calls } = faultyStore(folderStore(path), () => null);
		await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE, store: whole, transfers: 1 });
		const removes = calls.filter(({ operation }) => operation === 'remove');
		expect(removes.length).toBeGreaterThan(3);
		for (const { index } of removes) {
			rmSync(path, { recursive: true });
			renameSync(copyOf(right), path);
			const { store, struck } = failingAt(folderStore(path), index, fault);
			const call = syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE, store, transfers: 1 });
			await expect(call).rejects.toMatchObject({ code: 'unreachable' });
			expect(struck()?.operation).toBe('remove');
			expect(await flawsOf(path, kind)).toEqual([]);
			await syncOnce(archive, path, { ...keysOf(kind), ...AT_ONCE });
			expect(snapshotBlobs(path)).toHaveLength(4);
			expect(await flawsOf(path, kind)).toEqual([]);
		}
	});
});

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('a prune needs no key where no other archive is at an encrypted target', async () => {
	const { archive, path } = await outgrown('encrypted');
	const { store, calls } = faultyStore(folderStore(path), () => null);
	await syncOnce(archive, path, { ...keysOf('encrypted'), ...AT_ONCE, store });
	expect(calls.filter(({ operation }) => operation === 'read')).toEqual([]);
});

test('a prune deletes what cut-off transfers left, once it is old, and none of somebody else’s files', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	const [bundle = ''] = bundleBlobs(path);
	const folder = join(path, bundle, '..');
	const files = ['.tmp-0123456789abcdef', '.tmp-fedcba9876543210', 'notes.txt', `${'0'.repeat(64)}.zip.part`];
	for (const name of files) writeFileSync(join(folder, name), 'half');
	writeFileSync(join(path, 'mine.txt'), 'mine');
	const old = new Date(Date.now() - 10 * DAY);
	for (const name of files.slice(1)) utimesSync(join(folder, name), old, old);
	const { result } = await syncOnce(archive, path, { ...NOW, prune: { grace: 7 * DAY } });
	expect(result.pruned).toEqual({ snapshots: 0, bundles: 0, leftovers: 1, bytes: 4 });
	const left = [...filesBelow(path).keys()];
	for (const name of ['mine.txt', 'notes.txt', '.tmp-0123456789abcdef', '.zip.part']) {
		expect(left.filter((one) => one.endsWith(name))).toHaveLength(1);
	}
});

test('a prune deletes nothing where the snapshot of another archive cannot be read: it may name any bundle', async () => {
	const { archive, path } = await outgrown('plain');
	const other = await packNights(1);
	await syncOnce(other.archive, path);
	const [snapshot = ''] = snapshotBlobs(path, archiveIdOf(other.archive));
	rewrite(join(path, snapshot), (bytes) => bytes.subarray(9));
	const before = bytesBelow(path);
	await expect(syncOnce(archive, path, AT_ONCE)).rejects.toMatchObject({ code: 'archive-damaged' });
	expect(bytesBelow(path)).toEqual(before);
});

test('a prune deletes nothing where a snapshot here cannot be read', async () => {
	const { archive, path } = await outgrown('plain');
	const [snapshot = ''] = [...filesBelow(join(archive, 'snapshots')).keys()].sort();
	rewrite(join(archive, 'snapshots', snapshot), (bytes) => bytes.subarray(9));
	const before = bytesBelow(path);
	await expect(syncOnce(archive, path, AT_ONCE)).rejects.toMatchObject({ code: 'archive-damaged' });
	expect(bytesBelow(path)).toEqual(before);
});

test('a prune keeps both copies of a bundle that two hosts sealed, and takes both of one that nobody needs', async () => {
	const [one, two] = [await packNights(2), await packNights(2)];
	const path = join(quickFolder(), 'target');
	await Promise.all([one, two].map(({ archive }) => syncOnce(archive, path, { keys: keys.sealing, transfers: 3 })));
	const before = idsAt(path);
	const { result } = await syncOnce(one.archive, path, { keys: keys.opening, ...AT_ONCE });
	expect(result.pruned?.bundles).toBe(0);
	expect(idsAt(path)).toEqual(before);
});

test('a prune deletes nothing where a snapshot is missing here that another follows: its copy may be the only one', async () => {
	const { archive, path } = await outgrown('plain');
	const [snapshot = ''] = [...filesBelow(join(archive, 'snapshots')).keys()].sort();
	rmSync(join(archive, 'snapshots', snapshot));
	const before = bytesBelow(path);
	await expect(syncOnce(archive, path, AT_ONCE)).rejects.toMatchObject({
		code: 'archive-damaged',
		message: expect.stringContaining(snapshot.slice(5, -5)),
		hint: expect.stringContaining('mailseal repair --from'),
	});
	expect(bytesBelow(path)).toEqual(before);
});

test('an archive without a snapshot prunes nothing', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	rmSync(join(archive, 'snapshots'), { recursive: true });
	const before = bytesBelow(path);
	await expect(syncOnce(archive, path, AT_ONCE)).rejects.toMatchObject({ name: 'MailsealError' });
	expect(bytesBelow(path)).toEqual(before);
});

test('an archive that was set back, went on and got back what it had lost is pruned and shipped again', async () => {
	const life = await packNights(2);
	const path = join(quickFolder(), 'target');
	await syncOnce(life.archive, path);
	const old = copyOf(life.archive);
	await life.pack();
	await syncOnce(life.archive, path);
	await packOnce(old, life.life.store.spec, { now: timeOf(20), bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN });
	expect((await syncOnce(old, path)).findings.map(({ code }) => code)).toEqual(['target-is-newer']);
	expect((await repairOnce(old, await targetAt(path))).findings).toEqual([]);
	const { result } = await pruneOnce(old, { last: 1 }, { now: timeOf(21) });
	expect(result.kept.map(({ reasons }) => reasons[0])).toEqual(['aside', 'newest']);
	const synced = await syncOnce(old, path, AT_ONCE);
	expect(synced.findings).toEqual([]);
	expect(synced.result.pruned).toMatchObject({ snapshots: 2 });
	// All that is left are states of this same mail: the night that was put back, the one that went on, and the record.
	const tree = readTreeState(life.life.store.root);
	const left = [...result.kept.map(({ name }) => name), String(result.record)];
	expect(await flawsOfTarget(path, { trees: new Map(left.map((name) => [name, tree])) })).toEqual([]);
});
