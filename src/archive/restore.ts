import { resolve, sep } from 'node:path';
import type { AccountContents, Catalog } from '../catalog/index.ts';
import { type AccountName, type Finding, type FolderName, MailsealError, type SnapshotName } from '../domain/index.ts';
import { monotonic } from '../platform/index.ts';
import { type AccountPlan, type MailboxWriter, maildirWriter, mboxWriter, openMessageWriter, type WriteJob } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { catalogAt } from './catalog-at.ts';
import { type ItemFetcher, openItemFetcher } from './fetch-items.ts';
import { locate } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { eachParallel } from './parallel.ts';
import type { RestoreRequest } from './requests.ts';
import { type RestoreJob, type RestoreOutcome, restoreMessages } from './restore-task.ts';
import type { Outcome, RestoreResult } from './results.ts';
import type { Workers } from './workers.ts';

interface Tally {
	accounts: number;
	folders: number;
	written: number;
	present: number;
	bytes: number;
}

/** Messages handed to a thread at once, at most. */
const MOST_AT_ONCE = 256;
/** After so many bytes of mail no more is handed to a thread at once. */
const ENOUGH_BYTES = 4 * 1024 * 1024;
/** From so many messages on a thread gets those of one folder only: two threads that write into one folder wait for each other. */
const WORTH_A_THREAD = 64;
/** Accounts under way at once: while the last messages of one are written, the next is planned. */
const ACCOUNTS_AT_ONCE = 2;

/** Writes mailboxes as they were in a snapshot; adds, never overwrites. */
export async function restore(archive: Archive, request: RestoreRequest, workers: Workers): Promise<Outcome<RestoreResult>> {
	const started = monotonic();
	refuseArchive(archive, request.to);
	const catalog = await catalogAt(archive, request);
	try {
		// Thousands of queries in one transaction need no locks of their own.
		catalog.hold();
		refuseDamaged(catalog);
		const chosen = choose(catalog, request.selections);
		const writer = request.as === 'mbox' ? mboxWriter(request) : maildirWriter(request);
		// What a damaged bundle says is missing from this restore, and must not be missed in silence.
		const findings: Finding[] = catalog.lacks();
		const tally: Tally = { accounts: 0, folders: 0, written: 0, present: 0, bytes: 0 };
		const fetcher = openItemFetcher(archive, { catalog, signal: request.signal });
		request.progress.step('restore', countChosen(catalog, chosen));
		const running = new Set<Promise<void>>();
		const perAccount: Finding[][] = [];
		await eachParallel([...chosen].entries(), {
			width: writer.order === 'any' ? ACCOUNTS_AT_ONCE : 1,
			signal: request.signal,
			async work([index, [account, folders]], signal) {
				throwIfAborted(signal);
				const contents = catalog.read.contents(account);
				if (contents === null) return;
				const own: Finding[] = [];
				perAccount[index] = own;
				const run = { ...request, signal };
				const context = { archive, request: run, workers, writer, catalog, fetcher, findings: own, common: findings, tally, running };
				await restoreAccount(narrow(contents, folders), context);
			},
		});
		findings.push(...perAccount.flat());
		const snapshot = catalog.state()?.name as SnapshotName;
		return { findings, result: { snapshot, ...tally, seconds: (monotonic() - started) / 1000, dryRun: request.dryRun } };
	} finally {
		catalog.close();
	}
}

/** Rows that a damaged catalog has lost would be mail that nobody misses until it is needed. */
function refuseDamaged(catalog: Catalog): void {
	const problem = catalog.check();
	if (problem === null) return;
	throw new MailsealError('archive-damaged', `Cannot restore by the catalog: ${problem}`, {
		hint: 'run "mailseal reindex": the catalog can always be rebuilt from the bundles',
	});
}

/** A restore into the archive itself would mix mail with bundles. */
function refuseArchive(archive: Archive, to: string): void {
	const inside = `${resolve(to)}${sep}`;
	if (!inside.startsWith(`${resolve(archive.dir)}${sep}`)) return;
	throw new MailsealError('usage', `Cannot restore to "${to}": it lies in the archive`, {
		hint: 'name a folder outside the archive with --to',
	});
}

/** The accounts that selections name, each with its folders, or null for all of them. */
function choose(catalog: Catalog, selections: readonly string[]): Map<AccountName, Set<FolderName> | null> {
	const accounts = catalog.read.listAccounts({}).map((row) => row.account);
	if (selections.length === 0) return new Map(accounts.map((account) => [account, null]));
	const chosen = new Map<AccountName, Set<FolderName> | null>();
	for (const selection of selections) {
		const slash = selection.indexOf('/');
		const account = (slash < 0 ? selection : selection.slice(0, slash)) as AccountName;
		if (!accounts.includes(account)) {
			throw new MailsealError('not-found', `Cannot find account "${account}" in the archive`, {
				hint: 'see "mailseal ls accounts"; --at names an older snapshot',
			});
		}
		if (slash < 0) {
			chosen.set(account, null);
			continue;
		}
		const top = selection.slice(slash + 1);
		const folders = catalog.read
			.listFolders({ account })
			.map((row) => row.folder)
			.filter((folder) => folder === top || folder.startsWith(`${top}/`));
		if (folders.length === 0) {
			throw new MailsealError('not-found', `Cannot find folder "${top}" of account "${account}" in the archive`, {
				hint: `see "mailseal ls folders --account ${account}"; --at names an older snapshot`,
			});
		}
		if (chosen.get(account) === null) continue;
		chosen.set(account, new Set([...(chosen.get(account) ?? []), ...folders]));
	}
	return chosen;
}

function countChosen(catalog: Catalog, chosen: ReadonlyMap<AccountName, Set<FolderName> | null>): number {
	let messages = 0;
	for (const { account, folder, messages: count } of catalog.read.listFolders({})) {
		const folders = chosen.get(account);
		if (folders === null || folders?.has(folder) === true) messages += count;
	}
	return messages;
}

/** Control files of the account as a whole come back only with the whole account. */
function narrow(contents: AccountContents, folders: Set<FolderName> | null): AccountContents {
	if (folders === null) return contents;
	return {
		account: contents.account,
		folders: contents.folders.filter((word) => folders.has(word.folder)),
		controls: contents.controls.filter((word) => word.folder !== undefined && folders.has(word.folder)),
		placements: contents.placements.filter(({ word }) => folders.has(word.folder)),
	};
}

interface Context {
	readonly archive: Archive;
	readonly request: RestoreRequest;
	readonly workers: Workers;
	readonly writer: MailboxWriter;
	readonly catalog: Catalog;
	readonly fetcher: ItemFetcher;
	/** Of the account. */
	readonly findings: Finding[];
	/** Of the restore as a whole. */
	readonly common: Finding[];
	readonly tally: Tally;
	/** Tasks of all accounts. */
	readonly running: Set<Promise<void>>;
}

async function restoreAccount(contents: AccountContents, context: Context): Promise<void> {
	const { request, writer, findings, tally } = context;
	const plan = writer.plan({ ...contents, placements: contents.placements.map(({ word }) => word) });
	findings.push(...plan.findings);
	tally.accounts++;
	tally.folders += plan.folders;
	tally.present += plan.present;
	request.progress.advance(plan.present);
	if (request.dryRun) {
		const sizes = new Map(contents.placements.map(({ word, size }) => [word.message, size]));
		tally.written += plan.jobs.length;
		for (const job of plan.jobs) tally.bytes += sizes.get(job.message) ?? 0;
		return;
	}
	let finished = false;
	plan.begin();
	try {
		await carryOut(plan, context);
		findings.push(...plan.finish());
		finished = true;
	} finally {
		if (!finished) plan.abandon();
	}
}

async function carryOut(plan: AccountPlan, context: Context): Promise<void> {
	if (context.writer.order === 'planned') await carryOutHere(plan, context);
	else await carryOutInThreads(plan, context);
}

async function carryOutHere(plan: AccountPlan, context: Context): Promise<void> {
	const { archive, request, catalog, fetcher } = context;
	const { dir } = archive;
	const one = openMessageWriter();
	const again = async (jobs: readonly RestoreJob[]): Promise<readonly RestoreOutcome[]> => restoreMessages({ dir, jobs }, one);
	try {
		for (const batch of batchesOf(plan.jobs, catalog)) {
			await withFetched(batch, fetcher, async () => {
				for (const job of batch) {
					throwIfAborted(request.signal);
					take([job], await onceMore([job], { done: await again([job]), fetcher, findings: context.common, again }), context);
				}
			});
		}
	} finally {
		one.close();
	}
}

async function carryOutInThreads(plan: AccountPlan, context: Context): Promise<void> {
	const { archive, request, workers, catalog, fetcher, running } = context;
	const own: Promise<void>[] = [];
	const run = async (jobs: readonly RestoreJob[]): Promise<readonly RestoreOutcome[]> =>
		(await workers.run({ type: 'restore', dir: archive.dir, jobs })).outcomes;
	try {
		for (const batch of batchesOf(plan.jobs, catalog)) {
			throwIfAborted(request.signal);
			const task = withFetched(batch, fetcher, async () => {
				const done = await run(batch);
				take(batch, await onceMore(batch, { done, fetcher, findings: context.common, again: run }), context);
			});
			own.push(task);
			running.add(task);
			task.then(
				() => running.delete(task),
				() => running.delete(task),
			);
			while (running.size >= workers.width) await Promise.race(running);
		}
	} finally {
		// Whatever failed, nothing of this account is being written any more when its plan is abandoned.
		await Promise.allSettled(own);
	}
	await Promise.all(own);
}

/** Jobs with where their messages lie, a few at a time. */
function* batchesOf(jobs: readonly WriteJob[], catalog: Catalog): Iterable<readonly RestoreJob[]> {
	let batch: RestoreJob[] = [];
	let bytes = 0;
	for (const write of jobs) {
		const isElsewhere = batch.length >= WORTH_A_THREAD && batch.at(-1)?.write.levels !== write.levels;
		if (isElsewhere || batch.length >= MOST_AT_ONCE || bytes >= ENOUGH_BYTES) {
			yield batch;
			batch = [];
			bytes = 0;
		}
		const at = locate(catalog, write.message);
		batch.push({ at, write });
		bytes += at.copies[0]?.size ?? 0;
	}
	if (batch.length > 0) yield batch;
}

/** Does `work` while what the messages need lies here. */
async function withFetched(jobs: readonly RestoreJob[], fetcher: ItemFetcher, work: () => Promise<void>): Promise<void> {
	const fetched = await fetcher.fetch(jobs.map(({ at }) => at));
	try {
		await work();
	} finally {
		fetched.release();
	}
}

/** Tries what could not be read again, with everything fetched anew and every copy: what was kept, or one copy at a target, may be damaged. */
async function onceMore(
	jobs: readonly RestoreJob[],
	tried: {
		readonly done: readonly RestoreOutcome[];
		readonly fetcher: ItemFetcher;
		readonly findings: Finding[];
		readonly again: (jobs: readonly RestoreJob[]) => Promise<readonly RestoreOutcome[]>;
	},
): Promise<readonly RestoreOutcome[]> {
	const { done, fetcher, findings, again } = tried;
	const failed = jobs.filter((_job, index) => {
		const outcome = done[index];
		return outcome?.outcome === 'failed' && (outcome.code === 'archive-damaged' || outcome.code === 'not-found');
	});
	const messages = failed.map(({ at }) => at);
	if (!fetcher.isNeeded(messages)) return done;
	fetcher.forget(messages);
	const fetched = await fetcher.fetch(messages, { everyCopy: true });
	if (fetched.problem !== null) notePoorCopy(fetched.problem, findings);
	try {
		const second = new Map((await again(failed)).map((outcome, index) => [failed[index], outcome]));
		return jobs.map((job, index) => second.get(job) ?? (done[index] as RestoreOutcome));
	} finally {
		fetched.release();
	}
}

/** That a file is not here says little of a message that was to come from a target: what is the case there is told once. */
function notePoorCopy({ message, hint }: MailsealError, findings: Finding[]): void {
	if (findings.some(({ code, text }) => code === POOR_COPY && text === message)) return;
	findings.push({ code: POOR_COPY, severity: 'error', subject: 'target', text: message, ...(hint === undefined ? {} : { hint }) });
}

const POOR_COPY = 'target-copy-unreadable';

function take(jobs: readonly RestoreJob[], outcomes: readonly RestoreOutcome[], { request, findings, tally }: Context): void {
	for (const [index, outcome] of outcomes.entries()) {
		request.progress.advance(1);
		if (outcome.outcome === 'failed') {
			findings.push({
				code: 'message-not-restored',
				severity: 'error',
				subject: jobs[index]?.write.subject ?? '',
				text: outcome.text,
				...(outcome.hint === undefined ? {} : { hint: outcome.hint }),
			});
			continue;
		}
		if (outcome.outcome === 'written') tally.written++;
		else tally.present++;
		tally.bytes += outcome.bytes;
	}
}
