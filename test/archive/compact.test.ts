import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chooseBundles } from '../../src/archive/compact-plan.ts';
import { compact, DEFAULT_COMPACTION, reindex } from '../../src/archive/index.ts';
import { bundlePath } from '../../src/archive/layout.ts';
import type { SealedLiveness } from '../../src/catalog/index.ts';
import { type BundleRef, parseBundleId, SILENT, type Tenant } from '../../src/domain/index.ts';
import {
	archiveAt,
	compactOnce,
	inThisThread,
	never,
	type PackSetup,
	packOnce,
	restoreOnce,
	temporaryFolder,
	verifyOnce,
} from '../support/archive.ts';
import { fileBytes, mailWith } from '../support/attached-mail.ts';
import { attachmentsIn, listedBundles, messagesIn, newestOf, wordsIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore, noisyMail } from '../support/mail-store.ts';
import { syncOnce, thinArchive, verifyRemote } from '../support/target.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const ANNA = 'anna@one.example/INBOX';
const BEN = 'ben@one.example/INBOX';
const CARL = 'carl@two.example/INBOX';
const BUNDLES = { target: 20_000, max: 30_000, linger: 0, compress: false };

interface Life {
	readonly store: MailStore;
	readonly dir: string;
	pack(day: number, setup?: PackSetup): ReturnType<typeof packOnce>;
	compact(day: number, setup?: Parameters<typeof compactOnce>[1]): ReturnType<typeof compactOnce>;
}

/** An archive whose mail is sealed on the first day on which it is old enough. */
function openLife(
	options: {
		readonly dir?: string;
		readonly store?: MailStore /** Bytes; so many that messages are kept whole where left out. */;
		readonly attachmentMin?: number;
	} = {},
): Life {
	const { dir = join(temporaryFolder(), 'archive'), store = makeMailStore(), attachmentMin = 1_000_000 } = options;
	return {
		store,
		dir,
		pack: (day, setup = {}) =>
			packOnce(dir, store.spec, { now: DAY_ZERO + day * DAY, bundles: BUNDLES, allowMassRemoval: true, attachmentMin, ...setup }),
		compact: (day, setup = {}) => compactOnce(dir, { now: DAY_ZERO + day * DAY, bundles: BUNDLES, ...setup }),
	};
}

function file(name: string, size = 5000): { name: string; bytes: Buffer } {
	return { name: `${name}.pdf`, bytes: fileBytes(name, size) };
}

/** Twelve messages of two accounts and of another tenant are sealed, and most of the first two's are deleted. */
async function afterDeletions(life = openLife({ attachmentMin: 1000 })): Promise<Life> {
	const { store } = life;
	for (let n = 0; n < 12; n++) {
		const place = n < 6 ? ANNA : BEN;
		store.put(`${place}/${n}:2,S`, { content: mailWith([file(`file ${n % 5}`)], { subject: `mail ${n}`, text: 'word '.repeat(300) }) });
	}
	store.put(`${CARL}/c:2,S`, { content: mailWith([file('file 1')], { subject: 'mail of carl' }) });
	await life.pack(100);
	for (const n of [0, 1, 2, 4, 5]) store.remove(`${ANNA}/${n}:2,S`);
	for (const n of [6, 7, 9, 10, 11]) store.remove(`${BEN}/${n}:2,S`);
	await life.pack(101);
	return life;
}

async function differences(life: Life, at?: string): Promise<string[]> {
	const to = temporaryFolder();
	await restoreOnce(life.dir, to, at === undefined ? {} : { at });
	return compareTreeStates(readTreeState(life.store.root), readTreeState(to));
}

async function sealed({ dir }: Life) {
	return listedBundles(dir, 'sealed');
}

function liveness(name: number, facts: Partial<SealedLiveness>): SealedLiveness {
	const bundle = parseBundleId(name.toString(16).padStart(64, '0'));
	const none = { messages: 0, attachments: 0, bytes: 0, words: 0, liveMessages: 0, liveAttachments: 0, liveBytes: 0, liveWords: 0 };
	return { bundle, size: 0, kind: 'messages', tenant: 'one.example' as Tenant, ...none, ...facts };
}

test('the emptiest bundles are chosen first, as long as what is alive in them fits into the budget; dead ones cost nothing', () => {
	const of = (name: number, liveBytes: number): SealedLiveness => liveness(name, { bytes: 100_000, liveBytes });
	const all = [of(1, 40_000), of(2, 0), of(3, 10_000), of(4, 60_000), of(5, 30_000)];
	const chosen = (below: number, budget: number): number[] =>
		chooseBundles(all, { below, budget }).chosen.map(({ bundle }) => Number.parseInt(bundle, 16));
	expect(chosen(0.5, 1e9)).toEqual([1, 2, 3, 5]);
	expect(chosen(0.5, 40_000)).toEqual([2, 3, 5]);
	expect(chosen(0.5, 0)).toEqual([2]);
	expect(chosen(0, 1e9)).toEqual([2]);
	expect(chosen(1, 1e9)).toEqual([1, 2, 3, 4, 5]);
	expect(chooseBundles(all, { below: 0.5, budget: 40_000 }).overBudget.map(({ bundle }) => Number.parseInt(bundle, 16))).toEqual([1]);
});

test('a bundle that is alive but for a few per cent is not written anew, whatever the bound', () => {
	const one = liveness(1, { bytes: 100_000, liveBytes: 97_000 });
	expect(chooseBundles([one], { below: 1, budget: 1e9 }).chosen).toEqual([]);
});

test('after deletions what is alive lies in new bundles alone, and every snapshot restores exactly', async () => {
	const life = await afterDeletions();
	const before = newestOf(life.dir);
	const { result, findings } = await life.compact(102, { below: 0.8 });
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ left: 0, dryRun: false });
	expect(result.superseded).toBeGreaterThanOrEqual(2);
	expect(result.freedBytes).toBe(result.supersededBytes - result.newBytes);
	expect(result.freedBytes).toBeGreaterThan(15_000);
	const after = newestOf(life.dir);
	const old = new Set(before.bundles.map(({ id }) => id));
	expect(after.counts).toEqual(before.counts);
	expect(after.bundles.slice(-result.new).every(({ id }) => !old.has(id))).toBe(true);
	const listed = await sealed(life);
	const fresh = listed.filter(({ ref }) => !old.has(ref.id));
	const subjects = fresh.flatMap(({ lines }) => messagesIn(lines).map(({ headers }) => headers.subject));
	expect(subjects).toEqual(['mail 3', 'mail 8']);
	expect(fresh.flatMap(({ lines }) => wordsIn(lines))).toEqual([`placed ${ANNA}/3`, `placed ${BEN}/8`]);
	const needed = new Set(listed.flatMap(({ lines }) => messagesIn(lines)).flatMap(({ attachments }) => attachments.map(({ id }) => id)));
	const handedOn = fresh.flatMap(({ lines }) => attachmentsIn(lines)).map(({ id }) => id);
	expect(handedOn.length).toBeGreaterThan(0);
	for (const id of handedOn) expect(needed).toContain(id);
	expect(await differences(life)).toEqual([]);
	expect(await differences(life, `${before.time}`)).toEqual([]);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
});

test('old bundles stay on disk for the older snapshots, which restore what they did', async () => {
	const life = openLife();
	life.store.put(`${ANNA}/1:2,S`, { content: noisyMail('one', 9000) });
	life.store.put(`${ANNA}/2:2,S`, { content: noisyMail('two', 3000) });
	const { result: first } = await life.pack(100);
	const full = readTreeState(life.store.root);
	const [old] = await sealed(life);
	life.store.remove(`${ANNA}/1:2,S`);
	await life.pack(101);
	await life.compact(102);
	expect((await sealed(life)).map(({ ref }) => ref.id)).not.toContain(old?.ref.id);
	expect(existsSync(bundlePath(life.dir, 'sealed', old?.ref.id ?? parseBundleId('')))).toBe(true);
	const to = temporaryFolder();
	await restoreOnce(life.dir, to, { at: String(first.snapshot) });
	expect(compareTreeStates(full, readTreeState(to))).toEqual([]);
	// The next pack takes neither for left over.
	await life.pack(103);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
});

test('a second compaction right after the first finds nothing, and writes no snapshot', async () => {
	const life = await afterDeletions();
	await life.compact(102, { below: 1 });
	const snapshot = newestOf(life.dir);
	const { result } = await life.compact(103, { below: 1 });
	expect(result).toMatchObject({ snapshot: null, superseded: 0, new: 0, newBytes: 0, left: 0 });
	expect(newestOf(life.dir)).toEqual(snapshot);
});

test('a dry run tells the plan that is then carried out, and writes nothing', async () => {
	const life = await afterDeletions();
	const before = newestOf(life.dir);
	const { result: plan } = await life.compact(102, { dryRun: true });
	expect(newestOf(life.dir)).toEqual(before);
	const { result } = await life.compact(102);
	expect(plan).toMatchObject({ snapshot: null, dryRun: true, superseded: result.superseded, bundles: result.bundles });
	expect(Math.abs(plan.newBytes - result.newBytes)).toBeLessThan(result.newBytes / 4);
});

test('two archives made alike compact into the same bundles, byte for byte', async () => {
	const store = makeMailStore();
	const one = await afterDeletions(openLife({ store, attachmentMin: 1000 }));
	const copy = join(temporaryFolder(), 'copy');
	cpSync(one.dir, copy, { recursive: true });
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(copy, `catalog.sqlite${suffix}`), { force: true });
	const other = openLife({ dir: copy, store, attachmentMin: 1000 });
	await one.compact(102);
	await other.compact(102);
	expect(newestOf(other.dir).bundles).toEqual(newestOf(one.dir).bundles);
});

test('a compaction leaves the signatures of folders: the pack after it reads nothing', async () => {
	const life = await afterDeletions();
	await life.compact(102);
	const { result } = await life.pack(103);
	expect(result.scan).toMatchObject({ foldersRead: 0, filesRead: 0 });
	expect(result.messages).toMatchObject({ added: 0, changed: 0, removed: 0 });
	expect(result.sealed.new).toBe(0);
});

test('an attachment stays as long as one message of any tenant needs it, and goes with the last', async () => {
	const life = openLife({ attachmentMin: 1000 });
	const shared = file('shared', 9000);
	life.store.put(`${ANNA}/1:2,S`, { content: mailWith([shared, file('other', 8000)], { subject: 'anna' }) });
	life.store.put(`${CARL}/1:2,S`, { content: mailWith([shared], { subject: 'carl' }) });
	await life.pack(100);
	const names = async (): Promise<number[]> => (await sealed(life)).flatMap(({ lines }) => attachmentsIn(lines).map(({ size }) => size));
	expect(await names()).toEqual([9000, 8000]);
	life.store.remove(`${ANNA}/1:2,S`);
	await life.pack(101);
	await life.compact(102, { below: 0.9 });
	expect(await names()).toEqual([9000]);
	expect(await differences(life)).toEqual([]);
	life.store.remove(`${CARL}/1:2,S`);
	await life.pack(103);
	await life.compact(104);
	expect(await sealed(life)).toEqual([]);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
});

test('tenants are never mixed, and a message that only another tenant’s volatile placement needs goes into a volatile bundle', async () => {
	const life = openLife();
	const content = noisyMail('shared', 4000);
	life.store.put(`${ANNA}/1:2,S`, { content });
	life.store.put(`${ANNA}/2:2,S`, { content: noisyMail('own', 2000) });
	life.store.put(`${ANNA}/3:2,S`, { content: noisyMail('dead', 20_000) });
	await life.pack(100);
	// Delivered yesterday: the sealed copy of the other tenant is the only one.
	life.store.put(`${CARL}/1:2,S`, { content, at: DAY_ZERO + 100 * DAY });
	await life.pack(101);
	life.store.remove(`${ANNA}/1:2,S`);
	life.store.remove(`${ANNA}/3:2,S`);
	await life.pack(102);
	expect((await life.compact(103)).result).toMatchObject({ superseded: 1 });
	const listed = await listedBundles(life.dir);
	const holders = listed.filter(({ lines }) => messagesIn(lines).some(({ size }) => size === 4000));
	expect(holders.map(({ ref }) => ref.kind)).toEqual(['volatile']);
	expect((await sealed(life)).map(({ lines }) => wordsIn(lines))).toEqual([[`placed ${ANNA}/2`]]);
	expect(await differences(life)).toEqual([]);
	await life.pack(200);
	const tenants = (await sealed(life)).map(({ lines }) => wordsIn(lines));
	expect(tenants).toEqual([[`placed ${ANNA}/2`], [`placed ${CARL}/1`]]);
	expect(await differences(life)).toEqual([]);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
});

test('a message whose sealed copy lost its attachment is handed on from where it is whole, and what lacks something is let go', async () => {
	const life = openLife({ attachmentMin: 1000 });
	const content = mailWith([file('shared')], { subject: 'shared' });
	life.store.put(`${CARL}/1:2,S`, { content });
	for (let n = 10; n < 30; n++) life.store.put(`${CARL}/${n}:2,S`);
	await life.pack(100);
	const [first] = await sealed(life);
	life.store.remove(`${CARL}/1:2,S`);
	await life.pack(101);
	// Of the message its recipe is left.
	expect((await life.compact(102, { below: 0 })).result).toMatchObject({ superseded: 1, new: 0 });
	setAttachmentMin(life.dir, 1_000_000);
	life.store.put(`${ANNA}/1:2,S`, { content });
	life.store.put(`${ANNA}/2:2,S`);
	await life.pack(103);
	life.store.put(`${CARL}/2:2,S`, { content, at: DAY_ZERO + 103 * DAY });
	for (let n = 10; n < 20; n++) life.store.remove(`${CARL}/${n}:2,S`);
	await life.pack(104);
	life.store.remove(`${ANNA}/1:2,S`);
	await life.pack(105);
	const { result, findings } = await life.compact(106, { below: 0.95 });
	expect(findings).toEqual([]);
	expect(result.bundles.map(({ id }) => id)).toContain(first?.ref.id);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
	expect(await differences(life)).toEqual([]);
	life.store.remove(`${ANNA}/2:2,S`);
	await life.pack(107);
	expect((await life.compact(108, { below: 0.95 })).findings).toEqual([]);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
	expect(await differences(life)).toEqual([]);
});

/** Changes what is fixed at birth, as another version might cut messages otherwise. */
function setAttachmentMin(dir: string, attachmentMin: number): void {
	const path = join(dir, 'mailseal.json');
	writeFileSync(path, `${JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), attachmentMin })}\n`);
}

test('a message that was deleted stays deleted after compactions, folds and rebuilt catalogs', async () => {
	const life = openLife();
	for (const n of [1, 2, 3]) life.store.put(`${ANNA}/${n}:2,S`, { content: noisyMail(`${n}`, 3000) });
	await life.pack(100);
	// It is sealed a second time, in another state, before it goes: two sealed bundles speak of it.
	life.store.rename(`${ANNA}/1:2,S`, `${ANNA}/1:2,FS`);
	await life.pack(101);
	await life.pack(200);
	const speaking = async (): Promise<number> =>
		(await sealed(life)).filter(({ lines }) => wordsIn(lines).includes(`placed ${ANNA}/1`)).length;
	expect(await speaking()).toBe(2);
	life.store.remove(`${ANNA}/1:2,FS`);
	await life.pack(201);
	const removals = async (): Promise<number> =>
		(await listedBundles(life.dir, 'volatile')).filter(({ lines }) => wordsIn(lines).includes(`removed ${ANNA}/1`)).length;
	await life.compact(202, { below: 0 });
	expect(await speaking()).toBe(1);
	for (const day of [203, 204, 205]) {
		life.store.put(`${ANNA}/n${day}:2,S`, { at: DAY_ZERO + day * DAY });
		await life.pack(day);
		expect(await removals(), `day ${day}`).toBe(1);
	}
	await reindex(archiveAt(life.dir), { progress: SILENT, signal: never });
	expect(await differences(life)).toEqual([]);
	await life.compact(206, { below: 0.9 });
	expect(await speaking()).toBe(0);
	await reindex(archiveAt(life.dir), { progress: SILENT, signal: never });
	expect(await differences(life)).toEqual([]);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
});

test('a bundle of which something alive cannot be read stays, with a finding, and the others are superseded', async () => {
	const life = openLife();
	for (const n of [1, 2, 3, 4]) life.store.put(`${ANNA}/${n}:2,S`, { content: noisyMail(`${n}`, 12_000) });
	await life.pack(100);
	const [first, second] = await sealed(life);
	if (first === undefined || second === undefined) throw new Error('two bundles are needed');
	life.store.remove(`${ANNA}/1:2,S`);
	life.store.remove(`${ANNA}/3:2,S`);
	await life.pack(101);
	damageMessage(life.dir, first.ref, 12_400);
	const { result, findings } = await life.compact(102, { below: 0.6 });
	expect(result).toMatchObject({ superseded: 1, left: 1 });
	expect(findings).toMatchObject([{ code: 'bundle-damaged', severity: 'error', subject: first.ref.id }]);
	const now = (await sealed(life)).map(({ ref }) => ref.id);
	expect(now).toContain(first.ref.id);
	expect(now).not.toContain(second.ref.id);
	expect(newestOf(life.dir).skipped).toMatchObject([{ code: 'bundle-damaged' }]);
});

test('what the pack before could not store is told on by the snapshot of a compaction', async () => {
	const life = await afterDeletions();
	const [volatile] = await listedBundles(life.dir, 'volatile');
	const path = bundlePath(life.dir, 'volatile', volatile?.ref.id ?? parseBundleId(''));
	const bytes = readFileSync(path);
	rmSync(path);
	await life.pack(102);
	const { skipped } = newestOf(life.dir);
	expect(skipped.map(({ code }) => code)).toEqual(['bundle-missing']);
	writeFileSync(path, bytes, { mode: 0o400 });
	expect((await life.compact(103)).findings).toEqual([]);
	expect(newestOf(life.dir).skipped).toEqual(skipped);
});

/** The same in an archive that reads from its target what it dropped. */
function compactThin(dir: string, bound: { readonly below: number; readonly dryRun?: boolean }): ReturnType<typeof compactOnce> {
	const request = { ...DEFAULT_COMPACTION, bundles: BUNDLES, now: DAY_ZERO + 102 * DAY, dryRun: false, progress: SILENT, signal: never };
	return compact(thinArchive(dir), { ...request, ...bound }, inThisThread());
}

/** Turns one byte of a bundle's file. */
function damageMessage(dir: string, { kind, id }: BundleRef, at: number): void {
	const path = bundlePath(dir, kind, id);
	const bytes = readFileSync(path);
	bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
	rmSync(path);
	writeFileSync(path, bytes, { mode: 0o400 });
}

test('a sync after a compaction ships the new bundles alone, and a target gives back every snapshot', async () => {
	const life = await afterDeletions();
	const target = join(temporaryFolder(), 'target');
	await syncOnce(life.dir, target);
	const { result } = await life.compact(102, { below: 0.8 });
	const { result: shipped, findings } = await syncOnce(life.dir, target);
	expect(findings).toEqual([]);
	expect(shipped).toMatchObject({ shipped: result.new, snapshots: 1, damaged: [] });
	expect((await verifyRemote(target)).findings).toEqual([]);
});

test('bundles that lie at a target only are left, counted and told of, and what they have counts as kept', async () => {
	const life = await afterDeletions();
	const target = join(temporaryFolder(), 'target');
	const { result: dropped } = await syncOnce(life.dir, target, { dropLocal: true });
	expect(dropped.dropped?.bundles).toBeGreaterThan(2);
	const { result: plan } = await compactThin(life.dir, { below: 0.8, dryRun: true });
	const { result, findings } = await compactThin(life.dir, { below: 0.8 });
	expect(plan.left).toBe(result.left);
	expect(result).toMatchObject({ snapshot: null, superseded: 0 });
	expect(result.left).toBeGreaterThan(1);
	expect(findings).toMatchObject([{ code: 'bundles-offsite', severity: 'note' }]);
});

test('an interrupted compaction leaves the archive as it was', async () => {
	const life = await afterDeletions();
	const before = newestOf(life.dir);
	const stop = new AbortController();
	const hooks = { after: () => stop.abort() };
	await expect(life.compact(102, { hooks, signal: stop.signal })).rejects.toThrow(/abort|interrupt/i);
	expect(newestOf(life.dir)).toEqual(before);
	expect((await verifyOnce(life.dir)).findings).toEqual([]);
	expect((await life.compact(102)).result.superseded).toBeGreaterThan(0);
	expect((await life.pack(103)).findings).toEqual([]);
});

test('an archive without a snapshot has nothing to compact', async () => {
	const life = openLife();
	await expect(life.compact(1)).rejects.toMatchObject({ code: 'not-found' });
});
