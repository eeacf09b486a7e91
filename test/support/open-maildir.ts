import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FolderListing, type MailSource, openMaildirMessage, openMaildirSource, type SourceAccount } from '../../src/sources/index.ts';
import { makeMaildir, type SmallFolder, temporaryDirectory } from './maildir.ts';

export interface Opened {
	readonly root: string;
	readonly source: MailSource;
	readonly account: SourceAccount;
}

/** Makes a Maildir of one account and opens it. */
export async function open(folders: Readonly<Record<string, SmallFolder>>, now?: () => number): Promise<Opened> {
	const root = join(temporaryDirectory(), 'alice', 'Maildir');
	mkdirSync(root, { recursive: true });
	makeMaildir(root, folders);
	const source = openMaildirSource(root, now === undefined ? {} : { now });
	const { accounts } = await source.accounts(new AbortController().signal);
	const [account] = accounts;
	if (account === undefined) throw new Error('no account');
	return { root, source, account };
}

export async function lookFor({ source, account }: Opened, folder = 'INBOX') {
	const found = (await source.look(account)).folders.find((look) => look.folder === folder);
	if (found === undefined) throw new Error(`no ${folder}`);
	return found;
}

export async function list(opened: Opened, folder = 'INBOX'): Promise<FolderListing> {
	return opened.source.listFolder(opened.account, await lookFor(opened, folder));
}

/** The bytes of a listed message, as Latin-1. */
export function contentOf(listing: FolderListing, key: string): string {
	const path = listing.placements.get(key)?.path;
	if (path === undefined) throw new Error(`no message ${key}`);
	const message = openMaildirMessage(path, { limit: 1000 });
	if ('unreadable' in message) throw new Error(message.text);
	return Buffer.from(message.bytes ?? '').toString('latin1');
}
