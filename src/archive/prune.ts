import { setImmediate } from 'node:timers/promises';
import type { Catalog } from '../catalog/index.ts';
import {
	type BundleId,
	type BundleRef,
	type Finding,
	type History,
	MailsealError,
	MOST_PRUNED,
	type Retention,
	type SnapshotName,
} from '../domain/index.ts';
import { monotonic } from '../platform/index.ts';
import { throwIfAborted } from './abort.ts';
import { type Chain, readChain, SNAPSHOT_ASIDE } from './chain.ts';
import { commitSnapshot } from './commit.ts';
import { confirmBundles } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import { bundlePath, snapshotPath } from './layout.ts';
import { removeLeftovers } from './leftovers.ts';
import type { Archive } from './open-archive.ts';
import { type PrunePlan, planPrune } from './plan-prune.ts';
import type { PruneRequest, Run } from './requests.ts';
import type { Outcome, PruneResult } from './results.ts';
import { snapshotNames } from './snapshots.ts';

/** Removes snapshots that the policy does not keep, and bundles that no kept one names; what it did stands in a snapshot of its own, the record. */
export async function prune(archive: Archive, request: PruneRequest): Promise<Outcome<PruneResult>> {
	refuseNothing(request.keep);
	const started = monotonic();
	if (snapshotNames(archive.dir).length === 0) {
		throw new MailsealError('not-found', `Cannot prune "${archive.dir}": it has no snapshot`, { hint: 'run "mailseal pack" first' });
	}
	if (request.dryRun) {
		const chain = wholeChain(archive);
		const plan = planPrune(archive, chain, request);
		return outcome(plan, { record: null, findings: confirmNeeded(archive, plan, chain), started, request });
	}
	const { progress, signal } = request;
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock, progress, signal });
		try {
			catalog.begin();
			return await pruneFrom({ archive, catalog, request, started });
		} finally {
			catalog.rollback();
			catalog.close();
		}
	} finally {
		lock.release();
	}
}

/** Without a count, nothing but the newest would be kept: that nobody means. */
function refuseNothing(keep: Retention): void {
	if (Object.values(keep).some((count) => count > 0)) return;
	throw new MailsealError('usage', 'Cannot prune: no count says what to keep', {
		hint: 'run it with, for example, --keep-daily 30 --keep-monthly 12, or set [retention] in the config file',
	});
}

interface Context {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly request: PruneRequest;
	readonly started: number;
}

async function pruneFrom({ archive, catalog, request, started }: Context): Promise<Outcome<PruneResult>> {
	const findings: Finding[] = [...removeLeftovers(archive, catalog)];
	const chain = wholeChain(archive);
	const plan = planPrune(archive, chain, request);
	refuseLosing(archive, catalog);
	findings.push(...confirmNeeded(archive, plan, chain));
	if (plan.pruned.length === 0) return outcome(plan, { record: null, findings, started, request });
	// A signal is heard only between two turns.
	await setImmediate();
	throwIfAborted(request.signal);
	catalog.forgetAllBut({ snapshots: new Set(plan.kept.map(({ name }) => name)), bundles: plan.needed });
	const carried = [...(chain.snapshots.at(-1)?.snapshot.skipped ?? [])];
	const before = carried.length;
	const { name } = commitSnapshot(archive, {
		catalog,
		now: request.now,
		findings: carried,
		history: historyOf(plan, chain),
		signal: request.signal,
	});
	findings.push(...carried.slice(before));
	await removeAll(archive, plan, request);
	return outcome(plan, { record: name, findings, started, request });
}

/** What a record says of a plan. Pure. */
export function historyOf(plan: Pick<PrunePlan, 'kept' | 'pruned' | 'hashes'>, { record }: Pick<Chain, 'record'>): History {
	const isNew = new Set(plan.pruned.map(({ name }) => name));
	const pruned = [...(record?.snapshot.history?.pruned ?? []), ...isNew].sort();
	return {
		kept: plan.kept.map(({ name }) => ({ name, sha256: plan.hashes.get(name) ?? '' })),
		// What this prune removes is on it whatever its number: cut off, it would leave snapshots that nobody knows of.
		pruned: pruned.filter((name, index) => index >= pruned.length - MOST_PRUNED || isNew.has(name)),
	};
}

/** What a prune goes by must be whole: a snapshot that is missing may name any bundle. */
function wholeChain({ dir }: Archive): Chain {
	const chain = readChain(dir);
	const [[name, error] = []] = chain.unreadable;
	if (name !== undefined && error !== undefined) throw notWhole(dir, name, { text: error.message, hint: error.hint });
	// Another copy of this archive went on from an older snapshot: both are states of the mail that somebody may need.
	const fault = chain.faults.find(({ code }) => code !== SNAPSHOT_ASIDE);
	if (fault !== undefined) throw notWhole(dir, fault.subject, fault);
	return chain;
}

function notWhole(dir: string, name: string, { text, hint }: { readonly text: string; readonly hint?: string | undefined }): MailsealError {
	return new MailsealError('archive-damaged', `Cannot prune "${dir}": ${text}`, {
		hint: hint ?? `put ${name}.json back from a copy of the archive, or with "mailseal repair --from TARGET"`,
		details: { snapshot: name },
	});
}

/** Findings about bundles that are missing, of the present state and of every snapshot that stays: nobody else looks at these before they are needed. */
function confirmNeeded(archive: Archive, { needed }: PrunePlan, { snapshots }: Chain): readonly Finding[] {
	const refs = new Map<BundleId, BundleRef>();
	for (const { snapshot } of snapshots) for (const ref of snapshot.bundles) if (needed.has(ref.id)) refs.set(ref.id, ref);
	return confirmBundles(archive, { bundles: () => [...refs.values()] }).findings;
}

/** Throws where a placed message has no copy but in bundles that are missing: an older snapshot may have one. */
function refuseLosing(archive: Archive, catalog: Catalog): void {
	const { missing } = confirmBundles(archive, catalog);
	if (missing.size === 0) return;
	catalog.pack.setMissing(missing);
	const incomplete = catalog.read.incompleteMessages();
	if (incomplete === null) return;
	const [first] = missing;
	throw new MailsealError(
		'archive-damaged',
		`Cannot prune "${archive.dir}": bundle ${first} is missing or has the wrong size, and with it the only known copy of ${incomplete.count === 1 ? '1 message' : `${incomplete.count} messages`}: older snapshots may have others`,
		{
			hint: 'put the bundle back with "mailseal repair --from TARGET"; "mailseal pack --rescan" stores again what the mail store still has',
			details: { bundles: missing.size },
		},
	);
}

/** A removal that is stopped between leaves files of which the record says that they go. */
const REMOVALS_A_TURN = 50;

async function removeAll({ dir, files }: Archive, plan: PrunePlan, { progress, signal }: Run): Promise<void> {
	const paths = [
		...plan.pruned.map(({ name }) => snapshotPath(dir, name)),
		...plan.bundles.map(({ kind, id }) => bundlePath(dir, kind, id)),
	];
	progress.step('prune', paths.length);
	for (const [index, path] of paths.entries()) {
		if (index % REMOVALS_A_TURN === 0) await setImmediate();
		if (signal.aborted) {
			throw new MailsealError(
				'interrupted',
				`Interrupted: ${paths.length - index} of ${paths.length} files that were pruned are still there`,
				{
					hint: 'the next prune or pack removes them; everything that was kept is whole',
				},
			);
		}
		files.remove(path);
		progress.advance(1);
	}
}

function outcome(
	plan: PrunePlan,
	given: {
		readonly record: SnapshotName | null;
		readonly findings: readonly Finding[];
		readonly started: number;
		readonly request: PruneRequest;
	},
): Outcome<PruneResult> {
	const { record, findings, started, request } = given;
	return {
		findings,
		result: {
			record,
			kept: plan.kept.map(({ name, time, tags, reasons }) => ({ name, time, tags, reasons })),
			pruned: plan.pruned.map(({ name, time }) => ({ name, time })),
			bundles: plan.bundles.length,
			bytes: plan.bundles.reduce((total, { size }) => total + size, 0),
			seconds: (monotonic() - started) / 1000,
			dryRun: request.dryRun,
		},
	};
}
