import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideKept } from '../../src/classifier/index.ts';
import { NO_RETENTION, parseSnapshotName, type Retention, type SnapshotFacts } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

interface Golden {
	readonly retention: Partial<Retention>;
	readonly snapshots: readonly {
		readonly time: string;
		readonly tags?: readonly string[];
		readonly record?: boolean;
		readonly reasons: readonly string[];
	}[];
}

/** A clock that no snapshot here is ahead of. */
const AFTER_ALL = Date.UTC(2100, 0, 1);

const FOLDER = join(import.meta.dirname, '..', '..', 'fixtures', 'retention');

function factsOf(snapshot: { readonly time: string; readonly tags?: readonly string[]; readonly record?: boolean }): SnapshotFacts {
	const name = parseSnapshotName(`${snapshot.time.slice(0, 19).replaceAll(/[-:]/g, '')}Z-0a1b2c3d`);
	return { name, time: snapshot.time, tags: snapshot.tags ?? [], isRecord: snapshot.record === true };
}

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.json')))('golden decisions of %s', (file) => {
	const golden = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Golden;
	const decisions = decideKept(golden.snapshots.map(factsOf), { ...NO_RETENTION, ...golden.retention }, AFTER_ALL);

	it.each(golden.snapshots.map((one, index) => [`${one.time}: ${one.reasons.join(', ') || 'goes'}`, one, index] as const))(
		'%s',
		(_, one, index) => {
			expect(decisions[index]).toEqual({ ...factsOf(one), keep: one.reasons.length > 0, reasons: one.reasons });
		},
	);
});

const DAY = 24 * 3600 * 1000;
const START = Date.UTC(2019, 11, 20);

/** Some years of snapshots that no two have the second of, in any order. */
const snapshots: fc.Arbitrary<SnapshotFacts[]> = fc
	.uniqueArray(
		fc.record({
			second: fc.oneof(fc.integer({ min: 0, max: 3 * 86_400 }), fc.integer({ min: 0, max: 1500 * 86_400 })),
			tags: fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.constant(['x']) }),
			record: fc.nat(7).map((n) => n === 0),
		}),
		{ selector: ({ second }) => second, maxLength: 60 },
	)
	.map((all) => all.map(({ second, tags, record }) => factsOf({ time: new Date(START + second * 1000).toISOString(), tags, record })));

const counts = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20));
const retentions: fc.Arbitrary<Retention> = fc.record({
	last: counts,
	hourly: counts,
	daily: counts,
	weekly: counts,
	monthly: counts,
	yearly: counts,
});

function keptOf(all: readonly SnapshotFacts[], retention: Retention): string[] {
	return decideKept(all, retention, AFTER_ALL).flatMap(({ keep, isRecord, name }) => (keep && !isRecord ? [name] : []));
}

describe('decideKept()', () => {
	it('decides about every snapshot once, oldest first, whatever order they come in, and leaves the argument alone', () => {
		fc.assert(
			fc.property(snapshots, retentions, (all, retention) => {
				const decisions = decideKept(Object.freeze([...all]), Object.freeze({ ...retention }), AFTER_ALL);
				expect(decisions.map(({ name }) => name)).toEqual(all.map(({ name }) => name).sort());
				expect(decideKept([...all].reverse(), retention, AFTER_ALL)).toEqual(decisions);
				for (const { keep, reasons } of decisions) expect(keep).toBe(reasons.length > 0);
			}),
			propertyRuns(),
		);
	});

	it('prunes nothing more of what it kept, also once a record stands behind it', () => {
		fc.assert(
			fc.property(snapshots, retentions, (all, retention) => {
				const kept = decideKept(all, retention, AFTER_ALL).filter(({ keep }) => keep);
				const record = factsOf({ time: new Date(START + 2000 * DAY).toISOString(), record: true });
				const untagged = kept.filter(({ isRecord, tags }) => !isRecord || tags.length > 0);
				for (const again of [kept, [...untagged, record]]) {
					expect(decideKept(again, retention, AFTER_ALL).filter(({ keep }) => !keep)).toEqual([]);
				}
			}),
			propertyRuns(),
		);
	});

	it('keeps with larger counts all that it keeps with smaller ones', () => {
		fc.assert(
			fc.property(snapshots, retentions, retentions, (all, retention, more) => {
				const larger = Object.fromEntries(
					Object.entries(retention).map(([rule, count]) => [rule, count + more[rule as keyof Retention]]),
				) as unknown as Retention;
				expect(keptOf(all, larger)).toEqual(expect.arrayContaining(keptOf(all, retention)));
			}),
			propertyRuns(),
		);
	});

	it('keeps the newest state and everything that has a tag, and fills no bucket with a record', () => {
		fc.assert(
			fc.property(snapshots, retentions, (all, retention) => {
				const kept = new Set(decideKept(all, retention, AFTER_ALL).flatMap(({ keep, name }) => (keep ? [name] : [])));
				const states = all.filter(({ isRecord }) => !isRecord);
				const newest = states
					.map(({ name }) => name)
					.sort()
					.at(-1);
				if (newest !== undefined) expect(kept).toContain(newest);
				for (const { name, tags } of all) if (tags.length > 0) expect(kept).toContain(name);
				expect(keptOf(all, retention)).toEqual(keptOf(states, retention));
			}),
			propertyRuns(),
		);
	});

	it('keeps of one rule as many as it says, or all buckets that there are', () => {
		fc.assert(
			fc.property(snapshots, fc.nat(20), (all, daily) => {
				const days = new Set(all.filter(({ isRecord }) => !isRecord).map(({ time }) => time.slice(0, 10)));
				const decisions = decideKept(all, { ...NO_RETENTION, daily }, AFTER_ALL);
				const filled = decisions.flatMap(({ reasons }) => reasons.filter((reason) => reason.startsWith('daily ')));
				expect(filled).toEqual(
					[...days]
						.sort()
						.slice(Math.max(0, days.size - daily))
						.map((day) => `daily ${day}`),
				);
			}),
			propertyRuns(),
		);
	});

	it('keeps every night that is dated after now, where hours to years count: after a clock was ahead once, all are dated within one hour', () => {
		const times = [
			'2026-11-20T02:15:00.000Z',
			'2026-11-21T02:15:00.000Z',
			...[0, 1, 2, 3].map((second) => `2036-01-01T00:00:0${second}.000Z`),
		];
		const now = Date.UTC(2026, 10, 25, 2, 15);
		const keep = (retention: Partial<Retention>) =>
			decideKept(
				times.map((time) => factsOf({ time })),
				{ ...NO_RETENTION, ...retention },
				now,
			).map(({ reasons }) => reasons.join());
		const ahead = 'dated after now';
		expect(keep({ daily: 1 })).toEqual(['', 'daily 2026-11-21', ahead, ahead, ahead, `newest,${ahead}`]);
		expect(keep({ last: 2 })).toEqual(['', '', '', '', 'last', 'newest,last']);
	});
});
