import { Buffer } from 'node:buffer';
import { ALPHABET, type Base64Text, bytesBeforeLast, LONGEST_LINE_END, MOST_AROUND } from './base64-form.ts';

/** Characters decoded at once: what comes of them stays in the nearest caches. */
const STEP = 48 * 1024;

/** Bytes that hold the last group of text in lines of one character. */
const TAIL = 64;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const PAD = 0x3d;

/** Where text of equal lines lies in a body. */
interface Layout {
	readonly start: number;
	/** Behind the last character, padding included. */
	readonly end: number;
	readonly padding: number;
	readonly width: number;
	/** Lines before the last one, and what ends each of them. */
	readonly lines: number;
	readonly lineEnd: string;
}

/**
 * The text and the bytes of a base64 body whose lines are all alike but the last, or null where it is not of that kind. Looks at lengths
 * only: what it gives has to be proved, since the decoder passes over what is no base64.
 */
export function readEqualLines(body: Buffer): { readonly text: Base64Text; readonly bytes: Buffer } | null {
	const layout = findLayout(body);
	if (layout === null) return null;
	const { start, end, padding, width, lines, lineEnd } = layout;
	const count = end - start - lines * lineEnd.length - padding;
	const size = Math.floor((count * 3) / 4);
	if (size === 0) return null;
	const bytes = decodeLines(body, layout, size);
	if (bytes === null) return null;
	const beforeLast = bytesBeforeLast(size);
	const tail = body.toString('latin1', Math.max(start, end - TAIL), end).replace(/[\r\n\t ]+/g, '');
	const last = tail.slice(tail.length - (count + padding - (beforeLast / 3) * 4));
	const usual = bytes.toString('base64', beforeLast);
	const form = { lines: lines === 0 ? [] : [[lines, width, lineEnd] as const], ...(last !== usual && { last }) };
	return { text: { start, end, size, form }, bytes };
}

function findLayout(body: Buffer): Layout | null {
	let start = 0;
	while (start < body.length && start <= MOST_AROUND && ALPHABET[body[start] ?? 0] !== 1) start++;
	let end = body.length;
	while (end > start && body.length - end <= MOST_AROUND && !isText(body[end - 1])) end--;
	let padding = 0;
	while (padding < 3 && body[end - 1 - padding] === PAD) padding++;
	if (start > MOST_AROUND || body.length - end > MOST_AROUND || padding === 3 || end - padding <= start) return null;
	if (ALPHABET[body[end - 1 - padding] ?? 0] !== 1) return null;
	const lf = body.indexOf(LF, start);
	if (lf < 0 || lf >= end) return { start, end, padding, width: end - start, lines: 0, lineEnd: '' };
	let lineStop = lf;
	while (lineStop > start && isBlank(body[lineStop - 1])) lineStop--;
	let nextLine = lf + 1;
	while (isBlank(body[nextLine]) || body[nextLine] === LF) nextLine++;
	const width = lineStop - start;
	const lineEnd = body.toString('latin1', lineStop, nextLine);
	if (lineEnd.length > LONGEST_LINE_END || width > STEP / 4) return null;
	const stride = width + lineEnd.length;
	const lines = Math.floor((end - start - 1) / stride);
	const layout = { start, end, padding, width, lines, lineEnd };
	return end - start - lines * stride <= width && hasLineEnds(body, layout) ? layout : null;
}

function hasLineEnds(body: Buffer, { start, width, lines, lineEnd }: Layout): boolean {
	const stride = width + lineEnd.length;
	for (let index = 0; index < lineEnd.length; index++) {
		const byte = lineEnd.charCodeAt(index);
		let at = start + width + index;
		for (let line = 0; line < lines; line++, at += stride) if (body[at] !== byte) return false;
	}
	return true;
}

/** The bytes of the text, or null where the decoder passed over something. */
function decodeLines(body: Buffer, { start, end, width, lines, lineEnd }: Layout, size: number): Buffer | null {
	// Not of the shared pool: whoever takes it over can hand it to another thread without a copy.
	const bytes = Buffer.allocUnsafeSlow(size);
	// Four lines hold whole groups of four characters, whatever their width.
	const step = lines === 0 ? STEP : 4 * Math.max(1, Math.floor(STEP / (4 * (width + lineEnd.length))));
	const stride = lines === 0 ? STEP : step * (width + lineEnd.length);
	const stepBytes = lines === 0 ? (STEP / 4) * 3 : (step / 4) * width * 3;
	let at = 0;
	for (let from = start; from < end; from += stride) {
		const written = bytes.write(body.toString('latin1', from, Math.min(end, from + stride)), at, 'base64');
		at += written;
		if (written !== stepBytes && at !== size) return null;
	}
	return at === size ? bytes : null;
}

function isText(byte: number | undefined): boolean {
	return byte === PAD || (byte !== undefined && ALPHABET[byte] === 1);
}

function isBlank(byte: number | undefined): boolean {
	return byte === CR || byte === SPACE || byte === TAB;
}
