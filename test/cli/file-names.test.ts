import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberedStem, safeFileName } from '../../src/cli/file-names.ts';
import { propertyRuns } from '../support/property-runs.ts';

const CONTROL = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
// Every UTF-16 code unit, so that surrogates without their half come too, and what names are made of more often than by chance.
const hostile = fc
	.array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(...[...'/\\.. -:*aé'].map((one) => one.charCodeAt(0)))), {
		maxLength: 400,
	})
	.map((units) => String.fromCharCode(...units));

describe('safeFileName()', () => {
	it.each([
		['report.pdf', 'report.pdf'],
		['Grüße & 会議 (final).docx', 'Grüße & 会議 (final).docx'],
		['../../.ssh/authorized_keys', 'authorized_keys'],
		['C:\\Users\\Bob\\report.doc', 'report.doc'],
		['/etc/cron.d/', 'cron.d'],
		['.bashrc', 'bashrc'],
		['...', 'attachment'],
		['..', 'attachment'],
		['', 'attachment'],
		[' . report.pdf. ', 'report.pdf'],
		['-rf', '_rf'],
		['a\u0000b\u001b[2J\nc.txt', 'a_b_[2J_c.txt'],
		['invoice\u202efdp.exe', 'invoice_fdp.exe'],
		['half \ud83d.txt', 'half _.txt'],
		['a<b>c:d"e|f?g*.txt', 'a_b_c_d_e_f_g_.txt'],
		['nul.txt', '_nul.txt'],
		['null.txt', 'null.txt'],
	])('makes %j %j', (name, safe) => {
		expect(safeFileName(name)).toBe(safe);
	});

	it('keeps the extension of a name that is too long, and whole characters', () => {
		expect(safeFileName(`${'x'.repeat(300)}.pdf`)).toBe(`${'x'.repeat(196)}.pdf`);
		expect(safeFileName(`${'会'.repeat(100)}.pdf`)).toBe(`${'会'.repeat(65)}.pdf`);
		expect(safeFileName(`a.${'x'.repeat(300)}`)).toBe(`a.${'x'.repeat(198)}`);
	});

	it('gives a plain name of at most 200 bytes for any name, and leaves such a name alone', () => {
		fc.assert(
			fc.property(hostile, (name) => {
				const safe = safeFileName(name);
				expect(safe).not.toBe('');
				expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200);
				expect(safe).not.toMatch(/^[. -]|[. ]$|[/\\:*?"<>|]/);
				expect(safe).not.toMatch(CONTROL);
				expect(safeFileName(safe)).toBe(safe);
			}),
			propertyRuns(),
		);
	});

	it('takes time that grows with the length of the name', () => {
		const started = performance.now();
		for (const name of ['. '.repeat(500_000), `a${'. '.repeat(500_000)}b`, `a${'/'.repeat(1_000_000)}`, '\ud83d'.repeat(500_000)]) {
			expect(Buffer.byteLength(safeFileName(name))).toBeLessThanOrEqual(200);
		}
		expect(performance.now() - started).toBeLessThan(5000);
	});
});

describe('numberedStem()', () => {
	it('leaves room for a number of five digits', () => {
		const { stem, extension } = numberedStem(safeFileName(`${'x'.repeat(300)}.pdf`));
		expect(Buffer.byteLength(`${stem} (99999)${extension}`)).toBe(200);
		expect(numberedStem('a.tar.gz')).toEqual({ stem: 'a.tar', extension: '.gz' });
		expect(numberedStem('Makefile')).toEqual({ stem: 'Makefile', extension: '' });
	});
});
