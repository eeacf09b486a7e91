import { Buffer, isUtf8 } from 'node:buffer';
import type { HeaderFacts } from '../domain/index.ts';
import { decodeWindows1252 } from './charsets.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import { parseMailDate } from './mail-date.ts';

/** Bytes of a message that are looked at: real header blocks are a hundredth of that, and anyone may send a longer one. */
const LIMIT = 256 * 1024;

/** Characters (UTF-16) that a fact keeps. */
const LONGEST_FACT = 1000;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

type Field = keyof HeaderFacts;

const NAMES: readonly { readonly field: Field; readonly name: Uint8Array }[] = [
	{ field: 'messageId', name: Buffer.from('message-id') },
	{ field: 'date', name: Buffer.from('date') },
	{ field: 'from', name: Buffer.from('from') },
	{ field: 'to', name: Buffer.from('to') },
	{ field: 'cc', name: Buffer.from('cc') },
	{ field: 'subject', name: Buffer.from('subject') },
];

/** Where the value of a header lies, its folds included. */
interface Value {
	readonly start: number;
	end: number;
	folded: boolean;
}

/**
 * Reads from the first 256 KiB of a message what people search by; a header that is missing, empty or unreadable is left out.
 * Takes any bytes, in time linear in their number. Facts are cut at 1,000 characters and hold no control characters.
 */
export function readHeaderFacts(message: Uint8Array): HeaderFacts {
	const bytes = Buffer.from(message.buffer, message.byteOffset, Math.min(message.length, LIMIT));
	const facts: Partial<Record<Field, string>> = {};
	for (const [field, value] of findValues(bytes)) {
		const fact = factOf(field, textOf(bytes, value));
		if (fact === undefined || fact === '') continue;
		// A part of a string keeps the whole of it in memory: 256 KiB for each message of a flood.
		facts[field] = value.end - value.start > LONGEST_FACT ? Buffer.from(fact).toString() : fact;
	}
	return facts;
}

/** The first value of each wanted header, up to the first empty line. A line that is no header is passed over. */
function findValues(bytes: Buffer): Map<Field, Value> {
	const values = new Map<Field, Value>();
	let value: Value | undefined;
	let at = skipStart(bytes);
	while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) {
		const continues = bytes[at] === SPACE || bytes[at] === TAB;
		if (!continues) value = startValue(bytes, at, values);
		while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at++;
		if (value) {
			value.end = at;
			value.folded ||= continues;
		}
		at = skipLineEnd(bytes, at);
	}
	return values;
}

/** Passes over a byte order mark and leading empty lines. */
function skipStart(bytes: Buffer): number {
	let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
	while (bytes[at] === LF || bytes[at] === CR) at++;
	return at;
}

/** CR CR LF is one line end, which some gateways make of CR LF; otherwise each CR ends a line. */
function skipLineEnd(bytes: Buffer, at: number): number {
	let end = at;
	while (bytes[end] === CR) end++;
	return bytes[end] === LF ? end + 1 : at + 1;
}

/** The value of the header whose name begins at `at`, or undefined where it is none that is wanted, or not the first. */
function startValue(bytes: Buffer, at: number, values: Map<Field, Value>): Value | undefined {
	for (const { field, name } of NAMES) {
		let length = 0;
		while (length < name.length && lowerCase(bytes[at + length]) === name[length]) length++;
		if (length < name.length) continue;
		let start = at + length;
		// RFC 5322, 4.5: white space before the colon is an obsolete form.
		while (bytes[start] === SPACE || bytes[start] === TAB) start++;
		if (bytes[start] !== COLON) continue;
		if (values.has(field)) return undefined;
		const value = { start: start + 1, end: start + 1, folded: false };
		values.set(field, value);
		return value;
	}
	return undefined;
}

function lowerCase(byte: number | undefined): number | undefined {
	return byte !== undefined && byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** The value without its folds; bytes beyond ASCII are UTF-8 (RFC 6532), or else most likely windows-1252. */
function textOf(bytes: Buffer, value: Value): string {
	let all = 0;
	for (let at = value.start; at < value.end; at++) all |= bytes[at] ?? 0;
	const text = all < 0x80 ? bytes.toString('latin1', value.start, value.end) : decodeRaw(bytes.subarray(value.start, value.end));
	if (!value.folded) return text;
	const lines = text.split(/[\r\n]+/).map((line) => line.trim());
	return lines.filter((line) => line !== '').join(' ');
}

function decodeRaw(bytes: Buffer): string {
	return isUtf8(bytes) ? bytes.toString('utf8') : decodeWindows1252(bytes);
}

function factOf(field: Field, text: string): string | undefined {
	switch (field) {
		case 'messageId':
			return tidy(/<[^<>]*>/.exec(text)?.[0] ?? text);
		case 'date':
			return parseMailDate(tidy(text));
		default:
			// What is cut off may have begun with white space that goes.
			return tidy(decodeEncodedWords(text, 2 * LONGEST_FACT));
	}
}

/** Without control characters, which could steer a terminal, and not longer than a fact may be. */
function tidy(text: string): string {
	const clean = text.replace(/\p{Cc}/gu, ' ').trim();
	if (clean.length <= LONGEST_FACT) return clean;
	const last = clean.charCodeAt(LONGEST_FACT - 1);
	const splitsPair = last >= 0xd800 && last <= 0xdbff;
	return clean.slice(0, splitsPair ? LONGEST_FACT - 1 : LONGEST_FACT);
}
