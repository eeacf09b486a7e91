import type { AttachmentBundle, ListedAttachment } from '../catalog/index.ts';
import type { AccountName, BundleId, BundleKind, Finding, Flag, FolderName, MessageId, Reason, SnapshotName } from '../domain/index.ts';

/** What every use case gives back beside its result. */
export interface Outcome<Result> {
	readonly result: Result;
	readonly findings: readonly Finding[];
}

export interface PackResult {
	/** Null in a dry run. */
	readonly snapshot: SnapshotName | null;
	readonly parent: SnapshotName | null;
	readonly accounts: number;
	/** Placements; `total` after this pack. */
	readonly messages: { readonly total: number; readonly added: number; readonly changed: number; readonly removed: number };
	readonly sealed: { readonly confirmed: number; readonly new: number; readonly newBytes: number; readonly rewrittenBytes: number };
	readonly volatile: { readonly bundles: number; readonly bytes: number; readonly newBytes: number };
	/** Attachments stored apart after this pack, those that no bundle had before it, and the bytes that storing each once saves. */
	readonly attachments: { readonly total: number; readonly new: number; readonly sharedBytes: number };
	readonly scan: { readonly folders: number; readonly foldersRead: number; readonly filesRead: number; readonly bytesRead: number };
	readonly seconds: number;
}

export interface PruneResult {
	/** The snapshot that says what was pruned; null in a dry run, and where there was nothing to prune. */
	readonly record: SnapshotName | null;
	/** Oldest first, without the record. */
	readonly kept: readonly {
		readonly name: SnapshotName;
		readonly time: string;
		readonly tags: readonly string[];
		readonly reasons: readonly string[];
	}[];
	readonly pruned: readonly { readonly name: SnapshotName; readonly time: string }[];
	/** Bundles here that only they named. */
	readonly bundles: number;
	readonly bytes: number;
	readonly seconds: number;
	readonly dryRun: boolean;
}

/** One row of a plan: what would be sealed if this were the quiet period. */
export interface PlanRow {
	/** Milliseconds. */
	readonly quietPeriod: number;
	readonly sealedMessages: number;
	readonly sealedBytes: number;
	readonly volatileMessages: number;
	readonly volatileBytes: number;
}

export interface PlanResult {
	readonly now: string;
	readonly accounts: number;
	readonly folders: number;
	readonly messages: number;
	readonly bytes: number;
	readonly rows: readonly PlanRow[];
	/** Under the policy in force: how many messages and bytes each reason decides. */
	readonly reasons: readonly { readonly reason: Reason; readonly seal: boolean; readonly messages: number; readonly bytes: number }[];
	/** The policy in force, milliseconds. */
	readonly policy: { readonly quietPeriod: number; readonly unreadPeriod: number; readonly never: readonly string[] };
}

export interface StatusResult {
	readonly archive: string;
	readonly id: string;
	/** Null before the first pack. */
	readonly snapshot: { readonly name: SnapshotName; readonly time: string } | null;
	readonly snapshots: number;
	readonly accounts: number;
	readonly folders: number;
	/** Placements, and the bytes of the messages they stand for, each counted as often as it is placed. */
	readonly messages: number;
	readonly bytes: number;
	readonly sealed: { readonly bundles: number; readonly bytes: number };
	readonly volatile: { readonly bundles: number; readonly bytes: number };
	/** Messages placed more than once and stored once: the bytes that this saves. */
	readonly sharedBytes: number;
	/** Attachments stored apart, their bytes before compression, and the bytes that storing each once saves. */
	readonly attachments: { readonly total: number; readonly bytes: number; readonly sharedBytes: number };
	/** Targets that this archive was shipped to, those that were shipped to last first. */
	readonly targets: readonly TargetStatus[];
	/** What to do next, as commands or sentences; empty where nothing needs doing. */
	readonly next: readonly string[];
}

export interface TargetStatus {
	readonly target: string;
	/** When a sync last came to its end, ISO 8601 UTC, and the newest snapshot that lay there then; null where none did. */
	readonly synced: { readonly time: string; readonly snapshot: SnapshotName } | null;
	/** Snapshots here that are newer. */
	readonly behind: number;
	/** Sealed bundles that lie there and not here. */
	readonly dropped: { readonly bundles: number; readonly bytes: number };
}

export interface AccountRow {
	readonly account: AccountName;
	readonly folders: number;
	readonly messages: number;
	readonly bytes: number;
}

export interface FolderRow {
	readonly account: AccountName;
	readonly folder: FolderName;
	readonly messages: number;
	readonly bytes: number;
	readonly unseen: number;
	readonly uidValidity?: number;
	readonly uidNext?: number;
}

export interface MessageRow {
	readonly account: AccountName;
	readonly folder: FolderName;
	readonly key: string;
	readonly id: MessageId;
	readonly size: number;
	/** Internal date, ISO 8601 UTC. */
	readonly date: string;
	readonly flags: readonly Flag[];
	readonly keywords: readonly string[];
	readonly uid?: number;
	readonly messageId?: string;
	readonly from?: string;
	readonly to?: string;
	readonly subject?: string;
	/** Attached files, where there are any. */
	readonly files?: number;
}

/** An attachment as a list shows it, and a bundle that must be there to read some of them. */
export type AttachmentRow = ListedAttachment;
export type NeededBundle = AttachmentBundle;

/** Attachments, and all bundles that must be there to read every one of them, also of those beyond the limit. */
export interface AttachmentListing extends Listing<AttachmentRow> {
	readonly bundles: readonly NeededBundle[];
}

export interface BundleRow {
	readonly id: BundleId;
	readonly kind: BundleKind;
	readonly size: number;
	/** Messages and attachments whose bytes lie in it. */
	readonly messages: number;
	readonly attachments: number;
	/** Messages and attachments that the newest snapshot still reads from it. */
	readonly live: number;
	readonly tenant?: string;
}

export interface SnapshotRow {
	readonly name: SnapshotName;
	readonly time: string;
	readonly accounts: number;
	readonly messages: number;
	readonly bytes: number;
	readonly bundles: number;
	readonly skipped: number;
}

/** A list, cut at a limit. */
export interface Listing<Row> {
	readonly rows: readonly Row[];
	/** True where more rows exist than were asked for. */
	readonly more: boolean;
}

export interface ExtractedMessage {
	readonly id: MessageId;
	readonly size: number;
	/** A file name for it: `<id>.eml`. */
	readonly fileName: string;
	/** The exact bytes, proved against the id before the first piece is given. */
	chunks(): Iterable<Uint8Array>;
}

/** A part of a message, decoded as a mail reader would save it. */
export interface ExtractedPart {
	readonly message: MessageId;
	/** The file name that the message gives, or `part-N` for a part without one. */
	readonly name: string;
	/** Media type in lower case. */
	readonly type: string;
	readonly bytes: Uint8Array;
}

export interface RestoreResult {
	readonly snapshot: SnapshotName;
	readonly accounts: number;
	readonly folders: number;
	/** Messages written, and those that were there already. */
	readonly written: number;
	readonly present: number;
	readonly bytes: number;
	readonly seconds: number;
	readonly dryRun: boolean;
}

export type VerifyMode = 'quick' | 'full' | 'deep' | 'sample';

export interface VerifyResult {
	readonly mode: VerifyMode;
	readonly snapshots: number;
	readonly bundles: number;
	/** Bundles that lie at a target and not here, and were not looked at. */
	readonly offsite: number;
	readonly messages: number;
	readonly bytes: number;
	/** Ids of bundles and names of snapshots. */
	readonly damaged: readonly string[];
	readonly missing: readonly string[];
	readonly seconds: number;
}

export interface ReindexResult {
	readonly snapshot: SnapshotName | null;
	readonly bundles: number;
	readonly messages: number;
	readonly seconds: number;
}
