import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatInstant, parseDuration, parseInstant } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

describe('parseDuration()', () => {
	it.each([
		['0s', 0],
		['45s', 45_000],
		['5m', 300_000],
		['36h', 36 * HOUR],
		['30d', 30 * DAY],
		['12w', 84 * DAY],
		['1y', 365 * DAY],
		[' 3d ', 3 * DAY],
	])('reads %j', (text, milliseconds) => {
		expect(parseDuration(text)).toBe(milliseconds);
	});

	it.each(['', '3', 'd', '-3d', '1.5h', '3 d', '3D', '3days', '3mo', '1d12h', '9999999999d'])('refuses %j', (text) => {
		expect(() => parseDuration(text)).toThrow(`Cannot read duration "${text}": it is not a number with s, m, h, d, w or y, such as 30d`);
	});
});

describe('formatDuration()', () => {
	it.each([
		[0, '0s'],
		[90_000, '90s'],
		[36 * HOUR, '36h'],
		[30 * DAY, '30d'],
		[90 * DAY, '90d'],
		[14 * DAY, '2w'],
		[730 * DAY, '2y'],
	])('writes %d as %s', (milliseconds, text) => {
		expect(formatDuration(milliseconds)).toBe(text);
	});

	it('writes whole seconds so that parseDuration() reads them back', () => {
		const units = fc.constantFrom(1, 60, 3600, 86_400, 7 * 86_400, 365 * 86_400);
		fc.assert(
			fc.property(fc.nat(100_000), units, (count, seconds) => {
				fc.pre(count * seconds < 1e9);
				expect(parseDuration(formatDuration(count * seconds * 1000))).toBe(count * seconds * 1000);
			}),
			propertyRuns(),
		);
	});
});

describe('parseInstant()', () => {
	it.each([
		['2026-11-23', '2026-11-23T00:00:00.000Z'],
		['2026-11-23T02:15:00Z', '2026-11-23T02:15:00.000Z'],
		['2026-11-23T02:15', '2026-11-23T02:15:00.000Z'],
		['2026-11-23 02:15:00', '2026-11-23T02:15:00.000Z'],
		['2026-11-23T02:15:00.123Z', '2026-11-23T02:15:00.123Z'],
		['2026-11-23T02:15:00+02:00', '2026-11-23T00:15:00.000Z'],
		['1969-12-31T23:59:59Z', '1969-12-31T23:59:59.000Z'],
	])('reads %s', (text, instant) => {
		expect(formatInstant(parseInstant(text))).toBe(instant);
	});

	it('takes a time without a zone as UTC, wherever the program runs', () => {
		const zone = process.env.TZ;
		try {
			for (const place of ['America/Los_Angeles', 'Asia/Kathmandu', 'UTC']) {
				process.env.TZ = place;
				expect(parseInstant('2026-07-01T12:00')).toBe(Date.UTC(2026, 6, 1, 12));
				expect(parseInstant('2026-07-01')).toBe(Date.UTC(2026, 6, 1));
			}
		} finally {
			if (zone === undefined) delete process.env.TZ;
			else process.env.TZ = zone;
		}
	});

	it.each([
		'',
		'yesterday',
		'2026',
		'2026-11',
		'23.11.2026',
		'2026-13-01',
		'2026-11-23T',
		'2026-11-23T25:00',
		'2026-11-23 noon',
		'11/23/2026',
	])('refuses %j', (text) => {
		expect(() => parseInstant(text)).toThrow(`Cannot read instant "${text}"`);
	});

	it('reads back every instant that formatInstant() writes', () => {
		const instants = fc.integer({ min: Date.UTC(1900), max: Date.UTC(9999) });
		fc.assert(
			fc.property(instants, (at) => {
				expect(parseInstant(formatInstant(at))).toBe(at);
			}),
			propertyRuns(),
		);
	});
});
