import { Argument, type Command } from 'commander';
import type { Archive, Listing, ListRequest, Outcome } from '../../archive/index.ts';
import type { AccountName, FolderName } from '../../domain/index.ts';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import type { Sink } from '../io.ts';
import { ALL_ROWS, limitOf, remarkMore } from '../limits.ts';
import { drawAccounts, drawBundles, drawFolders, drawMessages, drawSnapshots } from '../rows.ts';
import type { Services } from '../services.ts';
import { accountValue, countValue, folderValue } from '../values.ts';

interface LsOptions {
	readonly account?: AccountName;
	readonly folder?: FolderName;
	readonly at?: string;
	readonly limit?: number;
}

/** One kind of list: its rows from the archive, and how they are drawn. */
type Lister = (
	archive: Archive,
	request: ListRequest,
	out: Sink,
) => Promise<Pick<Answer, 'result' | 'findings' | 'lines'> & { readonly cut: Cut }>;

interface Cut {
	readonly rows: number;
	readonly more: boolean;
}

function lister<Row>(
	list: (archive: Archive, request: ListRequest) => Promise<Outcome<Listing<Row>>>,
	draw: (rows: readonly Row[], out: Sink) => Iterable<string>,
): Lister {
	return async (archive, request, out) => {
		const { result, findings } = await list(archive, request);
		return { result, findings, lines: draw(result.rows, out), cut: { rows: result.rows.length, more: result.more } };
	};
}

function listers(services: Services): ReadonlyMap<string, Lister> {
	return new Map([
		['accounts', lister(services.listAccounts, drawAccounts)],
		['folders', lister(services.listFolders, drawFolders)],
		['messages', lister(services.listMessages, drawMessages)],
		['bundles', lister(services.listBundles, drawBundles)],
		['snapshots', lister(services.listSnapshots, drawSnapshots)],
	]);
}

export function describe(command: Command): void {
	command
		.description(
			'Lists what the archive holds. On a terminal at most 1,000 rows with titles, cut to its width; into a file or a pipe all rows in full, without titles.',
		)
		.addArgument(new Argument('<what>', 'what to list').choices(['accounts', 'folders', 'messages', 'bundles', 'snapshots']))
		.option('--account <name>', 'only this account', accountValue('--account'))
		.option('--folder <folder>', 'only this folder, e.g. INBOX or Projects/Alpha', folderValue('--folder'))
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)')
		.option('--limit <count>', 'at most so many rows', countValue('--limit', { least: 1, most: ALL_ROWS }));
	addExamples(command, [
		['mailseal ls folders --account alice@example.org', 'the folders of an account'],
		['mailseal ls messages --account alice@example.org --folder INBOX --at 3d', 'an inbox as it was three days ago'],
		['mailseal ls snapshots --json', 'every night there is, for a script'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const { account, folder, at, limit } = call.options<LsOptions>();
	const most = limitOf(call, limit);
	const list = listers(call.services).get(call.arguments[0] ?? '');
	if (!list) throw new Error('an argument outside of its choices came through');
	const request: ListRequest = {
		...(account === undefined ? {} : { account }),
		...(folder === undefined ? {} : { folder }),
		...(at === undefined ? {} : { at }),
		...(most === undefined ? {} : { limit: most }),
		now: call.io.now(),
	};
	const { cut, ...answer } = await withArchive(call, { work: (archive) => list(archive, request, call.io.stdout) });
	return cut.more ? { ...answer, remark: remarkMore(cut.rows) } : answer;
}
