import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountRow, FolderRow, Listing, MessageRow, PackResult, RestoreResult } from '../../src/archive/index.ts';
import { extractStore, readTruth, type Truth } from '../support/dovecot-truth.ts';
import { bundlesOf, complaints, recover, ZIP_JUDGES } from '../support/judges.ts';
import { lacks } from '../support/needs.ts';
import { openProgram, type Program } from '../support/program.ts';
import { sharedData } from '../support/shared-data.ts';
import { type Layout, readFacts, readStoredMail, type StoredFolder, sha256 } from '../support/stored-mail.ts';

// Later than the newest mail, so that the same messages are sealed on every day that this runs.
const NOW = '2026-12-20T00:00:00Z';
const ACCOUNTS = ['anna@example.org', 'bernd@example.org', 'chloe@example.org'];
const INDEX_FILES = /^dovecot\.index/;
const ALL_LETTERS = 26;
/** In the home directory of the store, and beside the mail after a restore. */
const HOME_FILES = ['.dovecot.sieve', 'sieve/main.sieve'];
const DECOYS = ['.hidden-must-not-appear', '1583064009.M1P8.mailhost'];

const stores = sharedData('stores');

interface Store {
	readonly name: string;
	/** Of the Maildir in each home directory. */
	readonly inner: string;
	readonly layout: Layout;
	readonly restores: readonly Layout[];
}

const STORES: readonly Store[] = [
	{ name: 'maildirpp', inner: 'Maildir', layout: 'maildir++', restores: ['maildir++', 'fs'] },
	{ name: 'maildir-fs-gz', inner: 'mail', layout: 'fs', restores: ['maildir++', 'fs'] },
];

describe.skipIf(stores === null).each(STORES)('the store $name, written by Dovecot', ({ name, inner, layout, restores }) => {
	const truth: Truth = stores === null ? { messages: [], mailboxes: [] } : readTruth(stores, name);
	let scratch = '';
	let archive = '';
	let mailseal: Program;
	let packed: PackResult;
	let originals: Map<string, Map<string, StoredFolder>>;

	beforeAll(() => {
		scratch = mkdtempSync(join(tmpdir(), 'mailseal-stores-'));
		archive = join(scratch, 'archive');
		const store = join(scratch, 'store');
		mkdirSync(store);
		extractStore(stores ?? '', { name, to: store });
		mailseal = openProgram({ home: scratch, archive });
		const { result, findings } = mailseal.json<PackResult>('pack', `maildir:${store}/{account}/${inner}`, '--now', NOW);
		expect(findings).toEqual([]);
		packed = result;
		originals = new Map(ACCOUNTS.map((account) => [account, readStoredMail(join(store, account, inner), layout)]));
	});

	afterAll(() => rmSync(scratch, { recursive: true, force: true }));

	function original(account: string, mailbox: string): StoredFolder {
		const folder = originals.get(account)?.get(mailbox);
		if (folder === undefined) throw new Error(`the store has no ${account}/${mailbox}`);
		return folder;
	}

	function rows<Row>(...args: readonly string[]): readonly Row[] {
		const { result, findings } = mailseal.json<Listing<Row>>(...args);
		expect(findings).toEqual([]);
		expect(result.more).toBe(false);
		return result.rows;
	}

	test('is packed whole, partly into sealed bundles', () => {
		expect(truth.messages.length).toBeGreaterThan(70);
		expect(packed).toMatchObject({ accounts: ACCOUNTS.length, messages: { total: truth.messages.length, added: truth.messages.length } });
		expect(packed.sealed.new).toBeGreaterThan(0);
		expect(packed.volatile.bundles).toBe(1);
	});

	test('is listed as Dovecot lists it, with the keywords that no file name can hold', () => {
		const listed = new Map(rows<MessageRow>('ls', 'messages').map((row) => [`${row.account}/${row.folder}/${row.key}`, row]));
		expect(listed.size).toBe(truth.messages.length);
		let beyondLetters = 0;
		for (const line of truth.messages) {
			const place = `${line.account}/${line.mailbox}/${line.storageid}`;
			const folder = original(line.account, line.mailbox);
			const file = folder.messages.get(line.storageid);
			beyondLetters += line.keywords.filter((keyword) => !folder.table.includes(keyword)).length;
			expect(listed.get(place), place).toMatchObject({
				id: line.sha256_stored,
				date: new Date(file?.mtime ?? 0).toISOString(),
				keywords: line.keywords,
			});
			// Dovecot has no name for the flag "passed".
			const flags = listed.get(place)?.flags.filter((flag) => flag !== 'passed');
			expect(flags, place).toEqual(line.flags.map((flag) => flag.slice(1).toLowerCase()));
			expect(listed.get(place)?.uid, place).toBe(file?.uid === undefined ? undefined : line.uid);
		}
		expect(beyondLetters).toBeGreaterThan(2);
		const folders = rows<FolderRow>('ls', 'folders');
		expect(folders.map((row) => `${row.account}/${row.folder} ${row.uidValidity}`).sort()).toEqual(
			truth.mailboxes.map((line) => `${line.account}/${line.mailbox} ${line.uidvalidity}`).sort(),
		);
		expect(rows<AccountRow>('ls', 'accounts').map((row) => row.account)).toEqual(ACCOUNTS);
	});

	test.each(restores)('comes back as a Maildir in layout %s: every message, flag, keyword, UID, date, folder and control file', (to) => {
		const out = join(scratch, `restored-${to}`);
		const { result, findings } = mailseal.json<RestoreResult>('restore', '--to', out, '--layout', to);
		// Maildir++ has no dot inside a level: it is written as Dovecot's listescape plugin writes it.
		const named = (mailbox: string): string => (to === 'maildir++' ? mailbox.replaceAll('.', '\\2e') : mailbox);
		const renamed = truth.mailboxes.filter(({ mailbox }) => named(mailbox) !== mailbox);
		expect(findings.map((finding) => `${finding.code} ${finding.severity} ${finding.subject}`)).toEqual(
			renamed.map(({ account, mailbox }) => `restore-folder-renamed note ${account}/${mailbox}`),
		);
		expect(result).toMatchObject({
			accounts: ACCOUNTS.length,
			folders: truth.mailboxes.length,
			written: truth.messages.length,
			present: 0,
		});
		expect(readdirSync(out).sort()).toEqual(ACCOUNTS);
		const restored = new Map(ACCOUNTS.map((account) => [account, readStoredMail(join(out, account), to)]));

		for (const account of ACCOUNTS) {
			const names = truth.mailboxes.filter((line) => line.account === account).map(({ mailbox }) => named(mailbox));
			expect([...(restored.get(account)?.keys() ?? [])].sort()).toEqual(names.sort());
		}
		for (const line of truth.mailboxes) {
			const subject = `${line.account}/${line.mailbox}`;
			const folder = restored.get(line.account)?.get(named(line.mailbox));
			const before = original(line.account, line.mailbox);
			const fresh = [...(folder?.messages.values() ?? [])].filter(({ uid }) => uid === undefined).length;
			expect(folder, subject).toMatchObject({ uidValidity: line.uidvalidity, guid: line.mailbox_guid, access: before.access });
			expect((folder?.uidNext ?? 0) + fresh, subject).toBe(line.uidnext);
			const controls = new Map([...before.controls].filter(([path]) => !INDEX_FILES.test(path) || before.table.length >= ALL_LETTERS));
			const found = new Map(folder?.controls);
			// Marks a subfolder in Maildir++, and is made there where the store has none.
			if (to !== layout && to === 'maildir++') found.delete('maildirfolder');
			for (const path of HOME_FILES) if (line.mailbox === 'INBOX') found.delete(path);
			expect(found, subject).toEqual(controls);
		}
		let files = 0;
		for (const line of truth.messages) {
			const subject = `${line.account}/${line.mailbox}/${line.uid}`;
			const folder = restored.get(line.account)?.get(named(line.mailbox));
			const before = original(line.account, line.mailbox).messages.get(line.storageid);
			const file = folder?.messages.get(line.storageid);
			expect(file, subject).toMatchObject({
				path: before?.path,
				access: before?.access,
				mtime: before?.mtime,
				sha256: line.sha256_stored,
				flags: line.flags,
				keywords: line.keywords.filter((keyword) => folder?.table.includes(keyword)),
				guid: line.guid,
				uid: before?.uid === undefined ? undefined : line.uid,
			});
			expect(Math.floor((file?.mtime ?? 0) / 1000), subject).toBe(line.date_received);
			files++;
		}
		const all = [...restored.values()].flatMap((folders) => [...folders.values()].map((folder) => folder.messages.size));
		expect(all.reduce((sum, size) => sum + size, 0)).toBe(files);
		const paths = readdirSync(out, { recursive: true, encoding: 'utf8' });
		expect(paths.filter((path) => DECOYS.some((decoy) => path.endsWith(decoy)))).toEqual([]);
		for (const path of HOME_FILES) {
			const home = join(scratch, 'store', 'anna@example.org', path);
			if (!existsSync(home)) continue;
			// In Maildir++ a link beside the folders would be listed as one.
			const target = to === 'maildir++' ? realpathSync(home) : home;
			expect(readFacts(join(out, 'anna@example.org', path)), path).toEqual(readFacts(target));
		}
	});

	test('a second restore into the same folder writes nothing', () => {
		const { result } = mailseal.json<RestoreResult>('restore', '--to', join(scratch, 'restored-maildir++'));
		expect(result).toMatchObject({ written: 0, present: truth.messages.length });
	});

	test.skipIf(lacks('python3'))('recover.py gives every message back without mailseal', () => {
		const out = join(scratch, 'recovered');
		expect(recover(archive, out)).toMatchObject({ status: 0, stderr: '' });
		const expected = truth.messages.map((line) => {
			const path = original(line.account, line.mailbox).messages.get(line.storageid)?.path;
			return `${line.account}/${line.mailbox}/${path} ${line.sha256_stored} ${line.date_received}`;
		});
		const found = readdirSync(out, { recursive: true, withFileTypes: true })
			.filter((entry) => !entry.isDirectory())
			.map((entry) => {
				const path = join(entry.parentPath, entry.name);
				const facts = readFacts(path);
				return `${path.slice(out.length + 1)} ${facts.sha256} ${Math.floor(facts.mtime / 1000)}`;
			});
		expect(found.sort()).toEqual(expected.sort());
	});

	test('extract gives the exact bytes of each message, by id and by place', () => {
		const ids = [...new Set(truth.messages.map((line) => line.sha256_stored))];
		const out = join(scratch, 'extracted');
		mailseal.json('extract', '-o', out, ...ids);
		expect(readdirSync(out).sort()).toEqual(ids.map((id) => `${id}.eml`).sort());
		for (const id of ids) expect(sha256(readFileSync(join(out, `${id}.eml`)))).toBe(id);
		for (const line of truth.messages.filter((_line, index) => index % 12 === 0)) {
			expect(sha256(mailseal.bytes('extract', `${line.account}/${line.mailbox}/${line.storageid}`))).toBe(line.sha256_stored);
		}
	});

	test('search finds messages by Message-ID, by words of the subject, and by place', () => {
		expect(rows<MessageRow>('search', ...ACCOUNTS.map((account) => `account:${account}`))).toHaveLength(truth.messages.length);
		const extracted = new Map(truth.messages.map(({ sha256_stored: id }) => [id, readFileSync(join(scratch, 'extracted', `${id}.eml`))]));
		const places = (wanted: (mail: string) => boolean): string[] =>
			truth.messages
				.filter((line) =>
					wanted(
						extracted
							.get(line.sha256_stored)
							?.toString('latin1')
							.split(/\n\r?\n/)[0] ?? '',
					),
				)
				.map((line) => `${line.account}/${line.mailbox}/${line.storageid}`)
				.sort();
		const found = (...query: readonly string[]): string[] =>
			rows<MessageRow>('search', ...query)
				.map((row) => `${row.account}/${row.folder}/${row.key}`)
				.sort();
		const big = places((head) => head.includes('Subject: [dev] att-big-shared'));
		expect(big.length).toBeGreaterThan(3);
		expect(found('subject:"att-big-shared"')).toEqual(big);
		expect(found('subject:att-big-shared', 'account:anna@example.org', 'folder:Archive')).toEqual(
			big.filter((place) => place.startsWith('anna@example.org/Archive')),
		);
		// "Grüße aus Zürich – 東京" in base64.
		const greeting = places((head) => head.includes('=?UTF-8?B?R3LDvMOfZSBhdXMgWsO8cmljaCDigJMg5p2x5Lqs?='));
		expect(greeting.length).toBeGreaterThan(0);
		expect(found('subject:"Grüße aus Zürich"')).toEqual(greeting);
		const id = '<a70ae8bf40079292@example.org>';
		const shared = [...extracted.values()].flatMap((mail) => /^Message-ID: (<[^>\s]+>)/im.exec(mail.toString('latin1'))?.[1] ?? []);
		for (const messageId of new Set([id, ...shared.slice(0, 3)])) {
			const holders = places((head) => new RegExp(`^Message-ID: ${messageId.replaceAll('.', '\\.')}\\s*$`, 'im').test(head));
			expect(found(`message-id:${messageId}`), messageId).toEqual(holders);
		}
	});

	test('without its catalog, the archive answers every question as before', () => {
		const questions = [
			...['accounts', 'folders', 'messages', 'attachments', 'bundles', 'snapshots'].map((kind) => ['ls', kind]),
			['search', 'subject:dev', 'has', '--limit', '50'],
			['search', 'folder:INBOX'],
			['status'],
		];
		const answers = (): unknown[] => questions.map((question) => mailseal.json(...question));
		const before = answers();
		rmSync(join(archive, 'catalog.sqlite'));
		expect(answers()).toEqual(before);
		rmSync(join(archive, 'catalog.sqlite'));
		expect(mailseal.json('reindex')).toMatchObject({ result: { messages: truth.messages.length }, findings: [] });
		expect(answers()).toEqual(before);
		expect(mailseal.json('verify', '--deep')).toMatchObject({ result: { damaged: [], missing: [] }, findings: [] });
	});

	for (const judge of ZIP_JUDGES) {
		test.skipIf(lacks(judge[0]))(`${judge[0]} finds nothing wrong with any bundle`, () => {
			const bundles = bundlesOf(archive);
			// One of sealed messages, one of their attachments, one volatile.
			expect(bundles).toHaveLength(3);
			expect(complaints(judge, bundles)).toEqual([]);
		});
	}
});
