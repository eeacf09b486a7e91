import { decideKept } from '../classifier/index.ts';
import type { BundleId, BundleRef, KeepDecision, SnapshotName } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { bundlesNamedBy, type Chain, SNAPSHOT_ASIDE } from './chain.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import type { PruneRequest } from './requests.ts';

/** All that a prune removes, and all that stays. */
export interface PrunePlan {
	/** Oldest first. */
	readonly kept: readonly KeepDecision[];
	readonly pruned: readonly KeepDecision[];
	/** SHA-256 of the file of each snapshot. */
	readonly hashes: ReadonlyMap<SnapshotName, string>;
	/** Bundles here that no kept snapshot names, with their sizes on disk. */
	readonly bundles: readonly BundleRef[];
	/** Bundles that a kept snapshot names. */
	readonly needed: ReadonlySet<BundleId>;
}

/** Plans what goes of a chain that is whole; changes nothing. */
export function planPrune(archive: Archive, { snapshots, faults }: Chain, { keep, now }: Pick<PruneRequest, 'keep' | 'now'>): PrunePlan {
	const aside = new Set(faults.flatMap(({ code, subject }) => (code === SNAPSHOT_ASIDE ? [subject] : [])));
	const facts = snapshots.map(({ name, snapshot: { time, tags, history } }) => ({
		name,
		time,
		tags: tags ?? [],
		isRecord: history !== undefined,
	}));
	// What the newest does not follow takes no other's place: the record that is to come lists it, and from then on it is one of them.
	const decisions = [
		...decideKept(
			facts.filter(({ name }) => !aside.has(name)),
			keep,
			now,
		),
		...facts.filter(({ name }) => aside.has(name)).map((one) => ({ ...one, keep: true, reasons: ['aside'] })),
	].sort((a, b) => (a.name < b.name ? -1 : 1));
	const kept = decisions.filter((one) => one.keep);
	const keptNames = new Set(kept.map(({ name }) => name));
	// The record that is to come has the state of the newest.
	const needing = snapshots.filter(({ name }, index) => keptNames.has(name) || index === snapshots.length - 1);
	const needed = bundlesNamedBy(needing);
	const gone = new Map<BundleId, BundleRef>();
	for (const { name, snapshot } of snapshots) {
		if (keptNames.has(name)) continue;
		for (const ref of snapshot.bundles) if (!needed.has(ref.id)) gone.set(ref.id, ref);
	}
	const bundles = [...gone.values()].flatMap((ref) => {
		const size = sizeOf(bundlePath(archive.dir, ref.kind, ref.id));
		return size === null ? [] : [{ ...ref, size }];
	});
	return {
		kept,
		pruned: decisions.filter((one) => !one.keep),
		hashes: new Map(snapshots.map(({ name, sha256 }) => [name, sha256])),
		bundles,
		needed,
	};
}
