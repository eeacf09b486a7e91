import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packPlacements } from '../../src/archive/added-placements.ts';
import type { NewPlacement } from '../../src/archive/scan.ts';
import { FLAGS } from '../../src/domain/index.ts';
import { RUNS, SEED } from '../bundle/sample-content.ts';
import { placedAt } from '../support/words.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const key = fc.oneof(fc.constant('1700000000.M1P2.host'), text);

const placements: fc.Arbitrary<NewPlacement> = fc
	.record({
		key,
		directory: fc.constantFrom('/mail/ann/cur/', '/mail/ann/new/', '', '/'),
		name: fc.option(text, { nil: undefined }),
		flags: fc.subarray([...FLAGS]),
		keywords: fc.array(text, { maxLength: 2 }),
		more: fc.record(
			{
				info: text,
				uid: fc.nat(),
				uidlist: text,
				dir: fc.constantFrom('cur' as const, 'new' as const),
				ambiguous: fc.constant(true),
			},
			{ requiredKeys: [] },
		),
		date: fc.integer(),
		size: fc.nat(Number.MAX_SAFE_INTEGER),
		isKnown: fc.boolean(),
	})
	.map(({ key, directory, name, flags, keywords, more, date, size, isKnown }) => ({
		listed: { key, flags, keywords, path: `${directory}${name ?? `${key}${more.info ?? ''}`}`, ...more },
		date,
		size,
		known: isKnown ? placedAt('ann@example.org/INBOX/1', 'ann@example.org/INBOX/1') : null,
	}));

describe('packPlacements()', () => {
	it('gives every placement back as it was, in the same order, each time', () => {
		fc.assert(
			fc.property(fc.array(placements, { maxLength: 20 }), (some) => {
				const packed = packPlacements(some);
				expect([...packed]).toEqual(some);
				expect([...packed]).toEqual(some);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('gives back more than fit into one page', () => {
		const listed = (number: number) => ({ key: `${number}`, flags: [], keywords: [], path: `/mail/cur/${number}:2,S`, info: ':2,S' });
		const many = Array.from({ length: 1300 }, (_, number) => ({ listed: listed(number), date: number, size: 1, known: null }));
		expect([...packPlacements(many)]).toEqual(many);
	});

	it('gives back more text than fits into one string', () => {
		const uidlist = '\u0001'.repeat(1 << 20);
		function* many() {
			for (let number = 0; number < 100; number++) {
				yield {
					listed: { key: `${number}`, flags: [], keywords: [], path: `/mail/cur/${number}`, uidlist },
					date: 0,
					size: 1,
					known: null,
				};
			}
		}
		let number = 0;
		for (const { listed } of packPlacements(many())) {
			expect(listed.key).toBe(`${number++}`);
			expect(listed.uidlist === uidlist).toBe(true);
		}
		expect(number).toBe(100);
	});
});
