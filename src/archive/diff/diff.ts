import type { Catalog, ShownPlacement } from '../../catalog/index.ts';
import { type AccountName, type Finding, MailsealError, SILENT } from '../../domain/index.ts';
import { throwIfAborted } from '../abort.ts';
import { catalogAt } from '../catalog-at.ts';
import { messageRow } from '../list.ts';
import type { Archive } from '../open-archive.ts';
import type { Outcome } from '../results.ts';
import { type AccountState, compareAccounts, NO_ACCOUNT, type PlacementChange, placeOf } from './compare-accounts.ts';
import type { ChangeRow, DiffRequest, DiffResult, DiffSide, Marks, PlacementRow } from './results.ts';
import { openTally, type Tally } from './tally.ts';

/** Tells what came, went, moved and was marked otherwise between two snapshots; the first may be the later one. */
export async function diff(archive: Archive, request: DiffRequest): Promise<Outcome<DiffResult>> {
	const { before: from, after: to, ...options } = request;
	const after = await catalogAt(archive, { ...options, at: to });
	try {
		const before = await catalogAt(archive, { ...options, at: from });
		try {
			return await compare({ before, after }, request);
		} finally {
			before.close();
		}
	} finally {
		after.close();
	}
}

interface Both {
	readonly before: Catalog;
	readonly after: Catalog;
}

async function compare({ before, after }: Both, request: DiffRequest): Promise<Outcome<DiffResult>> {
	const { progress = SILENT, signal } = request;
	const sides = { before: sideOf(before), after: sideOf(after) };
	const tally = openTally(request.limit);
	const accounts = chosenAccounts({ before, after }, request.account);
	// A snapshot is a state: nothing happened since to it.
	const isSame = sides.before.snapshot === sides.after.snapshot;
	progress.step('compare', accounts.length);
	for (const account of isSame ? [] : accounts) {
		// The signal comes between two turns, and no comparison waits for anything.
		await new Promise(setImmediate);
		if (signal !== undefined) throwIfAborted(signal);
		compareOne({ before, after }, { account, request, tally });
		progress.advance(1);
	}
	return { result: { ...sides, ...tally.result() }, findings: lacksOf({ before, after }) };
}

function sideOf(catalog: Catalog): DiffSide {
	const state = catalog.state();
	if (state === null) throw new Error('a catalog of a moment stands at no snapshot');
	return { snapshot: state.name, time: state.time };
}

/** A misspelled account must not look like one in which nothing happened. */
function chosenAccounts({ before, after }: Both, account: AccountName | undefined): AccountName[] {
	const all = new Set([before, after].flatMap((catalog) => [...catalog.pack.accounts().keys()]));
	if (account === undefined) return [...all].sort();
	if (all.has(account)) return [account];
	throw new MailsealError('not-found', `Cannot find account "${account}" in either snapshot`, { hint: 'see "mailseal ls accounts"' });
}

/** What a damaged bundle says is missing from its state, and must not pass for mail that was removed in silence. */
function lacksOf({ before, after }: Both): Finding[] {
	const lacks = new Map([...before.lacks(), ...after.lacks()].map((finding) => [finding.subject, finding]));
	return [...lacks.values()];
}

function stateOf(catalog: Catalog, account: AccountName): AccountState | null {
	if (!catalog.pack.accounts().has(account)) return null;
	const folders = catalog.pack.folders(account);
	return {
		folders: new Set(folders.keys()),
		placements(folder) {
			const known = folders.get(folder);
			return known === undefined ? new Map() : catalog.read.placementStates(known);
		},
		hasMessage: (id) => catalog.pack.isPlacedIn(id, account),
	};
}

function compareOne(
	{ before, after }: Both,
	{ account, request, tally }: { readonly account: AccountName; readonly request: DiffRequest; readonly tally: Tally },
): void {
	const [old, now] = [stateOf(before, account), stateOf(after, account)];
	const { foldersMade, foldersRemoved, placements } = compareAccounts(old ?? NO_ACCOUNT, now ?? NO_ACCOUNT);
	const { folder: only } = request;
	const add = (row: ChangeRow): void => tally.add(row);
	if (only === undefined && old === null) add({ change: 'account-made', account });
	if (only === undefined && now === null) add({ change: 'account-removed', account });
	for (const folder of foldersMade) if (only === undefined || folder === only) add({ change: 'folder-made', account, folder });
	for (const folder of foldersRemoved) if (only === undefined || folder === only) add({ change: 'folder-removed', account, folder });
	for (const change of placements) {
		if (only !== undefined && placeOf(change).folder !== only && !(change.change === 'moved' && change.before.folder === only)) continue;
		const { folder, key } = placeOf(change);
		const shown = (change.change === 'removed' ? before : after).read.shownAt(account, folder, key);
		if (shown === null) throw new Error('a catalog shows no placement that it has');
		add(placementRow(change, shown));
	}
}

function placementRow(change: PlacementChange, shown: ShownPlacement): PlacementRow {
	const row = { change: change.change, ...messageRow(shown) };
	if (change.change !== 'moved' && change.change !== 'flagged') return row;
	const { before, after } = change;
	const [set, unset] = [marksBeyond(after, before), marksBeyond(before, after)];
	const isSame = [set, unset].every(({ flags, keywords }) => flags.length + keywords.length === 0);
	return {
		...row,
		...(change.change === 'moved' ? { was: { folder: before.folder, key: before.key } } : {}),
		...(isSame ? {} : { set, unset }),
	};
}

/** What the one has and the other has not. */
function marksBeyond(one: Marks, other: Marks): Marks {
	return {
		flags: one.flags.filter((flag) => !other.flags.includes(flag)),
		keywords: one.keywords.filter((keyword) => !other.keywords.includes(keyword)),
	};
}
