import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Archive, extract, listMessages, search, status } from '../../../src/archive/index.ts';
import { readRecord } from '../../../src/archive/target/record.ts';
import { MailsealError } from '../../../src/domain/index.ts';
import { type BlobStore, counted } from '../../../src/remote/index.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import {
	blobsOf,
	bundleBlobs,
	bytesBelow,
	copyOf,
	DAMAGES,
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
		expect(counts.proofs + counts.creates).toBe(0);
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

describe('whatever step of dropping fails', () => {
	test.each(['before', 'after'] as const)(
		'(the fault coming %s it) each bundle is here or on record, and packs miss none',
		async (when) => {
			const base = copyOf(packed.archive);
			const path = join(quickFolder(), 'target');
			await syncOnce(base, path);
			const there = copyOf(path);
			const struck = new Set<string>();
			for (let at = 0; ; at++) {
				const archive = copyOf(base);
				rmSync(path, { recursive: true });
				renameSync(copyOf(there), path);
				let seen = 0;
				let failed: string | null = null;
				const strike = (operation: string): void => {
					if (seen++ !== at) return;
					failed = operation;
					throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
				};
				const end = await syncOnce(archive, path, { dropLocal: true, hooks: { [when]: strike } }).then(
					() => null,
					(error: unknown) => error,
				);
				const place = `operation ${at}, ${failed}`;
				if (failed !== null) {
					expect(end, place).toMatchObject({ code: 'io' });
					struck.add(failed);
				}
				const dropped = readRecord(archive, { url: path })?.dropped ?? new Map();
				const here = new Set(bundleBlobs(archive).map((name) => name.slice(-68, -4)));
				for (const name of bundleBlobs(packed.archive)) {
					const id = name.slice(-68, -4);
					expect(here.has(id) || [...dropped.keys()].includes(id as never), `${place}: ${name}`).toBe(true);
				}
				const thin = thinArchive(archive);
				expect((await verifyHere(thin, 'full')).findings, place).toEqual([]);
				expect((await status(thin, timeOf(3))).findings, place).toEqual([]);
				const next = await syncOnce(archive, path, { dropLocal: true });
				expect(next.findings, place).toEqual([]);
				expect(bundleBlobs(archive, 'sealed'), place).toEqual([]);
				if (failed === null) break;
			}
			expect(struck).toContain('unlink');
			expect(struck).toContain('rename');
		},
	);

	test('at the target, nothing goes here', async () => {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path);
		const sealed = bundleBlobs(archive, 'sealed');
		let proofs = 0;
		const { store } = faultyStore(folderStore(path), ({ operation }) => (operation === 'prove' && ++proofs === 4 ? 'unreachable' : null));
		await expect(syncOnce(archive, path, { store, dropLocal: true })).rejects.toMatchObject({ code: 'unreachable' });
		expect(bundleBlobs(archive, 'sealed')).toEqual(sealed);
		expect(readRecord(archive, { url: path })?.dropped.size).toBe(0);
	});
});

test('nothing goes here while a sync has something to complain of', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const [victim = ''] = bundleBlobs(archive, 'volatile').slice(-1);
	rewrite(join(archive, victim), (bytes) => bytes.subarray(1));
	const sealed = bundleBlobs(archive, 'sealed');
	for (const dryRun of [false, true]) {
		const { findings, result } = await syncOnce(archive, path, { dropLocal: true, dryRun });
		if (!dryRun) expect(findings.some(({ severity }) => severity === 'error')).toBe(true);
		if (!dryRun) expect(result.dropped).toEqual({ bundles: 0, bytes: 0 });
	}
	expect(bundleBlobs(archive, 'sealed')).toEqual(sealed);
});

test('nothing goes here while a pack is under way, and what was shipped stays', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	const lock = thinArchive(archive).lock();
	try {
		await expect(syncOnce(archive, path, { dropLocal: true })).rejects.toMatchObject({ code: 'busy' });
	} finally {
		lock.release();
	}
	expect(bundleBlobs(archive, 'sealed')).toEqual(bundleBlobs(packed.archive, 'sealed'));
	expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
});

describe('copies of another host at an encrypted target', () => {
	/** Two hosts with the same mail; the second confirms what the first shipped. */
	async function shippedByAnother() {
		const path = join(quickFolder(), 'target');
		const twin = await packNights(3);
		await syncOnce(twin.archive, path, keysOf('encrypted'));
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path, keysOf('encrypted'));
		return { path, archive };
	}

	test('are not believed without an identity: the bundles stay, and a note says why', async () => {
		const { path, archive } = await shippedByAnother();
		const { findings, result } = await syncOnce(archive, path, { ...keysOf('encrypted'), dropLocal: true });
		const sealed = bundleBlobs(archive, 'sealed').length;
		expect(findings).toMatchObject([{ code: 'copies-of-others', severity: 'note', hint: expect.stringContaining('--identity') }]);
		expect(findings[0]?.text).toMatch(new RegExp(`^${sealed} bundles stay here`));
		expect(result.dropped).toEqual({ bundles: 0, bytes: 0 });
		expect(sealed).toBe(bundleBlobs(packed.archive, 'sealed').length);
	});

	test('are opened and compared with an identity, and the bundles go', async () => {
		const { path, archive } = await shippedByAnother();
		const { findings } = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		expect(findings).toEqual([]);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		expect((await verifyHere(thinArchive(archive, openingOf('encrypted')))).findings).toEqual([]);
	});

	test('of other content are found with an identity: the bundle stays, and a right copy takes their place', async () => {
		const { path, archive } = await shippedByAnother();
		// A whole age file of another bundle of about that size, under this one's name.
		const [one = '', two = ''] = bundleBlobs(path, 'sealed');
		const foreign = readFileSync(join(path, two));
		const hash = createHash('sha256').update(foreign).digest('hex');
		const id = /[0-9a-f]{64}/.exec(one)?.[0] ?? '';
		rmSync(join(path, one));
		writeFileSync(join(path, one.replace(/\.[0-9a-f]{64}\.zip\.age$/, `.${hash}.zip.age`)), foreign);
		const sizes = [one, two].map((name) => readFileSync(join(packed.archive, plainName(name))).length);
		const { findings, result } = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		// Where the sizes are too far apart the listing tells already.
		expect(Math.abs((sizes[0] ?? 0) - (sizes[1] ?? 0))).toBeLessThan(60_000);
		expect(findings).toMatchObject([{ code: 'target-bundle-damaged', subject: id }]);
		expect(result.damaged).toEqual([id]);
		const right = result.dropped?.bundles ?? 0;
		expect(bundleBlobs(archive, 'sealed').length + right).toBe(bundleBlobs(packed.archive, 'sealed').length);
		expect((await verifyHere(thinArchive(archive, openingOf('encrypted')))).findings).toEqual([]);
		expect(bundleBlobs(path, 'sealed').filter((name) => name.includes(id))).toHaveLength(1);
		const again = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		expect(again.findings).toEqual([]);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
	});
});

/** The name of a bundle in an archive, by that of its encrypted copy. */
function plainName(name: string): string {
	return name.replace(/\.[0-9a-f]{64}\.zip\.age$/, '.zip');
}

describe('a bundle that was dropped, and that its target has lost,', () => {
	test.each(['missing', 'truncated', 'with one bit changed'])('(%s) is told, and counts as missing from then on', async (what) => {
		const { archive, path } = await thinned();
		const [victim = ''] = bundleBlobs(path, 'sealed');
		const id = victim.slice(-68, -4);
		DAMAGES[what]?.(join(path, victim));
		const { findings } = await syncOnce(archive, path, { check: 1 });
		expect(findings.map(({ code }) => code)).toContain('bundle-not-shipped');
		expect(readRecord(archive, { url: path })?.dropped.has(id as never)).toBe(false);
		const verified = await verifyHere(thinArchive(archive), 'quick');
		expect(verified.findings).toMatchObject([{ code: 'bundle-missing', subject: id }]);
		// The mail store has it still: the next pack stores it again.
		const shown = await status(thinArchive(archive), timeOf(3));
		expect(shown.findings).toMatchObject([{ code: 'bundle-missing', subject: id }]);
	});

	test('is told by whatever reads it, and the rest is read', async () => {
		const { archive, path } = await thinned();
		const [victim = ''] = bundleBlobs(path, 'sealed');
		rmSync(join(path, victim));
		const thin = thinArchive(archive);
		const { findings, result } = await restoreFrom(thin);
		expect(findings.length).toBeGreaterThan(1);
		expect(findings.map(({ code }) => code)).toContain('target-copy-unreadable');
		expect(findings.filter(({ code }) => code === 'target-copy-unreadable')).toMatchObject([{ text: expect.stringContaining(victim) }]);
		expect(result.written).toBeGreaterThan(5);
		const { result: rows } = await listMessages(thin, { now: timeOf(100) });
		const ends = await Promise.allSettled(rows.rows.map(({ id }) => extract(thin, id, { now: timeOf(100) })));
		const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
		expect(reasons.length).toBeGreaterThan(0);
		for (const reason of reasons) {
			expect(reason).toMatchObject({ code: 'archive-damaged', message: expect.stringContaining(victim) });
		}
	});
});

describe('where the target of a thin archive cannot be reached', () => {
	const gone: Readonly<Record<string, (path: string) => BlobStore>> = {
		'since the network is down': (path) => faultyStore(folderStore(path), () => 'unreachable').store,
		'since its disk is not mounted': (path) => {
			const empty = join(quickFolder(), 'empty');
			mkdirSync(empty);
			return { ...folderStore(empty), place: path };
		},
		'since its folder is gone': () => folderStore(join(quickFolder(), 'nowhere')),
	};
	test.each(Object.entries(gone))('%s, a message there gives a clear error, and all that is here is read', async (_what, openStore) => {
		const { archive, path } = await thinned();
		const thin = thinArchive(archive, { storeOf: () => openStore(path) });
		const { result } = await listMessages(thin, { now: timeOf(100) });
		const ends = await Promise.allSettled(result.rows.map(({ id }) => extract(thin, id, { now: timeOf(100) })));
		expect(ends.some(({ status: end }) => end === 'fulfilled')).toBe(true);
		const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
		expect(reasons.length).toBeGreaterThan(5);
		for (const reason of reasons) {
			expect(reason).toBeInstanceOf(MailsealError);
			expect(reason).toMatchObject({ code: 'unreachable', retryable: true });
		}
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		for (const mode of ['quick', 'full'] as const) expect((await verifyHere(thin, mode)).findings).toEqual([]);
		expect((await verifyHere(thin, 'deep')).findings).toMatchObject([{ code: 'target-unreachable', severity: 'warning' }]);
		expect((await search(thin, { query: 'subject:mail', limit: 3, now: timeOf(100) })).result.rows).toHaveLength(3);
		await thin.close();
		// And when it is back, the same archive reads it.
		const again = await restoreFrom(thinArchive(archive));
		expect(again.findings).toEqual([]);
	});

	test('for one call, the next one of the same archive reads it', async () => {
		const { archive, path } = await thinned();
		let calls = 0;
		const { store } = faultyStore(folderStore(path), () => (calls++ < 1 ? 'unreachable' : null));
		const thin = thinArchive(archive, { storeOf: () => store });
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		expect((await restoreFrom(thin)).findings).toEqual([]);
	});

	test('in the middle of a restore, the restore ends so, and the next one goes on', async () => {
		const { archive, path } = await thinned();
		let reads = 0;
		const { store } = faultyStore(folderStore(path), ({ operation }) =>
			operation === 'readRange' && ++reads === 6 ? 'unreachable' : null,
		);
		const thin = thinArchive(archive, { storeOf: () => store });
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		expect((await restoreFrom(thin)).findings).toEqual([]);
	});
});

test('one wrong answer of a target is asked for again, and another copy of an encrypted bundle is tried', async () => {
	const { archive, path } = await thinned();
	let reads = 0;
	const { store } = faultyStore(folderStore(path), ({ operation }) =>
		operation === 'readRange' && ++reads > 1 && reads < 5 ? 'wrong' : null,
	);
	const restored = await restoreFrom(thinArchive(archive, { storeOf: () => store }));
	expect(reads).toBeGreaterThan(7);
	expect(restored.findings).toEqual([]);
	expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), restored.tree)).toEqual([]);

	const encrypted = join(quickFolder(), 'target');
	const twin = await packNights(3);
	const own = copyOf(packed.archive);
	await Promise.all([own, twin.archive].map((dir) => syncOnce(dir, encrypted, keysOf('encrypted'))));
	const doubles = bundleBlobs(encrypted, 'sealed').filter((name, index, all) => all[index - 1]?.slice(0, 85) === name.slice(0, 85));
	await syncOnce(own, encrypted, { ...openingOf('encrypted'), dropLocal: true });
	for (const name of doubles) rewrite(join(encrypted, name), flipMiddle);
	const thin = thinArchive(own, openingOf('encrypted'));
	expect((await restoreFrom(thin)).findings).toEqual([]);
});

test('a record of what was dropped that is lost is found out again from what the target proves', async () => {
	const { archive, path } = await thinned();
	const sealed = bundleBlobs(packed.archive, 'sealed').length;
	for (const name of blobsOf(archive, /^targets\/.*\.json$/)) rmSync(join(archive, name));
	expect((await verifyHere(thinArchive(archive), 'quick')).findings).toHaveLength(sealed);
	// By itself a sync does not take what is lost here for something that was to go.
	await syncOnce(archive, path);
	expect((await verifyHere(thinArchive(archive), 'quick')).findings).toHaveLength(sealed);
	const { result, findings } = await syncOnce(archive, path, { dropLocal: true });
	expect([findings, result.dropped]).toEqual([[], { bundles: 0, bytes: 0 }]);
	expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
	expect(existsSync(join(archive, 'targets'))).toBe(true);
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
