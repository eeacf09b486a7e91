import { chmodSync, copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { verify } from '../../src/archive/index.ts';
import { bundlePath, snapshotPath } from '../../src/archive/layout.ts';
import { snapshotNames } from '../../src/archive/snapshots.ts';
import { type BundleRef, SILENT } from '../../src/domain/index.ts';
import { archiveAt, filesBelow, inThisThread, never, packOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { newestOf } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../support/mail-store.ts';

const MODES = ['quick', 'full', 'deep'] as const;

/** Two sealed bundles and two volatile ones, in two snapshots. */
async function packed(): Promise<string> {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	for (const account of ['anna@example.org', 'cleo@example.net']) store.put(`${account}/INBOX/old:2,S`, { at: DAY_ZERO - 400 * DAY });
	store.put('anna@example.org/INBOX/1:2,S', { content: noisyMail('one', 3000) });
	await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	store.put('anna@example.org/INBOX/2:2,S');
	await packOnce(dir, store.spec, { now: DAY_ZERO + 2 * DAY });
	return dir;
}

function pathOf(dir: string, ref: BundleRef): string {
	return bundlePath(dir, ref.kind, ref.id);
}

function flip(path: string, at: number): void {
	const bytes = readFileSync(path);
	bytes[at] = (bytes[at] ?? 0) ^ 1;
	chmodSync(path, 0o600);
	writeFileSync(path, bytes);
}

test('an intact archive has no findings in any mode, and no mode changes it', async () => {
	const dir = await packed();
	const before = filesBelow(dir);
	const { bundles } = newestOf(dir);
	const bytes = bundles.reduce((total, ref) => total + ref.size, 0);
	for (const mode of MODES) {
		const { result, findings } = await verifyOnce(dir, mode);
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ mode, snapshots: 2, bundles: 4, bytes, damaged: [], missing: [] });
		expect(filesBelow(dir)).toEqual(before);
	}
	expect((await verifyOnce(dir, 'deep')).result.messages).toBe(4);
});

test('every mode finds a missing bundle and one of another size', async () => {
	const dir = await packed();
	const [first, second] = newestOf(dir).bundles;
	if (first === undefined || second === undefined) throw new Error('nothing was packed');
	rmSync(pathOf(dir, first));
	chmodSync(pathOf(dir, second), 0o600);
	truncateSync(pathOf(dir, second), second.size - 1);
	for (const mode of MODES) {
		const { result, findings } = await verifyOnce(dir, mode);
		expect(result).toMatchObject({ missing: [first.id], damaged: [second.id] });
		expect(findings.every(({ severity, hint }) => severity === 'error' && hint !== undefined)).toBe(true);
	}
});

test('full and deep find a single changed bit anywhere in a bundle, quick does not read it', async () => {
	const dir = await packed();
	const ref = newestOf(dir).bundles.find(({ kind }) => kind === 'volatile');
	if (ref === undefined) throw new Error('nothing was packed');
	const path = pathOf(dir, ref);
	copyFileSync(path, `${dir}.good`);
	for (const at of [0, 30, Math.floor(ref.size / 2), ref.size - 1]) {
		flip(path, at);
		expect((await verifyOnce(dir, 'quick')).findings).toEqual([]);
		for (const mode of ['full', 'deep'] as const) {
			const { result, findings } = await verifyOnce(dir, mode);
			expect(result.damaged, `byte ${at}`).toEqual([ref.id]);
			expect(findings[0]).toMatchObject({ code: 'bundle-damaged', subject: ref.id });
		}
		writeFileSync(path, readFileSync(`${dir}.good`));
	}
	expect((await verifyOnce(dir, 'deep')).findings).toEqual([]);
});

test('a snapshot that was changed, or is gone, is found by every mode', async () => {
	const dir = await packed();
	const [first] = snapshotNames(dir);
	if (first === undefined) throw new Error('nothing was packed');
	const path = snapshotPath(dir, first);
	copyFileSync(path, `${dir}.good`);
	flip(path, 100);
	for (const mode of MODES) expect((await verifyOnce(dir, mode)).result.damaged).toEqual([first]);
	rmSync(path);
	for (const mode of MODES) {
		const { result, findings } = await verifyOnce(dir, mode);
		expect([result.missing, findings.map(({ code }) => code)]).toEqual([[first], ['snapshot-missing']]);
	}
	copyFileSync(`${dir}.good`, path);
	expect((await verifyOnce(dir)).findings).toEqual([]);
});

test('bundles that only an older snapshot names are verified too', async () => {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/INBOX/1:2,S', { content: noisyMail('one', 3000) });
	await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	const [old] = newestOf(dir).bundles;
	store.remove('anna@example.org/INBOX/1:2,S');
	await packOnce(dir, store.spec, { now: DAY_ZERO + 2 * DAY });
	store.put('anna@example.org/INBOX/2:2,S');
	await packOnce(dir, store.spec, { now: DAY_ZERO + 3 * DAY });
	if (old === undefined) throw new Error('nothing was packed');
	expect(newestOf(dir).bundles.map(({ id }) => id)).not.toContain(old.id);
	flip(pathOf(dir, old), 200);
	expect((await verifyOnce(dir, 'full')).result.damaged).toEqual([old.id]);
});

test('deep compares the catalog with the bundles, line by line; the others only look whether it is whole', async () => {
	const dir = await packed();
	const path = join(dir, 'catalog.sqlite');
	const database = new Sqlite(path);
	database.exec("UPDATE placement SET flags = flags + 1 WHERE key = 'old'");
	database.close();
	expect((await verifyOnce(dir, 'full')).findings).toEqual([]);
	const { findings, result } = await verifyOnce(dir, 'deep');
	expect(findings).toMatchObject([{ code: 'catalog-damaged', severity: 'warning', hint: expect.stringContaining('reindex') }]);
	expect([result.damaged, result.missing]).toEqual([[], []]);
	writeFileSync(path, 'not a database '.repeat(1000));
	for (const mode of MODES) expect((await verifyOnce(dir, mode)).findings).toMatchObject([{ code: 'catalog-damaged' }]);
	rmSync(path);
	expect((await verifyOnce(dir, 'deep')).findings).toEqual([]);
});

test('a catalog that is just being written is not called damaged', async () => {
	const dir = await packed();
	const path = join(dir, 'catalog.sqlite');
	const database = new Sqlite(path);
	database.exec("UPDATE placement SET flags = flags + 1 WHERE key = 'old'");
	database.close();
	expect((await verifyOnce(dir, 'deep')).findings).toHaveLength(1);
	writeFileSync(`${path}-wal`, 'pages that are not in the file yet');
	expect((await verifyOnce(dir, 'deep')).findings).toEqual([]);
});

test('a sample of one in so many: within as many days every bundle has its turn exactly once, from whatever day on', async () => {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	for (let n = 0; n < 40; n++) store.put(`user@tenant${n}.example/INBOX/1:2,S`, { at: DAY_ZERO - 400 * DAY, subject: `tenant ${n}` });
	await packOnce(dir, store.spec, { now: DAY_ZERO });
	const all = newestOf(dir).bundles.map(({ id }) => id);
	expect(all.length).toBeGreaterThan(40);
	for (const ref of newestOf(dir).bundles) flip(pathOf(dir, ref), 60);
	for (const [days, start] of [
		[30, 0],
		[7, 3],
	] as const) {
		const turns: string[] = [];
		let busiest = 0;
		for (let day = start; day < start + days; day++) {
			const request = { mode: 'sample', sample: days, now: DAY_ZERO + day * DAY + 5000, progress: SILENT, signal: never } as const;
			const { result } = await verify(archiveAt(dir), request, inThisThread());
			expect(result.bundles).toBe(result.damaged.length);
			turns.push(...result.damaged);
			busiest = Math.max(busiest, result.bundles);
		}
		expect(turns.sort()).toEqual([...all].sort());
		expect(busiest).toBeLessThan(all.length / 2);
	}
});
