import { Buffer, isAscii, isUtf8 } from 'node:buffer';
import { decodeWindows1252, findDecoder } from './charsets.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import type { ParameterText } from './parameters.ts';

/** Characters (UTF-16) that a name keeps. */
const LONGEST_NAME = 255;

/**
 * The file name that a parameter gives, decoded (RFC 2231; RFC 2047, which is not allowed there and yet common), without folders and
 * control characters; undefined where nothing is left that could name a file.
 */
export function readFileName(parameter: ParameterText): string | undefined {
	const clean = decode(parameter).replace(/\p{Cc}/gu, ' ');
	const base = clean.slice(Math.max(clean.lastIndexOf('/'), clean.lastIndexOf('\\')) + 1).trim();
	const name = cut(base).trimEnd();
	if (name === '' || name === '.' || name === '..') return undefined;
	// A part of a string keeps the whole of it in memory: 1 MiB for each part of a flood.
	return clean.length > LONGEST_NAME ? Buffer.from(name).toString() : name;
}

function decode({ text, charset }: ParameterText): string {
	const bytes = Buffer.from(text, 'latin1');
	const decoder = charset === undefined ? undefined : findDecoder(charset);
	if (decoder) return decoder(bytes);
	return decodeEncodedWords(decodeRaw(bytes), Number.POSITIVE_INFINITY);
}

/** UTF-8 (RFC 6532), also where the name was cut within its last character, or else most likely windows-1252. */
function decodeRaw(bytes: Buffer): string {
	for (let missing = 0; missing <= 3; missing++) {
		const whole = bytes.subarray(0, bytes.length - missing);
		if (isUtf8(whole) && (missing === 0 || !isAscii(whole))) return whole.toString('utf8');
	}
	return decodeWindows1252(bytes);
}

function cut(text: string): string {
	if (text.length <= LONGEST_NAME) return text;
	const last = text.charCodeAt(LONGEST_NAME - 1);
	const splitsPair = last >= 0xd800 && last <= 0xdbff;
	return text.slice(0, splitsPair ? LONGEST_NAME - 1 : LONGEST_NAME);
}
