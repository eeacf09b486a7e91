import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FolderListing, type MailSource, openMaildirMessage, openMaildirSource } from '../../../src/sources/index.ts';
import { temporaryDirectory } from '../../support/maildir.ts';
import { sharedData } from '../../support/shared-data.ts';

const LIMIT = 64 * 1024 * 1024;
const FLAGS: Readonly<Record<string, string>> = {
	'\\Answered': 'answered',
	'\\Deleted': 'deleted',
	'\\Draft': 'draft',
	'\\Flagged': 'flagged',
	'\\Seen': 'seen',
};

interface Truth {
	readonly account: string;
	readonly mailbox: string;
	readonly uid: number;
	readonly guid: string;
	readonly storageid: string;
	readonly flags: readonly string[];
	readonly keywords: readonly string[];
	readonly date_received: number;
	readonly sha256_stored: string;
}

interface MailboxTruth {
	readonly account: string;
	readonly mailbox: string;
	readonly mailbox_guid: string;
	readonly selectable: boolean;
	readonly uidvalidity: number;
	readonly uidnext: number;
}

function readLines<Line>(path: string): Line[] {
	return readFileSync(path, 'utf8')
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => JSON.parse(line));
}

async function listAll(source: MailSource): Promise<Map<string, FolderListing>> {
	const listings = new Map<string, FolderListing>();
	const found = await source.accounts(new AbortController().signal);
	expect(found).toMatchObject({ complete: true, findings: [] });
	for (const account of found.accounts) {
		const look = await source.look(account);
		expect(look).toMatchObject({ complete: true, findings: [] });
		for (const folder of look.folders) listings.set(`${account.account}/${folder.folder}`, await source.listFolder(account, folder));
	}
	return listings;
}

const stores = sharedData('stores');

describe.skipIf(stores === null).each([
	['maildirpp', 'Maildir', 'maildir++'],
	['maildir-fs-gz', 'mail', 'fs'],
])('the store %s, written by Dovecot', (name, inner, layout) => {
	function extract(): string {
		const root = temporaryDirectory();
		execFileSync('tar', ['--numeric-owner', '-xpf', join(stores ?? '', `${name}.tar`), '-C', root]);
		return root;
	}

	test('has every message that Dovecot has: folder, UID, key, flags, keywords, date, bytes', async () => {
		const root = extract();
		const listings = await listAll(openMaildirSource(`maildir:${root}/{account}/${inner}`));
		const truth = readLines<Truth>(join(stores ?? '', `${name}.truth.jsonl`));
		expect(truth.length).toBeGreaterThan(70);
		let known = 0;
		for (const line of truth) {
			const subject = `${line.account}/${line.mailbox}/${line.uid}`;
			const listing = listings.get(`${line.account}/${line.mailbox}`);
			const placement = listing?.placements.get(line.storageid);
			expect(placement, subject).toBeDefined();
			if (listing === undefined || placement === undefined) continue;
			// Dovecot takes no notice of Maildir's `P`.
			expect(
				placement.flags.filter((flag) => flag !== 'passed'),
				subject,
			).toEqual(line.flags.map((flag) => FLAGS[flag]));
			expect(placement.keywords, subject).toEqual(line.keywords);
			const message = openMaildirMessage(placement.path, { limit: LIMIT });
			if ('unreadable' in message || message.bytes === null) throw new Error(`${subject} cannot be read`);
			expect(Math.floor(message.date / 1000), subject).toBe(line.date_received);
			expect(message.oddity, subject).toBeUndefined();
			expect(createHash('sha256').update(message.bytes).digest('hex'), subject).toBe(line.sha256_stored);
			// Dovecot gave the others their UIDs while it read the copy that the truth is of.
			if (placement.uid === undefined) continue;
			known++;
			expect(placement.uid, subject).toBe(line.uid);
			const guid = / ?G([^ ]+)/.exec(placement.uidlist ?? '')?.[1] ?? placement.key;
			expect(guid, subject).toBe(line.guid);
		}
		expect(known).toBeGreaterThan(truth.length / 2);
		const total = [...listings.values()].reduce((sum, listing) => sum + listing.placements.size, 0);
		expect(total).toBe(truth.length);
	});

	test('has the folders that Dovecot has, with their UIDVALIDITY, next UID and GUID', async () => {
		const root = extract();
		const listings = await listAll(openMaildirSource(`maildir:${root}/{account}/${inner}`));
		const mailboxes = readLines<MailboxTruth>(join(stores ?? '', `${name}.mailboxes.jsonl`)).filter((mailbox) => mailbox.selectable);
		expect([...listings.keys()].sort()).toEqual(mailboxes.map(({ account, mailbox }) => `${account}/${mailbox}`).sort());
		for (const mailbox of mailboxes) {
			const subject = `${mailbox.account}/${mailbox.mailbox}`;
			const listing = listings.get(subject);
			expect(listing?.facts.uidValidity, subject).toBe(mailbox.uidvalidity);
			expect(listing?.facts.uidlist, subject).toBe(`G${mailbox.mailbox_guid}`);
			const fresh = [...(listing?.placements.values() ?? [])].filter((placement) => placement.uid === undefined).length;
			expect((listing?.facts.uidNext ?? 0) + fresh, subject).toBe(mailbox.uidnext);
			expect(listing?.facts.owner, subject).toEqual(process.getuid?.() === 0 ? [5000, 5000] : [process.getuid?.(), process.getgid?.()]);
		}
	});

	test('is the same as a directory of homes, and keeps the files that a restored store needs', async () => {
		const root = extract();
		const source = openMaildirSource(root);
		const { accounts } = await source.accounts(new AbortController().signal);
		expect(accounts.map(({ account }) => account)).toEqual(['anna@example.org', 'bernd@example.org', 'chloe@example.org']);
		const [anna] = accounts;
		if (anna === undefined) throw new Error('no account');
		const look = await source.look(anna);
		expect(look.layout).toBe(layout);
		const { controls, findings } = await source.controls(anna);
		expect(findings).toEqual([]);
		const paths = controls.map(({ path }) => path);
		expect(paths).toContain('subscriptions');
		expect(paths.filter((path) => /^dovecot-uidvalidity(\.[0-9a-f]{8})?$/.test(path))).toHaveLength(2);
		if (name === 'maildirpp') {
			expect(controls.find(({ path }) => path === '.dovecot.sieve')).toMatchObject({ link: 'sieve/main.sieve' });
			const script = controls.find(({ path }) => path === 'sieve/main.sieve');
			expect(Buffer.from(script?.content ?? '', 'base64').toString()).toMatch(/fileinto|require|keep/);
		}
		const archive = look.folders.find(({ folder }) => folder === 'Archive/2019');
		if (archive === undefined) throw new Error('no Archive/2019');
		const listing = await source.listFolder(anna, archive);
		const kept = listing.controls.map(({ path }) => path);
		expect(kept).toEqual(
			name === 'maildirpp'
				? ['dovecot-acl', 'dovecot-keywords', 'dovecot.index.log', 'maildirfolder']
				: ['dovecot-keywords', 'dovecot.index', 'dovecot.index.log', 'dovecot.index.log.2'],
		);
	});
});
