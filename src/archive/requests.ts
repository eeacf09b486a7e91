import type { AccountName, AttachmentsWhen, FolderName, Policy, Progress, Retention } from '../domain/index.ts';
import type { MailSource } from '../sources/index.ts';
import type { VerifyMode } from './results.ts';

/** Sizes and times that shape bundles. Bytes and milliseconds. */
export interface BundleSettings {
	/** A sealed bundle is cut when it has reached this size. */
	readonly target: number;
	/** No bundle's mail grows beyond this (its manifest comes on top), but for a single message that is larger. */
	readonly max: number;
	/** How long quiet mail may wait for a bundle to fill. */
	readonly linger: number;
	readonly compress: boolean;
	/** When an attachment is sealed: with the first quiet message that needs it, or as soon as one comes that may become quiet. */
	readonly attachments: AttachmentsWhen;
	/** A volatile bundle of which less than this share is alive is folded into tonight's. */
	readonly foldBelow: number;
	/** More volatile bundles than this are never kept: those with the least alive in them are folded first. */
	readonly mostVolatile: number;
}

export const DEFAULT_BUNDLES: BundleSettings = {
	target: 64 * 1024 * 1024,
	max: 96 * 1024 * 1024,
	linger: 30 * 24 * 3600 * 1000,
	compress: true,
	attachments: 'arrival',
	foldBelow: 0.2,
	mostVolatile: 100,
};

/** What every long call takes. */
export interface Run {
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

export interface PackRequest extends Run {
	readonly sources: readonly MailSource[];
	readonly policy: Policy;
	readonly bundles: BundleSettings;
	/** The clock to judge by, milliseconds since 1970. */
	readonly now: number;
	/** Lists every folder, however unchanged it looks, and reads every message again. */
	readonly rescan: boolean;
	readonly allowMassRemoval: boolean;
	/** Names for the snapshot, as parseTag() takes them: a prune keeps one that has a tag. */
	readonly tags?: readonly string[];
	readonly dryRun: boolean;
}

export interface PruneRequest extends Run {
	readonly keep: Retention;
	/** The clock that dates the record, milliseconds since 1970. */
	readonly now: number;
	readonly dryRun: boolean;
}

export interface CompactRequest extends Run {
	/** Sealed bundles of which a smaller share is alive are superseded: from 0, where only what is wholly dead goes, to 1. */
	readonly below: number;
	/** Bytes that one run may write. */
	readonly budget: number;
	readonly bundles: Pick<BundleSettings, 'target' | 'max'>;
	/** The time of the snapshot, milliseconds since 1970. */
	readonly now: number;
	readonly dryRun: boolean;
}

export const DEFAULT_COMPACTION: Pick<CompactRequest, 'below' | 'budget'> = { below: 0.5, budget: 1024 ** 3 };

export interface PlanRequest extends Run {
	readonly sources: readonly MailSource[];
	readonly policy: Policy;
	readonly now: number;
}

/** `at`: a snapshot's name, an ISO 8601 instant or date, an age such as `3d`, or `latest`. */
export interface ListRequest extends Partial<Run> {
	readonly account?: AccountName;
	readonly folder?: FolderName;
	readonly at?: string;
	readonly limit?: number;
	/** The clock that an age counts from. */
	readonly now: number;
}

export interface SearchRequest extends Partial<Run> {
	readonly query: string;
	readonly at?: string;
	readonly limit: number;
	readonly now: number;
}

export interface RestoreRequest extends Run {
	/** `ACCOUNT` or `ACCOUNT/FOLDER`; empty for everything. */
	readonly selections: readonly string[];
	readonly to: string;
	readonly at?: string;
	readonly as: 'maildir' | 'mbox';
	readonly layout: 'maildir++' | 'fs';
	readonly dryRun: boolean;
	readonly now: number;
}

export interface VerifyRequest extends Run {
	readonly mode: VerifyMode;
	/** For mode `sample`: verifies every bundle whose turn it is, one in so many. */
	readonly sample?: number;
	readonly now: number;
}
