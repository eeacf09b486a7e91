/** A sort of mail, and what becomes of it. Shares are of its messages; times are nights, log-normal around a median. */
export interface Habit {
	/** Of what comes in or is sent. */
	readonly share: number;
	readonly where: '' | '.Junk' | '.Sent';
	/** Bytes of text; `null`: as the profile has it, with its attachments. */
	readonly text: { readonly median: number; readonly sigma: number } | null;
	/** Is read at all, and how long that takes. */
	readonly read: number;
	readonly readAfter: Nights;
	readonly answered: number;
	readonly flagged: number;
	readonly keyworded: number;
	/** Goes into another folder. */
	readonly moved: number;
	/** Is deleted while it is young, and how long after it was read. */
	readonly deleted: number;
	readonly deletedAfter: Nights;
}

export interface Nights {
	readonly median: number;
	readonly sigma: number;
}

export type Sort = 'letter' | 'sent' | 'newsletter' | 'notification' | 'spam';

const SOON = { median: 0.5, sigma: 1.2 };
const NEVER = { median: 1, sigma: 0 };

/** Two fifths of the bytes do not last, most of them not a month: letters are nine tenths of the bytes, the rest of the count. */
export const HABITS: Readonly<Record<Sort, Habit>> = {
	letter: {
		...{ share: 0.48, where: '', text: null, read: 0.98, readAfter: SOON },
		...{ answered: 0.2, flagged: 0.05, keyworded: 0.05, moved: 0.18, deleted: 0.42, deletedAfter: { median: 4, sigma: 1.1 } },
	},
	sent: {
		...{ share: 0.12, where: '.Sent', text: null, read: 1, readAfter: { median: 0.01, sigma: 0 } },
		...{ answered: 0, flagged: 0, keyworded: 0, moved: 0.02, deleted: 0.05, deletedAfter: { median: 10, sigma: 1 } },
	},
	newsletter: {
		...{ share: 0.16, where: '', text: { median: 11_000, sigma: 0.6 }, read: 0.7, readAfter: { median: 1, sigma: 1 } },
		...{ answered: 0, flagged: 0.01, keyworded: 0, moved: 0.03, deleted: 0.75, deletedAfter: { median: 1.5, sigma: 1 } },
	},
	notification: {
		...{ share: 0.14, where: '', text: { median: 3000, sigma: 0.5 }, read: 0.75, readAfter: SOON },
		...{ answered: 0, flagged: 0.01, keyworded: 0.01, moved: 0.05, deleted: 0.65, deletedAfter: { median: 1, sigma: 1 } },
	},
	spam: {
		...{ share: 0.1, where: '.Junk', text: { median: 4000, sigma: 0.8 }, read: 0.03, readAfter: SOON },
		...{ answered: 0, flagged: 0, keyworded: 0, moved: 0, deleted: 0, deletedAfter: NEVER },
	},
};

/** Of letters and of what is sent; makes attachments nine tenths of all bytes. */
export const ATTACHMENT_SHARE = 0.34;
/** A letter to several of the accounts, and to how many of them at most. */
export const TO_SEVERAL = 0.05;
export const SEVERAL = 4;
/** Of the average, from Sunday to Saturday. */
export const WEEK: readonly number[] = [0.5, 1.3, 1.25, 1.2, 1.2, 1.05, 0.5];

/** Mail deleted by hand goes through Trash so often; the rest is expunged at once. */
export const THROUGH_TRASH = 0.75;
/** Nights in Trash, and in Junk, before the server expunges it. */
export const TRASH_NIGHTS = 14;
export const JUNK_NIGHTS = 30;

/** Days from which on mail is old. */
export const OLD_DAYS = 30;
/** Of old mail, each year: deleted, given other flags, moved. */
export const OLD_DELETED = 0.012;
export const OLD_RELABELLED = 0.06;
export const OLD_MOVED = 0.04;

/** Clean-up sprees: when, in parts of all nights; in how many accounts of fifty; how much of their old mail. */
export const SPREES: readonly number[] = [1 / 4, 1 / 2, 3 / 4];
export const SPREE_ACCOUNTS = 0.08;
export const SPREE_SHARE = 0.2;

/** Mail of the tree that is younger than OLD_DAYS when the year begins: so much of it is still to be deleted. */
export const YOUNG_DELETED = 0.2;
