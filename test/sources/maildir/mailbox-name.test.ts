import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPathLevel } from '../../../src/domain/index.ts';
import { decodeMailboxName, encodeMailboxName } from '../../../src/sources/index.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const LEVEL = fc.oneof(
	fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
	fc.string({ unit: fc.constantFrom('&', '-', '.', ',', 'A', 'Ü', '日', '😀', '~', '\n', ' ', '+'), minLength: 1, maxLength: 12 }),
);

describe('decodeMailboxName()', () => {
	test.each([
		['&ANw-bung', 'Übung'],
		['A&-B', 'A&B'],
		['&2D3eAA-', '😀'],
		['&ZeVnLIqe-', '日本語'],
		['Stra&AN8-e &- Co', 'Straße & Co'],
		['a&AC4-b', 'a.b'],
		['v1.2 &ANw-', 'v1.2 Ü'],
		['Entwürfe', 'Entwürfe'],
		['Entwürfe &- Co', 'Entwürfe &- Co'],
		['plain', 'plain'],
	])('reads %s as %s', (disk, name) => {
		expect(decodeMailboxName(disk)).toBe(name);
	});

	test.each([
		['a run without an end', '&ANw'],
		['a lone ampersand', 'A&B'],
		['a run that hides a slash', 'a&AC8-b'],
		['a run that hides NUL', '&AAA-'],
		['runs that make a dot-dot', '&AC4ALg-'],
		['a run that makes a dot', '&AC4-'],
		['ASCII inside a run', '&AGE-'],
		['half a surrogate pair', '&2D0-'],
		['bits left over', '&AN1-'],
		['half a character', '&AA-'],
		['two runs where one would do', '&ANw-&ANw-'],
		['padding', '&ANw=-'],
		['a control character beside a run', '&ANw-\n'],
	])('leaves %s as it stands', (_name, disk) => {
		expect(decodeMailboxName(disk)).toBe(disk);
	});

	test('never reads two names on disk as one name where both are ASCII', () => {
		const disk = fc.string({ unit: fc.constantFrom('&', '-', 'A', 'N', 'w', 'C', '4', 'a', ','), minLength: 1, maxLength: 9 });
		fc.assert(
			fc.property(disk, (name) => {
				const decoded = decodeMailboxName(name);
				return decoded === name || encodeMailboxName(decoded) === name;
			}),
			propertyRuns(3000),
		);
	});

	test('always gives something that can be a level', () => {
		fc.assert(
			fc.property(LEVEL.filter(isPathLevel), (name) => isPathLevel(decodeMailboxName(name))),
			propertyRuns(),
		);
	});
});

describe('encodeMailboxName()', () => {
	test('writes what decodeMailboxName() reads back, for every level', () => {
		fc.assert(
			fc.property(
				LEVEL.filter((level) => isPathLevel(level) && level.isWellFormed()),
				(level) => {
					const disk = encodeMailboxName(level);
					expect(disk).toMatch(/^[\x20-\x2d\x30-\x7e]+$/);
					expect(decodeMailboxName(disk)).toBe(level);
				},
			),
			propertyRuns(1000),
		);
	});

	test.each([
		['a.b', 'a&AC4-b'],
		['Übung', '&ANw-bung'],
		['&ANw-', '&-ANw-'],
		['Ü&Ü', '&ANw-&-&ANw-'],
		['a\nb', 'a&AAo-b'],
	])('writes %j as %s', (level, disk) => {
		expect(encodeMailboxName(level)).toBe(disk);
	});
});
