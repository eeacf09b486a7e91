import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spansOf } from '../../../src/archive/fetch-items.ts';
import type { Place } from '../../../src/archive/items.ts';
import { parseBundleId } from '../../../src/domain/index.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** No gap is longer, and no span of several items. Bytes. */
const GAP = 64 * KIB;
const SPAN = 8 * MIB;

const BUNDLES = [parseBundleId('ab'.repeat(32)), parseBundleId('cd'.repeat(32)), parseBundleId('ef'.repeat(32))] as const;

function place(bundle: number, offset: number, length: number): Place {
	return { bundle: BUNDLES[bundle] ?? BUNDLES[0], sealed: true, offset, length, codec: 'none' };
}

/** What a forged manifest says may overlap. */
const places = fc.array(
	fc
		.tuple(fc.nat(2), fc.nat(40 * MIB), fc.oneof(fc.nat(40 * KIB), fc.nat(3 * MIB), fc.nat(20 * MIB)))
		.map(([bundle, offset, length]) => place(bundle, offset, length)),
	{ maxLength: 60 },
);

test('spans cover every place once, each within its bundle, and are of one bundle', () => {
	fc.assert(
		fc.property(places, (some) => {
			const spans = spansOf(some);
			const covered = spans.flatMap((span) => span.places);
			expect(covered).toHaveLength(some.length);
			expect(new Set(covered)).toEqual(new Set(some));
			for (const { places: within, start, end } of spans) {
				expect(new Set(within.map(({ bundle }) => bundle)).size).toBe(1);
				for (const { offset, length } of within) {
					expect(offset).toBeGreaterThanOrEqual(start);
					expect(offset + length).toBeLessThanOrEqual(end);
				}
			}
		}),
		propertyRuns(200),
	);
});

test('a span of several items is no longer than 8 MiB, and spans 64 KiB apart are read as one', () => {
	fc.assert(
		fc.property(places, (some) => {
			const spans = spansOf(some);
			for (const { places: within, start, end } of spans) {
				if (within.length > 1) expect(end - start).toBeLessThanOrEqual(SPAN);
				expect(start).toBe(Math.min(...within.map(({ offset }) => offset)));
				expect(end).toBe(Math.max(...within.map(({ offset, length }) => offset + length)));
			}
			for (const [index, span] of spans.entries()) {
				const next = spans[index + 1];
				if (next === undefined || next.places[0]?.bundle !== span.places[0]?.bundle) continue;
				const first = next.places[0];
				const joined = Math.max(span.end, (first?.offset ?? 0) + (first?.length ?? 0)) - span.start;
				expect(next.start - span.end > GAP || joined > SPAN).toBe(true);
			}
		}),
		propertyRuns(200),
	);
});

test.each([
	['nothing', [], []],
	['one item', [place(0, 5, 10)], [[5, 15]]],
	['items side by side', [place(0, 100, 10), place(0, 0, 100)], [[0, 110]]],
	['a gap of 64 KiB', [place(0, 0, 10), place(0, 10 + GAP, 10)], [[0, 20 + GAP]]],
	[
		'a gap of a byte more',
		[place(0, 0, 10), place(0, 11 + GAP, 10)],
		[
			[0, 10],
			[11 + GAP, 21 + GAP],
		],
	],
	[
		'two bundles',
		[place(1, 0, 10), place(0, 0, 10)],
		[
			[0, 10],
			[0, 10],
		],
	],
	[
		'an item of 20 MiB between small ones',
		[place(0, 0, 10), place(0, 10, 20 * MIB), place(0, 10 + 20 * MIB, 10)],
		[
			[0, 10],
			[10, 10 + 20 * MIB],
			[10 + 20 * MIB, 20 + 20 * MIB],
		],
	],
	['an item within another', [place(0, 0, 1000), place(0, 10, 20), place(0, 990, 20)], [[0, 1010]]],
])('spansOf() of %s', (_what, some, right) => {
	expect(spansOf(some).map(({ start, end }) => [start, end])).toEqual(right);
});
