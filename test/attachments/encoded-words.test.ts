import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEncodedWords } from '../../src/attachments/encoded-words.ts';
import { propertyRuns } from '../support/property-runs.ts';

function decode(text: string): string {
	return decodeEncodedWords(text, 10_000);
}

describe('decodeEncodedWords()', () => {
	it.each([
		['plain text', 'plain text'],
		['=?utf-8?Q?Gr=C3=B6=C3=9Fe?=', 'Größe'],
		['=?UTF-8?q?Gr=c3=b6=c3=9fe?=', 'Größe'],
		['=?utf-8?B?R3LDtsOfZQ==?=', 'Größe'],
		['=?utf-8?b?R3LDtsOfZQ?=', 'Größe'],
		['=?utf-8?Q?a_b=5Fc?=', 'a b_c'],
		['=?utf-8?Q?raw spaces too?=', 'raw spaces too'],
		['=?utf-8?Q?really??=', 'really?'],
		['=?utf-8?Q?=zz=4?=', '=zz=4'],
		['=?utf-8?Q??= x', ' x'],
		['=?utf-8*de?Q?R=C3=B6?=', 'Rö'],
		['"=?utf-8?Q?Bob?=" <b@x>', '"Bob" <b@x>'],
		['Re:=?utf-8?Q?Bob?=,x', 'Re:Bob,x'],
	])('reads %s', (text, expected) => {
		expect(decode(text)).toBe(expected);
	});

	it.each([
		['=?utf-8?Q?a?= =?utf-8?Q?b?=', 'ab'],
		['=?utf-8?Q?a?=   \t =?utf-8?B?Yg==?=', 'ab'],
		['=?utf-8?Q?a?==?utf-8?Q?b?=', 'ab'],
		['=?utf-8?Q?a?= =?iso-8859-1?Q?=E4?=', 'aä'],
		['=?utf-8?Q?a?= x =?utf-8?Q?b?=', 'a x b'],
		['x =?utf-8?Q?a?= y', 'x a y'],
		['=?utf-8?Q?a?=, =?utf-8?Q?b?=', 'a, b'],
	])('keeps white space in %s only beside other text', (text, expected) => {
		expect(decode(text)).toBe(expected);
	});

	it.each([
		['=?utf-8?Q?Gr=C3?= =?utf-8?Q?=B6sse?=', 'Grösse'],
		['=?utf-8?B?8J+O?= =?UTF8?Q?=89?=', '🎉'],
		['=?utf-8?B?8A==?= =?utf-8?B?nw==?= =?utf-8?B?jg==?= =?utf-8?B?iQ==?=', '🎉'],
		['=?gb18030?B?xA==?= =?gb18030?B?4w==?=', '你'],
		['=?utf-8?Q?=C3?= x =?utf-8?Q?=B6?=', '\ufffd x \ufffd'],
		['=?utf-8?Q?=C3?= =?iso-8859-1?Q?=B6?=', '\ufffd¶'],
	])('joins a character that is split between words: %s', (text, expected) => {
		expect(decode(text)).toBe(expected);
	});

	it.each([
		['=?iso-8859-1?Q?caf=E9?=', 'café'],
		['=?us-ascii?Q?=93quoted=94_=80?=', '“quoted” €'],
		['=?windows-1252?Q?=80=8A=9F=81?=', '€ŠŸ\u0081'],
		['=?ISO-8859-15?Q?=A4?=', '€'],
		['=?latin-9?Q?=A4?=', '€'],
		['=?iso_8859_2?Q?=B1?=', 'ą'],
		['=?windows-1251?B?z/Do4uXy?=', 'Привет'],
		['=?cp-1251?B?z/Do4uXy?=', 'Привет'],
		['=?win1251?B?z/Do4uXy?=', 'Привет'],
		['=?koi8r?B?8NLJ18XU?=', 'Привет'],
		['=?Shift_JIS?B?k/qWew==?=', '日本'],
		['=?cp932?B?k/qWew==?=', '日本'],
		['=?euc-jp?B?xvzL3A==?=', '日本'],
		['=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', '日本'],
		['=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=', '日本'],
		['=?big5?B?pKSk5Q==?=', '中文'],
		['=?cp950?B?pKSk5Q==?=', '中文'],
		['=?gb2312?B?1tDOxA==?=', '中文'],
		['=?ks_c_5601-1987?B?x9GxuQ==?=', '한국'],
		['=?cp949?B?x9GxuQ==?=', '한국'],
		['=?tis620?B?ysfR?=', 'สวั'],
		['=?utf-16le?B?QQBCAA==?=', 'AB'],
	])('knows the charset of %s', (text, expected) => {
		expect(decode(text)).toBe(expected);
	});

	it.each([
		'=?x-nowhere?Q?a?=',
		'=?x-nowhere?Q?a?= =?x-nowhere?Q?b?=',
		'=?utf-7?Q?+APw-?=',
		'=?constructor?Q?a?=',
		'=?utf-8?X?a?=',
		'=?utf-8?Q?no end',
		'=?utf-8?Q',
		'=?utf-8?',
		'=??Q?a?=',
		'=? ?Q?a?=',
		'=?',
		'?=',
		'a =? b ?= c',
		`=?${'x'.repeat(70)}?Q?a?=`,
	])('leaves %s as it stands', (text) => {
		expect(decode(text)).toBe(text);
	});

	it('leaves a word that it cannot read between others that it can', () => {
		expect(decode('=?utf-8?Q?a?= =?x-nowhere?Q?b?= =?utf-8?Q?c?=')).toBe('a =?x-nowhere?Q?b?= c');
		expect(decode('=?utf-8?Q?cut off =?utf-8?Q?whole?=')).toBe('=?utf-8?Q?cut off whole');
	});

	it('takes raw characters inside a word for what they are', () => {
		expect(decode('=?iso-8859-1?Q?J\u00fcrgen_=?=')).toBe('Jürgen =');
	});

	it('stops when it has enough', () => {
		const word = '=?utf-8?Q?0123456789?= ';
		expect(decodeEncodedWords(`x ${word}y ${word}z ${word}`, 10)).toBe(`x 0123456789 y 0123456789 z ${word}`);
	});

	it('reads back any text that was encoded in pieces, wherever they were cut', () => {
		const texts = fc.string({ unit: 'grapheme', minLength: 1 });
		fc.assert(
			fc.property(texts, fc.array(fc.nat(40)), fc.boolean(), (text, cuts, base64) => {
				const bytes = Buffer.from(text);
				const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
				const words = places.slice(1).map((end, index) => {
					const piece = bytes.subarray(places[index], end);
					if (base64) return `=?utf-8?B?${piece.toString('base64')}?=`;
					return `=?utf-8?Q?${[...piece].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('')}?=`;
				});
				fc.pre(!text.startsWith('\ufeff'));
				expect(decode(words.join('\t '))).toBe(text);
			}),
			propertyRuns(),
		);
	});

	it('changes nothing in text without encoded words', () => {
		const texts = fc.string({ unit: 'binary' }).filter((text) => !text.includes('?='));
		fc.assert(
			fc.property(texts, (text) => {
				expect(decode(text)).toBe(text);
			}),
			propertyRuns(),
		);
	});
});
