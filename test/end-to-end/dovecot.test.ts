import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Listing, MessageRow, PackResult, RestoreResult } from '../../src/archive/index.ts';
import { type Dovecot, lacksDovecot, PASSWORD, startDovecot } from '../support/dovecot.ts';
import { extractStore, readTruth } from '../support/dovecot-truth.ts';
import { type ImapClient, openImap, quote } from '../support/imap.ts';
import { readServedAccount, type ServedAccount } from '../support/imap-account.ts';
import { recover } from '../support/judges.ts';
import { lacks } from '../support/needs.ts';
import { openProgram, type Program } from '../support/program.ts';
import { sharedData } from '../support/shared-data.ts';
import { readFacts, readStoredMail, sha256 } from '../support/stored-mail.ts';

const ANNA = 'anna@example.org';
const MANY_KEYWORDS = Array.from({ length: 31 }, (_value, index) => `word${index + 1}`);
const FOLDERS = ['Archive', 'Archive/2019', '&ANw-bung/Stra&AN8-e &- Co', '&ZeVnLIqe-', 'with space', 'Empty', 'Sent', 'Trash', 'Many'];

/** As many as make a listing take several calls, so that renames fall between them. */
const STABLE = 1500;
const MOVING = 50;

const missing = lacksDovecot();
const running: Dovecot[] = [];
const clients: ImapClient[] = [];
let scratch = '';

beforeAll(() => {
	scratch = mkdtempSync(join(tmpdir(), 'mailseal-dovecot-'));
});

afterEach(async () => {
	for (const client of clients.splice(0)) await client.close();
	for (const dovecot of running.splice(0)) await dovecot.stop();
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function start(location?: string): Promise<Dovecot> {
	const dovecot = await startDovecot(location);
	running.push(dovecot);
	return dovecot;
}

async function login(dovecot: Dovecot, user: string): Promise<ImapClient> {
	const client = await openImap(dovecot.port, { user, password: PASSWORD });
	clients.push(client);
	return client;
}

function programFor(name: string): Program {
	const home = join(scratch, name);
	mkdirSync(home);
	return openProgram({ home, archive: join(home, 'archive') });
}

/** A message as an IMAP client sends it, with CRLF. */
function mail(subject: string, body = 'hello\r\n'): Buffer {
	const id = `<${sha256(subject).slice(0, 16)}@example.org>`;
	return Buffer.from(`From: Anna <${ANNA}>\r\nTo: Bernd <bernd@example.org>\r\nSubject: ${subject}\r\nMessage-ID: ${id}\r\n\r\n${body}`);
}

/** A body with an attachment of so many bytes, the same for the same seed. */
function attachment(seed: string, bytes: number): string {
	const content = Buffer.from(
		sha256(seed)
			.repeat(Math.ceil(bytes / 64))
			.slice(0, bytes),
	);
	return content.toString('base64').replace(/.{76}/g, '$&\r\n');
}

interface Append {
	readonly to: string;
	readonly message: Buffer;
	readonly flags?: string;
	readonly date?: string;
}

async function append(client: ImapClient, { to, message, flags = '', date = '' }: Append): Promise<void> {
	await client.send(`APPEND ${quote(to)} (${flags}) ${date === '' ? '' : `${quote(date)} `}`, message);
}

let delivered = 0;

/** Delivers as a mail server does: into `tmp`, then by a rename into `new`. Dovecot has not seen the message yet. */
function deliver(dovecot: Dovecot, message: Buffer): void {
	const maildir = join(dovecot.homes, ANNA, 'Maildir');
	const name = `${Math.floor(Date.now() / 1000)}.M${100000 + delivered++}P1.mx1`;
	writeFileSync(join(maildir, 'tmp', name), message.toString('latin1').replaceAll('\r\n', '\n'), { mode: 0o644 });
	renameSync(join(maildir, 'tmp', name), join(maildir, 'new', name));
}

/** A year of mail in a minute. */
async function fill(client: ImapClient): Promise<void> {
	for (const folder of FOLDERS) await client.send(`CREATE ${quote(folder)}`);
	for (const folder of ['INBOX', 'Archive/2019', '&ZeVnLIqe-', 'Sent', 'Trash']) await client.send(`SUBSCRIBE ${quote(folder)}`);
	for (let index = 0; index < 12; index++) {
		await append(client, {
			to: 'INBOX',
			message: mail(`inbox ${index}`),
			date: `${String(index + 1).padStart(2)}-Mar-2019 10:20:3${index % 10} +0100`,
		});
	}
	await append(client, { to: 'INBOX', message: mail('seen', ''), flags: '\\Seen', date: '29-Feb-2020 23:59:59 -0800' });
	await append(client, { to: 'INBOX', message: mail('all flags'), flags: '\\Seen \\Answered \\Flagged \\Draft \\Deleted $Label1 Work' });
	await append(client, { to: 'INBOX', message: Buffer.from('Subject: no body\r\n\r\n'), flags: 'work $Forwarded' });
	await append(client, { to: 'Sent', message: mail('no line end', 'bye'), flags: '\\Seen' });
	await append(client, {
		to: 'Sent',
		message: Buffer.concat([mail('raw bytes'), Buffer.from([0xff, 0xfe, 0xe9, 0x0d, 0x0a])]),
		flags: '\\Seen',
	});
	await append(client, { to: 'Archive/2019', message: mail('large', attachment('large', 300_000)), date: ' 1-Jan-2019 00:00:00 +0000' });
	await append(client, { to: '&ZeVnLIqe-', message: mail('large again', attachment('large', 300_000)), flags: '\\Flagged' });
	await append(client, { to: 'Trash', message: mail('trash'), flags: '\\Seen \\Deleted' });
	for (const keyword of MANY_KEYWORDS) await append(client, { to: 'Many', message: mail(keyword), flags: keyword });
	await append(client, { to: 'Many', message: mail('all words'), flags: `\\Seen ${MANY_KEYWORDS.join(' ')}` });
	await client.send('SELECT INBOX');
	await client.send('UID STORE 1:3 +FLAGS (\\Seen $Label2)');
	await client.send(`UID COPY 2:5 ${quote('with space')}`);
	await client.send(`UID MOVE 6 ${quote('&ANw-bung/Stra&AN8-e &- Co')}`);
	await client.send('UID STORE 7 +FLAGS (\\Deleted)');
	await client.send('UID EXPUNGE 7');
	await client.send('UNSUBSCRIBE Trash');
}

/** Another day. */
async function change(client: ImapClient): Promise<void> {
	await client.send('SELECT INBOX');
	await client.send('UID STORE 2:4 -FLAGS (\\Seen $Label2)');
	await client.send('UID STORE 9:10 +FLAGS (\\Answered Later)');
	await client.send(`UID MOVE 1 ${quote('Archive/2019')}`);
	await client.send('UID COPY 11 Sent');
	await client.send('UID STORE 12 +FLAGS (\\Deleted)');
	await client.send('UID EXPUNGE 12');
	await client.send('SELECT Many');
	await client.send('UID STORE 32 -FLAGS (word30 word31)');
	await client.send('UID STORE 1 +FLAGS (word31)');
	await client.send('SELECT Trash');
	await client.send('EXPUNGE');
	await client.send(`RENAME ${quote('with space')} ${quote('Projects/with space')}`);
	await client.send('DELETE Empty');
	await client.send('CREATE Later');
	await client.send('SUBSCRIBE Later');
	await append(client, { to: 'Later', message: mail('later'), flags: '\\Seen Later' });
	await client.send('UNSUBSCRIBE Sent');
}

describe.skipIf(missing)('a store that a running Dovecot writes', () => {
	test('is served from its restored copy as before, and as it was before the changes of another day', async () => {
		const dovecot = await start();
		const mailseal = programFor('life');
		const source = `maildir:${dovecot.homes}/{account}/Maildir`;
		async function served(user: string): Promise<ServedAccount> {
			const client = await login(dovecot, user);
			return readServedAccount(client);
		}
		function pack(): PackResult {
			const { result, findings } = mailseal.json<PackResult>('pack', source, '--quiet-period', '1d', '--unread-period', '1d');
			expect(findings).toEqual([]);
			return result;
		}
		/** Serves a snapshot as the mail of another user. */
		async function restored(user: string, ...at: readonly string[]): Promise<ServedAccount> {
			const out = join(scratch, `restored-${user}`);
			const { findings } = mailseal.json<RestoreResult>('restore', ANNA, '--to', out, ...at);
			expect(findings).toEqual([]);
			dovecot.adopt(user, join(out, ANNA));
			return served(user);
		}

		const anna = await login(dovecot, ANNA);
		await fill(anna);
		// Dovecot has looked at the first and not at the second of these when the pack does.
		deliver(dovecot, mail('delivered and looked at'));
		await anna.send('STATUS INBOX (MESSAGES)');
		await anna.send('SELECT INBOX');
		deliver(dovecot, mail('delivered and unknown to Dovecot'));
		const first = pack();
		expect(first.sealed.new).toBeGreaterThan(0);
		const before = await served(ANNA);
		expect(before.folders.get('INBOX')?.messages.size).toBe(15);
		expect([...(before.folders.get('Many')?.messages.values() ?? [])].at(-1)?.flags).toHaveLength(MANY_KEYWORDS.length + 1);
		expect(before.subscribed).toContain('&ZeVnLIqe-');
		expect(await restored('first@example.org')).toEqual(before);

		await change(anna);
		deliver(dovecot, mail('delivered later'));
		const second = pack();
		expect(second.messages.removed).toBeGreaterThan(0);
		expect(second.sealed.rewrittenBytes).toBe(0);
		const after = await served(ANNA);
		expect(after).not.toEqual(before);
		expect(await restored('second@example.org')).toEqual(after);
		expect(await restored('again@example.org', '--at', String(first.snapshot))).toEqual(before);
		expect(dovecot.complaints()).toEqual([]);

		if (lacks('python3')) return;
		const [out, back] = [join(scratch, 'recovered'), join(scratch, 'newest')];
		expect(recover(join(scratch, 'life', 'archive'), out)).toMatchObject({ status: 0, stderr: '' });
		mailseal.json<RestoreResult>('restore', ANNA, '--to', back);
		for (const [folder, { messages }] of readStoredMail(join(back, ANNA), 'maildir++')) {
			const found = readdirSync(join(out, ANNA), { recursive: true, encoding: 'utf8' }).filter((path) => path.startsWith(`${folder}/cur/`));
			const expected = [...messages.values()].filter(({ path }) => path.startsWith('cur/'));
			expect(found.sort()).toEqual(expected.map(({ path }) => `${folder}/${path}`).sort());
			for (const { path, sha256: id } of expected) expect(readFacts(join(out, ANNA, folder, path)).sha256).toBe(id);
		}
	});

	test('is packed while its owner works: no snapshot lacks a message that was there all the time, and the last has everything', async () => {
		const dovecot = await start();
		const mailseal = programFor('busy');
		const source = `maildir:${dovecot.homes}/{account}/Maildir`;
		const anna = await login(dovecot, ANNA);
		for (const folder of ['Work', 'Archive']) await anna.send(`CREATE ${folder}`);
		for (let index = 0; index < STABLE; index++) deliver(dovecot, mail(`stays ${index}`));
		for (let index = 0; index < MOVING; index++) await append(anna, { to: 'Work', message: mail(`moves ${index}`) });
		await anna.send('SELECT INBOX');
		const snapshots: string[] = [];
		let finished = false;
		async function packAgain(): Promise<void> {
			for (let night = 0; night < 5; night++) {
				const { result, findings } = await mailseal.start<PackResult>('pack', source, '--quiet-period', '0s', '--unread-period', '0s');
				expect(findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
				snapshots.push(String(result.snapshot));
			}
		}
		const packing = packAgain().finally(() => (finished = true));
		let [from, to] = ['Work', 'Archive'];
		for (let round = 1; !finished; round++) {
			await anna.send('SELECT INBOX');
			// Every message of the folder gets another file name.
			await anna.send(`UID STORE 1:${STABLE} ${round % 2 === 0 ? '-' : '+'}FLAGS (\\Seen Busy)`);
			deliver(dovecot, mail(`delivered ${round}`));
			await anna.send(`SELECT ${from}`);
			await anna.send(`UID MOVE 1:* ${to}`);
			[from, to] = [to, from];
		}
		await packing;
		expect(snapshots).toHaveLength(5);
		for (const snapshot of snapshots) {
			const { rows } = mailseal.json<Listing<MessageRow>>('ls', 'messages', '--at', snapshot, '--folder', 'INBOX').result;
			const subjects = rows.map((row) => row.subject).filter((subject) => subject?.startsWith('stays'));
			expect(new Set(subjects).size).toBe(STABLE);
			expect(subjects).toHaveLength(STABLE);
		}
		mailseal.json('pack', source);
		const served = await readServedAccount(anna);
		expect([...served.folders.values()].reduce((sum, folder) => sum + folder.messages.size, 0)).toBeGreaterThan(STABLE + MOVING);
		mailseal.json('restore', '--to', join(scratch, 'busy', 'out'));
		dovecot.adopt('copy@example.org', join(scratch, 'busy', 'out', ANNA));
		expect(await readServedAccount(await login(dovecot, 'copy@example.org'))).toEqual(served);
		expect(dovecot.complaints()).toEqual([]);
	});
});

const stores = sharedData('stores');

describe.skipIf(missing || stores === null).each([
	{ name: 'maildirpp', inner: 'Maildir', layout: 'maildir++', location: 'maildir:~/Maildir' },
	{ name: 'maildirpp', inner: 'Maildir', layout: 'fs', location: 'maildir:~/Maildir:LAYOUT=fs' },
	{ name: 'maildir-fs-gz', inner: 'mail', layout: 'maildir++', location: 'maildir:~/Maildir' },
	{ name: 'maildir-fs-gz', inner: 'mail', layout: 'fs', location: 'maildir:~/Maildir:LAYOUT=fs' },
])('the store $name, restored in layout $layout', ({ name, inner, layout, location }) => {
	test('is served by Dovecot as the one that wrote it did', async () => {
		const mailseal = programFor(`${name}-${layout}`);
		const home = join(scratch, `${name}-${layout}`);
		const store = join(home, 'store');
		mkdirSync(store);
		extractStore(stores ?? '', { name, to: store });
		expect(mailseal.json('pack', `maildir:${store}/{account}/${inner}`).findings).toEqual([]);
		mailseal.json('restore', '--to', join(home, 'out'), '--layout', layout);
		const dovecot = await start(location);
		const truth = readTruth(stores ?? '', name);
		for (const account of new Set(truth.mailboxes.map((line) => line.account))) {
			dovecot.adopt(account, join(home, 'out', account));
			const client = await login(dovecot, account);
			const { folders, subscribed } = await readServedAccount(client);
			// Maildir++ has no dot inside a level; Dovecot shows what stands for it.
			const named = (line: (typeof truth.mailboxes)[number]): string =>
				layout === 'maildir++' ? line.mailbox_utf7.replaceAll('.', '\\2e') : line.mailbox_utf7;
			const mailboxes = truth.mailboxes.filter((line) => line.account === account);
			expect([...folders.keys()].sort()).toEqual(mailboxes.map(named).sort());
			expect(subscribed).toEqual(
				mailboxes
					.filter((line) => line.subscribed)
					.map(named)
					.sort(),
			);
			for (const mailbox of mailboxes) {
				const folder = folders.get(named(mailbox));
				const subject = `${account}/${mailbox.mailbox}`;
				expect([folder?.uidValidity, folder?.uidNext, folder?.guid], subject).toEqual(
					[mailbox.uidvalidity, mailbox.uidnext, mailbox.mailbox_guid].map(String),
				);
				const found = [...(folder?.messages ?? [])].map(([uid, message]) => ({
					uid,
					...message,
					date: Date.parse(message.date.replaceAll('-', ' ')) / 1000,
				}));
				const expected = truth.messages
					.filter((line) => line.account === account && line.mailbox === mailbox.mailbox)
					.map((line) => ({
						uid: line.uid,
						flags: [...line.flags, ...line.keywords].sort(),
						date: line.date_received,
						guid: line.guid,
						sha256: line.sha256_imap,
					}));
				expect(found, subject).toEqual(expected.sort((a, b) => a.uid - b.uid));
			}
		}
		expect(dovecot.complaints()).toEqual([]);
	});
});
