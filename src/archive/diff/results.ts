import type { AccountName, Flag, FolderName, SnapshotName } from '../../domain/index.ts';
import type { Run } from '../requests.ts';
import type { Listing, MessageRow } from '../results.ts';

export interface DiffRequest extends Partial<Run> {
	/** Moments, as `at` of a list is one. */
	readonly before: string;
	readonly after: string;
	/** Only what became of this account. */
	readonly account?: AccountName;
	/** Only this folder, and what came into it and left it. */
	readonly folder?: FolderName;
	readonly limit?: number;
	/** The clock that an age counts from. */
	readonly now: number;
}

/** What a placement has, or has no more. */
export interface Marks {
	readonly flags: readonly Flag[];
	readonly keywords: readonly string[];
}

/** A placement that is not as it was: as it is in the later state, or where it was removed, as it was in the earlier. */
export interface PlacementRow extends MessageRow {
	readonly change: 'added' | 'copied' | 'moved' | 'flagged' | 'removed';
	/** Where it stood before, if it was moved. */
	readonly was?: { readonly folder: FolderName; readonly key: string };
	/** Flags and keywords that it has and had not, and those that it had and has not; both left out where it has what it had. */
	readonly set?: Marks;
	readonly unset?: Marks;
}

export interface FolderChangeRow {
	readonly change: 'folder-made' | 'folder-removed';
	readonly account: AccountName;
	readonly folder: FolderName;
}

export interface AccountChangeRow {
	readonly change: 'account-made' | 'account-removed';
	readonly account: AccountName;
}

export type ChangeRow = PlacementRow | FolderChangeRow | AccountChangeRow;

/** Of all changes, also of those beyond the limit. */
export interface ChangeCounts {
	readonly accounts: { readonly made: number; readonly removed: number };
	readonly folders: { readonly made: number; readonly removed: number };
	readonly messages: { readonly [change in PlacementRow['change']]: number };
	/** Of the messages that were added or copied, and of those that were removed, each as often as it is placed. */
	readonly bytes: { readonly added: number; readonly removed: number };
}

/** One of the two states. */
export interface DiffSide {
	readonly snapshot: SnapshotName;
	/** ISO 8601 UTC. */
	readonly time: string;
}

export interface DiffResult extends Listing<ChangeRow> {
	readonly before: DiffSide;
	readonly after: DiffSide;
	readonly counts: ChangeCounts;
}
