import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
	extract,
	listAccounts,
	listBundles,
	listFolders,
	listMessages,
	listSnapshots,
	type PackResult,
	plan,
	search,
	status,
} from '../../src/archive/index.ts';
import { DEFAULT_POLICY, MailsealError, SILENT } from '../../src/domain/index.ts';
import { openMaildirSource } from '../../src/sources/index.ts';
import { archiveAt, never, packOnce, temporaryFolder } from '../support/archive.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';

const NOW = DAY_ZERO + 10 * DAY;
const OLD = DAY_ZERO - 400 * DAY;

async function codeOf(work: Promise<unknown>): Promise<string> {
	try {
		await work;
	} catch (error) {
		if (error instanceof MailsealError) return error.code;
		throw error;
	}
	return 'none';
}

/** Two nights: on the second one message more, one flag, one removal. */
async function twoNights(): Promise<{ store: MailStore; dir: string; first: PackResult; second: PackResult }> {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/INBOX/sealed:2,S', { at: OLD, subject: 'Quarterly report' });
	store.put('anna@example.org/INBOX/gone:2,S', { at: DAY_ZERO, subject: 'Gone tomorrow' });
	store.put('anna@example.org/Projects/Alpha/plan:2,S', { at: DAY_ZERO, subject: 'The plan' });
	store.put('ben@example.org/INBOX/odd name,S=1:2,', { at: DAY_ZERO, content: 'Message-ID: <odd@test.example>\r\n\r\n\0binary\xff' });
	const first = await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	store.put('anna@example.org/INBOX/new:2,', { at: DAY_ZERO + DAY, subject: 'The new plan' });
	store.rename('anna@example.org/INBOX/sealed:2,S', 'anna@example.org/INBOX/sealed:2,FS');
	store.remove('anna@example.org/INBOX/gone:2,S');
	const second = await packOnce(dir, store.spec, { now: DAY_ZERO + 2 * DAY });
	return { store, dir, first: first.result, second: second.result };
}

async function bytesOf(dir: string, reference: string, at?: string): Promise<Buffer> {
	const message = await extract(archiveAt(dir), reference, { now: NOW, ...(at === undefined ? {} : { at }) });
	const bytes = Buffer.concat([...message.chunks()]);
	expect(message).toMatchObject({ size: bytes.length, fileName: `${message.id}.eml` });
	return bytes;
}

test('extract gives the exact bytes by id, prefix, Message-ID and place, sealed or volatile', async () => {
	const { store, dir } = await twoNights();
	for (const place of [
		'anna@example.org/INBOX/sealed:2,FS',
		'anna@example.org/Projects/Alpha/plan:2,S',
		'ben@example.org/INBOX/odd name,S=1:2,',
	]) {
		const bytes = store.read(place);
		const id = createHash('sha256').update(bytes).digest('hex');
		const messageId = /<[^>]+>/.exec(bytes.toString('latin1'))?.[0] ?? '';
		for (const reference of [id, id.slice(0, 8), id.toUpperCase().slice(0, 11), messageId, place, place.replace(/:2,.*/, '')]) {
			expect((await bytesOf(dir, reference)).equals(bytes), reference).toBe(true);
		}
	}
});

test('extract finds what is gone in an older snapshot, and not in the newest', async () => {
	const { dir, first } = await twoNights();
	const place = 'anna@example.org/INBOX/gone';
	expect(await codeOf(bytesOf(dir, place))).toBe('not-found');
	expect((await bytesOf(dir, place, String(first.snapshot))).toString()).toContain('Gone tomorrow');
	expect((await bytesOf(dir, place, '2026-01-02')).toString()).toContain('Gone tomorrow');
});

test('extract says not-found where nothing or more than one message is meant', async () => {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	for (const key of ['1', '2']) store.put(`anna@example.org/INBOX/${key}:2,S`, { content: `Message-ID: <same@x>\n\n${key}` });
	await packOnce(dir, store.spec, { now: NOW });
	const missing = extract(archiveAt(dir), '<none@x>', { now: NOW });
	await expect(missing).rejects.toMatchObject({ code: 'not-found' });
	const doubtful = extract(archiveAt(dir), '<same@x>', { now: NOW });
	await expect(doubtful).rejects.toMatchObject({ code: 'not-found', hint: expect.stringMatching(/[0-9a-f]{12}, [0-9a-f]{12}/) });
	expect(await codeOf(extract(archiveAt(dir), 'f'.repeat(64), { now: NOW }))).toBe('not-found');
	expect(await codeOf(extract(archiveAt(dir), 'nonsense', { now: NOW }))).toBe('usage');
});

test('lists show the newest snapshot, or with a moment the one of then', async () => {
	const { dir, first } = await twoNights();
	const archive = archiveAt(dir);
	const keys = async (at?: string) => {
		const { result } = await listMessages(archive, { now: NOW, ...(at === undefined ? {} : { at }) });
		return result.rows.map(({ key, flags }) => `${key} ${flags.join(' ')}`.trim());
	};
	const then = ['sealed seen', 'gone seen', 'plan seen', 'odd name,S=1'];
	const since = ['sealed flagged seen', 'new', 'plan seen', 'odd name,S=1'];
	expect(await keys()).toEqual(since);
	for (const at of [String(first.snapshot), '2026-01-02', '2026-01-02T23:59:59Z', '9d', '8d']) {
		expect(await keys(at), at).toEqual(at === '8d' ? since : then);
	}
	expect(await keys('latest')).toEqual(since);
	expect(await codeOf(keys('2026-01-01'))).toBe('not-found');
	expect(await codeOf(keys('20260102T000000Z-00000000'))).toBe('not-found');
});

test('lists of accounts, folders, bundles and snapshots count what there is', async () => {
	const { dir, first, second } = await twoNights();
	const archive = archiveAt(dir);
	const accounts = await listAccounts(archive, { now: NOW });
	expect(accounts.result.rows.map(({ account, folders, messages }) => [account, folders, messages])).toEqual([
		['anna@example.org', 2, 3],
		['ben@example.org', 1, 1],
	]);
	const folders = await listFolders(archive, { now: NOW });
	expect(folders.result.rows.map(({ account, folder, messages, unseen }) => [account, folder, messages, unseen])).toEqual([
		['anna@example.org', 'INBOX', 2, 1],
		['anna@example.org', 'Projects/Alpha', 1, 0],
		['ben@example.org', 'INBOX', 1, 1],
	]);
	const bundles = await listBundles(archive, { now: NOW });
	expect(bundles.result.rows.map(({ kind, messages, live, tenant }) => [kind, messages, live, tenant])).toEqual([
		['sealed', 1, 1, 'example.org'],
		['volatile', 3, 2, undefined],
		['volatile', 1, 1, undefined],
	]);
	const snapshots = await listSnapshots(archive, { now: NOW });
	expect(snapshots.result.rows.map(({ name, messages, bundles: count }) => [name, messages, count])).toEqual([
		[first.snapshot, 4, 2],
		[second.snapshot, 4, 3],
	]);
});

test('a list that is cut says that there is more, and one that just fits does not', async () => {
	const { dir } = await twoNights();
	const archive = archiveAt(dir);
	const messages = async (limit: number) => (await listMessages(archive, { now: NOW, limit })).result;
	expect(await messages(3)).toMatchObject({ rows: { length: 3 }, more: true });
	expect(await messages(4)).toMatchObject({ rows: { length: 4 }, more: false });
	const newest = await listSnapshots(archive, { now: NOW, limit: 1 });
	expect(newest.result).toMatchObject({ rows: [{ time: '2026-01-03T00:00:00.000Z' }], more: true });
	expect((await listSnapshots(archive, { now: NOW, limit: 2 })).result.more).toBe(false);
	expect((await search(archive, { query: 'plan', limit: 1, now: NOW })).result).toMatchObject({ rows: [{ key: 'new' }], more: true });
});

test('search looks into the snapshot that is asked for', async () => {
	const { dir, first } = await twoNights();
	const keys = async (query: string, at?: string) => {
		const { result } = await search(archiveAt(dir), { query, limit: 9, now: NOW, ...(at === undefined ? {} : { at }) });
		return result.rows.map(({ key }) => key);
	};
	expect(await keys('plan')).toEqual(['new', 'plan']);
	expect(await keys('plan', String(first.snapshot))).toEqual(['plan']);
	expect(await keys('tomorrow')).toEqual([]);
	expect(await keys('tomorrow', String(first.snapshot))).toEqual(['gone']);
});

test('a list of one account and folder shows nothing else', async () => {
	const { dir } = await twoNights();
	const [account] = (await listAccounts(archiveAt(dir), { now: NOW })).result.rows;
	const folder = (await listFolders(archiveAt(dir), { now: NOW })).result.rows[1];
	if (account === undefined || folder === undefined) throw new Error('nothing was listed');
	const { result } = await listMessages(archiveAt(dir), { now: NOW, account: account.account, folder: folder.folder });
	expect(result.rows.map(({ key }) => key)).toEqual(['plan']);
});

test('status sums up the archive, and says when the last pack is too long ago', async () => {
	const { dir, second } = await twoNights();
	const { result } = await status(archiveAt(dir), DAY_ZERO + 3 * DAY);
	expect(result).toMatchObject({
		snapshot: { name: second.snapshot, time: '2026-01-03T00:00:00.000Z' },
		snapshots: 2,
		accounts: 2,
		folders: 3,
		messages: 4,
		sealed: { bundles: 1 },
		volatile: { bundles: 2, bytes: second.volatile.bytes },
		sharedBytes: 0,
		next: [],
	});
	const later = await status(archiveAt(dir), DAY_ZERO + 5 * DAY);
	expect(later.result.next).toEqual([expect.stringContaining('3 days ago')]);
});

test('status counts what is saved by storing a message once for all its places', async () => {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	const content = `Subject: to all\n\n${'x'.repeat(983)}`;
	for (const account of ['anna', 'ben', 'cleo']) store.put(`${account}/INBOX/1:2,S`, { content });
	await packOnce(dir, store.spec, { now: NOW });
	expect((await status(archiveAt(dir), NOW)).result).toMatchObject({ messages: 3, bytes: 3000, sharedBytes: 2000 });
});

test('status of an archive without a snapshot says how to begin; lists of it are not found', async () => {
	const archive = archiveAt(join(temporaryFolder(), 'archive'));
	expect((await status(archive, NOW)).result).toMatchObject({ snapshot: null, messages: 0, next: ['mailseal pack SOURCE'] });
	expect(await codeOf(listMessages(archive, { now: NOW }))).toBe('not-found');
});

test('a plan says for each quiet period what it would seal, and why, without an archive', async () => {
	const store = makeMailStore();
	const day = (days: number) => NOW - days * DAY;
	const put = (place: string, days: number) => store.put(`anna@example.org/${place}`, { at: day(days), content: 'x'.repeat(100) });
	for (const days of [1, 7, 14, 29, 30, 60, 90, 400]) put(`INBOX/${days}:2,S`, days);
	put('INBOX/unread:2,', 89);
	put('INBOX/draft:2,DS', 400);
	put('INBOX/marked:2,ST', 400);
	put('Trash/thrown:2,S', 400);
	put('INBOX/future:2,S', -3);
	const sources = [openMaildirSource(store.spec)];
	const { result, findings } = await plan({ sources, policy: DEFAULT_POLICY, now: NOW, progress: SILENT, signal: never });
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ accounts: 1, folders: 2, messages: 13, bytes: 1300, policy: DEFAULT_POLICY });
	expect(result.rows.map((row) => [row.quietPeriod / DAY, row.sealedMessages, row.sealedBytes, row.volatileMessages])).toEqual([
		[7, 7, 700, 6],
		[14, 6, 600, 7],
		[30, 4, 400, 9],
		[60, 3, 300, 10],
		[90, 2, 200, 11],
	]);
	const reasons = Object.fromEntries(result.reasons.map(({ reason, seal, messages, bytes }) => [reason, [seal, messages, bytes]]));
	expect(reasons).toEqual({
		quiet: [true, 4, 400],
		recent: [false, 4, 400],
		unread: [false, 1, 100],
		draft: [false, 1, 100],
		'deleted-marked': [false, 1, 100],
		'never-folder': [false, 1, 100],
		'date-in-future': [false, 1, 100],
	});
});

test('what a plan would seal is what a first pack seals', async () => {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	for (let days = 0; days < 100; days += 7)
		store.put(`anna@example.org/INBOX/${days}:2,${days % 2 === 0 ? 'S' : ''}`, { at: NOW - days * DAY });
	const sources = [openMaildirSource(store.spec)];
	const { result } = await plan({ sources, policy: DEFAULT_POLICY, now: NOW, progress: SILENT, signal: never });
	await packOnce(dir, store.spec, { now: NOW, bundles: { linger: 0 } });
	const { rows } = (await listBundles(archiveAt(dir), { now: NOW })).result;
	const planned = result.rows.find((row) => row.quietPeriod === DEFAULT_POLICY.quietPeriod);
	expect(rows.map(({ kind, messages }) => [kind, messages])).toEqual([
		['sealed', planned?.sealedMessages],
		['volatile', planned?.volatileMessages],
	]);
});
