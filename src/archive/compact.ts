import type { Catalog } from '../catalog/index.ts';
import { type BundleId, type BundleRef, DEFAULT_POLICY, type Finding } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { openBundleWriter } from './bundle-writer.ts';
import { noSnapshot } from './catalog-at.ts';
import { commitSnapshot } from './commit.ts';
import { type CompactPlan, liveShare, planCompaction } from './compact-plan.ts';
import { confirmBundles } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import { dropBundles } from './drop-bundles.ts';
import { liveSize } from './fold.ts';
import { bundlePath } from './layout.ts';
import { removeLeftovers } from './leftovers.ts';
import type { Archive } from './open-archive.ts';
import { openProofs } from './prove-bundles.ts';
import type { CompactRequest } from './requests.ts';
import type { CompactResult, Outcome } from './results.ts';
import { readSnapshot } from './snapshots.ts';
import { supersede } from './supersede.ts';
import { unreadableBundles } from './unreadable-bundles.ts';
import type { Workers } from './workers.ts';

/** Supersedes sealed bundles that are mostly dead, and commits with one snapshot; where there are none, nothing is written. */
export async function compact(archive: Archive, request: CompactRequest, workers: Workers): Promise<Outcome<CompactResult>> {
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock, progress: request.progress, signal: request.signal });
		try {
			if (catalog.state() === null) throw noSnapshot(archive);
			catalog.begin();
			return await compactInto({ archive, catalog, request, workers, started: performance.now() });
		} finally {
			catalog.rollback();
			catalog.close();
		}
	} finally {
		lock.release();
	}
}

interface Context {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly request: CompactRequest;
	readonly workers: Workers;
	readonly started: number;
}

async function compactInto(context: Context): Promise<Outcome<CompactResult>> {
	const { archive, catalog, request, workers } = context;
	const { signal, progress } = request;
	const findings: Finding[] = request.dryRun ? [] : removeLeftovers(archive, catalog);
	const confirmed = confirmBundles(archive, catalog);
	findings.push(...confirmed.findings);
	catalog.pack.setMissing(confirmed.missing);
	const isHere = (id: BundleId): boolean => sizeOf(bundlePath(archive.dir, 'sealed', id)) !== null;
	let plan = planCompaction(catalog, { ...request, isHere });
	let unreadable = 0;
	while (!request.dryRun) {
		progress.step('check', bytesToWrite(plan));
		const found = await unreadableBundles(plan, { archive, catalog, progress, signal });
		if (found.size === 0) break;
		unreadable += found.size;
		findings.push(...found.values());
		// They stay, and what they have does not count: another bundle may have it whole.
		catalog.pack.setMissing(new Set(found.keys()));
		plan = planCompaction(catalog, { ...request, isHere });
	}
	findings.push(...leftNotes(plan));
	const superseded = [...plan.messages, ...plan.attachments];
	const left = plan.overBudget.length + plan.elsewhere.length + unreadable;
	if (request.dryRun || superseded.length === 0) {
		const { target } = request.bundles;
		const parts = [plan.messages, plan.attachments].map((list) => list.reduce((total, one) => total + liveSize(one), 0));
		const count = parts.reduce((total, bytes) => total + Math.ceil(bytes / target), 0);
		return { findings, result: resultOf(context, { plan, left, snapshot: null, count, newBytes: bytesToWrite(plan) }) };
	}

	const proofs = openProofs(archive, workers);
	const writer = openBundleWriter({
		archive,
		catalog,
		// Nothing is judged: no word that is written is volatile.
		policy: DEFAULT_POLICY,
		now: request.now,
		signal,
		onWritten: proofs.add,
	});
	progress.step('write', bytesToWrite(plan));
	await supersede(plan, { archive, catalog, writer, bundles: request.bundles, progress, signal });
	await proofs.all();
	const written = new Set(writer.written.map(({ id }) => id));
	const leaving = superseded.filter(({ bundle }) => !written.has(bundle));
	const refs = leaving.map(({ bundle, size }): BundleRef => ({ id: bundle, kind: 'sealed', size }));
	await dropBundles(refs, { archive, catalog, signal });
	const snapshot = commitWith(context, findings);
	const newBytes = writer.written.reduce((total, ref) => total + ref.size, 0);
	return { findings, result: resultOf(context, { plan, left, snapshot, count: writer.written.length, newBytes }) };
}

/** The new snapshot goes on telling what the pack before could not read: a compaction reads no mail store. */
function commitWith({ archive, catalog, request }: Context, findings: Finding[]): CompactResult['snapshot'] {
	const state = catalog.state();
	const before = state === null ? [] : readSnapshot(archive.dir, state.name).snapshot.skipped;
	const own = new Set(findings.map(nameOf));
	const told = [...findings, ...before.filter((finding) => !own.has(nameOf(finding)))];
	const count = told.length;
	const { name } = commitSnapshot(archive, { catalog, now: request.now, findings: told, signal: request.signal });
	findings.push(...told.slice(count));
	return name;
}

function nameOf({ code, subject }: Finding): string {
	return `${code} ${subject}`;
}

function leftNotes({ overBudget, elsewhere }: CompactPlan): Finding[] {
	const notes: Finding[] = [];
	if (overBudget.length > 0) {
		notes.push({
			code: 'budget-used-up',
			severity: 'note',
			subject: 'budget',
			text: `${overBudget.length} more sealed bundles are below the bound; what is alive in them does not fit into the budget of this run`,
			hint: 'run "mailseal compact" again, or with a larger --budget',
		});
	}
	if (elsewhere.length > 0) {
		notes.push({
			code: 'bundles-offsite',
			severity: 'note',
			subject: 'target',
			text: `${elsewhere.length} sealed bundles below the bound lie at a target only, and were left as they are`,
		});
	}
	return notes;
}

function bytesToWrite({ messages, attachments }: CompactPlan): number {
	return [...messages, ...attachments].reduce((total, { liveBytes }) => total + liveBytes, 0);
}

function resultOf(
	{ request, started }: Context,
	done: {
		readonly plan: CompactPlan;
		readonly left: number;
		readonly snapshot: CompactResult['snapshot'];
		readonly count: number;
		readonly newBytes: number;
	},
): CompactResult {
	const superseded = [...done.plan.messages, ...done.plan.attachments];
	const supersededBytes = superseded.reduce((total, { size }) => total + size, 0);
	return {
		snapshot: done.snapshot,
		superseded: superseded.length,
		supersededBytes,
		new: done.count,
		newBytes: done.newBytes,
		freedBytes: supersededBytes - done.newBytes,
		left: done.left,
		bundles: superseded.map((one) => ({
			id: one.bundle,
			holds: one.kind,
			size: one.size,
			live: Math.round(liveShare(one) * 1000) / 1000,
			...(one.tenant === null ? {} : { tenant: one.tenant }),
		})),
		seconds: (performance.now() - started) / 1000,
		dryRun: request.dryRun,
	};
}
