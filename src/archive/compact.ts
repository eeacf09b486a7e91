import type { Catalog, SealedLiveness } from '../catalog/index.ts';
import { type BundleId, type BundleRef, DEFAULT_POLICY, type Finding } from '../domain/index.ts';
import { isThere, monotonic } from '../platform/index.ts';
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
import type { CompactRequest } from './requests.ts';
import type { CompactResult, Outcome } from './results.ts';
import { readSnapshot } from './snapshots.ts';
import { supersede } from './supersede.ts';
import { unreadableBundles } from './unreadable-bundles.ts';
import type { Workers } from './workers.ts';
import { writeBundles } from './write-bundles.ts';

/** Supersedes sealed bundles that are mostly dead, and commits with one snapshot; where there are none, nothing is written. */
export async function compact(archive: Archive, request: CompactRequest, workers: Workers): Promise<Outcome<CompactResult>> {
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock, progress: request.progress, signal: request.signal });
		try {
			if (catalog.state() === null) throw noSnapshot(archive);
			catalog.begin();
			return await compactInto({ archive, catalog, request, workers, started: monotonic() });
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

/** A compaction that goes on. */
interface Running extends Context {
	readonly findings: Finding[];
	readonly isHere: (bundle: BundleId) => boolean;
	unreadable: number;
	readonly superseded: SealedLiveness[];
}

async function compactInto(context: Context): Promise<Outcome<CompactResult>> {
	const { archive, catalog, request, workers } = context;
	const { signal, progress } = request;
	const findings: Finding[] = request.dryRun ? [] : removeLeftovers(archive, catalog);
	const confirmed = confirmBundles(archive, catalog);
	findings.push(...confirmed.findings);
	catalog.pack.setMissing(confirmed.missing);
	const isHere = (id: BundleId): boolean => isThere(bundlePath(archive.dir, 'sealed', id));
	const run: Running = { ...context, findings, isHere, unreadable: 0, superseded: [] };
	let plan = await nextPlan(run, request.budget);
	if (request.dryRun || isEmpty(plan)) {
		const { target } = request.bundles;
		const parts = [plan.messages, plan.attachments].map((list) => list.reduce((total, one) => total + liveSize(one), 0));
		const count = parts.reduce((total, bytes) => total + Math.ceil(bytes / target), 0);
		run.superseded.push(...plan.messages, ...plan.attachments);
		findings.push(...leftNotes(plan));
		return { findings, result: resultOf(run, { plan, snapshot: null, count, newBytes: roomFor(plan) }) };
	}

	// Nothing is judged: no word that is written is volatile.
	const { written } = await writeBundles(
		{ archive, catalog, workers, policy: DEFAULT_POLICY, now: request.now, signal },
		async (writer) => {
			// What a round says again may be the last that was alive in a bundle that stayed.
			for (let budget = request.budget; !isEmpty(plan); plan = await nextPlan(run, budget)) {
				progress.step('write', bytesToWrite(plan));
				await supersede(plan, { archive, catalog, writer, bundles: request.bundles, progress, signal });
				// The next round reads what this one wrote.
				await writer.settle();
				budget -= roomFor(plan);
				const superseded = [...plan.messages, ...plan.attachments];
				run.superseded.push(...superseded);
				// What is alive may make the very same bundle again.
				const again = new Set(writer.written.map(({ id }) => id));
				const leaving = superseded.filter(({ bundle }) => !again.has(bundle));
				const refs = leaving.map(({ bundle, size }): BundleRef => ({ id: bundle, kind: 'sealed', size }));
				await dropBundles(refs, { archive, catalog, signal });
			}
		},
	);
	findings.push(...leftNotes(plan));
	const snapshot = commitWith(context, findings);
	const newBytes = written.reduce((total, ref) => total + ref.size, 0);
	return { findings, result: resultOf(run, { plan, snapshot, count: written.length, newBytes }) };
}

/** What can be superseded with so much left of the budget; bundles that cannot be read stay, which is a finding. */
async function nextPlan(run: Running, budget: number): Promise<CompactPlan> {
	const { archive, catalog, request, isHere, findings } = run;
	const { progress, signal, below } = request;
	for (;;) {
		const plan = planCompaction(catalog, { below, budget, isHere });
		if (request.dryRun) return plan;
		progress.step('check', bytesToWrite(plan));
		const found = await unreadableBundles(plan, { archive, catalog, progress, signal });
		if (found.size === 0) return plan;
		run.unreadable += found.size;
		findings.push(...found.values());
		// They stay, and what they have does not count: another bundle may have it whole.
		catalog.pack.setMissing(new Set(found.keys()));
	}
}

function isEmpty({ messages, attachments }: CompactPlan): boolean {
	return messages.length + attachments.length === 0;
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

/** What the bundles will take, by the measure that the budget is held against. */
function roomFor({ messages, attachments }: CompactPlan): number {
	return [...messages, ...attachments].reduce((total, one) => total + liveSize(one), 0);
}

/** Stored bytes of what is handed on: what is read, and read again. */
function bytesToWrite({ messages, attachments }: CompactPlan): number {
	return [...messages, ...attachments].reduce((total, { liveBytes }) => total + liveBytes, 0);
}

function resultOf(
	{ request, started, superseded, unreadable }: Running,
	done: {
		/** The last one, which tells what is left. */
		readonly plan: CompactPlan;
		readonly snapshot: CompactResult['snapshot'];
		readonly count: number;
		readonly newBytes: number;
	},
): CompactResult {
	const supersededBytes = superseded.reduce((total, { size }) => total + size, 0);
	return {
		snapshot: done.snapshot,
		superseded: superseded.length,
		supersededBytes,
		new: done.count,
		newBytes: done.newBytes,
		freedBytes: supersededBytes - done.newBytes,
		left: done.plan.overBudget.length + done.plan.elsewhere.length + unreadable,
		bundles: superseded.map((one) => ({
			id: one.bundle,
			holds: one.kind,
			size: one.size,
			live: Math.round(liveShare(one) * 1000) / 1000,
			...(one.tenant === null ? {} : { tenant: one.tenant }),
		})),
		seconds: (monotonic() - started) / 1000,
		dryRun: request.dryRun,
	};
}
