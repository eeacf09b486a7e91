const DAY = 86_400_000;

/** What every program of the year keeps: the newest of each of the last days and of each of the last months. */
export const KEEP_DAILY = 30;
export const KEEP_MONTHLY = 12;
/** Nights from one retention to the next. */
export const RETENTION_EVERY = 7;

/** The nights that stay, of those that are there. `start` is the instant of night 0. */
export function keptNights(nights: readonly number[], start: number): number[] {
	const newestFirst = [...nights].sort((left, right) => right - left);
	const keep = new Set<number>();
	for (const [length, count] of [
		[10, KEEP_DAILY],
		[7, KEEP_MONTHLY],
	] as const) {
		const newest = new Map<string, number>();
		for (const night of newestFirst) {
			const period = new Date(start + night * DAY).toISOString().slice(0, length);
			if (!newest.has(period)) newest.set(period, night);
		}
		for (const night of [...newest.values()].slice(0, count)) keep.add(night);
	}
	return newestFirst.filter((night) => keep.has(night)).reverse();
}

/** The nights that some retention up to `last` may leave, however the programs count. */
export function mayBeKept(last: number, start: number): Set<number> {
	const all = Array.from({ length: last + 1 }, (_, night) => night);
	// The last retention may have been in the month before, and left a month more.
	const retained = all.slice(0, last - (last % RETENTION_EVERY) + 1);
	const kept = new Set([...keptNights(all, start), ...keptNights(retained, start)]);
	for (const night of all.slice(-(KEEP_DAILY + RETENTION_EVERY + 1))) kept.add(night);
	return kept.add(0);
}
