import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Archive, extract, listMessages, search, status } from '../../../src/archive/index.ts';
import { readRecord } from '../../../src/archive/target/record.ts';

import { counted } from '../../../src/remote/index.ts';

import {
	blobsOf,
	bundleBlobs,
	bytesBelow,
	copyOf,
	flawsOfTarget,
	flipMiddle,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	rewrite,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';
import { compareTreeStates } from '../../support/tree-state.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(3);
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

/** An archive whose sealed bundles lie at a target only. */
async function thinned(kind: Kind = 'plain') {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const { result, findings } = await syncOnce(archive, path, { ...keysOf(kind), dropLocal: true });
	expect(findings).toEqual([]);
	return { archive, path, result };
}

async function everyMessage(archive: Archive): Promise<Map<string, string>> {
	const { result } = await listMessages(archive, { now: timeOf(100) });
	const messages = new Map<string, string>();
	for (const { id } of result.rows) {
		if (messages.has(id)) continue;
		const { chunks } = await extract(archive, id, { now: timeOf(100) });
		messages.set(id, Buffer.concat([...chunks()]).toString('latin1'));
	}
	return messages;
}

describe.each(KINDS)('with a target that is %s', (kind) => {
	test('dropping is a plan first: a dry run proves nothing and changes nothing, here or there', async () => {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		const sealed = bundleBlobs(archive, 'sealed');
		const bytes = sealed.reduce((total, name) => total + readFileSync(join(archive, name)).length, 0);
		for (const round of ['nothing is there', 'all is there']) {
			const before = [bytesBelow(archive), bytesBelow(path)];
			const { store, counts } = counted(folderStore(path));
			const { result } = await syncOnce(archive, path, { ...keysOf(kind), store, dropLocal: true, dryRun: true });
			expect(result.dropped, round).toEqual({ bundles: sealed.length, bytes });
			expect(counts).toMatchObject({ proofs: 0, creates: 0 });
			expect([bytesBelow(archive).size >= (before[0]?.size ?? 0), bytesBelow(path)]).toEqual([true, before[1]]);
			expect(bundleBlobs(archive, 'sealed')).toEqual(sealed);
			await syncOnce(archive, path, keysOf(kind));
		}
	});

	test('sealed bundles go once the target has proved its copies; the rest stays, and all mail is there as before', async () => {
		const before = await everyMessage(thinArchive(copyOf(packed.archive)));
		const { archive, path, result } = await thinned(kind);
		expect(result.dropped?.bundles).toBe(bundleBlobs(packed.archive, 'sealed').length);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		expect(bundleBlobs(archive, 'volatile')).toEqual(bundleBlobs(packed.archive, 'volatile'));
		expect(readRecord(archive, { url: path })?.dropped.size).toBe(result.dropped?.bundles);
		const thin = thinArchive(archive, openingOf(kind));
		expect(await everyMessage(thin)).toEqual(before);
		for (const [name, tree] of packed.trees) {
			const { findings, tree: found } = await restoreFrom(thin, { at: name });
			expect(findings).toEqual([]);
			expect(compareTreeStates(tree, found)).toEqual([]);
		}
		for (const mode of ['quick', 'full', 'sample', 'deep'] as const) {
			const verified = await verifyHere(thin, mode);
			expect(verified.findings, mode).toEqual([]);
			if (mode !== 'sample') expect(verified.result).toMatchObject({ offsite: result.dropped?.bundles, missing: [], damaged: [] });
		}
		const { result: found } = await search(thin, { query: 'subject:mail', limit: 1000, now: timeOf(100) });
		const full = await search(thinArchive(packed.archive), { query: 'subject:mail', limit: 1000, now: timeOf(100) });
		expect(found.rows).toEqual(full.result.rows);
		const { result: shown, findings } = await status(thin, timeOf(3));
		expect(findings).toEqual([]);
		expect(shown.targets).toMatchObject([{ target: path, behind: 0, dropped: { bundles: result.dropped?.bundles } }]);
		await thin.close();
	});

	test('no bundle goes whose copy is damaged: it is shipped again, and goes the next time', async () => {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path, keysOf(kind));
		const [victim = ''] = bundleBlobs(path, 'sealed');
		const id = /[0-9a-f]{64}/.exec(victim)?.[0] ?? '';
		rewrite(join(path, victim), flipMiddle);
		const first = await syncOnce(archive, path, { ...keysOf(kind), dropLocal: true });
		expect(first.findings).toMatchObject([{ code: 'target-bundle-damaged', subject: id }]);
		expect(first.result).toMatchObject({ shipped: 1, damaged: [id] });
		expect(bundleBlobs(archive, 'sealed').join()).toContain(id);
		expect(bundleBlobs(archive, 'sealed')).toHaveLength(1);
		expect(await flawsOfTarget(path, { trees: packed.trees, ...openingOf(kind) })).toEqual([]);
		const second = await syncOnce(archive, path, { ...keysOf(kind), dropLocal: true });
		expect(second).toMatchObject({ findings: [], result: { dropped: { bundles: 1 } } });
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		expect((await verifyHere(thinArchive(archive, openingOf(kind)))).findings).toEqual([]);
	});

	test('without its catalog, a thin archive is read after a rebuild by ranges', async () => {
		const { archive, path } = await thinned(kind);
		for (const suffix of ['', '-wal', '-shm']) rmSync(join(archive, `catalog.sqlite${suffix}`), { force: true });
		const { store, counts } = counted(folderStore(path));
		const thin = thinArchive(archive, { ...openingOf(kind), storeOf: () => store });
		const { result } = await listMessages(thin, { now: timeOf(100) });
		expect(result.rows.length).toBeGreaterThan(20);
		const sealed = bundleBlobs(path, 'sealed').length;
		// The head of the target; of each bundle its age header, its end, and its beginning.
		expect(counts.reads).toBeLessThanOrEqual(1 + sealed * (kind === 'plain' ? 2 : 3));
		// What is not here is proved before a catalog is made of it that a pack will go by.
		expect([counts.proofs, counts.creates]).toEqual([sealed, 0]);
		const [, tree] = [...packed.trees].at(-1) ?? [];
		const restored = await restoreFrom(thin);
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates(tree ?? new Map(), restored.tree)).toEqual([]);
	});

	test('what was fetched is kept: the second look at a message asks the target for nothing', async () => {
		const { archive, path } = await thinned(kind);
		const { store, counts } = counted(folderStore(path));
		const thin = thinArchive(archive, { ...openingOf(kind), storeOf: () => store });
		const all = await everyMessage(thin);
		const reads = counts.reads;
		expect(reads).toBeGreaterThan(0);
		expect(await everyMessage(thin)).toEqual(all);
		expect(counts.reads).toBe(reads);
		// Every file of the cache may go, and each may be damaged: all comes again.
		rmSync(join(archive, 'cache'), { recursive: true });
		expect(await everyMessage(thin)).toEqual(all);
		for (const name of blobsOf(join(archive, 'cache'))) {
			const file = join(archive, 'cache', name);
			if (name !== 'fetched') rewrite(file, name.length % 2 === 0 ? flipMiddle : (bytes) => bytes.subarray(0, bytes.length >> 1));
		}
		expect(await everyMessage(thinArchive(archive, openingOf(kind)))).toEqual(all);
		for (const name of blobsOf(join(archive, 'cache', 'items'))) rewrite(join(archive, 'cache', 'items', name), (bytes) => bytes.fill(0));
		const restored = await restoreFrom(thinArchive(archive, openingOf(kind)));
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), restored.tree)).toEqual([]);
	});

	test('a second target gets what was dropped from the first', async () => {
		const { archive, path } = await thinned(kind);
		const second = join(quickFolder(), 'target');
		const thin = thinArchive(archive, openingOf(kind));
		const { findings, result } = await syncOnce(archive, second, { archive: thin });
		expect(findings).toEqual([]);
		expect(result.shipped).toBe(bundleBlobs(packed.archive).length);
		expect(await flawsOfTarget(second, { trees: packed.trees })).toEqual([]);
		// And may hold it, too: then the first may go.
		const again = await syncOnce(archive, second, { dropLocal: true });
		expect(again.findings).toEqual([]);
		expect(again.result.dropped).toEqual({ bundles: 0, bytes: 0 });
		rmSync(path, { recursive: true });
		const restored = await restoreFrom(thinArchive(archive, openingOf(kind)));
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), restored.tree)).toEqual([]);
	});
});

test('an archive that is open sees what a sync of the same process dropped', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const open = thinArchive(archive);
	expect((await verifyHere(open, 'quick')).findings).toEqual([]);
	await syncOnce(archive, path, { dropLocal: true, archive: open });
	expect((await verifyHere(open)).findings).toEqual([]);
	expect((await restoreFrom(open)).findings).toEqual([]);
});
