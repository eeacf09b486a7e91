import { MailsealError } from './errors.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: 60 * SECOND, h: HOUR, d: DAY, w: 7 * DAY, y: 365 * DAY };

/** A duration such as `36h`, `30d`, `12w`, `1y`, in milliseconds. */
export function parseDuration(text: string): number {
	const match = /^([0-9]{1,9})([smhdwy])$/.exec(text.trim());
	const unit = UNITS[match?.[2] ?? ''];
	if (!match || unit === undefined) {
		throw new MailsealError('usage', `Cannot read duration "${text}": it is not a number with s, m, h, d, w or y, such as 30d`);
	}
	return Number(match[1]) * unit;
}

/** The shortest form that parseDuration reads back, to the second. */
export function formatDuration(milliseconds: number): string {
	for (const unit of ['y', 'w', 'd', 'h', 'm'] as const) {
		const length = UNITS[unit] ?? SECOND;
		if (milliseconds > 0 && milliseconds % length === 0 && !(unit === 'w' && milliseconds % (30 * DAY) === 0)) {
			return `${milliseconds / length}${unit}`;
		}
	}
	return `${Math.round(milliseconds / SECOND)}s`;
}

/** An ISO 8601 instant or date (a date is its start, UTC) in milliseconds since 1970. */
export function parseInstant(text: string): number {
	const day = /^[0-9]{4}-[0-9]{2}-([0-9]{2})([T ]|$)/.exec(text)?.[1];
	const milliseconds = day === undefined ? Number.NaN : Date.parse(withZone(text.trim()));
	// JavaScript reads 30 February as 2 March.
	const rolledOver = day !== undefined && new Date(Date.parse(`${text.trim().slice(0, 10)}T00:00:00Z`)).getUTCDate() !== Number(day);
	if (Number.isNaN(milliseconds) || rolledOver) {
		throw new MailsealError('usage', `Cannot read instant "${text}": it is not ISO 8601, such as 2026-11-23 or 2026-11-23T02:15:00Z`);
	}
	return milliseconds;
}

/** JavaScript reads an instant without a zone as local time; an archive knows UTC only. */
function withZone(text: string): string {
	const spaced = text.replace(' ', 'T');
	if (!spaced.includes('T') || /(Z|[+-][0-9]{2}:?[0-9]{2})$/.test(spaced)) return spaced;
	return `${spaced}Z`;
}

/** ISO 8601 UTC with milliseconds. */
export function formatInstant(milliseconds: number): string {
	return new Date(milliseconds).toISOString();
}
