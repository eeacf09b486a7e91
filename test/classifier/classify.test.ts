import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/classifier/index.ts';
import { FLAGS, type PlacementFacts, type Policy, parseFolderName } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

const DAY = 24 * 3600 * 1000;
const NOW = Date.UTC(2026, 10, 23, 2, 15);

const times = fc.integer({ min: NOW - 4000 * DAY, max: NOW + 400 * DAY });
const periods = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1000 * DAY }));
const policies: fc.Arbitrary<Policy> = fc.record({
	quietPeriod: periods,
	unreadPeriod: periods,
	never: fc.subarray(['Trash', 'Junk', 'Drafts', 'Lists/Noise']),
});
const facts: fc.Arbitrary<PlacementFacts> = fc
	.record(
		{
			folder: fc.constantFrom('INBOX', 'Trash', 'INBOX/junk', 'Lists/Noise/Daily', 'Projects/Alpha').map(parseFolderName),
			flags: fc.subarray([...FLAGS]),
			date: times,
			since: times,
		},
		{ requiredKeys: ['folder', 'flags', 'date'] },
	)
	.map((record) => record as PlacementFacts);

describe('classify()', () => {
	it('seals at the instant that it calls due, and not a millisecond before', () => {
		fc.assert(
			fc.property(facts, policies, times, (placement, policy, now) => {
				const { dueAt } = classify(placement, policy, now);
				fc.pre(dueAt !== null);
				expect(classify(placement, policy, dueAt).seal).toBe(true);
				expect(classify(placement, policy, dueAt - 1).seal).toBe(false);
			}),
			propertyRuns(),
		);
	});

	it('never takes back with time what it sealed', () => {
		fc.assert(
			fc.property(facts, policies, times, fc.nat(4000 * DAY), (placement, policy, now, later) => {
				if (classify(placement, policy, now).seal) expect(classify(placement, policy, now + later).seal).toBe(true);
			}),
			propertyRuns(),
		);
	});

	it('names the same due instant whenever it is asked', () => {
		fc.assert(
			fc.property(facts, policies, times, times, (placement, policy, now, other) => {
				expect(classify(placement, policy, now).dueAt).toBe(classify(placement, policy, other).dueAt);
			}),
			propertyRuns(),
		);
	});

	it('calls quiet exactly what it seals', () => {
		fc.assert(
			fc.property(facts, policies, times, (placement, policy, now) => {
				const decision = classify(placement, policy, now);
				expect(decision.seal).toBe(decision.reason === 'quiet');
				if (decision.seal) expect(decision.dueAt).toBeLessThanOrEqual(now);
			}),
			propertyRuns(),
		);
	});

	it('depends on nothing but folder, flags, date, since, policy and now', () => {
		fc.assert(
			fc.property(facts, policies, times, (placement, policy, now) => {
				const frozen = Object.freeze({ ...placement, flags: Object.freeze([...placement.flags]) });
				const other = { ...placement, flags: [...placement.flags].reverse(), key: 'other', uid: 7 };
				expect(classify(other, Object.freeze({ ...policy }), now)).toEqual(classify(frozen, policy, now));
			}),
			propertyRuns(),
		);
	});

	it('never seals a draft, a deleted message or one in a folder that is never sealed, however old', () => {
		const old = { folder: parseFolderName('INBOX'), flags: ['seen'] as const, date: 0 };
		const policy = { quietPeriod: 0, unreadPeriod: 0, never: ['Trash'] };
		expect(classify(old, policy, NOW).seal).toBe(true);
		expect(classify({ ...old, flags: ['draft', 'seen'] }, policy, NOW)).toEqual({ seal: false, reason: 'draft', dueAt: null });
		expect(classify({ ...old, flags: ['deleted', 'seen'] }, policy, NOW)).toEqual({ seal: false, reason: 'deleted-marked', dueAt: null });
		expect(classify({ ...old, folder: parseFolderName('Trash') }, policy, NOW)).toEqual({
			seal: false,
			reason: 'never-folder',
			dueAt: null,
		});
	});
});
