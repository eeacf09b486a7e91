import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
	type ControlWord,
	type FolderName,
	type FolderWord,
	formatInstant,
	type MessageId,
	type PlacedWord,
	parseFolderName,
	parseMessageId,
} from '../../src/domain/index.ts';
import { type AccountMail, maildirWriter, openMaildirMessage, openMaildirSource, openMessageWriter } from '../../src/sources/index.ts';
import { sharedData } from '../support/shared-data.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';
import { emptyFolder } from './write-sample.ts';

interface Read {
	readonly accounts: readonly AccountMail[];
	readonly messages: ReadonlyMap<MessageId, Uint8Array>;
}

/** All words of a store, as a pack would gather them. */
async function readStore(spec: string): Promise<Read> {
	const source = openMaildirSource(spec);
	const messages = new Map<MessageId, Uint8Array>();
	const accounts: AccountMail[] = [];
	for (const place of (await source.accounts(AbortSignal.timeout(60_000))).accounts) {
		const { account } = place;
		const looked = await source.look(place);
		const folders: FolderWord[] = [];
		const placements: PlacedWord[] = [];
		const { controls: own } = await source.controls(place);
		const controls: ControlWord[] = own.map((file) => ({ type: 'control', account, ...file }));
		for (const look of looked.folders) {
			const { folder } = look;
			const listing = await source.listFolder(place, look);
			folders.push({ type: 'folder', account, folder, ...listing.facts, dir: look.dir });
			controls.push(...listing.controls.map((file): ControlWord => ({ type: 'control', account, folder, ...file })));
			for (const { path, ambiguous, ...listed } of listing.placements.values()) {
				const read = openMaildirMessage(path, { limit: 1 << 30 });
				if ('unreadable' in read || read.bytes === null) throw new Error(`cannot read ${path}`);
				const message = parseMessageId(createHash('sha256').update(read.bytes).digest('hex'));
				messages.set(message, read.bytes);
				const { mode, owner } = read;
				placements.push({ type: 'placed', account, folder, message, ...listed, date: formatInstant(read.date), mode, owner });
			}
		}
		accounts.push({ account: { type: 'account', account, source: source.spec, layout: looked.layout }, folders, controls, placements });
	}
	return { accounts, messages };
}

function writeStore(read: Read, options: { readonly to: string; readonly layout: 'maildir++' | 'fs' }): string[] {
	const writer = maildirWriter(options);
	const codes: string[] = [];
	for (const account of read.accounts) {
		const plan = writer.plan(account);
		plan.begin();
		const output = openMessageWriter();
		for (const job of plan.jobs) output.write(job, [read.messages.get(job.message) ?? Buffer.from('missing')]);
		output.close();
		codes.push(...[...plan.findings, ...plan.finish()].map((finding) => finding.code));
	}
	return codes;
}

/** What must be the same however folders are spelled on disk. */
function comparable(read: Read): unknown {
	return read.accounts.map(({ account, folders, controls, placements }) => ({
		account: account.account,
		folders: folders.map(({ dir, ...word }) => word),
		controls: controls.filter(({ path }) => path !== 'subscriptions' && path !== 'maildirfolder'),
		placements: new Map(placements.map((word) => [`${word.folder}/${word.key}`, word])),
	}));
}

function rename(read: Read, names: ReadonlyMap<string, string>): Read {
	function renamed<Word extends { readonly folder?: FolderName }>(word: Word): Word {
		const name = names.get(word.folder ?? '');
		return name === undefined ? word : { ...word, folder: parseFolderName(name) };
	}
	const accounts = read.accounts.map((mail) => ({
		...mail,
		folders: mail.folders.map(renamed),
		controls: mail.controls.map(renamed),
		placements: mail.placements.map(renamed),
	}));
	return { ...read, accounts };
}

const data = sharedData('stores');

function extract(name: string): string {
	const store = emptyFolder();
	execFileSync('tar', ['-xf', join(data ?? '', `${name}.tar`), '-C', store, '--numeric-owner', '-p']);
	return store;
}

describe.skipIf(data === null)('a store that Dovecot wrote', () => {
	test('comes back as the same tree of Maildir++', async () => {
		const store = extract('maildirpp');
		const read = await readStore(join(store, '{account}/Maildir'));
		expect(read.messages.size).toBeGreaterThan(50);
		const to = emptyFolder();
		expect(writeStore(read, { to, layout: 'maildir++' })).toEqual([]);
		const difference = compareTreeStates(readTreeState(store), readTreeState(to));
		// Scripts lie in the home directory of that store, and in the Maildir of a restored account.
		expect(difference.filter((text) => !text.includes('sieve'))).toEqual([]);
		expect(writeStore(read, { to, layout: 'maildir++' })).toEqual([]);
		expect(compareTreeStates(readTreeState(store), readTreeState(to))).toEqual(difference);
	});

	test.each([
		['maildirpp', 'fs', '{account}/Maildir'],
		['maildir-fs-gz', 'fs', '{account}/mail'],
		['maildir-fs-gz', 'maildir++', '{account}/mail'],
	] as const)('%s is read back the same from layout %s', async (name, layout, spec) => {
		const read = await readStore(join(extract(name), spec));
		expect(read.messages.size).toBeGreaterThan(50);
		const to = emptyFolder();
		mkdirSync(join(to, 'restored'));
		// Dovecot's own name for a dot that Maildir++ cannot hold.
		const renamed = layout === 'maildir++' ? [['v1.2 notes', 'v1\\2e2 notes'] as const] : [];
		expect(writeStore(read, { to: join(to, 'restored'), layout })).toEqual(renamed.map(() => 'restore-folder-renamed'));
		expect(comparable(await readStore(join(to, 'restored/{account}')))).toEqual(comparable(rename(read, new Map(renamed))));
	});
});
