import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { formatUidList, readUidList, replaceFile, setTime, type UidLine, type UidList } from './maildir.ts';

/** A folder on disk while a day is lived in it. Names are sorted, so that the day does not depend on the order of a listing. */
export interface Mailbox {
	path: string;
	readonly cur: string[];
	readonly new: string[];
	/** What changed since the folder was opened. */
	readonly touched: Set<'cur' | 'new'>;
	uids: UidList | undefined;
	readonly added: UidLine[];
	readonly removed: Set<string>;
	/** Names of keywords in the order of their letters; undefined until asked for. */
	keywords: string[] | undefined;
	keywordsChanged: boolean;
}

export interface Account {
	readonly address: string;
	readonly path: string;
	readonly folders: Map<string, Mailbox>;
	subscriptionsChanged: boolean;
	/** Lines of `subscriptions` behind its header; undefined until asked for. */
	subscriptions: string[] | undefined;
	touched: boolean;
}

/** Lists all accounts below `root`, sorted; message files are not opened. */
export function openAccounts(root: string): Account[] {
	return readdirSync(root)
		.sort()
		.map((address) => {
			const path = join(root, address, 'Maildir');
			const directories = readdirSync(path)
				.filter((name) => name.startsWith('.') && existsSync(join(path, name, 'cur')))
				.sort();
			const folders = new Map(['', ...directories].map((name) => [name, openMailbox(join(path, name))]));
			return { address, path, folders, subscriptionsChanged: false, subscriptions: undefined, touched: false };
		});
}

export function openMailbox(path: string): Mailbox {
	return {
		path,
		cur: readdirSync(join(path, 'cur')).sort(),
		new: readdirSync(join(path, 'new')).sort(),
		touched: new Set(),
		uids: undefined,
		added: [],
		removed: new Set(),
		keywords: undefined,
		keywordsChanged: false,
	};
}

export function keywordsOf(mailbox: Mailbox): string[] {
	const path = join(mailbox.path, 'dovecot-keywords');
	mailbox.keywords ??= existsSync(path)
		? readFileSync(path, 'utf8')
				.split('\n')
				.slice(0, -1)
				.map((line) => line.slice(line.indexOf(' ') + 1))
		: [];
	return mailbox.keywords;
}

export function subscriptionsOf(account: Account): string[] {
	account.subscriptions ??= readFileSync(join(account.path, 'subscriptions'), 'utf8').split('\n').slice(2, -1);
	return account.subscriptions;
}

export function baseOf(name: string): string {
	const colon = name.indexOf(':');
	return colon < 0 ? name : name.slice(0, colon);
}

export function lettersOf(name: string): string {
	const info = name.indexOf(':2,');
	return info < 0 ? '' : name.slice(info + 3);
}

/** The letters with one of them turned round, in the order of ASCII. */
export function toggled(letters: string, letter: string): string {
	return letters.includes(letter) ? letters.replace(letter, '') : [...letters, letter].sort().join('');
}

/** Gives the message its UID, as Dovecot does on delivery. */
export function addUid(mailbox: Mailbox, base: string): void {
	const uids = openUids(mailbox);
	const line = { uid: uids.next++, base };
	uids.lines.push(line);
	mailbox.added.push(line);
}

export function removeUid(mailbox: Mailbox, base: string): void {
	openUids(mailbox);
	mailbox.removed.add(base);
}

function openUids(mailbox: Mailbox): UidList {
	mailbox.uids ??= readUidList(join(mailbox.path, 'dovecot-uidlist'));
	return mailbox.uids;
}

/** Puts a name in its place among sorted names. */
export function insertSorted(names: string[], name: string): void {
	let low = 0;
	let high = names.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((names[middle] ?? '') < name) low = middle + 1;
		else high = middle;
	}
	names.splice(low, 0, name);
}

/**
 * Writes what changed and sets the folders' times. `lazy`: the uidlist is only appended to, as Dovecot does between two
 * rewrites: its next uid lags behind, and it still names expunged messages.
 */
export function closeAccount(account: Account, options: { readonly at: number; readonly lazy: () => boolean }): void {
	const { at } = options;
	for (const mailbox of account.folders.values()) {
		closeMailbox(mailbox, { at, lazy: options.lazy() });
	}
	if (account.subscriptionsChanged) {
		replaceFile(join(account.path, 'subscriptions'), {
			text: `V\t2\n\n${subscriptionsOf(account)
				.map((line) => `${line}\n`)
				.join('')}`,
			at,
		});
	}
	const top = account.folders.get('');
	if (account.touched || account.subscriptionsChanged || (top && top.touched.size > 0)) setTime(account.path, at);
}

function closeMailbox(mailbox: Mailbox, options: { readonly at: number; readonly lazy: boolean }): void {
	const { uids, removed, path } = mailbox;
	const { at, lazy } = options;
	if (uids && (mailbox.added.length > 0 || (removed.size > 0 && !lazy))) {
		const kept = lazy ? uids.lines : uids.lines.filter((line) => !removed.has(line.base));
		const stated = lazy ? (mailbox.added[0]?.uid ?? uids.next) : uids.next;
		replaceFile(join(path, 'dovecot-uidlist'), { text: formatUidList({ ...uids, lines: kept }, stated), at });
	}
	if (mailbox.keywordsChanged) {
		const text = keywordsOf(mailbox)
			.map((name, letter) => `${letter} ${name}\n`)
			.join('');
		replaceFile(join(path, 'dovecot-keywords'), { text, at });
	}
	for (const dir of mailbox.touched) setTime(join(path, dir), at);
	if (mailbox.touched.size > 0 && basename(path) !== 'Maildir') setTime(path, at);
}
