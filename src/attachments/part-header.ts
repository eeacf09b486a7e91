import { Buffer } from 'node:buffer';
import { readFileName } from './file-name.ts';
import { findParameter, type ParameterText, readStructured, type StructuredValue } from './parameters.ts';

/** Bytes of the longest boundary that is taken for one; RFC 2046, 5.1.1 allows 70. */
const LONGEST_BOUNDARY = 4096;

/** RFC 6838, 4.2 allows 127 characters on each side of the slash. */
const TYPE = /^[!#-'*+.0-9A-Z^-z|~-]{1,127}\/[!#-'*+.0-9A-Z^-z|~-]{1,127}$/i;
const ENCODING = /^[ \t"]*([^ \t";(]{1,64})/;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

/** What the header block of a part says about its body. */
export interface PartHeader {
	/** Lower case; the default of the place where the part stands, where the header is absent, and `text/plain` where it cannot be read. */
	readonly type: string;
	/** One character for each byte; only of a multipart that has one. */
	readonly boundary: string | undefined;
	/** Lower case; `7bit` where absent. */
	readonly encoding: string;
	readonly name: string | undefined;
	readonly disposition: 'attachment' | 'inline' | undefined;
}

/** Where in the block the first header of each kind begins, or -1. */
export type FieldStarts = Record<'type' | 'encoding' | 'disposition', number>;

const NAMES: Readonly<Record<keyof FieldStarts, Uint8Array>> = {
	type: Buffer.from('content-type'),
	encoding: Buffer.from('content-transfer-encoding'),
	disposition: Buffer.from('content-disposition'),
};

/** The kind of the header whose line begins at `at`, or undefined for all that say nothing about the body. */
export function fieldAt(bytes: Uint8Array, at: number, end: number): keyof FieldStarts | undefined {
	// `content-` is common to all three, what follows tells them apart.
	if (((bytes[at] ?? 0) | 0x20) !== 0x63 || bytes[at + 7] !== 0x2d) return undefined;
	const letter = (bytes[at + 8] ?? 0) | 0x20;
	const field = letter === 0x64 ? 'disposition' : bytes[at + 16] === 0x2d ? 'encoding' : 'type';
	const name = NAMES[field];
	for (let index = 0; index < name.length; index++) {
		const byte = bytes[at + index] ?? 0;
		if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name[index]) return undefined;
	}
	let colon = at + name.length;
	while (colon < end && (bytes[colon] === SPACE || bytes[colon] === TAB)) colon++;
	return colon < end && bytes[colon] === COLON ? field : undefined;
}

/** Reads what the headers that begin at `starts` say; `block` ends where the header block does. */
export function readPartHeader(block: Buffer, starts: FieldStarts, defaultType: string): PartHeader {
	const typeValue = structuredAt(block, starts.type);
	const disposition = structuredAt(block, starts.disposition);
	const type = typeOf(typeValue, defaultType);
	const boundary = type.startsWith('multipart/') && typeValue ? boundaryOf(findParameter(typeValue.parameters, 'boundary')) : undefined;
	const encoding = starts.encoding < 0 ? undefined : ENCODING.exec(valueAt(block, starts.encoding))?.[1];
	return {
		type,
		boundary,
		encoding: encoding === undefined ? '7bit' : flat(encoding.toLowerCase()),
		name: nameOf(disposition, 'filename') ?? nameOf(typeValue, 'name'),
		disposition: dispositionOf(disposition?.value),
	};
}

function structuredAt(block: Buffer, start: number): StructuredValue | undefined {
	return start < 0 ? undefined : readStructured(valueAt(block, start));
}

/** The value of the header at `start`, with each fold and its white space as one space. */
function valueAt(block: Buffer, start: number): string {
	let end = start;
	let folded = false;
	for (;;) {
		const lf = block.indexOf(LF, end);
		if (lf < 0) {
			end = block.length;
			break;
		}
		end = lf;
		if (block[lf + 1] !== SPACE && block[lf + 1] !== TAB) break;
		folded = true;
		end = lf + 1;
	}
	const text = block.toString('latin1', block.indexOf(COLON, start) + 1, end);
	return (folded ? text.replace(/\r?\n[ \t]*/g, ' ') : text).trimEnd();
}

function typeOf(value: StructuredValue | undefined, defaultType: string): string {
	if (!value) return defaultType;
	return TYPE.test(value.value) ? flat(value.value) : 'text/plain';
}

function boundaryOf(parameter: ParameterText | undefined): string | undefined {
	const text = parameter?.text ?? '';
	let end = text.length;
	// Not by a pattern: one that looks for white space at the end takes time quadratic in white space in the middle.
	while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
	return end === 0 || end > LONGEST_BOUNDARY ? undefined : flat(text.slice(0, end));
}

function isBlank(code: number): boolean {
	return code === SPACE || code === TAB || code === CR;
}

function nameOf(value: StructuredValue | undefined, parameter: string): string | undefined {
	const text = value && findParameter(value.parameters, parameter);
	return text && readFileName(text);
}

/** RFC 2183, 2.8: a disposition that is not known is to be taken for an attachment. */
function dispositionOf(value: string | undefined): 'attachment' | 'inline' | undefined {
	if (value === undefined || value === '') return undefined;
	return value === 'inline' ? 'inline' : 'attachment';
}

/** A string of its own: a part of one keeps the whole in memory, 1 MiB for each part of a flood. */
function flat(text: string): string {
	return text.length < 13 ? text : Buffer.from(text, 'latin1').toString('latin1');
}
