import { logNormal, type Prng } from './prng.ts';
import { HABITS, type Nights, OLD_DAYS, type Sort } from './year-habits.ts';

const MOST_NIGHTS = 3650;

/** A message of the year. */
export interface Mail {
	readonly sort: Sort | 'before';
	/** Night before which it came; 0 and less for what the tree had. */
	readonly came: number;
	readonly bytes: number;
	/** Night before which its owner deleted it, or it expired; undefined while it lasts. */
	deleted: number | undefined;
	inSpree: boolean;
	account: string;
	/** Directory of its folder, and its name without `:2,`; undefined when the file is gone. */
	place: { readonly directory: string; readonly base: string } | undefined;
}

/** What one night's day came to: counts of messages; bytes where it says so. */
export interface YearDay {
	delivered: number;
	deliveredBytes: number;
	read: number;
	relabelled: number;
	moved: number;
	deleted: number;
	deletedBytes: number;
	/** Files that went, from Trash and Junk included. */
	expunged: number;
	spree: boolean;
}

/** Lies neither in Trash nor in Junk, and is older than a month. */
export function isOld(mail: Mail, night: number): boolean {
	const directory = mail.place?.directory;
	return night - mail.came > OLD_DAYS && directory !== undefined && directory !== '.Trash' && directory !== '.Junk';
}

/** Whole nights, drawn from a shape. */
export function nightsOf(shape: Nights, prng: Prng): number {
	return Math.min(MOST_NIGHTS, Math.floor(logNormal(prng.float(), shape)));
}

/** The sort that a number in [0, 1) falls on. */
export function sortOf(at: number): Sort {
	let below = 0;
	for (const sort of ['letter', 'sent', 'newsletter', 'notification', 'spam'] as const) {
		below += HABITS[sort].share;
		if (at < below) return sort;
	}
	return 'letter';
}

/** Neighbours in time. */
export function runOf(mails: readonly Mail[], options: { readonly wanted: number; readonly prng: Prng }): Mail[] {
	const sorted = [...mails].sort((left, right) => left.came - right.came);
	const first = options.prng.int(sorted.length - options.wanted + 1);
	return sorted.slice(first, first + options.wanted);
}

/** Any of them, each once. */
export function sampleOf(mails: readonly Mail[], options: { readonly wanted: number; readonly prng: Prng }): Mail[] {
	const left = [...mails];
	return Array.from({ length: options.wanted }, () => left.splice(options.prng.int(left.length), 1)[0]).filter(
		(mail) => mail !== undefined,
	);
}
