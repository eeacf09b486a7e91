import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_BUNDLES, listMessages, pack } from '../../../src/archive/index.ts';
import { readRecord, writeRecord } from '../../../src/archive/target/record.ts';
import { type BundleId, DEFAULT_POLICY, parseBundleId, SILENT } from '../../../src/domain/index.ts';
import { openFiles } from '../../../src/platform/index.ts';
import type { BlobFacts, BlobStore } from '../../../src/remote/index.ts';
import { openMaildirSource } from '../../../src/sources/index.ts';
import { inThisThread, never } from '../../support/archive.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import {
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
	rewrite,
	SMALL_BUNDLES,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(2);
});

function idOf(name: string): BundleId {
	return parseBundleId(/[0-9a-f]{64}/.exec(name)?.[0] ?? '');
}

/** An archive, and an encrypted target to which it shipped, before a stranger replaced the copy of one sealed bundle. */
async function replaced(options: { readonly dropLocal: boolean }) {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	expect((await syncOnce(archive, path, { keys: keys.sealing, ...options })).findings).toEqual([]);
	const [own = ''] = bundleBlobs(path, 'sealed');
	const foreign = randomBytes(readFileSync(join(path, own)).length);
	const hash = createHash('sha256').update(foreign).digest('hex');
	const strange = own.replace(/\.[0-9a-f]{64}\.zip\.age$/, `.${hash}.zip.age`);
	rmSync(join(path, own));
	writeFileSync(join(path, strange), foreign);
	return { archive, path, id: idOf(own), strange };
}

describe('a copy that this host shipped, and a stranger replaced by one of the same size', () => {
	test('is shipped again where the bundle is here', async () => {
		const { archive, path, id, strange } = await replaced({ dropLocal: false });
		const { findings, result } = await syncOnce(archive, path, { keys: keys.sealing, check: 1 });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ shipped: 1, confirmed: bundleBlobs(archive).length - 1 });
		const copies = bundleBlobs(path, 'sealed').filter((name) => name.includes(id));
		expect(copies).toHaveLength(2);
		expect(copies).toContain(strange);
		// From now on the own one counts, whichever comes first.
		expect((await syncOnce(archive, path, { keys: keys.sealing })).result.shipped).toBe(0);
		rmSync(join(path, strange));
		expect(await flawsOfTarget(path, { trees: packed.trees, keys: keys.opening })).toEqual([]);
	});

	test('counts where it can be opened and is right, as when a twin shipped what was lost', async () => {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path, { keys: keys.opening, dropLocal: true });
		const [own = ''] = bundleBlobs(path, 'sealed');
		rmSync(join(path, own));
		await syncOnce(copyOf(packed.archive), path, { keys: keys.sealing });
		const alarm = await syncOnce(archive, path, { keys: keys.sealing });
		expect(alarm.findings).toContainEqual(expect.objectContaining({ code: 'target-copy-replaced', subject: idOf(own) }));
		const { findings, result } = await syncOnce(archive, path, { keys: keys.opening });
		expect([findings, result.shipped]).toEqual([[], 0]);
		// From now on the copy is known, without a key too.
		expect((await syncOnce(archive, path, { keys: keys.sealing })).findings).toEqual([]);
		expect(await flawsOfTarget(path, { trees: packed.trees, keys: keys.opening })).toEqual([]);
	});

	test('is an alarm where the bundle was dropped, and nothing more is dropped in such a run', async () => {
		const { archive, path, id } = await replaced({ dropLocal: true });
		const [here = ''] = bundleBlobs(packed.archive, 'sealed').filter((name) => !name.includes(id));
		mkdirSync(dirname(join(archive, here)), { recursive: true });
		copyFileSync(join(packed.archive, here), join(archive, here));
		const { findings, result } = await syncOnce(archive, path, { keys: keys.sealing, dropLocal: true });
		expect(findings).toContainEqual(expect.objectContaining({ code: 'target-copy-replaced', severity: 'error', subject: id }));
		expect(result.dropped).toEqual({ bundles: 0, bytes: 0 });
		expect(bundleBlobs(archive, 'sealed')).toEqual([here]);
	});
});

describe('bundles of a thin archive that were exchanged at the target for others of the same size', () => {
	async function exchanged() {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path, { dropLocal: true });
		const before = await listMessages(thinArchive(archive), { now: timeOf(100) });
		const victims = bundleBlobs(path, 'sealed');
		// Their directories and manifests can be read as before: that they are other files only their hashes tell.
		for (const victim of victims) {
			rewrite(join(path, victim), (bytes) => {
				const wrong = Buffer.from(bytes);
				wrong[200] = (wrong[200] ?? 0) ^ 1;
				return wrong;
			});
		}
		rmSync(join(archive, 'catalog.sqlite'));
		return { archive, path, ids: victims.map(idOf).sort(), before: before.result.rows };
	}

	test('are named by whoever rebuilds the catalog, and no message counts as stored by them', async () => {
		const { archive, path, ids, before } = await exchanged();
		const { findings, result } = await listMessages(thinArchive(archive), { now: timeOf(100) });
		expect(findings.map(({ subject }) => subject).sort()).toEqual(ids);
		for (const finding of findings) {
			expect(finding).toMatchObject({ code: 'bundle-damaged', severity: 'error', text: expect.stringContaining(path) });
		}
		expect(result.rows.length).toBeLessThan(before.length);
	});

	test('keep a pack from going on by what they say', async () => {
		const { archive, ids } = await exchanged();
		const before = bytesBelow(join(archive, 'snapshots'));
		const call = pack(
			thinArchive(archive),
			{
				sources: [openMaildirSource(packed.life.store.spec)],
				policy: DEFAULT_POLICY,
				bundles: { ...DEFAULT_BUNDLES, ...SMALL_BUNDLES },
				now: timeOf(3),
				rescan: false,
				allowMassRemoval: false,
				dryRun: false,
				progress: SILENT,
				signal: never,
			},
			inThisThread(),
		);
		await expect(call).rejects.toMatchObject({ code: 'archive-damaged', message: expect.stringMatching(new RegExp(ids.join('|'))) });
		expect(bytesBelow(join(archive, 'snapshots'))).toEqual(before);
	});
});

/** A store whose listings tell an MD5 for each bundle. */
function listingMd5(store: BlobStore, md5: string): BlobStore {
	return {
		...store,
		async *list(folder, signal): AsyncGenerator<BlobFacts> {
			for await (const facts of store.list(folder, signal)) yield facts.name.startsWith('bundles/') ? { ...facts, md5 } : facts;
		},
	};
}

describe('copies that are listed with another MD5 than this host knows', () => {
	const [known, listed] = ['0'.repeat(32), '1'.repeat(32)] as const;

	async function doubtful() {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path);
		const record = readRecord(archive, { url: path });
		if (record === null) throw new Error('no record');
		const copies = new Map(bundleBlobs(archive).map((name) => [idOf(name), { md5: known }]));
		writeRecord(openFiles(), archive, { ...record, copies });
		const { store, calls } = faultyStore(listingMd5(folderStore(path), listed), () => null);
		return { archive, path, store, proofs: () => calls.filter(({ operation }) => operation === 'prove').length, all: copies.size };
	}

	test('are proved, and count as confirmed where their bytes are right', async () => {
		const { archive, store, path, proofs, all } = await doubtful();
		const { findings, result } = await syncOnce(archive, path, { store });
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ confirmed: all, shipped: 0, damaged: [] });
		expect(proofs()).toBe(all);
		// What was found out holds: the next run proves nothing.
		expect((await syncOnce(archive, path, { store })).findings).toEqual([]);
		expect(proofs()).toBe(all);
	});

	test('are shipped again where their bytes are wrong, and only these', async () => {
		const { archive, store, path, all } = await doubtful();
		const [victim = ''] = bundleBlobs(path, 'sealed');
		rewrite(join(path, victim), flipMiddle);
		const { findings, result } = await syncOnce(archive, path, { store });
		expect(findings).toMatchObject([{ code: 'target-bundle-damaged', subject: idOf(victim) }]);
		expect(result).toMatchObject({ confirmed: all - 1, shipped: 1, damaged: [idOf(victim)] });
		expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
	});
});

test('a bundle that vanishes from the target between its proof and its removal stays here', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	const sealed = bundleBlobs(archive, 'sealed');
	const [victim = ''] = sealed;
	const plain = folderStore(path);
	let proved = false;
	const store: BlobStore = {
		...plain,
		async prove(...call) {
			const proof = await plain.prove(...call);
			proved ||= call[0].includes(idOf(victim));
			return proof;
		},
		async *list(folder, signal) {
			for await (const facts of plain.list(folder, signal)) if (!proved || !facts.name.includes(idOf(victim))) yield facts;
		},
	};
	const { result } = await syncOnce(archive, path, { store, dropLocal: true });
	expect(proved).toBe(true);
	expect(result.dropped?.bundles).toBe(sealed.length - 1);
	expect(bundleBlobs(archive, 'sealed')).toEqual([victim]);
	expect(readRecord(archive, { url: path })?.dropped.has(idOf(victim))).toBe(false);
	expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
});
