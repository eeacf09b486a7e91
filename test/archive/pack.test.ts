import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listMessages, type PackResult } from '../../src/archive/index.ts';
import { snapshotPath } from '../../src/archive/layout.ts';
import { readSnapshot, snapshotNames } from '../../src/archive/snapshots.ts';
import { DEFAULT_POLICY, type PlacedWord, tenantOf } from '../../src/domain/index.ts';
import { openMaildirSource } from '../../src/sources/index.ts';
import { archiveAt, filesBelow, type PackSetup, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { listedBundles, messagesIn, newestOf, wordsIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore, noisyMail } from '../support/mail-store.ts';

const ANNA = 'anna@example.org/INBOX';
/** Old enough to be sealed by the first pack. */
const OLD = DAY_ZERO - 400 * DAY;

function newArchive(): string {
	return join(temporaryFolder(), 'archive');
}

/** Packs on the morning of a day, and expects nothing to complain about. */
async function packOn(day: number, archive: string, store: MailStore, setup: PackSetup = {}): Promise<PackResult> {
	const { result, findings } = await packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, ...setup });
	expect(findings).toEqual([]);
	return result;
}

function sealedFiles(archive: string): Map<string, string> {
	const folder = join(archive, 'bundles', 'sealed');
	return existsSync(folder) ? filesBelow(folder) : new Map();
}

/** `account/folder/key flags` of all mail in the newest snapshot. */
async function mailIn(archive: string): Promise<string[]> {
	const { result } = await listMessages(archiveAt(archive), { now: DAY_ZERO });
	return result.rows.map(({ account, folder, key, flags }) => `${account}/${folder}/${key} ${flags.join(' ')}`.trim());
}

async function placedIn(archive: string, kind: 'sealed' | 'volatile'): Promise<PlacedWord[]> {
	const lines = (await listedBundles(archive, kind)).flatMap((bundle) => bundle.lines);
	return lines.filter((line) => line.type === 'placed');
}

test('a night without changes lists no folder, reads no file and writes no bundle', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1.a:2,S`, { at: OLD });
	store.put('anna@example.org/Projects/Alpha/2.b:2,');
	await packOn(1, archive, store);
	const bundles = filesBelow(join(archive, 'bundles'));
	const { scan, messages, sealed, volatile } = await packOn(2, archive, store);
	expect(scan).toEqual({ folders: 2, foldersRead: 0, filesRead: 0, bytesRead: 0 });
	expect([messages, sealed.new, volatile.newBytes]).toEqual([{ total: 2, added: 0, changed: 0, removed: 0 }, 0, 0]);
	expect(filesBelow(join(archive, 'bundles'))).toEqual(bundles);
	expect(snapshotNames(archive)).toHaveLength(2);
});

test('only the changed folder is listed, and only what is new in it is read', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	for (const folder of ['INBOX', 'Sent', 'Projects/Alpha']) {
		for (let n = 0; n < 5; n++) store.put(`anna@example.org/${folder}/${n}.${folder.replace('/', '')}:2,S`);
	}
	await packOn(1, archive, store);
	store.put('anna@example.org/Sent/new:2,S', { at: DAY_ZERO + DAY, content: 'Subject: new\n\nnew\n' });
	const { scan, messages } = await packOn(2, archive, store);
	expect(scan).toEqual({ folders: 3, foldersRead: 1, filesRead: 1, bytesRead: 18 });
	expect(messages).toEqual({ total: 16, added: 1, changed: 0, removed: 0 });
});

test('news of sealed mail travels in the volatile bundle: no message is read, no sealed byte moves', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	for (const key of ['flagged', 'kept', 'removed']) store.put(`${ANNA}/${key}:2,S`, { at: OLD });
	await packOn(1, archive, store);
	const sealed = sealedFiles(archive);
	expect(sealed.size).toBe(1);
	store.rename(`${ANNA}/flagged:2,S`, `${ANNA}/flagged:2,FS`);
	store.remove(`${ANNA}/removed:2,S`);
	const { messages, scan, sealed: counts } = await packOn(2, archive, store);
	expect([messages, scan.filesRead]).toEqual([{ total: 2, added: 0, changed: 1, removed: 1 }, 0]);
	expect(counts).toEqual({ confirmed: 1, new: 0, newBytes: 0, rewrittenBytes: 0 });
	expect(sealedFiles(archive)).toEqual(sealed);
	const [bundle] = (await listedBundles(archive, 'volatile')).slice(-1);
	expect(wordsIn(bundle?.lines ?? [])).toEqual([`removed ${ANNA}/removed`, `placed ${ANNA}/flagged`]);
	expect(messagesIn(bundle?.lines ?? [])).toEqual([]);
	expect(await mailIn(archive)).toEqual([`${ANNA}/flagged flagged seen`, `${ANNA}/kept seen`]);
});

test('a sealed message that is moved is neither stored nor sealed again, only its word is once it is quiet', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1.a:2,S`, { at: OLD });
	store.put(`${ANNA}/2.b:2,S`, { at: OLD });
	await packOn(1, archive, store);
	const sealed = sealedFiles(archive);
	store.rename(`${ANNA}/1.a:2,S`, 'anna@example.org/Archive/9.moved:2,S');
	const moved = await packOn(2, archive, store);
	expect([moved.messages, moved.sealed.new]).toEqual([{ total: 2, added: 1, changed: 0, removed: 1 }, 0]);
	const [word] = await placedIn(archive, 'volatile');
	expect(word).toMatchObject({ folder: 'Archive', key: '9.moved', since: '2026-01-03T00:00:00.000Z' });
	const { sealed: later } = await packOn(90, archive, store);
	expect(later.new).toBe(1);
	expect([...sealedFiles(archive)].filter(([path]) => sealed.has(path))).toEqual([...sealed]);
	const lines = (await listedBundles(archive)).flatMap((bundle) => bundle.lines);
	expect(messagesIn(lines)).toHaveLength(2);
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['1.a', '2.b', '9.moved']);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('a message of two tenants is sealed once for each, and no sealed bundle has mail of both', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	const content = 'Subject: to all\n\nto all\n';
	for (const account of ['anna@example.org', 'ben@Example.ORG', 'cleo@example.net', 'dan']) {
		store.put(`${account}/INBOX/1.${account}:2,S`, { at: OLD, content });
		store.put(`${account}/INBOX/2.${account}:2,S`, { at: OLD });
	}
	const { sealed } = await packOn(1, archive, store);
	expect(sealed.new).toBe(3);
	const id = createHash('sha256').update(content).digest('hex');
	for (const { lines } of await listedBundles(archive, 'sealed')) {
		const tenants = lines.flatMap((line) => (line.type === 'placed' ? [tenantOf(line.account)] : []));
		expect(new Set(tenants).size).toBe(1);
		expect(messagesIn(lines).filter((line) => line.id === id)).toHaveLength(1);
	}
});

test('a message that another tenant sealed first is kept, and sealed for the second once it is quiet there', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	const content = 'Subject: to both\n\nto both\n';
	store.put(`${ANNA}/1:2,S`, { at: DAY_ZERO, content });
	await packOn(1, archive, store);
	store.put('cleo@example.net/INBOX/1:2,S', { at: OLD, content });
	expect((await packOn(2, archive, store)).sealed.new).toBe(1);
	// News, so that the dead first bundle is folded, and with it the only volatile copy.
	store.put(`${ANNA}/2:2,S`, { at: DAY_ZERO + 2 * DAY });
	await packOn(3, archive, store);
	expect((await verifyOnce(archive)).findings).toEqual([]);
	expect((await packOn(70, archive, store)).sealed.new).toBe(1);
	const sealed = await listedBundles(archive, 'sealed');
	expect(sealed.map(({ lines }) => messagesIn(lines).length)).toEqual([1, 2]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('mail that waited in a volatile bundle is sealed into the very bundle that it would have made at once', async () => {
	const store = makeMailStore();
	const [waited, atOnce] = [newArchive(), newArchive()];
	for (let n = 0; n < 20; n++) store.put(`${ANNA}/${n}.x:2,S`, { at: DAY_ZERO + n * 1000, subject: `número ${n}` });
	await packOn(1, waited, store);
	expect(sealedFiles(waited).size).toBe(0);
	await packOn(70, waited, store);
	await packOn(70, atOnce, store);
	expect(sealedFiles(waited).size).toBe(1);
	expect([...sealedFiles(waited).keys()]).toEqual([...sealedFiles(atOnce).keys()]);
});

test('a new UID does not restart the quiet period, a new flag or keyword does', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	for (const key of ['flag', 'keyword', 'nothing', 'uid']) store.put(`${ANNA}/${key}:2,S`);
	store.write(`${ANNA}/dovecot-uidlist`, '3 V1 N4\n1 :flag\n2 :keyword\n3 :uid\n');
	store.write(`${ANNA}/dovecot-keywords`, '0 urgent\n');
	await packOn(1, archive, store);
	store.write(`${ANNA}/dovecot-uidlist`, '3 V1 N10\n1 :flag\n2 :keyword\n9 S5 :uid\n');
	store.rename(`${ANNA}/flag:2,S`, `${ANNA}/flag:2,FS`);
	store.rename(`${ANNA}/keyword:2,S`, `${ANNA}/keyword:2,Sa`);
	const { messages, scan } = await packOn(20, archive, store);
	expect([messages.changed, scan.filesRead]).toEqual([3, 0]);
	const [bundle] = (await listedBundles(archive, 'volatile')).slice(-1);
	const words = bundle?.lines.filter((line) => line.type === 'placed') ?? [];
	expect(words.map(({ key, uid, keywords, since }) => [key, uid, keywords, since])).toEqual([
		['flag', 1, [], '2026-01-21T00:00:00.000Z'],
		['keyword', 2, ['urgent'], '2026-01-21T00:00:00.000Z'],
		['uid', 9, [], undefined],
	]);
	const quiet = { bundles: { linger: 0 } };
	await packOn(31, archive, store, quiet);
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['nothing', 'uid']);
	await packOn(51, archive, store, quiet);
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['nothing', 'uid', 'flag', 'keyword']);
});

test('a later change without news of flags keeps the day on which the quiet period began', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1:2,S`);
	await packOn(1, archive, store);
	store.rename(`${ANNA}/1:2,S`, `${ANNA}/1:2,FS`);
	await packOn(10, archive, store);
	store.write(`${ANNA}/dovecot-uidlist`, '3 V1 N4\n1 :1\n');
	await packOn(20, archive, store);
	const [, , word] = await placedIn(archive, 'volatile');
	expect(word).toMatchObject({ uid: 1, flags: ['flagged', 'seen'], since: '2026-01-11T00:00:00.000Z' });
});

test('a rescan reads everything again, says nothing new and restarts no quiet period', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1:2,S`);
	store.put(`${ANNA}/2:2,S`, { at: OLD });
	await packOn(1, archive, store);
	store.rename(`${ANNA}/1:2,S`, `${ANNA}/1:2,FS`);
	await packOn(2, archive, store);
	const { messages, scan, sealed, volatile } = await packOn(3, archive, store, { rescan: true });
	expect(scan).toMatchObject({ foldersRead: 1, filesRead: 2 });
	expect([messages, sealed.new, volatile.newBytes]).toEqual([{ total: 2, added: 0, changed: 0, removed: 0 }, 0, 0]);
});

test('snapshots are a chain: each names its parent and the hash of the parent’s file', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	for (let day = 1; day <= 4; day++) {
		store.put(`${ANNA}/${day}:2,S`, { at: DAY_ZERO + day * DAY });
		await packOn(day, archive, store);
	}
	const names = snapshotNames(archive);
	expect(names).toHaveLength(4);
	for (const [index, name] of names.entries()) {
		const before = names[index - 1];
		const { parent, time } = readSnapshot(archive, name).snapshot;
		expect(time).toBe(new Date(DAY_ZERO + (index + 1) * DAY).toISOString());
		if (before === undefined) expect(parent).toBeNull();
		else {
			const sha256 = createHash('sha256')
				.update(readFileSync(snapshotPath(archive, before)))
				.digest('hex');
			expect(parent).toEqual({ name: before, sha256 });
		}
	}
});

test('where the clock went back, a snapshot is still later than its parent, and says so', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1:2,S`);
	await packOn(10, archive, store);
	const { findings } = await packOnce(archive, store.spec, { now: DAY_ZERO + 5 * DAY });
	expect(findings.map(({ code }) => code)).toEqual(['clock-went-back']);
	expect(newestOf(archive).time).toBe(new Date(DAY_ZERO + 10 * DAY + 1000).toISOString());
});

test('an account that moves from one source to another within a night keeps all its mail', async () => {
	const [first, second] = [makeMailStore(), makeMailStore()];
	const archive = newArchive();
	for (const account of ['anna@example.org', 'ben@example.org', 'cleo@example.org']) first.put(`${account}/INBOX/1.${account}:2,S`);
	second.put('dan@example.org/INBOX/1.dan:2,S');
	const sources = [first, second].map(({ spec }) => openMaildirSource(spec));
	await packOn(1, archive, first, { sources });
	const before = await mailIn(archive);
	first.removeAccount('ben@example.org');
	second.put('ben@example.org/INBOX/1.ben@example.org:2,S');
	for (const [index, order] of [sources, [...sources].reverse()].entries()) {
		const { messages } = await packOn(2 + index, archive, first, { sources: order });
		expect(messages.removed).toBe(0);
		expect(await mailIn(archive)).toEqual(before);
	}
	second.removeAccount('ben@example.org');
	expect((await packOn(4, archive, first, { sources, allowMassRemoval: true })).messages.removed).toBe(1);
});

test('an account that no source of tonight holds stays as it was', async () => {
	const [first, second] = [makeMailStore(), makeMailStore()];
	const archive = newArchive();
	first.put(`${ANNA}/1:2,S`);
	second.put('ben@example.org/INBOX/2:2,S');
	await packOn(1, archive, first);
	await packOn(2, archive, second);
	expect(await mailIn(archive)).toEqual([`${ANNA}/1 seen`, 'ben@example.org/INBOX/2 seen']);
});

test('a catalog one snapshot behind catches up, and what it took in is sealed when it is due', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	const catalog = join(archive, 'catalog.sqlite');
	store.put(`${ANNA}/1:2,S`);
	await packOn(1, archive, store);
	copyFileSync(catalog, `${archive}.before`);
	store.put(`${ANNA}/2:2,S`);
	await packOn(2, archive, store);
	copyFileSync(`${archive}.before`, catalog);
	expect(await mailIn(archive)).toEqual([`${ANNA}/1 seen`, `${ANNA}/2 seen`]);
	await packOn(70, archive, store);
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['1', '2']);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('a catalog several snapshots behind is right again, also where removals came and went in between', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	const catalog = join(archive, 'catalog.sqlite');
	for (const key of ['1', '2']) store.put(`${ANNA}/${key}:2,S`, { content: noisyMail(key, 3000) });
	await packOn(1, archive, store);
	copyFileSync(catalog, `${archive}.before`);
	store.remove(`${ANNA}/1:2,S`);
	store.put(`${ANNA}/3:2,S`, { content: noisyMail('3', 3000) });
	await packOn(2, archive, store);
	for (const key of ['2', '3']) store.remove(`${ANNA}/${key}:2,S`);
	await packOn(3, archive, store);
	store.put(`${ANNA}/4:2,S`);
	await packOn(4, archive, store);
	const words = (await listedBundles(archive)).flatMap(({ lines }) => wordsIn(lines));
	expect(
		words.filter((word) => word === `removed ${ANNA}/1`),
		'the removal went with what it removed',
	).toEqual([]);
	copyFileSync(`${archive}.before`, catalog);
	expect(await mailIn(archive)).toEqual([`${ANNA}/4 seen`]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('mail in a folder that is never sealed, drafts and mail marked as deleted stay volatile, however old', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	for (const place of [`${ANNA}/draft:2,DS`, `${ANNA}/marked:2,ST`, 'anna@example.org/trash/Sub/1:2,S', `${ANNA}/unread:2,`]) {
		store.put(place, { at: DAY_ZERO - 40 * DAY });
	}
	store.put(`${ANNA}/quiet:2,S`, { at: OLD });
	await packOn(1, archive, store, { policy: { ...DEFAULT_POLICY, never: ['Trash'] }, bundles: { linger: 0 } });
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['quiet']);
	expect((await placedIn(archive, 'volatile')).map(({ key }) => key)).toEqual(['draft', 'marked', 'unread', '1']);
});

test('a changed policy is followed from the next pack on', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1:2,S`, { at: DAY_ZERO });
	await packOn(8, archive, store);
	expect(sealedFiles(archive).size).toBe(0);
	await packOn(9, archive, store, { policy: { ...DEFAULT_POLICY, quietPeriod: 7 * DAY }, bundles: { linger: 0 } });
	expect((await placedIn(archive, 'sealed')).map(({ key }) => key)).toEqual(['1']);
});

test('every snapshot goes on restoring to the mail of its day, whatever came later', async () => {
	const store = makeMailStore();
	const archive = newArchive();
	store.put(`${ANNA}/1:2,S`, { at: OLD });
	store.put(`${ANNA}/2:2,S`);
	const { snapshot } = await packOn(1, archive, store);
	store.remove(`${ANNA}/1:2,S`);
	store.remove(`${ANNA}/2:2,S`);
	store.put(`${ANNA}/3:2,S`);
	await packOn(2, archive, store, { allowMassRemoval: true });
	const to = temporaryFolder();
	await restoreOnce(archive, to, { at: String(snapshot) });
	expect([...filesBelow(join(to, 'anna@example.org', 'cur')).keys()].sort()).toEqual(['1:2,S', '2:2,S']);
});

test('an archive whose path leads up behind a link lies in one place, whole', async () => {
	const folder = temporaryFolder();
	mkdirSync(join(folder, 'elsewhere', 'deep'), { recursive: true });
	symlinkSync(join('elsewhere', 'deep'), join(folder, 'link'));
	const store = makeMailStore();
	store.put(`${ANNA}/1:2,S`, { at: OLD });
	const archive = `${folder}/link/../archive`;
	await packOn(0, archive, store);
	expect(readdirSync(join(folder, 'archive')).sort()).toEqual(expect.arrayContaining(['bundles', 'mailseal.json', 'snapshots']));
	expect(readdirSync(join(folder, 'elsewhere'))).toEqual(['deep']);
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
});
