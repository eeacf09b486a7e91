import type { Catalog, KnownAccount, KnownFolder, KnownPlacement } from '../catalog/index.ts';
import {
	type AccountName,
	type ControlWord,
	type Finding,
	type FolderName,
	type FolderWord,
	formatInstant,
	MailsealError,
	type PlacedWord,
	type Progress,
	type Tenant,
	tenantOf,
	type Word,
} from '../domain/index.ts';
import type { AccountLook, ControlFile, FolderListing, FolderLook, ListedPlacement, MailSource, SourceAccount } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';

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
	readonly added: readonly NewPlacement[];
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
	const counts = { accounts: 0, folders: 0, foldersRead: 0, changed: 0, removed: 0 };
	const seen = new Map<AccountName, string>();
	const looked: { readonly source: MailSource; readonly complete: boolean; readonly removed: number }[] = [];
	request.progress.step('scan');
	for (const source of sources) {
		const before = counts.removed;
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
		looked.push({ source, complete: list.complete, removed: counts.removed - before });
	}
	// Only now is it known which accounts are gone: one may have moved to another source.
	for (const { source, complete, removed } of looked) {
		const had = [...known].filter(([name, account]) => (seen.get(name) ?? account.source) === source.spec).map(([name]) => name);
		const missing = complete ? had.filter((name) => !seen.has(name)) : [];
		if (!request.allowMassRemoval && missing.length * 2 >= had.length && missing.length > 1)
			throw massRemoval(source, `${missing.length} of its ${had.length} accounts are gone`);
		const before = counts.removed;
		for (const account of missing) words.push(...removeAccount(account, catalog, counts));
		refuseMassRemoval(source, { removed: removed + counts.removed - before, request, accounts: had });
	}
	accounts.sort((a, b) => (a.account < b.account ? -1 : 1));
	return { accounts, words, findings, counts };
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

function refuseMassRemoval(source: MailSource, options: { removed: number; request: ScanRequest; accounts: readonly AccountName[] }): void {
	const { removed, request, accounts } = options;
	if (request.allowMassRemoval || removed < MASS) return;
	let had = 0;
	for (const name of accounts) {
		for (const folder of request.catalog.pack.folders(name).values()) had += request.catalog.pack.countIn(folder.id);
	}
	if (removed * 2 > had) throw massRemoval(source, `${removed} of its ${had} messages are gone`);
}

function removeAccount(account: AccountName, catalog: Catalog, counts: Scan['counts']): Word[] {
	const words: Word[] = [];
	for (const folder of catalog.pack.folders(account).values()) words.push(...removeFolder(account, folder, { catalog, counts }));
	for (const path of catalog.pack.controls(account, '').keys()) words.push({ type: 'control-removed', account, path });
	words.push({ type: 'account-removed', account });
	return words;
}

function removeFolder(
	account: AccountName,
	folder: KnownFolder,
	{ catalog, counts }: { catalog: Catalog; counts: Scan['counts'] },
): Word[] {
	const words: Word[] = [];
	for (const key of catalog.pack.placements(account, folder).keys()) {
		words.push({ type: 'removed', account, folder: folder.folder, key });
		counts.removed++;
	}
	for (const path of catalog.pack.controls(account, folder.folder).keys()) {
		words.push({ type: 'control-removed', account, folder: folder.folder, path });
	}
	words.push({ type: 'folder-removed', account, folder: folder.folder });
	return words;
}

interface Context {
	readonly source: MailSource;
	readonly request: ScanRequest;
	readonly known: KnownAccount | null;
	readonly findings: Finding[];
	readonly counts: Scan['counts'];
}

async function scanAccount(root: SourceAccount, context: Context): Promise<ScannedAccount | null> {
	const { source, request, known, findings, counts } = context;
	const { catalog } = request;
	const { account } = root;
	const look = await source.look(root);
	findings.push(...look.findings);
	const folders = known === null ? new Map<FolderName, KnownFolder>() : catalog.pack.folders(account);
	const words: Word[] = [];
	const scanned: ScannedFolder[] = [];
	counts.folders += look.folders.length;
	if (known === null || known.source !== source.spec || known.layout !== look.layout) {
		words.push({ type: 'account', account, source: source.spec, layout: look.layout });
	}
	let signature: string | null = known?.signature ?? null;
	const controlsChanged = request.rescan || signature !== look.controlSignature;
	if (controlsChanged) {
		const { controls, findings: more } = await source.controls(root);
		findings.push(...more);
		words.push(...controlNews(controls, { account, folder: '', known: catalog.pack.controls(account, '') }));
		signature = more.length === 0 ? look.controlSignature : null;
	}
	for (const folderLook of look.folders) {
		throwIfAborted(request.signal);
		const before = folders.get(folderLook.folder) ?? null;
		folders.delete(folderLook.folder);
		if (!request.rescan && before !== null && before.signature === folderLook.signature) continue;
		const listing = await listFolder(root, folderLook, { source, findings });
		if (listing === null) continue;
		counts.foldersRead++;
		findings.push(...listing.findings);
		const news = compareFolder({ account, look: folderLook, listing, before, context });
		words.push(...news.words);
		scanned.push(news.folder);
	}
	if (look.complete) for (const gone of folders.values()) words.push(...removeFolder(account, gone, { catalog, counts }));
	if (words.length === 0 && scanned.length === 0 && !controlsChanged) return null;
	return { account, tenant: tenantOf(account), source, root, folders: scanned, words, signature, isNew: known === null };
}

async function listFolder(
	root: SourceAccount,
	look: AccountLook['folders'][number],
	{ source, findings }: Pick<Context, 'source' | 'findings'>,
): Promise<FolderListing | null> {
	try {
		return await source.listFolder(root, look);
	} catch (error) {
		if (!(error instanceof MailsealError) || (error.code !== 'permission' && error.code !== 'io' && error.code !== 'not-found'))
			throw error;
		// A folder that went away since the look is removed by the next pack, which then sees that it is gone.
		findings.push({
			code: error.code === 'not-found' ? 'folder-vanished' : 'folder-unreadable',
			severity: error.code === 'not-found' ? 'note' : 'error',
			subject: `${root.account}/${look.folder}`,
			text: error.message,
			hint: error.hint ?? 'its mail stays in the archive as it was; make it readable and pack again',
		});
		return null;
	}
}

function compareFolder(options: {
	account: AccountName;
	look: FolderLook;
	listing: FolderListing;
	before: KnownFolder | null;
	context: Context;
}): { words: Word[]; folder: ScannedFolder } {
	const { account, look, listing, before, context } = options;
	const { catalog, now, rescan } = context.request;
	const { counts, source } = context;
	const { folder } = look;
	const words: Word[] = [];
	const added: NewPlacement[] = [];
	const word: FolderWord = { type: 'folder', account, folder, ...listing.facts };
	if (before === null || !sameFolder(before.word, word)) words.push(word);
	words.push(
		...controlNews(listing.controls, { account, folder, known: before === null ? new Map() : catalog.pack.controls(account, folder) }),
	);
	const known = before === null ? new Map<string, KnownPlacement>() : catalog.pack.placements(account, before);
	const doubled = new Set<string>();
	for (const key of known.keys()) if (key.includes(':')) doubled.add(key.slice(0, key.indexOf(':')));
	for (const [key, listed] of listing.placements) {
		const old = known.get(key);
		known.delete(key);
		// Two files had one base name: the key may now stand for the other's bytes, so they are read again.
		const trusted = old !== undefined && !rescan && listed.ambiguous !== true && !doubled.has(key);
		if (!trusted) {
			// What is gone already is looked for again when it is read.
			const { date, size } = source.measure(listed.path) ?? { date: now, size: 0 };
			added.push({ listed, date, size, known: old?.word ?? null });
			continue;
		}
		const changed = changedWord(old.word, listed, now);
		if (changed !== null) {
			words.push(changed);
			counts.changed++;
		}
	}
	if (listing.complete) {
		for (const key of known.keys()) {
			words.push({ type: 'removed', account, folder, key });
			counts.removed++;
		}
	}
	return { words, folder: { account, folder, look, facts: listing.facts, added, signature: listing.signature } };
}

/** The word that says how a known placement changed, or null where it did not. */
export function changedWord(old: PlacedWord, listed: ListedPlacement, now: number): PlacedWord | null {
	const sameState = sameList(old.flags, listed.flags) && sameList(old.keywords, listed.keywords);
	const sameName = old.dir === listed.dir && (old.info ?? '') === (listed.info ?? '');
	if (sameState && sameName && old.uid === listed.uid && (old.uidlist ?? '') === (listed.uidlist ?? '')) return null;
	const { uid: _uid, dir: _dir, info: _info, uidlist: _uidlist, ...kept } = old;
	return {
		...kept,
		...placedState(listed),
		...(sameState ? {} : { since: formatInstant(now) }),
	};
}

/** The part of a placed word that a listing alone gives. */
export function placedState(listed: ListedPlacement): Pick<PlacedWord, 'flags' | 'keywords' | 'uid' | 'dir' | 'info' | 'uidlist'> {
	return {
		flags: listed.flags,
		keywords: listed.keywords,
		...(listed.uid === undefined ? {} : { uid: listed.uid }),
		...(listed.dir === undefined ? {} : { dir: listed.dir }),
		...(listed.info === undefined || listed.info === '' ? {} : { info: listed.info }),
		...(listed.uidlist === undefined || listed.uidlist === '' ? {} : { uidlist: listed.uidlist }),
	};
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
	return a.length === b.length && a.every((item, index) => item === b[index]);
}

function sameFolder(a: FolderWord | null, b: FolderWord): boolean {
	return (
		a !== null &&
		a.dir === b.dir &&
		a.uidValidity === b.uidValidity &&
		a.uidNext === b.uidNext &&
		a.uidlist === b.uidlist &&
		a.mode === b.mode &&
		a.owner?.[0] === b.owner?.[0] &&
		a.owner?.[1] === b.owner?.[1]
	);
}

function controlNews(
	controls: readonly ControlFile[],
	{ account, folder, known }: { account: AccountName; folder: FolderName | ''; known: Map<string, ControlWord> },
): Word[] {
	const words: Word[] = [];
	const place = folder === '' ? {} : { folder };
	for (const control of controls) {
		const old = known.get(control.path);
		known.delete(control.path);
		const word: ControlWord = { type: 'control', account, ...place, ...control };
		const { type: _a, account: _b, folder: _c, ...before } = old ?? word;
		if (old === undefined || JSON.stringify(sorted(before)) !== JSON.stringify(sorted(control))) words.push(word);
	}
	for (const path of known.keys()) words.push({ type: 'control-removed', account, ...place, path });
	return words;
}

function sorted(value: object): [string, unknown][] {
	return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
