import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMailDate } from '../../src/attachments/mail-date.ts';
import { propertyRuns } from '../support/property-runs.ts';

describe('parseMailDate()', () => {
	it.each([
		['Mon, 23 Nov 2026 02:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['Mon, 23 Nov 2026 02:15:00 -0800', '2026-11-23T10:15:00.000Z'],
		['Mon, 23 Nov 2026 02:15:00 +0530', '2026-11-22T20:45:00.000Z'],
		['23 Nov 2026 02:15 +0000', '2026-11-23T02:15:00.000Z'],
		['mon,23 nov 2026 2:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['Monday, 23 November 2026 02:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['Mon 23-Nov-2026 02:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['Fri, 23 Nov 2026 02:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['1 Feb 2026 02:15:7 +0000', '2026-02-01T02:15:07.000Z'],
		['Mon,  23\tNov   2026 02 : 15 : 00   +0000', '2026-11-23T02:15:00.000Z'],
		['Mon, 23 Nov 2026 02:15:00.250 +0000', '2026-11-23T02:15:00.000Z'],
		['Thu, 29 Feb 2024 00:00:00 +0000', '2024-02-29T00:00:00.000Z'],
		['Sat, 31 Dec 2016 23:59:60 +0000', '2017-01-01T00:00:00.000Z'],
		['Fri, 31 Dec 1999 23:00:00 -0200', '2000-01-01T01:00:00.000Z'],
	])('reads %s', (text, instant) => {
		expect(parseMailDate(text)).toBe(instant);
	});

	it.each([
		['GMT', 0],
		['UT', 0],
		['UTC', 0],
		['Z', 0],
		['EST', -5],
		['edt', -4],
		['CST', -6],
		['CDT', -5],
		['MST', -7],
		['MDT', -6],
		['PST', -8],
		['PDT', -7],
		['A', 0],
		['CEST', 0],
		['constructor', 0],
		['', 0],
		['+0200 (CEST)', 2],
		['+02:00', 2],
		['GMT+0200', 2],
		['GMT +0200', 2],
		['+0200 CEST', 2],
		['+1200', 12],
	])('takes zone "%s" as %d hours from UTC', (zone, hours) => {
		expect(parseMailDate(`Mon, 23 Nov 2026 12:00:00 ${zone}`)).toBe(new Date(Date.UTC(2026, 10, 23, 12 - hours)).toISOString());
	});

	it.each([
		['00', 2000],
		['26', 2026],
		['49', 2049],
		['50', 1950],
		['99', 1999],
		['100', 2000],
		['126', 2026],
		['0102', 2002],
		['1900', 1900],
	])('takes year %s as %d', (text, year) => {
		expect(parseMailDate(`23 Nov ${text} 12:00:00 +0000`)).toBe(`${year}-11-23T12:00:00.000Z`);
	});

	it.each([
		['(a) Mon, (b) 23 (c) Nov 2026 02:15:00 +0000 (d)', '2026-11-23T02:15:00.000Z'],
		['Mon(a(nested)b), 23 Nov 2026 02:15:00 +0000', '2026-11-23T02:15:00.000Z'],
		['Mon, 23 Nov 2026 (quoted \\) still inside) 02:15:00 +0100', '2026-11-23T01:15:00.000Z'],
		['Mon, 23 Nov 2026 02:15:00 +0100 (not closed', '2026-11-23T01:15:00.000Z'],
	])('passes over the comments of %s', (text, instant) => {
		expect(parseMailDate(text)).toBe(instant);
	});

	it.each([
		'',
		'yesterday',
		'2026-11-23T02:15:00Z',
		'11/23/2026 02:15',
		'Mon, 23 Foo 2026 02:15:00 +0000',
		'Mon, 0 Nov 2026 02:15:00 +0000',
		'Mon, 31 Nov 2026 02:15:00 +0000',
		'Sun, 29 Feb 2026 02:15:00 +0000',
		'Mon, 23 Nov 2026 24:00:00 +0000',
		'Mon, 23 Nov 2026 02:60:00 +0000',
		'Mon, 23 Nov 2026 02:15:61 +0000',
		'Mon, 23 Nov 2026 02:15:00 +0060',
		'Mon, 23 Nov 2026 02:15:00 +070',
		'Mon, 23 Nov 2026 02:15:00 +-0500',
		'Mon, 23 Nov 2026 02:15:00 0530',
		'Mon, 23 Nov 2026 02:15:000 +0000',
		'Mon, 23 Nov 0026 02:15:00 +0000',
		'Mon, 23 Nov 20266 02:15:00 +0000',
		'Fri, 31 Dec 9999 23:59:59 -0100',
		'Mon, 23 Nov 2026',
		'Mon, 23 Nov 2026 02:15:00) +0100',
		'(Mon, 23 Nov 2026 02:15:00 +0100)',
	])('cannot read %j', (text) => {
		expect(parseMailDate(text)).toBeUndefined();
	});

	it('reads what Date.toUTCString() writes', () => {
		fc.assert(
			fc.property(fc.integer({ min: Date.UTC(1900) / 1000, max: Date.UTC(9999) / 1000 }), (seconds) => {
				const date = new Date(seconds * 1000);
				expect(parseMailDate(date.toUTCString())).toBe(date.toISOString());
			}),
			propertyRuns(),
		);
	});

	it('gives an instant in ISO 8601 or nothing for any text', () => {
		const pieces = fc.constantFrom('Mon', ',', ' ', '23', 'Nov', '2026', '02', ':', '15', '+', '-', '0000', '(', ')', '\\', '99', 'x');
		fc.assert(
			fc.property(fc.array(pieces, { maxLength: 24 }), (parts) => {
				expect(parseMailDate(parts.join('')) ?? '2026-11-23T02:15:00.000Z').toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
			}),
			propertyRuns(1000),
		);
	});
});
