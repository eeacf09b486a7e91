import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, type Mailbox, openMailbox, subscriptionsOf } from './mailbox.ts';
import { folderDirectory, formatUidList, makeMaildir, replaceFile, setTime } from './maildir.ts';
import type { Prng } from './prng.ts';

const NAMES = ['Projects/Gamma', 'Projects/Delta', 'Projects/Delta/Minutes', 'Reisen/Zürich', 'Kunden/A&B', 'Lists', 'Belege 2', '旅行'];

export interface FolderChanges {
	readonly prng: Prng;
	/** Milliseconds since 1970. */
	readonly at: number;
	/** True for the directory of a folder that its owner may rename and delete. */
	readonly own: (directory: string) => boolean;
	/** Messages that a renamed or deleted folder holds at most. */
	readonly largest: number;
	readonly report: { foldersMade: number; foldersRenamed: number; foldersDeleted: number };
}

/** Now and then somebody makes, renames or deletes a folder; a name that was deleted may come back as another folder. */
export function changeFolders(accounts: readonly Account[], options: FolderChanges): void {
	const { prng, report } = options;
	if (prng.chance(0.3) && makeFolder(prng.pick(accounts), options)) report.foldersMade++;
	if (prng.chance(0.15) && renameFolder(prng.pick(accounts), options)) report.foldersRenamed++;
	if (prng.chance(0.12) && deleteFolder(prng.pick(accounts), options)) report.foldersDeleted++;
}

function makeFolder(account: Account, { prng, at }: FolderChanges): boolean {
	const directory = freeDirectory(account, prng);
	if (directory === undefined) return false;
	const path = join(account.path, directory);
	makeMaildir(path);
	replaceFile(join(path, 'maildirfolder'), { text: '', at });
	const validity = Math.floor(at / 1000);
	replaceFile(join(path, 'dovecot-uidlist'), { text: formatUidList({ validity, next: 1, guid: prng.hex(4), lines: [] }), at });
	for (const name of ['cur', 'new', 'tmp', '']) setTime(join(path, name), at);
	account.folders.set(directory, openMailbox(path));
	subscribe(account, directory);
	return true;
}

/** A rename changes no time below the folder itself, so that only the name tells. */
function renameFolder(account: Account, options: FolderChanges): boolean {
	const from = ownFolder(account, options);
	const to = freeDirectory(account, options.prng);
	if (from === undefined || to === undefined || to.startsWith(`${from}.`)) return false;
	for (const [directory, mailbox] of withChildren(account, from)) {
		const renamed = to + directory.slice(from.length);
		const path = join(account.path, renamed);
		if (existsSync(path)) continue;
		renameSync(mailbox.path, path);
		mailbox.path = path;
		account.folders.delete(directory);
		account.folders.set(renamed, mailbox);
		unsubscribe(account, directory);
		subscribe(account, renamed);
	}
	return true;
}

function deleteFolder(account: Account, options: FolderChanges): boolean {
	const directory = ownFolder(account, options);
	const mailbox = account.folders.get(directory ?? '');
	if (directory === undefined || !mailbox) return false;
	rmSync(mailbox.path, { recursive: true });
	account.folders.delete(directory);
	account.touched = true;
	// Some programs leave the subscription of a folder that is gone.
	if (options.prng.chance(0.5)) unsubscribe(account, directory);
	return true;
}

function ownFolder(account: Account, { prng, own, largest }: FolderChanges): string | undefined {
	const fitting = [...account.folders]
		.filter(([directory, mailbox]) => own(directory) && mailbox.cur.length + mailbox.new.length <= largest)
		.map(([directory]) => directory)
		.sort();
	return fitting.length === 0 ? undefined : prng.pick(fitting);
}

function freeDirectory(account: Account, prng: Prng): string | undefined {
	const free = NAMES.map(folderDirectory).filter((directory) => !account.folders.has(directory));
	return free.length === 0 ? undefined : prng.pick(free);
}

function withChildren(account: Account, directory: string): [string, Mailbox][] {
	return [...account.folders].filter(([name]) => name === directory || name.startsWith(`${directory}.`));
}

function subscribe(account: Account, directory: string): void {
	const lines = subscriptionsOf(account);
	const line = directory.slice(1).replaceAll('.', '\t');
	if (!lines.includes(line)) lines.push(line);
	account.subscriptionsChanged = true;
	account.touched = true;
}

function unsubscribe(account: Account, directory: string): void {
	const lines = subscriptionsOf(account);
	const at = lines.indexOf(directory.slice(1).replaceAll('.', '\t'));
	if (at >= 0) lines.splice(at, 1);
	account.subscriptionsChanged = true;
	account.touched = true;
}
