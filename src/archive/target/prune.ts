import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleId, MailsealError, type SnapshotName } from '../../domain/index.ts';
import type { BlobFacts } from '../../remote/index.ts';
import { eachParallel } from '../parallel.ts';
import { readSnapshot } from '../snapshots.ts';
import { type Listing, listSnapshotCopies, listTarget, type SnapshotCopy } from './listing.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import { needIdentities } from './sealing.ts';
import { SET_BACK_HINT } from './set-back.ts';
import type { Pruned, SyncState } from './sync-state.ts';

/** Blobs to be deleted, in this order. */
export interface PrunePlan {
	/** Bundles that no kept snapshot of any archive names. */
	readonly bundles: readonly BlobFacts[];
	readonly leftovers: readonly BlobFacts[];
}

/**
 * Deletes at the target what no snapshot needs: first a plan, which a dry run gives and goes no further. Throws `busy` where a snapshot
 * arrived meanwhile that the plan does not know: what was deleted by then was in nobody's.
 */
export async function pruneTarget(
	state: SyncState,
	options: { readonly names: readonly SnapshotName[]; readonly grace: number },
): Promise<Pruned> {
	const { target, request } = state;
	const { signal } = request;
	const listing = await listTarget(target.store, signal);
	if (options.names.length === 0)
		throw new MailsealError('usage', `Cannot prune "${target.store.place}": this archive has no snapshot`, {
			hint: 'run "mailseal pack" first',
		});
	refuseUnknown(state, listing, options.names);
	const named = await namedBundles(state, keptSnapshots(listing, state.archive.id));
	const leftovers: BlobFacts[] = [];
	for await (const facts of target.store.leftovers(signal)) leftovers.push(facts);
	const plan = planPrune({ listing, named, leftovers, grace: options.grace, now: request.now });
	const all = [...plan.bundles, ...plan.leftovers];
	const pruned = {
		bundles: plan.bundles.length,
		leftovers: plan.leftovers.length,
		bytes: all.reduce((total, { size }) => total + size, 0),
	};
	if (request.dryRun || all.length === 0) return pruned;
	request.progress.step('prune', all.length);
	for (const blobs of batchesOf(all)) {
		// Deleting takes its time, in which another host may come to need what was in nobody's snapshot.
		await refuseNewSnapshots(state, listing);
		await eachParallel(blobs, {
			width: request.transfers,
			signal,
			async work({ name }, stop) {
				await target.store.remove(name, stop);
				request.progress.advance(1);
			},
		});
	}
	return pruned;
}

/** So many are deleted between two looks for new snapshots. */
const BATCH = 100;

function batchesOf(blobs: readonly BlobFacts[]): (readonly BlobFacts[])[] {
	return Array.from({ length: Math.ceil(blobs.length / BATCH) }, (_one, index) => blobs.slice(index * BATCH, (index + 1) * BATCH));
}

/** What is not here was lost here, or written by another copy of this archive: it is nothing that was removed on purpose, and may be all that is left. */
function refuseUnknown({ target, archive }: SyncState, listing: Listing, names: readonly SnapshotName[]): void {
	const here = new Set(names);
	const unknown = [...(listing.snapshots.get(archive.id)?.keys() ?? [])].filter((name) => !here.has(name)).sort();
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
}): PrunePlan {
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

function keptSnapshots(listing: Listing, archive: string): Kept[] {
	return [...listing.snapshots].flatMap(([id, snapshots]) =>
		[...snapshots].map(([name, copies]) => ({ name, copies, isOwn: id === archive })),
	);
}

/** Every bundle that a kept snapshot names; throws where one cannot be read, since it may name any bundle. */
async function namedBundles(state: SyncState, kept: readonly Kept[]): Promise<ReadonlySet<BundleId>> {
	const { target, archive, request } = state;
	if (kept.some(({ isOwn }) => !isOwn)) needIdentities(target);
	const named = new Set<BundleId>(state.refs.keys());
	await eachParallel(kept, {
		width: request.transfers,
		signal: request.signal,
		async work({ name, copies, isOwn }, signal) {
			const snapshot = isOwn
				? readSnapshot(archive.dir, name).snapshot
				: decodeSnapshot(name, await readSnapshotBlob(target, { name, copies, signal })).snapshot;
			for (const { id } of snapshot.bundles) named.add(id);
		},
	});
	return named;
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
