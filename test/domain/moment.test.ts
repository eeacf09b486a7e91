import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant, parseMoment } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

const NOW = Date.UTC(2026, 10, 23, 2, 15);

describe('parseMoment()', () => {
	it('reads "latest" and the name of a snapshot', () => {
		expect(parseMoment('latest', NOW)).toEqual({ kind: 'latest' });
		expect(parseMoment(' latest ', NOW)).toEqual({ kind: 'latest' });
		expect(parseMoment('20261123T021500Z-0a1b2c3d', NOW)).toEqual({ kind: 'snapshot', name: '20261123T021500Z-0a1b2c3d' });
	});

	it.each([
		['2026-11-23', '2026-11-23T23:59:59.999Z'],
		['2024-02-29', '2024-02-29T23:59:59.999Z'],
		['2026-11-23T02:15:00Z', '2026-11-23T02:15:00.000Z'],
		['2026-11-23T02:15', '2026-11-23T02:15:00.000Z'],
		['2026-11-23 02:15', '2026-11-23T02:15:00.000Z'],
		['2026-11-23T02:15:00+01:00', '2026-11-23T01:15:00.000Z'],
		['3d', '2026-11-20T02:15:00.000Z'],
		['36h', '2026-11-21T14:15:00.000Z'],
		['0s', '2026-11-23T02:15:00.000Z'],
		['1y', '2025-11-23T02:15:00.000Z'],
	])('reads %s as %s', (text, instant) => {
		const moment = parseMoment(text, NOW);
		expect(moment.kind === 'instant' && formatInstant(moment.at)).toBe(instant);
	});

	it('counts every instant of a day to its date, and none of the next', () => {
		fc.assert(
			fc.property(fc.integer({ min: 0, max: Date.UTC(2100) }), (at) => {
				const day = parseMoment(formatInstant(at).slice(0, 10), NOW);
				expect(day.kind === 'instant' && at <= day.at && at + 24 * 3600 * 1000 > day.at).toBe(true);
			}),
			propertyRuns(),
		);
	});

	it.each(['', 'Latest', 'newest', '3', '-3d', '3 days', 'yesterday', '23.11.2026', 'snapshots/x', '20261123'])(
		'refuses %j and says what it may be',
		(text) => {
			expect(() => parseMoment(text, NOW)).toThrow(
				expect.objectContaining({
					code: 'usage',
					message: `Cannot read moment "${text}": it is none of "latest", a snapshot's name, an instant, a date, an age`,
					hint: expect.stringContaining('2026-11-23'),
				}),
			);
		},
	);

	it('refuses what begins like one form and is broken', () => {
		expect(() => parseMoment('20261123T021500Z-xyz', NOW)).toThrow('Cannot read snapshot name "20261123T021500Z-xyz"');
		expect(() => parseMoment('2026-13-01', NOW)).toThrow('Cannot read instant "2026-13-01"');
		expect(() => parseMoment('3x', NOW)).toThrow('Cannot read duration "3x"');
		expect(() => parseMoment('999999999y', NOW)).toThrow('it lies before 1970');
	});
});
