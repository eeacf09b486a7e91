import { describe, expect, it } from 'vitest';
import { decodePart } from '../../src/attachments/index.ts';

function decode(encoding: string, body: string): string {
	const message = Buffer.from(`head${body}tail`, 'latin1');
	return Buffer.from(decodePart(message, { start: 4, end: message.length - 4, encoding, type: 'text/plain' })).toString('latin1');
}

describe('decodePart()', () => {
	it.each([
		['YWJj\r\nZGVm\r\n', 'abcdef'],
		['YW Jj\0!-ZG_Vm', 'abcdef'],
		['YQ==YWJj', 'aabc'],
		['YWI', 'ab'],
		['YQ=====\n=YWI=', 'aab'],
		['', ''],
		['=', ''],
		['Y', ''],
	])('decodes base64 %j as mail readers do', (body, bytes) => {
		expect(decode('base64', body)).toBe(bytes);
	});

	it.each([
		['a=3Db=E4\r\nc', 'a=b\xe4\r\nc'],
		['a=3db=e4', 'a=b\xe4'],
		['soft=\r\n break=\nhere= \t\r\n!', 'soft breakhere!'],
		['blanks \t\r\nare=20\nadded  ', 'blanks\r\nare \nadded'],
		['a=zz=4', 'a=zz=4'],
		['end=', 'end'],
		['end=  ', 'end'],
		['a= b', 'a= b'],
		['\0\xff=\r', '\0\xff=\r'],
	])('decodes quoted-printable %j', (body, bytes) => {
		expect(decode('quoted-printable', body)).toBe(bytes);
	});

	it.each(['x-uuencode', 'uuencode', 'x-uue', 'uue'])('decodes %s between begin and end', (encoding) => {
		expect(decode(encoding, 'text\n\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore')).toBe('Cat');
		expect(decode(encoding, 'begin 0644 x\r\n%86)C9&4\r\n \r\nend\r\n')).toBe('abcde');
		expect(decode(encoding, 'begin 644 x\n#0V%T')).toBe('Cat');
		expect(decode(encoding, 'no begin 644 x\n#0V%T')).toBe('no begin 644 x\n#0V%T');
		expect(decode(encoding, 'begin 644 x\n$ \n\nend')).toHaveLength(1);
	});

	it.each(['7bit', '8bit', 'binary', 'x-unknown'])('gives a body in %s as it stands', (encoding) => {
		expect(decode(encoding, '=41\n')).toBe('=41\n');
	});
});
