import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEqualLines } from '../../src/attachments/base64-fast.ts';
import { Base64Reader, type Base64Result } from '../../src/attachments/base64-reader.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { CHUNKINGS, inChunks } from './chunkings.ts';

function read(body: string): { result: Base64Result; bytes: string } {
	const results = CHUNKINGS.map(([, sizes]) => {
		const pieces: Buffer[] = [];
		const reader = new Base64Reader((piece) => pieces.push(Buffer.from(piece)));
		for (const chunk of inChunks(Buffer.from(body, 'latin1'), sizes)) reader.push(chunk);
		return { result: reader.end(), bytes: Buffer.concat(pieces).toString('latin1') };
	});
	const [first] = results;
	if (!first) throw new Error('no chunking');
	for (const other of results) expect(other.result).toEqual(first.result);
	if (typeof first.result !== 'string') for (const other of results) expect(other.bytes).toBe(first.bytes);
	return first;
}

function inLines(text: string, width: number): string {
	const lines: string[] = [];
	for (let at = 0; at < text.length; at += width) lines.push(text.slice(at, at + width));
	return lines.join('\r\n');
}

/** Literal start, bytes, form, literal end: what a body comes to, which the fast reader must not see otherwise. */
function described(body: string): unknown {
	const { result, bytes } = read(body);
	const fast = readEqualLines(Buffer.from(body, 'latin1'));
	if (typeof result === 'string') return result;
	if (fast) expect({ text: fast.text, bytes: fast.bytes.toString('latin1') }).toEqual({ text: result, bytes });
	expect(result.size).toBe(bytes.length);
	return [body.slice(0, result.start), bytes, result.form, body.slice(result.end)];
}

describe('Base64Reader and readEqualLines()', () => {
	it.each([
		['YWJj', ['', 'abc', { lines: [] }, '']],
		['YWJj\n', ['', 'abc', { lines: [] }, '\n']],
		['\r\n\r\nYWJj\r\n\r\n', ['\r\n\r\n', 'abc', { lines: [] }, '\r\n\r\n']],
		['YW\nJj\nZG\nVm', ['', 'abcdef', { lines: [[3, 2, '\n']] }, '']],
		['YW\r\nJj\r\nZGVm', ['', 'abcdef', { lines: [[2, 2, '\r\n']] }, '']],
		['Y\nW\nJ\nj', ['', 'abc', { lines: [[3, 1, '\n']] }, '']],
		['YWJ\nj', ['', 'abc', { lines: [[1, 3, '\n']] }, '']],
		['YWJj \t\r\nZGVm', ['', 'abcdef', { lines: [[1, 4, ' \t\r\n']] }, '']],
		['YWJj\n\nZGVm', ['', 'abcdef', { lines: [[1, 4, '\n\n']] }, '']],
		['YWJj\n\tZGVm', ['', 'abcdef', { lines: [[1, 4, '\n\t']] }, '']],
		[
			'YWJj\nZGVm\r\nZ2hp',
			[
				'',
				'abcdefghi',
				{
					lines: [
						[1, 4, '\n'],
						[1, 4, '\r\n'],
					],
				},
				'',
			],
		],
		[
			'YWJj\nZG\nVmZ2hp',
			[
				'',
				'abcdefghi',
				{
					lines: [
						[1, 4, '\n'],
						[1, 2, '\n'],
					],
				},
				'',
			],
		],
	])('describe the lines of %j', (body, expected) => {
		expect(described(body)).toEqual(expected);
	});

	it.each([
		['YWI=', 'ab', undefined],
		['YQ==', 'a', undefined],
		['YWI', 'ab', 'YWI'],
		['YQ', 'a', 'YQ'],
		['YQ=', 'a', 'YQ='],
		['YR==', 'a', 'YR=='],
		['YWJ=', 'ab', 'YWJ='],
		['YWJj=', 'abc', 'YWJj='],
		['YWJj==', 'abc', 'YWJj=='],
		['YQ====', 'a', 'YQ===='],
		['YWJjZ', 'abc', 'YWJjZ'],
		['YWJjZ===', 'abc', 'YWJjZ==='],
		['YWJjZR', 'abce', 'ZR'],
	])('describe the last group of %s', (body, bytes, last) => {
		expect(described(body)).toEqual(['', bytes, { lines: [], ...(last !== undefined && { last }) }, '']);
		expect(described(`${body}\n`)).toEqual(['', bytes, { lines: [], ...(last !== undefined && { last }) }, '\n']);
	});

	it('describe padding that stands on a line of its own', () => {
		expect(described('YW\nJj\nYQ\n==')).toEqual(['', 'abca', { lines: [[3, 2, '\n']] }, '']);
		expect(described('YWJjY\nQ=\n=\n')).toEqual([
			'',
			'abca',
			{
				lines: [
					[1, 5, '\n'],
					[1, 2, '\n'],
				],
			},
			'\n',
		]);
	});

	it('leave padding beyond eight characters of a last group, or below text that is complete, to the literal bytes', () => {
		expect(described('YQ=========')).toEqual(['', 'a', { lines: [], last: 'YQ======' }, '===']);
		expect(described('YWJj\n======')).toEqual(['', 'abc', { lines: [] }, '\n======']);
		expect(described('YQ==\n====')).toEqual(['', 'a', { lines: [] }, '\n====']);
	});

	it('leave what follows the padding to the literal bytes, as the footers of mailing lists', () => {
		expect(described('YWJj\nYQ==\n_____\nlist mailing list\n')).toEqual([
			'',
			'abca',
			{ lines: [[1, 4, '\n']] },
			'\n_____\nlist mailing list\n',
		]);
		expect(described('YQ==YWJj')).toEqual(['', 'a', { lines: [] }, 'YWJj']);
	});

	it.each([
		['', 'empty'],
		['\r\n\r\n', 'empty'],
		['====', 'empty'],
		['Y', 'empty'],
		['YWJj ZGVm', 'line-end'],
		['YWJj\rZGVm', 'line-end'],
		['YWJj\n\n\n\n\nZGVm', 'line-end'],
		['YWJj\n-\nZGVm', 'junk'],
		['YW-j', 'junk'],
		['YW_j', 'junk'],
		['YWJj\0\nZGVm', 'junk'],
		[`YQ==${'\n'.repeat(4097)}`, 'text-around'],
		[`${'\n'.repeat(4097)}YQ==`, 'text-around'],
		[`YQ==\n${'YWJj\n'.repeat(1000)}`, 'text-around'],
		[Array.from({ length: 66 }, (_, index) => 'A'.repeat(1 + (index % 2))).join('\n'), 'too-many-runs'],
	])('find that %j cannot be described', (body, reason) => {
		expect(described(body)).toBe(reason);
	});

	it('describe 64 runs of lines', () => {
		const lines = Array.from({ length: 65 }, (_, index) => 'A'.repeat(1 + (index % 2)));
		const [, , form] = described(lines.join('\n')) as [string, string, { lines: unknown[] }];
		expect(form.lines).toHaveLength(64);
	});

	it('agree wherever both give a result that holds no other character', () => {
		const line = fc.stringMatching(/^[A-Za-z0-9+/]{1,20}$/);
		const end = fc.constantFrom('\n', '\r\n', ' \n', '\n\n', '=', '==\n', ' ', '!');
		fc.assert(
			fc.property(fc.array(fc.tuple(line, end), { maxLength: 8 }), fc.nat(100), (lines, repeat) => {
				described(lines.map(([text, stop]) => text + stop).join(''));
				const [text = 'YWJj', stop = '\n'] = lines[0] ?? [];
				described((text + stop).repeat(repeat));
			}),
			propertyRuns(),
		);
	});

	it('decode bodies larger than what they hold at once', () => {
		const bytes = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 13));
		for (const width of [1, 3, 60, 75, 76, 998, 20_000, 1_000_000]) {
			const body = Buffer.from(inLines(bytes.toString('base64'), width));
			const pieces: Buffer[] = [];
			const reader = new Base64Reader((piece) => pieces.push(Buffer.from(piece)));
			for (const chunk of inChunks(body, [50_001, 3])) reader.push(chunk);
			const text = reader.end();
			expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
			const fast = readEqualLines(body);
			// Padding on a line of its own, and lines of which four are too long, are left to the other reader.
			expect(fast !== null || width <= 3 || width === 20_000).toBe(true);
			if (fast) expect([fast.text, fast.bytes.equals(bytes)]).toEqual([text, true]);
		}
	});
});
