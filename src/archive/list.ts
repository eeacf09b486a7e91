import type { Catalog, ShownPlacement } from '../catalog/index.ts';
import { type Finding, MailsealError, parseSearchQuery } from '../domain/index.ts';
import { catalogAt } from './catalog-at.ts';
import type { Archive } from './open-archive.ts';
import type { ListRequest, SearchRequest } from './requests.ts';
import type { AccountRow, AttachmentListing, BundleRow, FolderRow, Listing, MessageRow, Outcome, SnapshotRow } from './results.ts';
import { readSnapshot, snapshotNames } from './snapshots.ts';

type Filtered = Pick<ListRequest, 'account' | 'folder'> & { readonly limit?: number };

/** A misspelled account must not look like an empty one. */
function refuseUnknown(catalog: Catalog, { account }: ListRequest): void {
	if (account === undefined || catalog.read.listAccounts({ account }).length > 0) return;
	throw new MailsealError('not-found', `Cannot find account "${account}" in the archive`, {
		hint: 'see "mailseal ls accounts"; --at names an older snapshot',
	});
}

/** Asks for one row more than wanted, to know whether there are more. */
async function listFrom<Row>(
	archive: Archive,
	request: ListRequest,
	query: (catalog: Catalog, filter: Filtered) => readonly Row[],
): Promise<Outcome<Listing<Row>>> {
	const catalog = await catalogAt(archive, request);
	try {
		refuseUnknown(catalog, request);
		const { account, folder, limit } = request;
		const filter = {
			...(account === undefined ? {} : { account }),
			...(folder === undefined ? {} : { folder }),
			...(limit === undefined ? {} : { limit: limit + 1 }),
		};
		return cut(query(catalog, filter), limit, catalog.lacks());
	} finally {
		catalog.close();
	}
}

function cut<Row>(rows: readonly Row[], limit: number | undefined, findings: readonly Finding[]): Outcome<Listing<Row>> {
	const more = limit !== undefined && rows.length > limit;
	return { result: { rows: more ? rows.slice(0, limit) : rows, more }, findings };
}

export function listAccounts(archive: Archive, request: ListRequest): Promise<Outcome<Listing<AccountRow>>> {
	return listFrom(archive, request, (catalog, filter) => catalog.read.listAccounts(filter));
}

export function listFolders(archive: Archive, request: ListRequest): Promise<Outcome<Listing<FolderRow>>> {
	return listFrom(archive, request, (catalog, filter) =>
		catalog.read.listFolders(filter).map(({ facts: { uidValidity, uidNext }, ...row }) => ({
			...row,
			...(uidValidity === undefined ? {} : { uidValidity }),
			...(uidNext === undefined ? {} : { uidNext }),
		})),
	);
}

/** A placement as a list shows it. */
export function messageRow({ headers, ...placed }: ShownPlacement): MessageRow {
	const { messageId, from, to, subject } = headers;
	return {
		...placed,
		...(messageId === undefined ? {} : { messageId }),
		...(from === undefined ? {} : { from }),
		...(to === undefined ? {} : { to }),
		...(subject === undefined ? {} : { subject }),
	};
}

export function listMessages(archive: Archive, request: ListRequest): Promise<Outcome<Listing<MessageRow>>> {
	return listFrom(archive, request, (catalog, filter) => catalog.read.listMessages(filter).map(messageRow));
}

export function listBundles(archive: Archive, request: ListRequest): Promise<Outcome<Listing<BundleRow>>> {
	return listFrom(archive, request, (catalog, { limit }) => catalog.read.listBundles(limit === undefined ? {} : { limit }));
}

/** Attachments that placed messages need, those that save most first, and the bundles that hold them. */
export async function listAttachments(archive: Archive, request: ListRequest): Promise<Outcome<AttachmentListing>> {
	const catalog = await catalogAt(archive, request);
	try {
		refuseUnknown(catalog, request);
		const { account, limit } = request;
		const filter = account === undefined ? {} : { account };
		const rows = catalog.read.listAttachments({ ...filter, ...(limit === undefined ? {} : { limit: limit + 1 }) });
		const { result, findings } = cut(rows, limit, catalog.lacks());
		return { result: { ...result, bundles: catalog.read.attachmentBundles(filter) }, findings };
	} finally {
		catalog.close();
	}
}

/** All snapshots, oldest first; one that cannot be read is a finding. */
export async function listSnapshots(archive: Archive, request: ListRequest): Promise<Outcome<Listing<SnapshotRow>>> {
	const findings: Finding[] = [];
	const rows: SnapshotRow[] = [];
	const names = snapshotNames(archive.dir);
	for (const name of request.limit === undefined ? names : names.slice(-request.limit - 1)) {
		try {
			const { snapshot } = readSnapshot(archive.dir, name);
			const { changes, tags, history } = snapshot;
			const { accounts, messages, bytes } = snapshot.counts;
			rows.push({
				name,
				time: snapshot.time,
				accounts,
				messages,
				bytes,
				bundles: snapshot.bundles.length,
				skipped: snapshot.skipped.length,
				...(changes === undefined ? {} : { changes }),
				...(tags === undefined ? {} : { tags }),
				...(history === undefined ? {} : { record: true }),
			});
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
			findings.push({
				code: 'snapshot-damaged',
				severity: 'error',
				subject: name,
				text: error.message,
				...(error.hint === undefined ? {} : { hint: error.hint }),
			});
		}
	}
	const more = request.limit !== undefined && rows.length > request.limit;
	return { result: { rows: more ? rows.slice(1) : rows, more }, findings };
}

/** Finds messages by header, newest first. */
export async function search(archive: Archive, request: SearchRequest): Promise<Outcome<Listing<MessageRow>>> {
	const query = parseSearchQuery(request.query);
	const catalog = await catalogAt(archive, request);
	try {
		return cut(catalog.search(query, request.limit + 1).map(messageRow), request.limit, catalog.lacks());
	} finally {
		catalog.close();
	}
}
