import { describe, expect, test } from 'vitest';
import { lettersOf, stateOf } from '../../../src/sources/maildir/file-name.ts';
import { FULL_TABLE_BYTES, isFull, parseKeywordTable } from '../../../src/sources/maildir/keyword-table.ts';
import { parseUidlist } from '../../../src/sources/maildir/uidlist.ts';

function parse(text: string) {
	return parseUidlist(Buffer.from(text, 'latin1'));
}

describe('parseUidlist()', () => {
	test('reads version 3 with fields of the folder and of messages', () => {
		const list = parse('3 V1551694274 N18 Gb996c801 Pabc\n1 :a.b\n4 S5927 W6130 :c.d,S=5927:x\n');
		expect(list).toMatchObject({ uidValidity: 1551694274, uidNext: 18, fields: 'Gb996c801 Pabc', badLines: 0 });
		expect([...(list?.entries ?? [])]).toEqual([
			['a.b', { uid: 1, fields: '' }],
			['c.d,S=5927:x', { uid: 4, fields: 'S5927 W6130' }],
		]);
	});

	test('counts on from the last line where the header is behind', () => {
		expect(parse('3 V1 N1 G0\n1 :a\n3 :b\n')?.uidNext).toBe(4);
	});

	test('reads version 1, as Courier writes it', () => {
		const list = parse('1 1551694274 7\n2 a.b\n6 c.d:2,S\n');
		expect(list).toMatchObject({ uidValidity: 1551694274, uidNext: 7, fields: '' });
		expect(list?.entries.get('c.d')).toEqual({ uid: 6, fields: '' });
	});

	test('leaves out a last line that is still being appended', () => {
		expect(parse('3 V1 N3\n1 :a\n2 :half')?.entries.size).toBe(1);
	});

	test('leaves out lines that cannot be, and counts them', () => {
		const list = parse('3 V1 N9\n2 :b\n1 :a\n2 :b\nx :c\n99999999999 :d\n5 e\n6 :\n0 :z\n7 :g\n');
		expect([...(list?.entries.keys() ?? [])]).toEqual(['b', 'g']);
		expect(list?.badLines).toBe(7);
	});

	test('leaves out lines with more fields than any server writes', () => {
		const list = parse(`3 V1 N9\n1 ${'x'.repeat(1001)} :a\n2 ${'x'.repeat(1000)} :b\n`);
		expect([[...(list?.entries.keys() ?? [])], list?.badLines]).toEqual([['b'], 1]);
		expect(parse(`3 V1 N9 ${'x'.repeat(1001)}\n`)).toBeNull();
	});

	test('spells bytes that are not UTF-8 as listings do', () => {
		expect(parse('3 V1 N2\n1 :a\xe9b\n')?.entries.has('a/e9b')).toBe(true);
	});

	test('keeps the highest UID within 32 bits', () => {
		expect(parse('3 V1 N1\n4294967295 :a\n')?.uidNext).toBe(4294967295);
	});

	test.each(['', '\n', '2 V1 N1\n', 'junk\n'])('refuses %j', (text) => {
		expect(parse(text)).toBeNull();
	});
});

describe('flag letters', () => {
	test.each([
		['1.a:2,FS', 'FS'],
		['1.a:2,', ''],
		['1.a:2,S,more', 'S'],
		['1.a:1,S', ''],
		['1.a', ''],
		['1.a;2,S', ''],
		['1.a:x:2,RS', 'RS'],
		[':2,S', 'S'],
	])('of %s are %j', (name, letters) => {
		expect(lettersOf(name)).toBe(letters);
	});

	test('stand for flags in one order, and for keywords by the table of the folder', () => {
		const table = parseKeywordTable(Buffer.from('0 Junk\n2 \u{1f600}\nx y\n26 no\n3 \uff61\n'));
		expect(stateOf('dSzFcaSRDTP', table)).toEqual({
			flags: ['answered', 'deleted', 'draft', 'flagged', 'passed', 'seen'],
			keywords: ['Junk', 'unknown-25', '\uff61', '\u{1f600}'],
		});
	});

	test('a name longer than any server takes is none', () => {
		const long = 'k'.repeat(256);
		expect(parseKeywordTable(Buffer.from(`0 ${long}\n1 ${long.slice(1)}\n`))).toEqual([undefined, long.slice(1)]);
	});

	test('a table of 26 names is full, and no shorter file can be', () => {
		const lines = Array.from({ length: 26 }, (_, index) => `${index} k\n`);
		const bytes = Buffer.from(lines.join(''));
		expect(bytes.length).toBe(FULL_TABLE_BYTES);
		expect(isFull(parseKeywordTable(bytes))).toBe(true);
		expect(isFull(parseKeywordTable(Buffer.from(lines.slice(1).join(''))))).toBe(false);
	});
});
