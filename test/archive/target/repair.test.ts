import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { adoptArchive } from '../../../src/archive/index.ts';
import type { Finding } from '../../../src/domain/index.ts';
import { openFiles } from '../../../src/platform/index.ts';
import { counted } from '../../../src/remote/index.ts';
import { filesBelow, never, packOnce } from '../../support/archive.ts';
import { failingAt } from '../../support/faulty-store.ts';
import {
	ATTACHMENT_MIN,
	archiveIdOf,
	blobsOf,
	bundleBlobs,
	bytesBelow,
	copyOf,
	DAMAGES,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	repairOnce,
	restoreFrom,
	rewrite,
	SMALL_BUNDLES,
	snapshotBlobs,
	syncOnce,
	targetAt,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
/** Targets that have all of it; never changed. */
let paths: Readonly<Record<Kind, string>>;

beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(3);
	paths = { plain: join(quickFolder(), 'target'), encrypted: join(quickFolder(), 'target') };
	for (const kind of KINDS) await syncOnce(packed.archive, paths[kind], kind === 'plain' ? {} : { keys: keys.sealing });
});

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

function codes(findings: readonly Finding[]): string[] {
	return findings.map(({ code, severity }) => `${severity} ${code}`);
}

/** Bundles and snapshots of an archive, byte for byte. */
function mailOf(dir: string): Map<string, string> {
	return new Map([...bytesBelow(dir)].filter(([name]) => /^(bundles|snapshots)\//.test(name)));
}

function snapshotFiles(dir: string): string[] {
	return blobsOf(dir, /^snapshots\//);
}

describe.each(KINDS)('from a target that is %s, repair', (kind) => {
	test.each(Object.entries(DAMAGES))(
		'brings back bundles and snapshots that are %s, byte for byte, and nothing else',
		async (what, damage) => {
			const dir = copyOf(packed.archive);
			const right = mailOf(dir);
			const sealed = bundleBlobs(dir, 'sealed');
			const victims = [sealed[0], sealed.at(-1), bundleBlobs(dir, 'volatile')[0], snapshotFiles(dir)[0], snapshotFiles(dir)[2]];
			for (const victim of victims) damage(join(dir, victim ?? ''));
			const before = filesBelow(dir);
			const target = await targetAt(paths[kind], openingOf(kind));
			const planned = await repairOnce(dir, target, { dryRun: true });
			expect(filesBelow(dir)).toEqual(before);
			expect(planned.result).toMatchObject({ dryRun: true, repaired: victims.length });
			const { result, findings } = await repairOnce(dir, target);
			expect(findings).toEqual([]);
			expect(result).toMatchObject({ repaired: victims.length, dryRun: false, checked: bundleBlobs(packed.archive).length });
			expect(result.repairedBytes).toBe(planned.result.repairedBytes);
			expect(result[what === 'missing' ? 'missing' : 'damaged']).toHaveLength(victims.length);
			expect(result[what === 'missing' ? 'damaged' : 'missing']).toHaveLength(0);
			expect(mailOf(dir)).toEqual(right);
			const after = filesBelow(dir);
			for (const [name, state] of before) if (!victims.includes(name) && right.has(name)) expect(after.get(name), name).toBe(state);
			expect((await verifyHere(thinArchive(dir))).findings).toEqual([]);
			expect(await repairOnce(dir, target)).toMatchObject({ findings: [], result: { repaired: 0, damaged: [], missing: [] } });
		},
	);

	test('makes the whole archive again where its disk was lost, which then goes on as before', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		await syncOnce(life.archive, path, kind === 'plain' ? {} : { keys: keys.sealing });
		const right = mailOf(life.archive);
		const dir = join(quickFolder(), 'archive');
		const target = await targetAt(path, openingOf(kind));
		await adoptArchive(dir, { target, archiveId: null, files: openFiles(), signal: never });
		const planned = await repairOnce(dir, target, { dryRun: true });
		const { findings, result } = await repairOnce(dir, target);
		expect(findings).toEqual([]);
		expect(result.repaired).toBe(right.size);
		expect(planned.result).toMatchObject({ repaired: right.size, missing: result.missing });
		expect(mailOf(dir)).toEqual(right);
		for (const name of ['mailseal.json', 'README.txt', 'recover.py']) expect(existsSync(join(dir, name))).toBe(true);
		expect(archiveIdOf(dir)).toBe(archiveIdOf(life.archive));
		expect((await verifyHere(thinArchive(dir))).findings).toEqual([]);
		// Packs here and there make the same.
		life.life.live(2);
		const settings = { now: timeOf(2), bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN };
		const ours = await packOnce(life.archive, life.life.store.spec, settings);
		const again = await packOnce(dir, life.life.store.spec, settings);
		expect(again.findings).toEqual([]);
		expect(again.result.snapshot).toBe(ours.result.snapshot);
		const { tree } = await restoreFrom(thinArchive(dir));
		expect(compareTreeStates(readTreeState(life.life.store.root), tree)).toEqual([]);
		const synced = await syncOnce(dir, path, kind === 'plain' ? {} : { keys: keys.sealing });
		expect(synced).toMatchObject({ findings: [], result: { snapshots: 1 } });
	});

	test('brings an archive that was set back up to date, which then ships again', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		const setup = kind === 'plain' ? {} : { keys: keys.sealing };
		await syncOnce(life.archive, path, setup);
		const old = copyOf(life.archive);
		await life.pack();
		await syncOnce(life.archive, path, setup);
		const target = await targetAt(path, openingOf(kind));
		expect((await repairOnce(old, target)).findings).toEqual([]);
		expect(mailOf(old)).toEqual(mailOf(life.archive));
		expect((await verifyHere(thinArchive(old))).findings).toEqual([]);
		expect(await syncOnce(old, path, setup)).toMatchObject({ findings: [], result: { shipped: 0, snapshots: 0 } });
	});

	test('leaves alone what is harmed at the target too, says so, and goes on with the rest', async () => {
		const dir = copyOf(packed.archive);
		const path = copyOf(paths[kind]);
		const [first = '', second = '', third = ''] = bundleBlobs(dir, 'sealed');
		const snapshots = snapshotFiles(dir);
		for (const name of [first, second, third, snapshots[0], snapshots[1]]) DAMAGES.truncated?.(join(dir, name ?? ''));
		const there = (name: string): string => {
			const part = /[0-9a-f]{64}|[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/.exec(name)?.[0] ?? '-';
			return join(path, [...bundleBlobs(path), ...snapshotBlobs(path)].find((blob) => blob.includes(part)) ?? '');
		};
		rewrite(there(first), (bytes) => bytes.fill(7, bytes.length - 90, bytes.length - 60));
		rmSync(there(second));
		rewrite(there(snapshots[0] ?? ''), (bytes) => bytes.fill(7, bytes.length - 90, bytes.length - 60));
		const before = filesBelow(dir);
		const { findings, result } = await repairOnce(dir, await targetAt(path, openingOf(kind)));
		expect(codes(findings).sort()).toEqual(['error not-at-target', 'error target-bundle-damaged', 'error target-snapshot-damaged']);
		expect(result).toMatchObject({ repaired: 2, missing: [] });
		expect(result.damaged).toHaveLength(5);
		const after = filesBelow(dir);
		for (const name of [first, second, snapshots[0] ?? '']) expect(after.get(name), name).toBe(before.get(name));
		expect(blobsOf(dir, /\.tmp-/)).toEqual([]);
		expect(readFileSync(join(dir, third))).toEqual(readFileSync(join(packed.archive, third)));
	});

	test.each(['unreachable', 'cut'] as const)(
		'(%s) that ends at any operation leaves nothing half done, and is done by the next',
		async (fault) => {
			const dir = copyOf(packed.archive);
			const [first = '', second = ''] = bundleBlobs(dir, 'sealed');
			const [snapshot = ''] = snapshotFiles(dir);
			const right = mailOf(dir);
			for (let at = 0; ; at++) {
				for (const name of [first, snapshot]) rmSync(join(dir, name), { force: true });
				DAMAGES.truncated?.(join(dir, second));
				const { store, struck } = failingAt(folderStore(paths[kind]), at, fault);
				const end = await targetAt(paths[kind], { ...openingOf(kind), store })
					.then((target) => repairOnce(dir, target))
					.then(
						() => null,
						(error: unknown) => error,
					);
				if (struck() !== null) expect(end, `operation ${at}`).toMatchObject({ code: 'unreachable' });
				expect(blobsOf(dir, /\.tmp-/)).toEqual([]);
				const { findings } = await repairOnce(dir, await targetAt(paths[kind], openingOf(kind)));
				expect(findings).toEqual([]);
				expect(mailOf(dir)).toEqual(right);
				if (struck() === null) break;
			}
		},
	);
});

test('quick repair looks at names and sizes, and reads no bundle that has its size', async () => {
	const dir = copyOf(packed.archive);
	const [first = '', second = ''] = bundleBlobs(dir, 'sealed');
	DAMAGES['with one bit changed']?.(join(dir, first));
	DAMAGES.truncated?.(join(dir, second));
	const target = await targetAt(paths.plain);
	expect((await repairOnce(dir, target, { quick: true })).result).toMatchObject({ repaired: 1, damaged: [second.slice(-68, -4)] });
	expect((await repairOnce(dir, target)).result).toMatchObject({ repaired: 1, damaged: [first.slice(-68, -4)] });
});

test('repair reads of the target what is harmed here, and no more', async () => {
	const dir = copyOf(packed.archive);
	const [first = ''] = bundleBlobs(dir, 'sealed');
	const size = readFileSync(join(dir, first)).length;
	rmSync(join(dir, first));
	const { store, counts } = counted(folderStore(paths.plain));
	await repairOnce(dir, await targetAt(paths.plain, { store }));
	expect(counts).toMatchObject({ creates: 0, removes: 0 });
	expect(counts.bytesRead).toBeLessThan(size + 100);
});

test('repair takes a bundle that another archive at the target has', async () => {
	const twin = await packNights(3);
	const path = join(quickFolder(), 'target');
	await syncOnce(twin.archive, path);
	const dir = copyOf(packed.archive);
	const [first = ''] = bundleBlobs(dir, 'sealed');
	const right = readFileSync(join(dir, first));
	rmSync(join(dir, first));
	const { findings, result } = await repairOnce(dir, await targetAt(path));
	expect([findings, result.repaired]).toEqual([[], 1]);
	expect(readFileSync(join(dir, first))).toEqual(right);
});

test('repair leaves dropped bundles at the target, and brings back one that is missing and was not dropped', async () => {
	const dir = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(dir, path, { dropLocal: true });
	const [volatile = ''] = bundleBlobs(dir, 'volatile');
	rmSync(join(dir, volatile));
	const { findings, result } = await repairOnce(dir, await targetAt(path));
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ repaired: 1, missing: [volatile.slice(-68, -4)] });
	expect(bundleBlobs(dir, 'sealed')).toEqual([]);
	expect((await verifyHere(thinArchive(dir))).findings).toEqual([]);
});

test('repair of an encrypted target needs an identity, and says so before it changes anything', async () => {
	const dir = copyOf(packed.archive);
	rmSync(join(dir, bundleBlobs(dir)[0] ?? ''));
	const before = filesBelow(dir);
	const target = await targetAt(paths.encrypted, { keys: keys.sealing });
	await expect(repairOnce(dir, target)).rejects.toMatchObject({ code: 'permission', hint: expect.stringContaining('--identity') });
	expect(filesBelow(dir)).toEqual(before);
});

describe('to make an archive again', () => {
	test('a folder with somebody else’s files is refused, and stays as it is', async () => {
		const dir = quickFolder();
		writeFileSync(join(dir, 'README.txt'), 'mine');
		writeFileSync(join(dir, 'letter.txt'), 'Dear');
		const before = filesBelow(dir);
		const target = await targetAt(paths.plain);
		const call = adoptArchive(dir, { target, archiveId: null, files: openFiles(), signal: never });
		await expect(call).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('letter.txt') });
		expect(filesBelow(dir)).toEqual(before);
	});

	test('what is left of it is used: of an archive that lost its head, nothing is fetched that is there', async () => {
		const dir = copyOf(packed.archive);
		rmSync(join(dir, 'mailseal.json'));
		const { store, counts } = counted(folderStore(paths.plain));
		const target = await targetAt(paths.plain, { store });
		await adoptArchive(dir, { target, archiveId: null, files: openFiles(), signal: never });
		const { findings, result } = await repairOnce(dir, target);
		expect([findings, result.repaired]).toEqual([[], 0]);
		expect(counts.bytesRead).toBeLessThan(1000);
		expect((await verifyHere(thinArchive(dir))).findings).toEqual([]);
	});

	test('one of several at a target must be named', async () => {
		const other = await packNights(1);
		const path = join(quickFolder(), 'target');
		for (const { archive } of [packed, other]) await syncOnce(copyOf(archive), path);
		const target = await targetAt(path);
		const adopt = (dir: string, archiveId: string | null) => adoptArchive(dir, { target, archiveId, files: openFiles(), signal: never });
		await expect(adopt(join(quickFolder(), 'archive'), null)).rejects.toMatchObject({ code: 'usage' });
		await expect(adopt(join(quickFolder(), 'archive'), 'f'.repeat(32))).rejects.toMatchObject({ code: 'not-found' });
		await expect(adopt(join(quickFolder(), 'archive'), '../../x')).rejects.toMatchObject({ code: 'usage' });
		const dir = join(quickFolder(), 'archive');
		await adopt(dir, archiveIdOf(other.archive));
		await repairOnce(dir, target);
		expect(mailOf(dir)).toEqual(mailOf(other.archive));
	});

	test('a head at the target that is damaged, or another’s, is refused', async () => {
		for (const text of ['{}', '', `{"format":1,"id":"${'f'.repeat(32)}"}`]) {
			const path = copyOf(paths.plain);
			rewrite(join(path, 'archives', archiveIdOf(packed.archive), 'mailseal.json'), () => Buffer.from(text));
			const dir = join(quickFolder(), 'archive');
			mkdirSync(dir);
			const call = adoptArchive(dir, { target: await targetAt(path), archiveId: null, files: openFiles(), signal: never });
			await expect(call).rejects.toMatchObject({ code: 'archive-damaged' });
			expect(filesBelow(dir).size).toBe(0);
		}
	});
});
