import { OLD_DAYS } from './year-habits.ts';
import type { Mail } from './year-mail.ts';

/** What became of the mail of a year; shares of bytes. */
export interface YearShares {
	readonly deliveredBytes: number;
	/** By horizon in nights: of what came so long ago or longer, the share that was deleted within it. */
	readonly deletedWithin: readonly { readonly nights: number; readonly share: number }[];
	/** Of all that came. */
	readonly deletedSoFar: number;
	/** Of what had become old, before the year or in it: deleted when it was, and the part of that which sprees took. */
	readonly oldDeleted: number;
	readonly oldDeletedInSprees: number;
}

const HORIZONS = [7, 30, 60] as const;

/** A message that came too late to be judged by a horizon does not count there. */
export function sharesOf(mails: readonly Mail[], nights: number): YearShares {
	const came = mails.filter((mail) => mail.came > 0);
	const grownOld = mails.filter(
		(mail) => nights - mail.came > OLD_DAYS && !(mail.deleted !== undefined && mail.deleted - mail.came <= OLD_DAYS),
	);
	const gone = grownOld.filter((mail) => mail.deleted !== undefined);
	return {
		deliveredBytes: bytesOf(came),
		deletedWithin: HORIZONS.map((horizon) => {
			const judged = came.filter((mail) => mail.came + horizon <= nights);
			const deleted = judged.filter((mail) => mail.deleted !== undefined && mail.deleted - mail.came <= horizon);
			return { nights: horizon, share: bytesOf(deleted) / bytesOf(judged) };
		}),
		deletedSoFar: bytesOf(came.filter((mail) => mail.deleted !== undefined)) / bytesOf(came),
		oldDeleted: bytesOf(gone) / bytesOf(grownOld),
		oldDeletedInSprees: bytesOf(gone.filter((mail) => mail.inSpree)) / bytesOf(grownOld),
	};
}

function bytesOf(mails: readonly Mail[]): number {
	return mails.reduce((sum, mail) => sum + mail.bytes, 0);
}
