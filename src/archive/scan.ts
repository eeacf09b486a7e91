import type { Catalog } from '../catalog/index.ts';
import {
	type AccountName,
	type Finding,
	type FolderName,
	MailsealError,
	type PlacedWord,
	type Progress,
	type Tenant,
	type Word,
} from '../domain/index.ts';
import type { FolderListing, FolderLook, ListedPlacement, MailSource, SourceAccount } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { removeAccount, scanAccount } from './scan-account.ts';

/** A message that no bundle has under this account, folder and key. */
export interface NewPlacement {
	readonly listed: ListedPlacement;
	/** As measured before reading: milliseconds since 1970, and stored bytes. */
	readonly date: number;
	readonly size: number;
	/** What was known under this key, where the key cannot be trusted or everything is read again. */
	readonly known: PlacedWord | null;
}

export interface ScannedFolder {
	readonly account: AccountName;
	readonly folder: FolderName;
	readonly look: FolderLook;
	readonly facts: FolderListing['facts'];
	readonly added: Iterable<NewPlacement>;
	/** Null where the next pack must list the folder again. */
	signature: string | null;
}

export interface ScannedAccount {
	readonly account: AccountName;
	readonly tenant: Tenant;
	readonly source: MailSource;
	readonly root: SourceAccount;
	/** Folders that had to be listed, sorted by name. */
	readonly folders: readonly ScannedFolder[];
	/** News that needs no reading: changed, removed, folders, control files. */
	readonly words: readonly Word[];
	readonly signature: string | null;
	/** True where no pack before this one saw the account. */
	readonly isNew: boolean;
}

export interface Scan {
	/** Accounts with something to do, sorted by name. */
	readonly accounts: readonly ScannedAccount[];
	/** Words about accounts that are gone. */
	readonly words: readonly Word[];
	readonly findings: Finding[];
	readonly counts: { accounts: number; folders: number; foldersRead: number; changed: number; removed: number };
}

export interface ScanRequest {
	readonly sources: readonly MailSource[];
	readonly catalog: Catalog;
	readonly now: number;
	readonly rescan: boolean;
	readonly allowMassRemoval: boolean;
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

/** Fewer removals than this are never taken for a store that is gone. */
const MASS = 10;

/** Compares the sources with the catalog. Cost follows changed folders: an unchanged one is a few looks at its directories. */
export async function scan(request: ScanRequest): Promise<Scan> {
	const { catalog, sources } = request;
	const known = catalog.pack.accounts();
	const findings: Finding[] = [];
	const words: Word[] = [];
	const accounts: ScannedAccount[] = [];
	const counts = { accounts: 0, folders: 0, foldersRead: 0 };
	const seen = new Map<AccountName, string>();
	const looked: { readonly source: MailSource; readonly complete: boolean }[] = [];
	request.progress.step('scan');
	for (const source of sources) {
		const list = await listAccounts(source, request);
		findings.push(...list.findings);
		for (const root of list.accounts) {
			throwIfAborted(request.signal);
			const { account } = root;
			const other = seen.get(account);
			if (other !== undefined) {
				throw new MailsealError('usage', `Cannot pack account "${account}" twice: it is in "${other}" and in "${source.spec}"`, {
					hint: 'name one of them otherwise, with --account or a pattern such as {user}@{domain}',
				});
			}
			seen.set(account, source.spec);
			counts.accounts++;
			const scanned = await scanAccount(root, { source, request, known: known.get(account) ?? null, findings, counts });
			if (scanned !== null) accounts.push(scanned);
			request.progress.advance(1);
		}
		looked.push({ source, complete: list.complete });
	}
	// Only now is it known which accounts are gone: one may have moved to another source.
	for (const { source, complete } of looked) {
		const had = [...known].filter(([name, account]) => (seen.get(name) ?? account.source) === source.spec).map(([name]) => name);
		const missing = complete ? had.filter((name) => !seen.has(name)) : [];
		if (!request.allowMassRemoval && had.length > 1 && missing.length * 2 >= had.length) {
			throw massRemoval(source, `${missing.length} of its ${had.length} accounts are gone`);
		}
		const gone = missing.flatMap((account) => removeAccount(account, catalog));
		words.push(...gone);
		refuseMassRemoval(source, { request, had, gone, accounts: accounts.filter((one) => one.source === source) });
	}
	accounts.sort((a, b) => (a.account < b.account ? -1 : 1));
	return { accounts, words, findings, counts: { ...counts, ...countWords([...accounts.flatMap((one) => one.words), ...words]) } };
}

function countWords(words: readonly Word[]): { changed: number; removed: number } {
	let changed = 0;
	let removed = 0;
	for (const { type } of words) {
		if (type === 'placed') changed++;
		else if (type === 'removed') removed++;
	}
	return { changed, removed };
}

async function listAccounts(source: MailSource, request: ScanRequest) {
	try {
		return await source.accounts(request.signal);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'source-gone' || !request.allowMassRemoval) throw error;
		return { accounts: [], findings: [], complete: true };
	}
}

function massRemoval(source: MailSource, what: string): MailsealError {
	return new MailsealError('mass-removal', `Cannot pack "${source.spec}": ${what}`, {
		hint: 'check that the store is mounted and whole; if the mail was really removed, run again with --allow-mass-removal',
	});
}

function refuseMassRemoval(
	source: MailSource,
	options: {
		readonly request: ScanRequest;
		readonly had: readonly AccountName[];
		readonly gone: readonly Word[];
		readonly accounts: readonly ScannedAccount[];
	},
): void {
	const { request, had, gone, accounts } = options;
	if (request.allowMassRemoval) return;
	const { removed } = countWords([...gone, ...accounts.flatMap((one) => one.words)]);
	if (removed < MASS) return;
	let added = 0;
	for (const { folders } of accounts) for (const folder of folders) for (const { known } of folder.added) if (known === null) added++;
	// What was moved to another folder is removed from one and new in the other.
	const least = (removed - added) * 2;
	let messages = 0;
	for (const name of had) {
		// Counting all of them would take longer than all else on a night of little change.
		if (messages >= least) return;
		for (const folder of request.catalog.pack.folders(name).values()) messages += request.catalog.pack.countIn(folder.id);
	}
	if (least > messages) throw massRemoval(source, `${removed} of its ${messages} messages are gone`);
}
