import { cpSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { snapshotPath } from '../../../src/archive/layout.ts';
import { readSnapshot } from '../../../src/archive/snapshots.ts';
import { encodeSnapshot } from '../../../src/bundle/index.ts';
import { parseSnapshotName } from '../../../src/domain/index.ts';
import { bundleNames, filesBelow, packOnce } from '../../support/archive.ts';
import { failingAt, faultyStore } from '../../support/faulty-store.ts';
import { DAY } from '../../support/mail-store.ts';
import { type ByHand, bundleIds, incompleteThere, pruneByHand, replaceBundles, snapshotsThere } from '../../support/pruned-target.ts';
import {
	ATTACHMENT_MIN,
	archiveIdOf,
	bundleBlobs,
	copyOf,
	DAMAGES,
	flawsOfTarget,
	folderStore,
	makeKeys,
	openRemote,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	SMALL_BUNDLES,
	syncOnce,
	timeOf,
} from '../../support/target.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../../support/tree-state.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

const SMALL = { bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN };
const LATER = 60;

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
/** The archive after a prune that kept its last two nights, and a target of each kind that knows nothing of it. */
let archive: string;
let byHand: ByHand;
const before = {} as Record<Kind, string>;
const trees = new Map<string, Map<string, FolderState>>();

beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(3);
	const replaced = await replaceBundles(packed.archive, packed.life.store.spec, timeOf(LATER));
	packed.trees.set(replaced, readTreeState(packed.life.store.root));
	packed.life.live(LATER + 1);
	const { result } = await packOnce(packed.archive, packed.life.store.spec, { now: timeOf(LATER + 1), ...SMALL });
	packed.trees.set(String(result.snapshot), readTreeState(packed.life.store.root));
	archive = copyOf(packed.archive);
	for (const kind of KINDS) {
		before[kind] = join(quickFolder(), 'target');
		await syncOnce(archive, before[kind], keysOf(kind));
		rmSync(join(archive, 'targets'), { recursive: true });
	}
	byHand = await pruneByHand(archive, { keep: 2, now: timeOf(LATER + 2) });
	for (const [name, tree] of packed.trees) trees.set(name, tree);
	trees.set(byHand.record, [...packed.trees.values()].at(-1) ?? new Map());
});

/** Time enough for what was written just now to be as old as it must be. */
const NOW = { now: Date.now() + 365 * DAY };
const PRUNE = { ...NOW, prune: { grace: 0 } };

/** Bundles that a snapshot names, pruned or not. */
function needs(name: string): readonly string[] {
	const dir = name === byHand.record ? archive : packed.archive;
	return readSnapshot(dir, parseSnapshotName(name)).snapshot.bundles.map(({ id }) => id);
}

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

function codesOf({ findings }: { readonly findings: readonly { readonly code: string; readonly severity: string }[] }): string[] {
	return findings.map(({ code, severity }) => `${severity} ${code}`);
}

describe.each(KINDS)('at a target that is %s, after a prune here', (kind) => {
	test('a plain sync ships the record, keeps what was pruned, and says in a note how much that is', async () => {
		const path = copyOf(before[kind]);
		const synced = await syncOnce(copyOf(archive), path, { ...keysOf(kind), check: 1 });
		expect(codesOf(synced)).toEqual(['note pruned-at-target']);
		expect(synced.findings[0]?.text).toMatch(/^3 snapshots /);
		expect(synced.result).toMatchObject({ shipped: 0, snapshots: 1, newest: byHand.record, pruned: null });
		expect(snapshotsThere(path)).toEqual([...packed.trees.keys(), byHand.record]);
		expect(bundleIds(path)).toEqual(bundleIds(before[kind]));
	});

	test('a sync with --prune ships the record, removes exactly what it lists and what only that named, and reads nothing', async () => {
		const path = copyOf(before[kind]);
		const host = copyOf(archive);
		const { store, calls } = faultyStore(folderStore(path), () => null);
		const { result, findings } = await syncOnce(host, path, { ...keysOf(kind), ...PRUNE, store });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ snapshots: 1, pruned: { snapshots: 3, bundles: byHand.bundles.length } });
		expect(byHand.bundles.length).toBeGreaterThan(5);
		expect(result.pruned?.bytes).toBeGreaterThan(1000);
		expect(snapshotsThere(path)).toEqual([...[...packed.trees.keys()].slice(-2), byHand.record]);
		expect(bundleIds(path)).toEqual(bundleIds(host));
		expect(calls.filter(({ operation }) => operation === 'read')).toEqual([]);
		expect(await flawsOfTarget(path, { trees, ...openingOf(kind) })).toEqual([]);
		const again = await syncOnce(host, path, { ...keysOf(kind), ...PRUNE });
		expect(again.findings).toEqual([]);
		expect(again.result).toMatchObject({ shipped: 0, pruned: { snapshots: 0, bundles: 0, leftovers: 0, bytes: 0 } });
	});

	test('a dry run tells what would go, before the record is there and after, and changes nothing', async () => {
		const path = copyOf(before[kind]);
		const host = copyOf(archive);
		const files = filesBelow(path);
		const first = await syncOnce(host, path, { ...keysOf(kind), ...PRUNE, dryRun: true });
		expect(first.findings).toEqual([]);
		expect(filesBelow(path)).toEqual(files);
		const { result } = await syncOnce(host, path, { ...keysOf(kind), ...PRUNE });
		expect(first.result.pruned).toEqual(result.pruned);
	});

	test('the grace is for bundles: young ones stay for a week, the snapshots go at once', async () => {
		const path = copyOf(before[kind]);
		const host = copyOf(archive);
		const { result } = await syncOnce(host, path, { ...keysOf(kind), ...NOW, prune: { grace: 7 * DAY } });
		expect(result.pruned).toMatchObject({ snapshots: 3, bundles: 0 });
		expect(bundleIds(path)).toEqual(bundleIds(before[kind]));
		const old = new Date(Date.now() - 8 * DAY);
		for (const name of bundleBlobs(path)) utimesSync(join(path, name), old, old);
		const later = await syncOnce(host, path, { ...keysOf(kind), ...NOW, prune: { grace: 7 * DAY } });
		expect(later.result.pruned).toMatchObject({ snapshots: 0, bundles: byHand.bundles.length });
		expect(await flawsOfTarget(path, { trees, mode: 'full', ...openingOf(kind) })).toEqual([]);
	});

	test.each(['cut', 'lost-answer'] as const)(
		'a --prune (%s) that ends at any removal leaves no snapshot without its bundles',
		async (fault) => {
			const synced = copyOf(before[kind]);
			const host = copyOf(archive);
			await syncOnce(host, synced, keysOf(kind));
			const path = join(quickFolder(), 'target');
			renameSync(copyOf(synced), path);
			const { store: whole, calls } = faultyStore(folderStore(path), () => null);
			await syncOnce(copyOf(host), path, { ...keysOf(kind), ...PRUNE, store: whole, transfers: 1 });
			const removes = calls.filter(({ operation }) => operation === 'remove');
			expect(removes.map(({ name }) => name.startsWith('archives/'))).toEqual(removes.map((_one, index) => index < 3));
			for (const { index } of removes) {
				rmSync(path, { recursive: true });
				renameSync(copyOf(synced), path);
				const { store, struck } = failingAt(folderStore(path), index, fault);
				const call = syncOnce(copyOf(host), path, { ...keysOf(kind), ...PRUNE, store, transfers: 1 });
				await expect(call).rejects.toMatchObject({ code: 'unreachable' });
				expect(struck()?.operation).toBe('remove');
				const ids = new Set(bundleIds(path));
				expect(snapshotsThere(path).filter((name) => needs(name).some((id) => !ids.has(id)))).toEqual([]);
				await syncOnce(copyOf(host), path, { ...keysOf(kind), ...PRUNE });
				expect(bundleIds(path)).toEqual(bundleIds(host));
				expect(snapshotsThere(path)).toHaveLength(3);
			}
		},
	);

	test('a night that was pruned and is still there is listed and restored, until it is removed', async () => {
		const path = copyOf(before[kind]);
		const host = copyOf(archive);
		await syncOnce(host, path, keysOf(kind));
		const [first = ''] = byHand.pruned;
		const wanted = { kind: 'moments', at: [first], now: timeOf(100) } as const;
		const old = await openRemote(path, { ...openingOf(kind), wanted });
		const { tree } = await restoreFrom(old.archive, { at: first });
		expect(compareTreeStates(packed.trees.get(first) ?? new Map(), tree)).toEqual([]);
		await syncOnce(host, path, { ...keysOf(kind), ...PRUNE });
		await expect(openRemote(path, { ...openingOf(kind), wanted })).rejects.toMatchObject({ code: 'not-found' });
	});

	test('who read the target before the prune goes on from the newest, and is not told that it was set back', async () => {
		const path = copyOf(before[kind]);
		const cache = quickFolder();
		await openRemote(path, { ...openingOf(kind), cache });
		const host = copyOf(archive);
		await syncOnce(host, path, { ...keysOf(kind), ...PRUNE });
		const warnings: string[] = [];
		const setup = { ...openingOf(kind), cache, warn: (text: string) => warnings.push(text) };
		const { tree } = await restoreFrom((await openRemote(path, setup)).archive);
		expect(compareTreeStates(trees.get(byHand.record) ?? new Map(), tree)).toEqual([]);
		// And now all that the reader had seen goes.
		const next = await pruneByHand(host, { keep: 0, now: timeOf(LATER + 3) });
		await syncOnce(host, path, { ...keysOf(kind), ...PRUNE });
		expect(snapshotsThere(path)).toEqual([next.record]);
		const { tree: later } = await restoreFrom((await openRemote(path, setup)).archive);
		expect(compareTreeStates(trees.get(byHand.record) ?? new Map(), later)).toEqual([]);
		expect(warnings.filter((text) => text.includes('set back'))).toEqual([]);
	});

	test('an archive that was set back and pruned all that it had is refused: nothing here follows what lies there', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		const old = copyOf(life.archive);
		for (let night = 0; night < 2; night++) await life.pack();
		await syncOnce(life.archive, path, keysOf(kind));
		await packOnce(old, life.life.store.spec, { now: timeOf(20), ...SMALL });
		await pruneByHand(old, { keep: 0, now: timeOf(21) });
		const files = filesBelow(path);
		const synced = await syncOnce(old, path, keysOf(kind));
		expect(codesOf(synced)).toEqual(['note pruned-at-target', 'error target-is-newer']);
		expect(synced.result.snapshots).toBe(0);
		for (const dryRun of [true, false]) {
			await expect(syncOnce(old, path, { ...keysOf(kind), ...PRUNE, dryRun })).rejects.toMatchObject({
				code: 'archive-damaged',
				message: expect.stringContaining('2 snapshots'),
				hint: expect.stringContaining('mailseal repair --from'),
			});
		}
		const left = [...filesBelow(path)].filter(([name]) => name.startsWith('archives/') || files.has(name));
		expect(new Map(left)).toEqual(files);
	});
});

describe('a prune of the target deletes nothing', () => {
	async function expectRefused(host: string, path: string, named: string): Promise<void> {
		const files = snapshotsThere(path);
		const ids = bundleIds(path);
		await expect(syncOnce(host, path, PRUNE)).rejects.toMatchObject({
			code: 'archive-damaged',
			message: expect.stringContaining(named),
			hint: expect.stringContaining('mailseal repair --from'),
		});
		expect(snapshotsThere(path)).toEqual(expect.arrayContaining(files));
		expect(bundleIds(path)).toEqual(ids);
	}

	test('where a snapshot that the record kept is missing here', async () => {
		const path = copyOf(before.plain);
		const host = copyOf(archive);
		const kept = [...packed.trees.keys()].at(-2) ?? '';
		rmSync(snapshotPath(host, parseSnapshotName(kept)));
		expect(codesOf(await syncOnce(host, path))).toEqual(['note pruned-at-target', 'error snapshots-lost-here']);
		await expectRefused(host, path, kept);
	});

	test.each([
		['missing', (path: string) => rmSync(path)],
		['damaged', (path: string) => DAMAGES['with one bit changed']?.(path)],
	] as const)('where the record is %s here: then nothing counts as pruned', async (_how, harm) => {
		const host = copyOf(archive);
		await packOnce(host, packed.life.store.spec, { now: timeOf(LATER + 3), ...SMALL });
		const path = copyOf(before.plain);
		await syncOnce(host, path);
		harm(snapshotPath(host, byHand.record));
		expect(codesOf(await syncOnce(host, path))).not.toContain('note pruned-at-target');
		await expectRefused(host, path, byHand.pruned[0] ?? '');
	});

	test('where the newest snapshot names another record than the one that is here under that name', async () => {
		const host = copyOf(archive);
		const { snapshot, sha256 } = readSnapshot(host, byHand.record);
		const { history: _history, ...state } = snapshot;
		const { name, bytes } = encodeSnapshot({
			...state,
			time: new Date(timeOf(LATER + 3)).toISOString(),
			parent: { name: byHand.record, sha256 },
			record: { name: byHand.record, sha256: `${sha256.slice(0, 8)}${'0'.repeat(56)}` },
		});
		writeFileSync(snapshotPath(host, name), bytes);
		await expectRefused(host, copyOf(before.plain), byHand.pruned[0] ?? '');
	});

	test('where an older snapshot of the archive lies there that no record lists', async () => {
		const path = copyOf(before.plain);
		const [first = ''] = snapshotsThere(path);
		const other = first.replace(/^[0-9]{8}/, '20200101');
		const blob = filesBelow(path);
		const [file = ''] = [...blob.keys()].filter((name) => name.includes(first));
		const planted = join(path, file.replaceAll(first, other).replace('/2026/', '/2020/'));
		mkdirSync(dirname(planted), { recursive: true });
		cpSync(join(path, file), planted);
		await expectRefused(copyOf(archive), path, other);
	});

	test('where the record could not be shipped: who has the target alone would find no reason why snapshots are gone', async () => {
		const life = await packNights(3);
		const path = join(quickFolder(), 'target');
		await syncOnce(life.archive, path);
		const known = new Set(bundleBlobs(life.archive));
		await life.pack();
		const { pruned } = await pruneByHand(life.archive, { keep: 1, now: timeOf(4) });
		const [fresh = ''] = bundleBlobs(life.archive).filter((name) => !known.has(name));
		DAMAGES.truncated?.(join(life.archive, fresh));
		const ids = bundleIds(path);
		const synced = await syncOnce(life.archive, path, PRUNE);
		expect(codesOf(synced)).toContain('warning target-not-pruned');
		expect(synced.result.pruned).toEqual({ snapshots: 0, bundles: 0, leftovers: 0, bytes: 0 });
		expect(snapshotsThere(path)).toEqual([...pruned]);
		expect(bundleIds(path)).toEqual(expect.arrayContaining(ids));
	});
});

test('what another archive pruned stays there until its own host says so, and what both have stays for the other', async () => {
	const path = join(quickFolder(), 'target');
	const [one, two] = [await packNights(3), await packNights(3)];
	for (const { archive: dir } of [one, two]) await syncOnce(dir, path);
	const theirs = bundleIds(two.archive);
	for (const { archive: dir } of [one, two]) await pruneByHand(dir, { keep: 1, now: timeOf(3) });
	const { result } = await syncOnce(one.archive, path, PRUNE);
	expect(result.pruned).toMatchObject({ snapshots: 2 });
	expect(snapshotsThere(path, archiveIdOf(one.archive))).toHaveLength(2);
	expect(snapshotsThere(path, archiveIdOf(two.archive))).toHaveLength(3);
	expect(bundleIds(path)).toEqual(expect.arrayContaining(theirs));
	expect(incompleteThere(path)).toEqual([]);
	await syncOnce(two.archive, path, PRUNE);
	expect(bundleIds(path)).toEqual([...new Set([...bundleIds(one.archive), ...bundleIds(two.archive)])].sort());
	expect(bundleNames(one.archive, 'sealed').length).toBeGreaterThan(1);
});
