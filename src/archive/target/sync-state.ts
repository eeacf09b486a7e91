import type { BundleId, BundleRef, Finding, SnapshotName } from '../../domain/index.ts';
import type { BlobStore } from '../../remote/index.ts';
import type { Archive } from '../open-archive.ts';
import type { PrunedHere } from '../pruned-here.ts';
import type { Run } from '../requests.ts';
import type { TargetAddress, TargetKeys } from './keys.ts';
import type { BundleCopy } from './listing.ts';
import type { Target } from './open-target.ts';
import type { KnownCopy } from './record.ts';

/** Sealed bundles that were removed here since the target has them, or in a dry run those that would be. */
export interface Dropped {
	readonly bundles: number;
	readonly bytes: number;
}

/** What was deleted at the target, or in a dry run what would be. */
export interface Pruned {
	/** Snapshots of this archive that were pruned here. */
	readonly snapshots: number;
	readonly bundles: number;
	/** What cut-off transfers left behind. */
	readonly leftovers: number;
	readonly bytes: number;
}

export interface SyncRequest extends Run {
	readonly address: TargetAddress;
	readonly store: BlobStore;
	readonly keys: TargetKeys;
	/** The target proves one bundle in so many, another share each day: 1 is all of them, null none. */
	readonly check: number | null;
	/** Deletes what was pruned here, and what no snapshot there needs, of bundles that lie there for so many milliseconds; null deletes nothing. */
	readonly prune: { readonly grace: number } | null;
	/** Removes sealed bundles here once the target has proved its copies. */
	readonly dropLocal: boolean;
	readonly dryRun: boolean;
	/** Bundles under way at once. */
	readonly transfers: number;
	/** The clock, milliseconds since 1970. */
	readonly now: number;
}

export interface SyncResult {
	readonly target: string;
	/** Bundles that lay there before, by name and size, and by hash where the listing tells one. */
	readonly confirmed: number;
	/** Of these, how many the target proved. */
	readonly proved: number;
	readonly shipped: number;
	/** Bytes of bundles that went to the target. */
	readonly shippedBytes: number;
	/** Snapshots that went there. */
	readonly snapshots: number;
	/** Bundles whose copy was damaged, and shipped again where this archive has them. */
	readonly damaged: readonly BundleId[];
	/** The newest snapshot that lies there now. */
	readonly newest: SnapshotName | null;
	readonly pruned: Pruned | null;
	readonly dropped: Dropped | null;
	readonly seconds: number;
	readonly dryRun: boolean;
}

/** What one sync knows while it goes on. */
export interface SyncState {
	readonly archive: Archive;
	readonly request: SyncRequest;
	readonly target: Target;
	/** Every bundle that a snapshot of this archive names which was not pruned. */
	readonly refs: ReadonlyMap<BundleId, BundleRef>;
	readonly prunedHere: PrunedHere;
	/** Good copies at the target, by what is known so far. */
	readonly standing: Map<BundleId, BundleCopy>;
	/** Copies found damaged. */
	readonly damaged: Map<BundleId, BundleCopy>;
	readonly known: Map<BundleId, KnownCopy>;
	readonly dropped: Map<BundleId, number>;
	readonly findings: Finding[];
	readonly tally: ShipTally;
	/** Bundles that were dropped here since another target has them. */
	readonly elsewhere: ReadonlySet<BundleId>;
	/** Writes down what is known so far, for a run that is cut off. */
	remember(): void;
}

/** What went to the target so far. */
export interface ShipTally {
	shipped: number;
	shippedBytes: number;
	snapshots: number;
	/** Bundles that this archive cannot give. */
	readonly failed: Set<BundleId>;
}

/** A damaged copy is named, and shipped again in the same run. */
export function damagedCopy(ref: BundleRef, place: string, text: string): Finding {
	return {
		code: 'target-bundle-damaged',
		severity: 'warning',
		subject: ref.id,
		text: `The copy of the ${ref.kind} bundle ${ref.id} at "${place}" is damaged: ${text}`,
		hint: 'it is shipped again, where this archive has the bundle; look after the disk or the store',
	};
}
