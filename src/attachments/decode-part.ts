import { Buffer } from 'node:buffer';
import { ALPHABET } from './base64-form.ts';
import type { Leaf } from './splitter.ts';
import { decodeUuencoded } from './uuencode.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;

/** Characters decoded at once. */
const STEP = 1 << 20;

/**
 * The bytes that a leaf of a message holds, decoded as mail readers do: base64, quoted-printable (RFC 2045, 6) and uuencode, what is wrong
 * in them passed over; a body in any other encoding as it stands.
 */
export function decodePart(message: Uint8Array, leaf: Leaf): Uint8Array {
	const body = Buffer.from(message.buffer, message.byteOffset + leaf.start, leaf.end - leaf.start);
	switch (leaf.encoding) {
		case 'base64':
			return decodeBase64Leniently(body);
		case 'quoted-printable':
			return decodeQuotedPrintable(body);
		case 'x-uuencode':
		case 'x-uue':
		case 'uuencode':
		case 'uue':
			return decodeUuencoded(body);
		default:
			return body;
	}
}

/** Passes over all that is no base64; padding ends a group, also where more text follows. */
function decodeBase64Leniently(body: Buffer): Buffer {
	const characters = Buffer.allocUnsafe(Math.min(body.length, STEP));
	const bytes = Buffer.allocUnsafeSlow(Math.ceil((body.length * 3) / 4));
	let waiting = 0;
	let length = 0;

	function decode(): void {
		length += bytes.write(characters.toString('latin1', 0, waiting), length, 'base64');
		waiting = 0;
	}

	for (const byte of body) {
		if (ALPHABET[byte] === 1) {
			characters[waiting++] = byte;
			if (waiting === STEP) decode();
		} else if (byte === EQUALS && waiting % 4 !== 0) {
			decode();
		}
	}
	decode();
	return bytes.subarray(0, length);
}

function decodeQuotedPrintable(body: Buffer): Buffer {
	const bytes = Buffer.allocUnsafeSlow(body.length);
	let length = 0;
	// RFC 2045, 6.7, rule 3: white space at the end of a line was added on the way; all before `solid` stays.
	let solid = 0;
	let at = 0;
	while (at < body.length) {
		const byte = body[at] ?? 0;
		if (byte === EQUALS) {
			const value = hexDigit(body[at + 1]) * 16 + hexDigit(body[at + 2]);
			const next = value >= 0 ? at + 3 : endOfSoftBreak(body, at + 1);
			if (value >= 0 || next < 0) bytes[length++] = value >= 0 ? value : byte;
			solid = length;
			at = next < 0 ? at + 1 : next;
			continue;
		}
		if (byte === LF || (byte === CR && body[at + 1] === LF)) length = solid;
		bytes[length++] = byte;
		if (byte !== SPACE && byte !== TAB) solid = length;
		at++;
	}
	return bytes.subarray(0, solid);
}

/** Index behind the line break that a `=` before `from` takes back, or -1 where there is none; the end of the body is one. */
function endOfSoftBreak(body: Buffer, from: number): number {
	let at = from;
	while (body[at] === SPACE || body[at] === TAB) at++;
	if (at === body.length) return at;
	if (body[at] === CR && body[at + 1] === LF) at++;
	return body[at] === LF ? at + 1 : -1;
}

/** The value of a hex digit, far below zero for any other byte. */
function hexDigit(byte: number | undefined): number {
	if (byte === undefined) return -1000;
	if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
	const letter = byte | 0x20;
	return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1000;
}
