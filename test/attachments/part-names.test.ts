import { describe, expect, it } from 'vitest';
import { splitMessage } from '../../src/attachments/index.ts';

function nameIn(headers: string): string | undefined {
	return splitMessage(Buffer.from(`${headers}\n\nbody`)).leaves[0]?.name;
}

function nameFrom(parameters: string): string | undefined {
	const name = nameIn(`Content-Disposition: attachment; ${parameters}`);
	expect(nameIn(`Content-Type: application/pdf; ${parameters.replaceAll(/filename/gi, 'name')}`)).toBe(name);
	return name;
}

describe('the name of a part', () => {
	it.each([
		['filename=a.pdf', 'a.pdf'],
		['filename="a.pdf"', 'a.pdf'],
		['FileName = "a.pdf" ; x=y', 'a.pdf'],
		['x="a;b\\";c"; filename=a.pdf', 'a.pdf'],
		['filename="a;b=c.pdf"', 'a;b=c.pdf'],
		['filename="a \\"b\\" c.pdf"', 'a "b" c.pdf'],
		['filename=a b (1).pdf; x=y', 'a b (1).pdf'],
		['(filename=no) filename=(c) a.pdf', '(c) a.pdf'],
		['x="1" filename=a.pdf', 'a.pdf'],
		['filename="a.pdf" x="1"', 'a.pdf'],
		['filename="not closed', 'not closed'],
		['filename="a.pdf"junk; x=y', 'a.pdf'],
		['filename=a.pdf; filename=b.pdf', 'a.pdf'],
		['x; ;; =; filename=a.pdf', 'a.pdf'],
		['filename="a\n b.pdf"', 'a b.pdf'],
		['filename="a\r\n\t  b.pdf"', 'a b.pdf'],
	])('is read from %j', (parameters, name) => {
		expect(nameFrom(parameters)).toBe(name);
	});

	it.each([
		["filename*=utf-8''Gr%C3%B6%c3%9fe.pdf", 'Größe.pdf'],
		["filename*=iso-8859-1'en'caf%E9.pdf", 'café.pdf'],
		['filename*="utf-8\'\'%e2%82%ac.pdf"', '€.pdf'],
		["filename=old.pdf; filename*=utf-8''new.pdf", 'new.pdf'],
		["filename*=''a%20b.pdf", 'a b.pdf'],
		["filename*=x-nowhere''caf%C3%A9.pdf", 'café.pdf'],
		['filename*=a%20b%2', 'a b%2'],
		["filename*='one apostrophe", "'one apostrophe"],
		["filename*0*=utf-8''Gr%C3; filename*1*=%B6; filename*2=%C3.pdf", 'Grö%C3.pdf'],
		['filename*1=b; filename*0=a; filename*2=c.pdf', 'abc.pdf'],
		['filename*0=a; filename*2=c', 'a'],
		['filename*1=b; filename=whole.pdf', 'whole.pdf'],
		['filename*0="=?utf-8?Q?Gr=C3=B6"; filename*1="=C3=9Fe?=.pdf"', 'Größe.pdf'],
	])('is read from %j (RFC 2231)', (parameters, name) => {
		expect(nameFrom(parameters)).toBe(name);
	});

	it.each([
		['filename="=?utf-8?Q?Gr=C3=B6=C3=9Fe?=.pdf"', 'Größe.pdf'],
		['filename==?utf-8?B?R3LDtsOfZQ==?=', 'Größe'],
		['filename="=?utf-8?Q?Gr=C3?=\n =?utf-8?Q?=B6=C3=9Fe?="', 'Größe'],
		['filename="Größe.pdf"', 'Größe.pdf'],
	])('is read from %j (RFC 2047 and RFC 6532)', (parameters, name) => {
		expect(nameFrom(parameters)).toBe(name);
	});

	it('is windows-1252 where it is no UTF-8, and UTF-8 where only its last character was cut', () => {
		expect(splitMessage(Buffer.from('Content-Type: a/b; name="caf\xe9"\n\n', 'latin1')).leaves[0]?.name).toBe('café');
		expect(splitMessage(Buffer.from('Content-Type: a/b; name="\xd0\x9a\xd0"\n\n', 'latin1')).leaves[0]?.name).toBe('К');
	});

	it.each([
		['filename="/etc/passwd"', 'passwd'],
		['filename="C:\\dir\\a.pdf"', 'a.pdf'],
		['filename="C:\\\\dir\\\\a.pdf"', 'a.pdf'],
		["filename*=utf-8''..%2F..%5Ca.pdf", 'a.pdf'],
		['filename="=?utf-8?Q?..=2Fa.pdf?="', 'a.pdf'],
		["filename*=utf-8''%00a%0D%0A%1B[31mb", 'a   [31mb'],
		['filename="  a.pdf  "', 'a.pdf'],
	])('has no folders and control characters: %j', (parameters, name) => {
		expect(nameFrom(parameters)).toBe(name);
	});

	it.each(['filename=""', 'filename=.', 'filename=".."', 'filename="a/"', 'filename="/.."', "filename*=utf-8''%00%0A", 'x=y'])(
		'is left out for %j',
		(parameters) => {
			expect(nameFrom(parameters)).toBeUndefined();
		},
	);

	it('comes from Content-Type where Content-Disposition has none that can be used', () => {
		expect(nameIn('Content-Type: a/b; name=type.pdf\nContent-Disposition: inline; filename=disposition.pdf')).toBe('disposition.pdf');
		expect(nameIn('Content-Type: a/b; name=type.pdf\nContent-Disposition: inline; filename=".."')).toBe('type.pdf');
		expect(nameIn('Content-Type: a/b; name=type.pdf\nContent-Disposition: inline')).toBe('type.pdf');
	});

	it('is cut at 255 characters, never within one', () => {
		expect(nameFrom(`filename="${'a'.repeat(300)}"`)).toBe('a'.repeat(255));
		expect(nameFrom(`filename="${'a'.repeat(254)}🎉"`)).toBe('a'.repeat(254));
	});
});

describe('a charset of a name', () => {
	it('is found whatever white space is around it, and is none where it is longer than any', () => {
		expect(nameIn('Content-Type: a/b; name*=" utf-8 \'\'%E2%82%AC.pdf"')).toBe('€.pdf');
		const before = process.memoryUsage().heapUsed;
		for (let length = 1; length < 40; length++) nameIn(`Content-Type: a/b; name*="utf-8${' '.repeat(900_000 + length)}''x"`);
		globalThis.gc?.();
		expect(process.memoryUsage().heapUsed - before).toBeLessThan(30_000_000);
	});
});
