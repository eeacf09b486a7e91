import type { Catalog, KnownAccount, KnownFolder } from '../catalog/index.ts';
import { type AccountName, type Finding, type FolderName, MailsealError, tenantOf, type Word } from '../domain/index.ts';
import type { AccountLook, FolderListing, FolderLook, MailSource, SourceAccount } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { compareFolder, controlNews, type FolderNews } from './compare-folder.ts';
import type { ScannedAccount, ScanRequest } from './scan.ts';

export interface AccountContext {
	readonly source: MailSource;
	readonly request: ScanRequest;
	readonly known: KnownAccount | null;
	readonly findings: Finding[];
	readonly counts: { folders: number; foldersRead: number };
}

/** Compares one account with the catalog; null where nothing changed, or where the account cannot be looked at and stays as it was. */
export async function scanAccount(root: SourceAccount, context: AccountContext): Promise<ScannedAccount | null> {
	try {
		return await compareAccount(root, context);
	} catch (error) {
		if (!isUnreadable(error)) throw error;
		context.findings.push({
			code: 'account-unreadable',
			severity: 'error',
			subject: root.account,
			text: error.message,
			hint: error.hint ?? 'its mail stays in the archive as it was; make it readable and pack again',
		});
		return null;
	}
}

function isUnreadable(error: unknown): error is MailsealError {
	return error instanceof MailsealError && (error.code === 'permission' || error.code === 'io' || error.code === 'not-found');
}

async function compareAccount(root: SourceAccount, context: AccountContext): Promise<ScannedAccount | null> {
	const { source, request, known, findings, counts } = context;
	const { catalog } = request;
	const { account } = root;
	const folders = known === null ? new Map<FolderName, KnownFolder>() : catalog.pack.folders(account);
	const signatures = request.rescan ? new Map() : folders;
	let look = await source.look(root, { known: signatures });
	findings.push(...look.findings);
	const words: Word[] = [];
	let signature: string | null = known?.signature ?? null;
	const controlsChanged = request.rescan || signature !== look.controlSignature;
	if (controlsChanged) {
		const { controls, findings: more, complete } = await source.controls(root);
		findings.push(...more);
		words.push(...controlNews(controls, { account, folder: '', known: catalog.pack.controls(account, ''), complete }));
		signature = more.length === 0 ? look.controlSignature : null;
	}
	const news = new Map<FolderName, FolderNews>();
	const unchanged = (folder: FolderLook): boolean => !request.rescan && folders.get(folder.folder)?.signature === folder.signature;
	await compareFolders(
		look.folders.filter((folder) => !unchanged(folder)),
		{ root, context, folders, news },
	);
	if (misses(news, folders, look)) {
		// What is gone from one folder may have been moved to one that was listed before it came.
		const first = new Map(look.folders.map((folder) => [folder.folder, folder.signature]));
		look = await source.look(root, { known: signatures, before: look });
		await compareFolders(
			look.folders.filter((folder) => first.get(folder.folder) !== folder.signature),
			{ root, context, folders, news },
		);
	}
	counts.folders += look.folders.length;
	if (known === null || known.source !== source.spec || known.layout !== look.layout) {
		words.push({ type: 'account', account, source: source.spec, layout: look.layout });
	}
	const there = new Set(look.folders.map(({ folder }) => folder));
	for (const folder of folders.values()) {
		if (there.has(folder.folder)) continue;
		news.delete(folder.folder);
		if (look.complete) words.push(...removeFolder(account, folder, catalog));
	}
	for (const one of news.values()) words.push(...one.words);
	if (words.length === 0 && news.size === 0 && !controlsChanged) return null;
	const scanned = [...news.values()].map((one) => one.folder).sort((a, b) => (a.folder < b.folder ? -1 : 1));
	return { account, tenant: tenantOf(account), source, root, folders: scanned, words, signature, isNew: known === null };
}

function misses(news: ReadonlyMap<FolderName, FolderNews>, known: ReadonlyMap<FolderName, KnownFolder>, look: AccountLook): boolean {
	const there = new Set(look.folders.map(({ folder }) => folder));
	for (const folder of known.keys()) if (!there.has(folder)) return true;
	for (const { words } of news.values()) if (words.some((word) => word.type === 'removed')) return true;
	return false;
}

async function compareFolders(
	looks: readonly FolderLook[],
	options: {
		readonly root: SourceAccount;
		readonly context: AccountContext;
		readonly folders: ReadonlyMap<FolderName, KnownFolder>;
		readonly news: Map<FolderName, FolderNews>;
	},
): Promise<void> {
	const { root, context, folders, news } = options;
	const { source, request, findings, counts } = context;
	for (const look of looks) {
		throwIfAborted(request.signal);
		const listing = await listFolder(root, look, context);
		if (listing === null) continue;
		counts.foldersRead++;
		findings.push(...listing.findings);
		const { catalog, now, rescan } = request;
		const before = folders.get(look.folder) ?? null;
		news.set(look.folder, compareFolder({ account: root.account, look, listing, before, source, catalog, now, rescan }));
	}
}

async function listFolder(root: SourceAccount, look: FolderLook, { source, findings }: AccountContext): Promise<FolderListing | null> {
	try {
		return await source.listFolder(root, look);
	} catch (error) {
		if (!isUnreadable(error)) throw error;
		// A folder that went away since the look is removed by the next pack, which then sees that it is gone.
		const vanished = error.code === 'not-found';
		findings.push({
			code: vanished ? 'folder-vanished' : 'folder-unreadable',
			severity: vanished ? 'note' : 'error',
			subject: `${root.account}/${look.folder}`,
			text: error.message,
			hint: error.hint ?? 'its mail stays in the archive as it was; make it readable and pack again',
		});
		return null;
	}
}

/** The words that take an account out of the archive's present state. */
export function removeAccount(account: AccountName, catalog: Catalog): Word[] {
	const words: Word[] = [];
	for (const folder of catalog.pack.folders(account).values()) words.push(...removeFolder(account, folder, catalog));
	for (const path of catalog.pack.controls(account, '').keys()) words.push({ type: 'control-removed', account, path });
	words.push({ type: 'account-removed', account });
	return words;
}

function removeFolder(account: AccountName, folder: KnownFolder, catalog: Catalog): Word[] {
	const words: Word[] = [];
	for (const key of catalog.pack.keys(folder)) words.push({ type: 'removed', account, folder: folder.folder, key });
	for (const path of catalog.pack.controls(account, folder.folder).keys()) {
		words.push({ type: 'control-removed', account, folder: folder.folder, path });
	}
	words.push({ type: 'folder-removed', account, folder: folder.folder });
	return words;
}
