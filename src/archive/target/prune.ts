import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleId, MailsealError, type SnapshotName } from '../../domain/index.ts';
import type { BlobFacts } from '../../remote/index.ts';
import { eachParallel } from '../parallel.ts';
import { readSnapshot } from '../snapshots.ts';
import { type Listing, listSnapshotCopies, listTarget, type SnapshotCopy } from './listing.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import { needIdentities } from './sealing.ts';
import { newerThan, SET_BACK_HINT } from './set-back.ts';
import type { Pruned, SyncState } from './sync-state.ts';

/** Blobs to be deleted, in this order. */
export interface PrunePlan {
	/** Snapshots of this archive that it has no more, the newest first. */
	readonly snapshots: readonly BlobFacts[];
	/** Bundles that no kept snapshot of any archive names. */
	readonly bundles: readonly BlobFacts[];
	readonly leftovers: readonly BlobFacts[];
}

/**
 * Deletes at the target what no snapshot needs: first a plan, which a dry run gives and goes no further. Throws `busy`, and has deleted nothing, where
 * a snapshot arrived meanwhile that the plan does not know.
 */
export async function pruneTarget(
	state: SyncState,
	options: { readonly names: readonly SnapshotName[]; readonly grace: number },
): Promise<Pruned> {
	const { target, request } = state;
	const { signal } = request;
	const listing = await listTarget(target.store, signal);
	const own = new Set(options.names);
	if (own.size === 0)
		throw new MailsealError('usage', `Cannot prune "${target.store.place}": this archive has no snapshot`, {
			hint: 'run "mailseal pack" first',
		});
	refuseOlder(state, listing, options.names);
	refuseGaps(state, options.names);
	const kept = keptSnapshots(listing, { archive: state.archive.id, own });
	const named = await namedBundles(state, kept);
	const leftovers: BlobFacts[] = [];
	for await (const facts of target.store.leftovers(signal)) leftovers.push(facts);
	const plan = planPrune({ listing, archive: state.archive.id, own, named, leftovers, grace: options.grace, now: request.now });
	const all = [...plan.snapshots, ...plan.bundles, ...plan.leftovers];
	const pruned = {
		snapshots: plan.snapshots.length,
		bundles: plan.bundles.length,
		leftovers: plan.leftovers.length,
		bytes: all.reduce((total, { size }) => total + size, 0),
	};
	if (request.dryRun || all.length === 0) return pruned;
	await refuseNewSnapshots(state, listing);
	request.progress.step('prune', all.length);
	// A snapshot goes before what it names: none is ever there without its bundles.
	for (const blobs of [plan.snapshots, plan.bundles, plan.leftovers]) {
		await eachParallel(blobs, {
			// One after another: none ever follows one that is gone.
			width: blobs === plan.snapshots ? 1 : request.transfers,
			signal,
			async work({ name }, stop) {
				await target.store.remove(name, stop);
				request.progress.advance(1);
			},
		});
	}
	return pruned;
}

/** An archive that was put back from an older copy must not take what came after it for removed. */
function refuseOlder({ target, archive }: SyncState, listing: Listing, names: readonly SnapshotName[]): void {
	const newer = newerThan(names, listing.snapshots.get(archive.id)?.keys() ?? []);
	if (newer.length === 0) return;
	throw new MailsealError(
		'archive-damaged',
		`Cannot prune "${target.store.place}": it has ${newer.length} snapshots that are newer than any here, such as ${newer[0]}`,
		{ hint: SET_BACK_HINT },
	);
}

/** A snapshot that was lost here is none that was removed on purpose: its copy may be the only one. */
function refuseGaps({ target, archive }: SyncState, names: readonly SnapshotName[]): void {
	const here = new Set(names);
	for (const name of names) {
		const { parent } = readSnapshot(archive.dir, name).snapshot;
		if (parent === null || here.has(parent.name)) continue;
		throw new MailsealError(
			'archive-damaged',
			`Cannot prune "${target.store.place}": snapshot ${parent.name} is missing here, and ${name} follows it`,
			{
				hint: 'bring it back with "mailseal repair --from" the target first',
			},
		);
	}
}

/** Which blobs go: pure. Age is told by the newest blob there, not by the clock here, which may be another. */
export function planPrune(given: {
	readonly listing: Listing;
	readonly archive: string;
	readonly own: ReadonlySet<SnapshotName>;
	readonly named: ReadonlySet<BundleId>;
	readonly leftovers: readonly BlobFacts[];
	/** What is younger may belong to a sync that is under way. Milliseconds. */
	readonly grace: number;
	readonly now: number;
}): PrunePlan {
	const { listing, named, own, grace } = given;
	const bundles = [...listing.bundles.values()].flat();
	const snapshots = [...(listing.snapshots.get(given.archive) ?? [])]
		.filter(([name]) => !own.has(name))
		.sort(([a], [b]) => (a < b ? 1 : -1))
		.flatMap(([, copies]) => copies);
	const everything = [...bundles, ...[...listing.snapshots.values()].flatMap((ofOne) => [...ofOne.values()].flat())];
	const newest = everything.reduce((latest, { modified }) => Math.max(latest, modified ?? 0), 0);
	const clock = newest === 0 ? given.now : Math.min(given.now, newest);
	const isOld = ({ modified }: BlobFacts): boolean => modified !== null && modified <= clock - grace;
	return {
		snapshots,
		bundles: bundles.filter((copy) => !named.has(copy.id) && isOld(copy)),
		leftovers: given.leftovers.filter(isOld),
	};
}

interface Kept {
	readonly name: SnapshotName;
	readonly copies: readonly SnapshotCopy[];
	readonly isOwn: boolean;
}

function keptSnapshots(listing: Listing, { archive, own }: { readonly archive: string; readonly own: ReadonlySet<SnapshotName> }): Kept[] {
	return [...listing.snapshots].flatMap(([id, snapshots]) =>
		[...snapshots].flatMap(([name, copies]) => {
			const isOwn = id === archive;
			return isOwn && !own.has(name) ? [] : [{ name, copies, isOwn }];
		}),
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
				hint: 'nothing was deleted; run the command again',
			});
		}
	}
}
