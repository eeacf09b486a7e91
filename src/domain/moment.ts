import { MailsealError } from './errors.ts';
import { parseSnapshotName, type SnapshotName } from './ids.ts';
import { parseDuration, parseInstant } from './instant.ts';

/** Which snapshot is meant: the newest, one by its name, or the newest that is not later than an instant (milliseconds since 1970). */
export type Moment =
	| { readonly kind: 'latest' }
	| { readonly kind: 'snapshot'; readonly name: SnapshotName }
	| { readonly kind: 'instant'; readonly at: number };

const LAST_OF_DAY = 24 * 3600 * 1000 - 1;

/** Reads `latest`, a snapshot's name, an ISO 8601 instant, a date (its last millisecond, UTC, so that this day's packs count) or an age. */
export function parseMoment(text: string, now: number): Moment {
	const moment = text.trim();
	if (moment === 'latest') return { kind: 'latest' };
	if (/^[0-9]{8}T[0-9]{6}Z/.test(moment)) return { kind: 'snapshot', name: parseSnapshotName(moment) };
	if (/^[0-9]{4}-/.test(moment)) {
		const isDate = /^[0-9-]{10}$/.test(moment);
		return { kind: 'instant', at: parseInstant(moment) + (isDate ? LAST_OF_DAY : 0) };
	}
	if (!/^[0-9]+[a-z]$/.test(moment)) {
		throw new MailsealError(
			'usage',
			`Cannot read moment "${text}": it is none of "latest", a snapshot's name, an instant, a date, an age`,
			{
				hint: 'write latest, 20261123T021500Z-0a1b2c3d, 2026-11-23T02:15:00Z, 2026-11-23 or 3d',
			},
		);
	}
	const at = now - parseDuration(moment);
	if (at < 0) throw new MailsealError('usage', `Cannot read moment "${text}": it lies before 1970 (no mail was packed then)`);
	return { kind: 'instant', at };
}
