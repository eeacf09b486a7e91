import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleId, type Finding, MailsealError, type Snapshot, type SnapshotName } from '../../domain/index.ts';
import type { BlobFacts } from '../../remote/index.ts';
import { eachParallel } from '../parallel.ts';
import type { Chain } from '../pruned-here.ts';
import { readSnapshot } from '../snapshots.ts';
import { type Listing, listSnapshotCopies, listTarget, type SnapshotCopy } from './listing.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import { needIdentities } from './sealing.ts';
import { SET_BACK_HINT } from './set-back.ts';
import type { Pruned, SyncState } from './sync-state.ts';

/** Blobs to be deleted, in this order: a snapshot that is still there has all its bundles, whatever moment this ends at. */
export interface PrunePlan {
	/** Every copy of the snapshots of this archive that were pruned here. */
	readonly snapshots: readonly SnapshotCopy[];
	/** Bundles that no kept snapshot of any archive names. */
	readonly bundles: readonly BlobFacts[];
	readonly leftovers: readonly BlobFacts[];
}

export interface PruneOptions {
	/** What this archive has, as it was when the sync began. */
	readonly chain: Chain;
	/** Of its snapshots, those that lie at the target whole. */
	readonly there: ReadonlySet<SnapshotName>;
	readonly grace: number;
}

/**
 * Deletes at the target what was pruned here, and what no snapshot needs: first a plan, which a dry run gives and goes no further. Throws
 * `busy` where a snapshot arrived meanwhile that the plan does not know: what was deleted by then was in nobody's.
 */
export async function pruneTarget(state: SyncState, options: PruneOptions): Promise<Pruned> {
	const { target, request, archive } = state;
	const { signal } = request;
	const { chain, grace } = options;
	const listing = await listTarget(target.store, signal);
	if (chain.names.length === 0)
		throw new MailsealError('usage', `Cannot prune "${target.store.place}": this archive has no snapshot`, {
			hint: 'run "mailseal pack" first',
		});
	refuseUnknown(state, listing, chain);
	const snapshots = prunedCopies(listing, { archive: archive.id, chain });
	const late = snapshots.length === 0 || request.dryRun ? null : lateRecord(state, { listing, ...options });
	if (late !== null) {
		state.findings.push(late);
		return { snapshots: 0, bundles: 0, leftovers: 0, bytes: 0 };
	}
	const named = await namedBundles(state, keptSnapshots(listing, { archive: archive.id, pruned: chain.pruned }));
	const leftovers: BlobFacts[] = [];
	for await (const facts of target.store.leftovers(signal)) leftovers.push(facts);
	const plan: PrunePlan = { snapshots, ...planPrune({ listing, named, leftovers, grace, now: request.now }) };
	if (!request.dryRun) await carryOut(state, { plan, listing });
	return summaryOf(plan);
}

function summaryOf({ snapshots, bundles, leftovers }: PrunePlan): Pruned {
	return {
		// Of one that was sealed twice there are two copies.
		snapshots: new Set(snapshots.map(({ snapshot }) => snapshot)).size,
		bundles: bundles.length,
		leftovers: leftovers.length,
		bytes: [...snapshots, ...bundles, ...leftovers].reduce((total, { size }) => total + size, 0),
	};
}

async function carryOut(state: SyncState, { plan, listing }: { readonly plan: PrunePlan; readonly listing: Listing }): Promise<void> {
	const { target, request } = state;
	const stages = [plan.snapshots, plan.bundles, plan.leftovers];
	request.progress.step(
		'prune',
		stages.reduce((total, { length }) => total + length, 0),
	);
	for (const blobs of stages.flatMap(batchesOf)) {
		// Deleting takes its time, in which another host may come to need what was in nobody's snapshot.
		await refuseNewSnapshots(state, listing);
		await eachParallel(blobs, {
			width: request.transfers,
			signal: request.signal,
			async work({ name }, stop) {
				await target.store.remove(name, stop);
				request.progress.advance(1);
			},
		});
	}
}

/** So many are deleted between two looks for new snapshots. */
const BATCH = 100;

function batchesOf(blobs: readonly BlobFacts[]): (readonly BlobFacts[])[] {
	return Array.from({ length: Math.ceil(blobs.length / BATCH) }, (_one, index) => blobs.slice(index * BATCH, (index + 1) * BATCH));
}

/** Those alone that the record here lists by name. */
function prunedCopies(
	{ snapshots }: Listing,
	{ archive, chain: { names, pruned } }: { readonly archive: string; readonly chain: Chain },
): readonly SnapshotCopy[] {
	const here = new Set(names);
	return [...(snapshots.get(archive) ?? [])].flatMap(([name, copies]) => (pruned.has(name) && !here.has(name) ? copies : []));
}

/** Who has nothing but the target must find there why snapshots are gone: the newest one, and the record that it names. */
function lateRecord(
	{ archive, target }: SyncState,
	{ listing, chain, there }: PruneOptions & { readonly listing: Listing },
): Finding | null {
	const needed = [chain.names.at(-1), chain.record].flatMap((name) => name ?? []);
	const late = needed.find((name) => !there.has(name) || listing.snapshots.get(archive.id)?.has(name) !== true);
	if (late === undefined) return null;
	return {
		code: 'target-not-pruned',
		severity: 'warning',
		subject: late,
		text: `Nothing was deleted at "${target.store.place}": snapshot ${late}, which says what was pruned, does not lie there`,
		hint: 'see what kept it from being shipped, and run the command again',
	};
}

/** What is not here was lost here, or written by another copy of this archive: it is nothing that was removed on purpose, and may be all that is left. */
function refuseUnknown({ target, archive }: SyncState, listing: Listing, { names, pruned }: Chain): void {
	const here = new Set(names);
	const unknown = [...(listing.snapshots.get(archive.id)?.keys() ?? [])].filter((name) => !here.has(name) && !pruned.has(name)).sort();
	if (unknown.length === 0) return;
	throw new MailsealError(
		'archive-damaged',
		`Cannot prune "${target.store.place}": ${unknown.length} snapshots of this archive lie there and not here, such as ${unknown[0]}`,
		{ hint: SET_BACK_HINT },
	);
}

/** Which blobs go: pure. Age is told by the newest blob there, not by the clock here, which may be another. */
export function planPrune(given: {
	readonly listing: Listing;
	readonly named: ReadonlySet<BundleId>;
	readonly leftovers: readonly BlobFacts[];
	/** What is younger may belong to a sync that is under way. Milliseconds. */
	readonly grace: number;
	readonly now: number;
}): Pick<PrunePlan, 'bundles' | 'leftovers'> {
	const { listing, named, grace } = given;
	const bundles = [...listing.bundles.values()].flat();
	const everything = [...bundles, ...[...listing.snapshots.values()].flatMap((ofOne) => [...ofOne.values()].flat())];
	const newest = everything.reduce((latest, { modified }) => Math.max(latest, modified ?? 0), 0);
	const clock = newest === 0 ? given.now : Math.min(given.now, newest);
	const isOld = ({ modified }: BlobFacts): boolean => modified !== null && modified <= clock - grace;
	return {
		bundles: bundles.filter((copy) => !named.has(copy.id) && isOld(copy)),
		leftovers: given.leftovers.filter(isOld),
	};
}

interface Kept {
	readonly name: SnapshotName;
	readonly copies: readonly SnapshotCopy[];
	readonly isOwn: boolean;
}

function keptSnapshots(
	listing: Listing,
	{ archive, pruned }: { readonly archive: string; readonly pruned: ReadonlySet<SnapshotName> },
): Kept[] {
	return [...listing.snapshots].flatMap(([id, snapshots]) =>
		[...snapshots]
			.map(([name, copies]) => ({ name, copies, isOwn: id === archive }))
			.filter(({ name, isOwn }) => !isOwn || !pruned.has(name)),
	);
}

/** Every bundle that a kept snapshot names; throws where one cannot be read, since it may name any bundle. */
async function namedBundles(state: SyncState, kept: readonly Kept[]): Promise<ReadonlySet<BundleId>> {
	const { target, request } = state;
	if (kept.some(({ isOwn }) => !isOwn)) needIdentities(target);
	// What was dropped here and is still on record lies nowhere else.
	const named = new Set<BundleId>([...state.refs.keys(), ...state.dropped.keys()]);
	await eachParallel(kept, {
		width: request.transfers,
		signal: request.signal,
		async work({ name, copies, isOwn }, signal) {
			const snapshot = isOwn
				? readOwn(state, name)
				: decodeSnapshot(name, await readSnapshotBlob(target, { name, copies, signal })).snapshot;
			for (const { id } of snapshot.bundles) named.add(id);
		},
	});
	return named;
}

function readOwn({ archive, target, prunedHere }: SyncState, name: SnapshotName): Snapshot {
	try {
		return readSnapshot(archive.dir, name).snapshot;
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'not-found' || !prunedHere.isPruned(name)) throw error;
		throw new MailsealError('busy', `Cannot prune "${target.store.place}": the archive was pruned meanwhile`, {
			hint: 'run the command again: the target has to know first what was pruned',
			cause: error,
		});
	}
}

async function refuseNewSnapshots({ target, request }: SyncState, planned: Listing): Promise<void> {
	const { snapshots } = await listSnapshotCopies(target.store, { archive: null, signal: request.signal });
	for (const [archive, names] of snapshots) {
		for (const name of names.keys()) {
			if (planned.snapshots.get(archive)?.has(name) === true) continue;
			throw new MailsealError('busy', `Cannot prune "${target.store.place}": snapshot ${name} of archive ${archive} arrived meanwhile`, {
				hint: 'what may have been deleted by then was in no snapshot; run the command again',
			});
		}
	}
}
