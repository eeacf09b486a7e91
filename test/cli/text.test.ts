import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	clip,
	displayWidth,
	formatAge,
	formatCount,
	formatExactSize,
	formatSeconds,
	printable,
	printableLines,
	printablePieces,
} from '../../src/cli/text.ts';
import { parseSize } from '../../src/domain/index.ts';

const RUNS = process.env.SLOW === undefined ? 300 : 20_000;
const CONTROL = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
// Every UTF-16 code unit, so that surrogates without their half come too.
const hostile = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units));

describe('printable()', () => {
	it('shows an escape sequence instead of passing it on', () => {
		expect(printable('\u001b]0;owned\u0007 \u001b[2J')).toBe('\\x1b]0;owned\\x07 \\x1b[2J');
	});

	it('shows the one-byte CSI that terminals obey too', () => {
		expect(printable('\u009b31mred')).toBe('\\x9b31mred');
	});

	it('shows line feeds, so that a subject cannot forge a line of its own', () => {
		expect(printable('Hi\r\nmailseal: all is well')).toBe('Hi\\r\\nmailseal: all is well');
	});

	it('shows marks that turn the reading direction', () => {
		expect(printable('invoice\u202efdp.exe')).toBe('invoice\\u202efdp.exe');
	});

	it('shows half a surrogate pair and leaves a whole one alone', () => {
		expect(printable('\ud83d x 😀')).toBe('\\ud83d x 😀');
	});

	it('leaves text of any script as it is', () => {
		for (const text of ['Grüße', 'Привет', '会議の件', 'שלום', 'नमस्ते', '👨‍👩‍👧']) expect(printable(text)).toBe(text);
	});

	it('never lets a control character through', () => {
		fc.assert(
			fc.property(hostile, (text) => !CONTROL.test(printable(text))),
			{ numRuns: RUNS, seed: 1 },
		);
	});
});

describe('printableLines()', () => {
	it('keeps line feeds and tabs and escapes everything else', () => {
		expect(printableLines('a\tb\r\nc\u001b[1m\rd\u007f\n')).toBe('a\tb\nc\\x1b[1m\\rd\\x7f\n');
	});
});

describe('printablePieces()', () => {
	const bytes = Buffer.from('Gr\u00fc\u00dfe\r\n\u001b[2J\r\r\n\ufeff😀', 'utf8');
	const whole = 'Gr\u00fc\u00dfe\n\\x1b[2J\\r\n\\ufeff😀';

	it('says the same whole and byte by byte', () => {
		expect([...printablePieces([bytes])].join('')).toBe(whole);
		expect([...printablePieces([...bytes].map((byte) => Uint8Array.of(byte)))].join('')).toBe(whole);
	});

	it('shows a character that is cut off, and a CR at the end', () => {
		expect([...printablePieces([Uint8Array.of(0x61, 0xf0, 0x9f)])].join('')).toBe('a\ufffd');
		expect([...printablePieces([Uint8Array.of(0x61, 0x0d)])].join('')).toBe('a\\r');
	});
});

describe('displayWidth() and clip()', () => {
	it('count two columns for wide characters and none for marks', () => {
		expect(displayWidth('abc')).toBe(3);
		expect(displayWidth('会議')).toBe(4);
		expect(displayWidth('e\u0301')).toBe(1);
		expect(displayWidth('ｱ')).toBe(1);
		expect(displayWidth('😀')).toBe(2);
	});

	it('cut with an ellipsis and never inside a wide character', () => {
		expect(clip('subject line', 8)).toBe('subject…');
		expect(clip('会議の件', 6)).toBe('会議…');
		expect(clip('short', 5)).toBe('short');
	});

	it('end a text of nothing but marks', () => {
		expect(clip('\u0301'.repeat(100_000), 10).length).toBeLessThan(100);
	});

	it('never give more columns than asked for', () => {
		fc.assert(
			fc.property(hostile, fc.integer({ min: 0, max: 40 }), (text, width) => displayWidth(clip(printable(text), width)) <= width),
			{ numRuns: RUNS, seed: 2 },
		);
	});
});

describe('numbers for people', () => {
	it('have their thousands apart', () => {
		expect([0, 999, 1000, 12480, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '12,480', '1,234,567']);
	});

	it('tell sizes that were chosen exactly, as options take them', () => {
		expect([1, 1500, 8192, 3 * 1024 ** 2, 1024 ** 3, 1024 ** 4].map(formatExactSize)).toEqual([
			'1',
			'1500',
			'8KiB',
			'3MiB',
			'1GiB',
			'1024GiB',
		]);
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => parseSize(formatExactSize(bytes)) === bytes),
			{ numRuns: RUNS, seed: 4 },
		);
	});

	it('tell durations in the unit that fits', () => {
		expect([0, 1.84, 99.9, 200, 7500].map(formatSeconds)).toEqual(['0.0 s', '1.8 s', '99.9 s', '3 min 20 s', '2 h 5 min']);
	});

	it('tell ages in the largest unit that fits', () => {
		expect([-1, 1000, 60_000, 7_200_000, 172_800_000].map(formatAge)).toEqual([
			'in the future',
			'just now',
			'1 minute ago',
			'2 hours ago',
			'2 days ago',
		]);
	});
});
