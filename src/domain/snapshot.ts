import { MailsealError } from './errors.ts';
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

/** A snapshot as others point to it: its file has this SHA-256. */
export interface SnapshotRef {
	readonly name: SnapshotName;
	readonly sha256: string;
}

/** What prunes left of the snapshots before the one that says so, and what they took. */
export interface History {
	/** Every older snapshot that was kept, oldest first: none is missing from this list, and what is not on it was pruned. */
	readonly kept: readonly SnapshotRef[];
	/** Those that this prune and the ones before it removed on purpose, oldest first: the newest `MOST_PRUNED` of them, and all that this one removed. */
	readonly pruned: readonly SnapshotName[];
}

/** Placements that came, that are described otherwise than before, and that went. A message that moves is one that goes and one that comes. */
export interface Changes {
	readonly added: number;
	readonly changed: number;
	readonly removed: number;
}

/** One state of the whole mail store: the bundles, oldest first, that together say everything. */
export interface Snapshot {
	readonly format: 1;
	/** By the clock that the pack judged by, ISO 8601 UTC; always after the parent's. */
	readonly time: string;
	/** The snapshot before this one, with the SHA-256 of its file; null for the first. */
	readonly parent: SnapshotRef | null;
	/** Names that a user gave to this state, sorted: a prune keeps a snapshot that has one. */
	readonly tags?: readonly string[];
	/** The last snapshot before this one that has a history; left out where there is none, and in one that has a history itself. */
	readonly record?: SnapshotRef;
	/** In a snapshot that a prune wrote, and in no other. */
	readonly history?: History;
	readonly bundles: readonly BundleRef[];
	readonly counts: { readonly accounts: number; readonly folders: number; readonly messages: number; readonly bytes: number };
	/** What this pack found new; left out where no pack wrote it. */
	readonly changes?: Changes;
	/** What this pack could not read, and why. */
	readonly skipped: readonly Finding[];
}

/** So many names of snapshots that were pruned are kept: years of nights. */
export const MOST_PRUNED = 10_000;

const TAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** A name for a state; throws `usage` for one that is not 1 to 64 letters, digits, dots, underscores and hyphens. */
export function parseTag(text: string): string {
	if (TAG.test(text)) return text;
	throw new MailsealError(
		'usage',
		`Cannot use tag ${JSON.stringify(text)}: it is not 1 to 64 of A-Z a-z 0-9 . _ - (a letter or digit first)`,
	);
}
