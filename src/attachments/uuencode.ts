import { Buffer } from 'node:buffer';

/** POSIX uuencode: the line above the text, with the mode and the name of the file. */
const BEGIN = /^begin [0-7]{3,4} /;

const LF = 0x0a;
const CR = 0x0d;

/** What a uuencoded body holds, up to its line `end`; a body without a line `begin` as it stands. */
export function decodeUuencoded(body: Buffer): Buffer {
	const bytes = Buffer.allocUnsafeSlow(body.length);
	let length = 0;
	let begun = false;
	for (let at = 0; at < body.length; ) {
		const lf = body.indexOf(LF, at);
		const stop = lf < 0 ? body.length : lf;
		const end = stop > at && body[stop - 1] === CR ? stop - 1 : stop;
		if (begun) {
			const count = end > at ? sixBits(body[at]) : 0;
			if (count === 0 || body.toString('latin1', at, end) === 'end') break;
			length = decodeLine(body.subarray(at + 1, end), { count, bytes, length });
		} else {
			begun = BEGIN.test(body.toString('latin1', at, Math.min(end, at + 12)));
		}
		at = stop + 1;
	}
	return begun ? bytes.subarray(0, length) : body;
}

/** Adds up to `count` bytes; spaces that were cut off the end of the line count as zeros. */
function decodeLine(
	line: Buffer,
	{ count, bytes, length }: { readonly count: number; readonly bytes: Buffer; readonly length: number },
): number {
	let written = length;
	const end = length + Math.min(count, Math.ceil((line.length * 3) / 4));
	for (let at = 0; written < end; at += 4) {
		const group = (sixBits(line[at]) << 18) | (sixBits(line[at + 1]) << 12) | (sixBits(line[at + 2]) << 6) | sixBits(line[at + 3]);
		for (let shift = 16; shift >= 0 && written < end; shift -= 8) bytes[written++] = (group >> shift) & 0xff;
	}
	return written;
}

function sixBits(byte: number | undefined): number {
	return ((byte ?? 0x20) - 0x20) & 0x3f;
}
