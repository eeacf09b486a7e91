import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isItsTurn } from '../../../src/archive/its-turn.ts';
import { parseBundleBlob, parseSnapshotBlob } from '../../../src/archive/target/names.ts';
import type { Finding } from '../../../src/domain/index.ts';
import { counted } from '../../../src/remote/index.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { DAY } from '../../support/mail-store.ts';
import {
	bundleBlobs,
	copyOf,
	DAMAGES,
	flawsOfTarget,
	flipMiddle,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	rewrite,
	snapshotBlobs,
	syncOnce,
	timeOf,
	verifyRemote,
} from '../../support/target.ts';

type Kind = 'plain' | 'encrypted';
const KINDS = ['plain', 'encrypted'] as const;

let packed: Packed;
let keys: Awaited<ReturnType<typeof makeKeys>>;
beforeAll(async () => {
	packed = await packNights(3);
	keys = await makeKeys();
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

/** An archive, and a target that has all of it. */
async function shipped(kind: Kind) {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path, keysOf(kind));
	const sync = (setup: Parameters<typeof syncOnce>[2] = {}) => syncOnce(archive, path, { ...keysOf(kind), ...setup });
	const flaws = () => flawsOfTarget(path, { trees: packed.trees, ...openingOf(kind) });
	return { archive, path, sync, flaws };
}

function codes(findings: readonly Finding[]): string[] {
	return findings.map(({ code, severity }) => `${severity} ${code}`);
}

/** What a listing tells without a proof. */
const SEEN_AT_ONCE = new Set(['truncated', 'empty', 'longer than it was', 'missing']);

describe.each(KINDS)('a target that is %s', (kind) => {
	describe.each(Object.entries(DAMAGES))('in which a file is %s', (what, damage) => {
		test.each(['sealed', 'volatile'] as const)('gets that %s bundle again, and what was wrong is named', async (bundles) => {
			const { path, sync, flaws } = await shipped(kind);
			const names = bundleBlobs(path, bundles);
			const victim = names[names.length >> 1] ?? '';
			const id = parseBundleBlob(victim)?.id ?? '';
			damage(join(path, victim));
			if (what !== 'missing') expect((await flaws()).join()).toContain(id);
			const { result, findings } = await sync({ check: 1 });
			expect(codes(findings)).toEqual(what === 'missing' ? [] : ['warning target-bundle-damaged']);
			expect(result.damaged).toEqual(what === 'missing' ? [] : [id]);
			expect(result.shipped).toBe(1);
			if (what !== 'missing') expect(findings[0]?.subject).toBe(id);
			expect(result.confirmed).toBe(names.length === 0 ? 0 : bundleBlobs(path).length - (SEEN_AT_ONCE.has(what) ? 1 : 0));
			// The damaged one does not stay beside the new one.
			expect(bundleBlobs(path)).toHaveLength(bundleBlobs(packed.archive).length);
			expect(await flaws()).toEqual([]);
			expect(await sync({ check: 1 })).toMatchObject({ findings: [], result: { shipped: 0, damaged: [] } });
		});

		test.each([0, -1])('gets the snapshot (%i) again', async (which) => {
			const { path, sync, flaws } = await shipped(kind);
			const victim = snapshotBlobs(path).at(which) ?? '';
			damage(join(path, victim));
			const { result, findings } = await sync({ check: 1 });
			expect(codes(findings)).toEqual(what === 'missing' ? [] : ['warning target-snapshot-damaged']);
			if (what !== 'missing') expect(findings[0]?.subject).toBe(parseSnapshotBlob(victim)?.snapshot);
			expect(result).toMatchObject({ shipped: 0, snapshots: 1 });
			expect(snapshotBlobs(path)).toHaveLength(3);
			expect(await flaws()).toEqual([]);
			expect(await sync({ check: 1 })).toMatchObject({ findings: [], result: { snapshots: 0 } });
		});
	});

	test('gets what a listing shows to be damaged again in every sync, whether it proves anything or not', async () => {
		const { path, sync, flaws } = await shipped(kind);
		const [bundle = ''] = bundleBlobs(path);
		const [snapshot = ''] = snapshotBlobs(path);
		DAMAGES.truncated?.(join(path, bundle));
		// How long the header of an age file is, only who wrote it knows, and of a snapshot that is not remembered.
		DAMAGES[kind === 'plain' ? 'truncated' : 'empty']?.(join(path, snapshot));
		const { findings, result } = await sync({ check: null });
		expect(codes(findings)).toEqual(['warning target-bundle-damaged', 'warning target-snapshot-damaged']);
		expect(result).toMatchObject({ shipped: 1, snapshots: 1, proved: 0 });
		expect(await flaws()).toEqual([]);
	});

	test('proves every bundle and every snapshot within 30 days of a thirtieth each, the newest snapshot every day', async () => {
		const { path, sync } = await shipped(kind);
		const proved = new Map<string, number>();
		for (let day = 0; day < 30; day++) {
			const { store, calls } = faultyStore(folderStore(path), () => null);
			await sync({ check: 30, now: timeOf(100 + day), store });
			for (const { operation, name } of calls) if (operation === 'prove') proved.set(name, (proved.get(name) ?? 0) + 1);
		}
		for (const name of bundleBlobs(path)) expect(proved.get(name), name).toBe(1);
		const snapshots = snapshotBlobs(path);
		for (const name of snapshots.slice(0, -1)) expect(proved.get(name), name).toBe(1);
		expect(proved.get(snapshots.at(-1) ?? '')).toBe(30);
	});

	test('of which all was proved is read once, and nothing is written', async () => {
		const { path, sync } = await shipped(kind);
		const { store, counts } = counted(folderStore(path));
		const { result } = await sync({ check: 1, store });
		const files = bundleBlobs(path).length;
		expect(result).toMatchObject({ proved: files, confirmed: files, shipped: 0 });
		// Bundles, snapshots and the archive's head.
		expect(counts).toMatchObject({ proofs: files + 3 + 1, creates: 0, removes: 0 });
	});

	test('where the damaged copy may not be deleted or replaced, says so and stays as it is', async () => {
		const { path, sync } = await shipped(kind);
		const [bundle = ''] = bundleBlobs(path);
		rewrite(join(path, bundle), flipMiddle);
		const { store } = faultyStore(folderStore(path), ({ operation, name }) =>
			operation === 'remove' || (operation === 'create' && name === bundle) ? 'permission' : null,
		);
		if (kind === 'plain') {
			await expect(sync({ check: 1, store })).rejects.toMatchObject({ code: 'permission' });
			return;
		}
		// An encrypted one gets a new name: the two lie side by side, and the good one is known.
		const { findings } = await sync({ check: 1, store });
		expect(codes(findings)).toEqual(['warning target-bundle-damaged', 'note target-copy-left']);
		expect(bundleBlobs(path)).toHaveLength(bundleBlobs(packed.archive).length + 1);
		expect(await sync({ check: 1, store })).toMatchObject({ findings: [], result: { shipped: 0 } });
		expect(await flawsOfTarget(path, { trees: packed.trees, ...openingOf(kind) })).toEqual([]);
	});
});

test('a plain file does not count for the encrypted one of its name, nor the other way round', async () => {
	for (const kind of KINDS) {
		const { archive, path, sync, flaws } = await shipped(kind);
		const other = kind === 'plain' ? 'encrypted' : 'plain';
		const foreign = join(quickFolder(), 'target');
		await syncOnce(copyOf(archive), foreign, keysOf(other));
		for (const name of [...bundleBlobs(path).slice(0, 2), ...snapshotBlobs(path).slice(0, 1)]) {
			const id = (parseBundleBlob(name)?.id ?? parseSnapshotBlob(name)?.snapshot) as string;
			const swapped = [...bundleBlobs(foreign), ...snapshotBlobs(foreign)].find((one) => one.includes(id)) ?? '';
			rmSync(join(path, name));
			writeFileSync(join(path, swapped), readFileSync(join(foreign, swapped)));
		}
		const { result, findings } = await sync({ check: 1 });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ shipped: 2, snapshots: 1 });
		expect(await flaws()).toEqual([]);
	}
});

describe('an archive that was set back', () => {
	test.each(KINDS)('ships no snapshot to a target that is %s and has newer ones, and says what to do', async (kind) => {
		const old = await packNights(2);
		const path = join(quickFolder(), 'target');
		await syncOnce(old.archive, path, keysOf(kind));
		const before = copyOf(old.archive);
		await old.pack();
		await syncOnce(old.archive, path, keysOf(kind));
		const there = snapshotBlobs(path);
		const sizes = bundleBlobs(path);
		for (const dryRun of [true, false]) {
			const { findings, result } = await syncOnce(before, path, { ...keysOf(kind), dryRun, check: 1, dropLocal: true });
			expect(codes(findings)).toEqual(['error target-is-newer']);
			expect(findings[0]).toMatchObject({ subject: [...old.trees.keys()].at(-1), hint: expect.stringContaining('mailseal repair --from') });
			expect(result).toMatchObject({ shipped: 0, snapshots: 0, dropped: { bundles: 0 } });
		}
		expect(snapshotBlobs(path)).toEqual(there);
		expect(bundleBlobs(path)).toEqual(sizes);
		// Bundles that the target lost are given back to it all the same.
		const named = bundleBlobs(before)[0] ?? '';
		const victim = bundleBlobs(path).find((name) => name.includes(named.slice(-68, -4))) ?? '';
		rmSync(join(path, victim));
		expect((await syncOnce(before, path, keysOf(kind))).result.shipped).toBe(1);
		expect(await flawsOfTarget(path, { trees: old.trees, ...openingOf(kind) })).toEqual([]);
	});

	test('that went on by itself ships none of its snapshots while the target has a later one', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		const fork = { archive: copyOf(life.archive) };
		await life.pack();
		await life.pack();
		await syncOnce(life.archive, path);
		const { findings } = await syncOnce(fork.archive, path);
		expect(codes(findings)).toEqual(['error target-is-newer']);
		expect(snapshotBlobs(path)).toHaveLength(4);
	});
});

test('the turn of a bundle comes once in so many days, whatever day is the first', () => {
	for (const digits of ['00000000', '0000001d', 'ffffffff', 'deadbeef']) {
		for (const days of [1, 7, 30]) {
			const turns = Array.from({ length: days }, (_, day) => isItsTurn(digits, { days, now: timeOf(13 + day) + DAY / 2 }));
			expect(turns.filter((turn) => turn)).toHaveLength(1);
		}
	}
});

describe('verifying a target', () => {
	test.each(KINDS)('that is %s finds each damaged file of any kind, with snapshots that were read before, too', async (kind) => {
		for (const [what, damage] of Object.entries(DAMAGES)) {
			const { path } = await shipped(kind);
			const cache = quickFolder();
			expect((await verifyRemote(path, 'full', { ...openingOf(kind), cache })).findings).toEqual([]);
			const snapshot = snapshotBlobs(path)[1] ?? '';
			const [bundle = ''] = bundleBlobs(path, 'sealed');
			damage(join(path, snapshot));
			damage(join(path, bundle));
			const state = what === 'missing' ? 'missing' : 'damaged';
			for (const mode of ['quick', 'full', 'deep'] as const) {
				// How long the header of an age file is, only who wrote it knows.
				const isSeen = kind === 'plain' ? SEEN_AT_ONCE.has(what) : what === 'empty' || what === 'missing';
				if (mode === 'quick' && !isSeen) continue;
				const { findings, result } = await verifyRemote(path, mode, { ...openingOf(kind), cache });
				const name = parseSnapshotBlob(snapshot)?.snapshot ?? '';
				const id = parseBundleBlob(bundle)?.id ?? '';
				const found = codes(findings).sort();
				// What the target has no more is forgotten here, and the one behind it misses its parent.
				expect(found, `${what}, ${mode}`).toEqual([`error bundle-${state}`, `error snapshot-${state}`]);
				expect([...result.damaged, ...result.missing].sort()).toEqual([id, name].sort());
			}
		}
	});

	test('finds that the head of the archive is gone, and reads it all the same', async () => {
		const { path } = await shipped('plain');
		for (const name of ['mailseal.json'])
			rmSync(join(path, 'archives', parseSnapshotBlob(snapshotBlobs(path)[0] ?? '')?.archive ?? '', name));
		const warnings: string[] = [];
		const { findings, result } = await verifyRemote(path, 'deep', { warn: (text) => warnings.push(text) });
		expect(codes(findings)).toEqual(['error archive-head-missing']);
		expect(result.messages).toBeGreaterThan(20);
		expect(warnings.filter((text) => text.includes('mailseal.json is missing'))).toHaveLength(1);
	});

	test('changes nothing there', async () => {
		const { path } = await shipped('plain');
		const { store, counts } = counted(folderStore(path));
		await verifyRemote(path, 'deep', { store });
		expect(counts).toMatchObject({ creates: 0, removes: 0, bytesWritten: 0 });
	});
});
