import type { SnapshotName } from './ids.ts';

/** How many snapshots of each sort a prune keeps; 0 keeps none of it. */
export interface Retention {
	readonly last: number;
	readonly hourly: number;
	readonly daily: number;
	readonly weekly: number;
	readonly monthly: number;
	readonly yearly: number;
}

export const NO_RETENTION: Retention = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };

/** What the keep policy looks at. */
export interface SnapshotFacts {
	readonly name: SnapshotName;
	/** ISO 8601 UTC. */
	readonly time: string;
	readonly tags: readonly string[];
	/** True for one that a prune wrote: it has the state of the one before it. */
	readonly isRecord: boolean;
}

/** What becomes of a snapshot, and every reason to keep it, such as `daily 2026-11-23`; it goes where there is none. */
export interface KeepDecision extends SnapshotFacts {
	readonly keep: boolean;
	readonly reasons: readonly string[];
}
