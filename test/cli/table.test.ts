import { describe, expect, it } from 'vitest';
import { drawTable } from '../../src/cli/table.ts';
import { displayWidth } from '../../src/cli/text.ts';

const columns = [{ title: 'N', align: 'right' }, { title: 'SUBJECT', flexible: true }, { title: 'ID' }] as const;

describe('drawTable()', () => {
	it('aligns columns and keeps no trailing blanks', () => {
		const rows = [
			['5', 'one', 'aa'],
			['12', '会議', ''],
		];
		expect([...drawTable({ columns, rows, titles: true })]).toEqual([' N  SUBJECT  ID', ' 5  one      aa', '12  会議']);
	});

	it('cuts only flexible columns, and only where a width is given', () => {
		const rows = [['1', 'x'.repeat(50), 'abcdef']];
		expect([...drawTable({ columns, rows, titles: false })]).toEqual([`1  ${'x'.repeat(50)}  abcdef`]);
		const [line = ''] = drawTable({ columns, rows, titles: false, width: 30 });
		expect(displayWidth(line)).toBe(30);
		expect(line.endsWith('…  abcdef')).toBe(true);
	});

	it('gives the room that a short column leaves to a long one', () => {
		const both = [
			{ title: '', flexible: true },
			{ title: '', flexible: true },
		];
		const [line = ''] = drawTable({ columns: both, rows: [['short', 'y'.repeat(99)]], titles: false, width: 40 });
		expect(line).toBe(`short  ${'y'.repeat(32)}…`);
	});

	it('escapes control characters in cells', () => {
		expect([...drawTable({ columns, rows: [['1', 'a\u001b[2Jb\nc', 'id']], titles: false })]).toEqual(['1  a\\x1b[2Jb\\nc  id']);
	});

	it('draws no line for no rows', () => {
		expect([...drawTable({ columns, rows: [], titles: false })]).toEqual([]);
	});
});
