/** What the classifier goes by. Durations in milliseconds. */
export interface Policy {
	/** How long a read message must have been unchanged before it is sealed. */
	readonly quietPeriod: number;
	/** The same for a message that nobody has read. */
	readonly unreadPeriod: number;
	/** Folders that are never sealed, and all below them; compared without regard to case. */
	readonly never: readonly string[];
}

const DAY = 24 * 3600 * 1000;

export const DEFAULT_POLICY: Policy = {
	quietPeriod: 30 * DAY,
	unreadPeriod: 90 * DAY,
	never: ['Trash', 'Junk', 'Drafts'],
};

/** When an attachment is sealed: with the first quiet message that needs it, or when one comes that may become quiet. */
export const ATTACHMENTS_WHEN = ['quiet', 'arrival'] as const;
export type AttachmentsWhen = (typeof ATTACHMENTS_WHEN)[number];
