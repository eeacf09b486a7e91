import type { KeepDecision, Retention, SnapshotFacts } from '../domain/index.ts';

type Rule = readonly [name: keyof Retention, bucketOf: (time: string) => string];

/** A bucket is what an ISO 8601 instant in UTC begins with, but for weeks. */
const BUCKETS: readonly Rule[] = [
	['hourly', (time) => `${time.slice(0, 13)}h`],
	['daily', (time) => time.slice(0, 10)],
	['weekly', isoWeek],
	['monthly', (time) => time.slice(0, 7)],
	['yearly', (time) => time.slice(0, 4)],
];

/** So much later than now may be what two clocks make of one moment. Milliseconds. */
const SKEW = 60_000;

/**
 * Decides which snapshots a prune keeps, oldest first: of each of the last so many hours, days, weeks, months and years that have one, the newest;
 * the last so many; those that have a tag; and the newest. Records stand for no state of their own: the newest stays until a prune writes another.
 * Where hours to years count, those that are dated after `now` stay too.
 */
export function decideKept(snapshots: readonly SnapshotFacts[], retention: Retention, now: number): KeepDecision[] {
	const oldestFirst = [...snapshots].sort((a, b) => (a.name < b.name ? -1 : 1));
	const states = oldestFirst.filter(({ isRecord }) => !isRecord).reverse();
	// After a clock was ahead once, each night is dated a second after the one before, until that time has come: all of them would be of one hour.
	const isAhead = ({ time }: SnapshotFacts): boolean => Date.parse(time) > now + SKEW;
	const reasons = new Map<SnapshotFacts, string[]>(oldestFirst.map((one) => [one, one.tags.map((tag) => `tagged ${tag}`)]));
	const keep = (one: SnapshotFacts | undefined, reason: string): void => void (one && reasons.get(one)?.push(reason));
	keep(states[0], 'newest');
	for (const one of states.slice(0, retention.last)) keep(one, 'last');
	if (BUCKETS.some(([rule]) => retention[rule] > 0)) for (const one of states.filter(isAhead)) keep(one, 'dated after now');
	const dated = states.filter((one) => !isAhead(one));
	for (const [rule, bucketOf] of BUCKETS)
		for (const [bucket, one] of newestOf(dated, bucketOf, retention[rule])) keep(one, `${rule} ${bucket}`);

	const records = oldestFirst.filter(({ isRecord }) => isRecord);
	const isQuiet = states.every((one) => reasons.get(one)?.length !== 0) && records.slice(0, -1).every(({ tags }) => tags.length > 0);
	if (isQuiet) keep(records.at(-1), 'record');
	return oldestFirst.map((one) => {
		const why = reasons.get(one) ?? [];
		return { name: one.name, time: one.time, tags: one.tags, isRecord: one.isRecord, keep: why.length > 0, reasons: why };
	});
}

/** The newest snapshot of each of the last `count` buckets that have one. `newestFirst` is in that order. */
function newestOf(newestFirst: readonly SnapshotFacts[], bucketOf: (time: string) => string, count: number): Map<string, SnapshotFacts> {
	const chosen = new Map<string, SnapshotFacts>();
	for (const one of newestFirst) {
		const bucket = bucketOf(one.time);
		if (chosen.has(bucket)) continue;
		if (chosen.size >= count) break;
		chosen.set(bucket, one);
	}
	return chosen;
}

const DAY = 24 * 3600 * 1000;

/** ISO 8601 week, e.g. `2026-W48`: the week, from Monday, belongs to the year that its Thursday is in. */
function isoWeek(time: string): string {
	const day = Date.parse(`${time.slice(0, 10)}T00:00:00Z`);
	const weekday = (new Date(day).getUTCDay() + 6) % 7;
	const thursday = new Date(day + (3 - weekday) * DAY);
	const year = thursday.getUTCFullYear();
	const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY)) + 1;
	return `${year}-W${String(week).padStart(2, '0')}`;
}
