import type { Finding } from './finding.ts';
import type { BundleId, SnapshotName } from './ids.ts';

export type BundleKind = 'sealed' | 'volatile';

/** One bundle as a snapshot names it. */
export interface BundleRef {
	readonly id: BundleId;
	readonly kind: BundleKind;
	/** Bytes of the whole file. */
	readonly size: number;
}

/** One state of the whole mail store: the bundles, oldest first, that together say everything. */
export interface Snapshot {
	readonly format: 1;
	/** By the clock that the pack judged by, ISO 8601 UTC; always after the parent's. */
	readonly time: string;
	/** The snapshot before this one, with the SHA-256 of its file; null for the first. */
	readonly parent: { readonly name: SnapshotName; readonly sha256: string } | null;
	readonly bundles: readonly BundleRef[];
	readonly counts: { readonly accounts: number; readonly folders: number; readonly messages: number; readonly bytes: number };
	/** What this pack could not read, and why. */
	readonly skipped: readonly Finding[];
}
