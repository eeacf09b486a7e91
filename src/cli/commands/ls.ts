import { Argument, type Command, Option } from 'commander';
import type { Archive, Listing, ListRequest, Outcome, Wanted } from '../../archive/index.ts';
import { type AccountName, type FolderName, MailsealError } from '../../domain/index.ts';
import { drawAttachments, drawBundlePaths } from '../attachment-rows.ts';
import type { Answer, Call } from '../call.ts';
import { addExamples } from '../examples.ts';
import type { Sink } from '../io.ts';
import { ALL_ROWS, limitOf, remarkMore } from '../limits.ts';
import { drawAccounts, drawBundles, drawFolders, drawMessages, drawSnapshots } from '../rows.ts';
import type { Services } from '../services.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { accountValue, countValue, folderValue } from '../values.ts';
import { wantedFor, withReadable } from '../with-target.ts';

interface LsOptions extends FromTargetOptions {
	readonly account?: AccountName;
	readonly folder?: FolderName;
	readonly at?: string;
	readonly limit?: number;
	readonly bundles?: boolean;
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

/** Attachments, or with `bundles` the paths of the bundles that hold them. */
function attachmentLister(services: Services, options: LsOptions): Lister {
	return async (archive, request, out) => {
		const { result, findings } = await services.listAttachments(archive, request);
		const { account, bundles } = options;
		const lines =
			bundles === true ? drawBundlePaths(result.bundles) : drawAttachments(result, { out, ...(account === undefined ? {} : { account }) });
		return { result, findings, lines, cut: { rows: result.rows.length, more: result.more && bundles !== true } };
	};
}

function listers(services: Services, options: LsOptions): ReadonlyMap<string, Lister> {
	return new Map([
		['accounts', lister(services.listAccounts, drawAccounts)],
		['folders', lister(services.listFolders, drawFolders)],
		['messages', lister(services.listMessages, drawMessages)],
		['attachments', attachmentLister(services, options)],
		['bundles', lister(services.listBundles, drawBundles)],
		['snapshots', lister(services.listSnapshots, drawSnapshots)],
	]);
}

export function describe(command: Command): void {
	command
		.description(
			'Lists what the archive holds. On a terminal at most 1,000 rows with titles, cut to its width; into a file or a pipe all rows in full, without titles. ' +
				'Attachments are all parts of messages that are stored apart, files and long texts, those that save most first.',
		)
		.addArgument(new Argument('<what>', 'what to list').choices(['accounts', 'folders', 'messages', 'attachments', 'bundles', 'snapshots']))
		.option('--account <name>', 'only this account', accountValue('--account'))
		.option('--folder <folder>', 'only this folder, e.g. INBOX or Projects/Alpha', folderValue('--folder'))
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)')
		.option('--limit <count>', 'at most so many rows', countValue('--limit', { least: 1, most: ALL_ROWS }))
		.addOption(
			new Option(
				'--bundles',
				'of attachments: print the path of every bundle that must be there to read them all (not of those with the messages), one a line, and no rows',
			).conflicts('limit'),
		);
	addFromTarget(command);
	addExamples(command, [
		['mailseal ls folders --account alice@example.org', 'the folders of an account'],
		['mailseal ls messages --account alice@example.org --folder INBOX --at 3d', 'an inbox as it was three days ago'],
		['mailseal ls attachments --limit 20', 'the parts whose sharing saves most'],
		['mailseal ls attachments --account alice@example.org --at 3d --bundles', 'from which bundles its attachments are read'],
		['mailseal ls snapshots --json', 'every night there is, for a script'],
		['mailseal ls accounts --target s3://bucket/mail', 'what a target has, without an archive here'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<LsOptions>();
	const { account, folder, at, limit, bundles } = options;
	const [what = ''] = call.arguments;
	refuseOptions(what, options);
	// One row where none is shown: no list of a million attachments is made for nothing.
	const most = bundles === true && !call.json ? 1 : limitOf(call, limit);
	const list = listers(call.services, options).get(what);
	if (!list) throw new Error('an argument outside of its choices came through');
	const request: ListRequest = {
		...(account === undefined ? {} : { account }),
		...(folder === undefined ? {} : { folder }),
		...(at === undefined ? {} : { at }),
		...(most === undefined ? {} : { limit: most }),
		now: call.io.now(),
		progress: call.progress,
		signal: call.io.signal,
	};
	const wanted: Wanted = what === 'snapshots' ? { kind: 'all' } : wantedFor(call, at);
	const { cut, ...answer } = await withReadable(call, { options, wanted, work: (archive) => list(archive, request, call.io.stdout) });
	return cut.more ? { ...answer, remark: remarkMore(cut.rows, what.replace(/s$/, '')) } : answer;
}

/** Throws `usage` for options that have no meaning for what is listed. */
function refuseOptions(what: string, { account, folder, bundles }: LsOptions): void {
	const narrowed = account === undefined ? `folder "${folder}"` : `account "${account}"`;
	if (what === 'bundles' && (account ?? folder) !== undefined) {
		throw new MailsealError('usage', `Cannot list bundles of ${narrowed}: accounts share them`, {
			hint:
				'"mailseal ls attachments --account NAME --bundles" names those of its attachments; ' +
				'its messages lie in sealed bundles of its domain and in volatile ones',
		});
	}
	if (what === 'snapshots' && (account ?? folder) !== undefined) {
		throw new MailsealError('usage', `Cannot list snapshots of ${narrowed}: each is of all accounts`, {
			hint: '"mailseal ls folders --account NAME --at SNAPSHOT" shows what one holds of an account',
		});
	}
	if (what === 'attachments' && folder !== undefined) {
		throw new MailsealError('usage', `Cannot list attachments of folder "${folder}": they are shared (--account narrows them)`);
	}
	if (what !== 'attachments' && bundles === true) {
		throw new MailsealError('usage', `Cannot list ${what} with "--bundles": it belongs to attachments`, {
			hint: 'mailseal ls attachments --bundles, or mailseal ls bundles',
		});
	}
}
