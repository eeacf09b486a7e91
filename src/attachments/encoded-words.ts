import { Buffer } from 'node:buffer';
import { type Decode, findDecoder } from './charsets.ts';

/** Begins a word in ISO 2022, which then is complete in itself: two escape sequences in a row count as an error. */
const ESCAPE = 0x1b;

/** Longer than any charset's name; keeps a search for the `?` behind one short. */
const LONGEST_CHARSET = 64;

interface EncodedWord {
	readonly decode: Decode;
	readonly bytes: Buffer;
	/** Index behind the closing `?=`. */
	readonly end: number;
}

/**
 * Text with its encoded words (RFC 2047) decoded, also where they stand inside quotes or touch other text, as many senders write them.
 * A word in an unknown charset stays as it is. Decodes no further once the result has `enough` characters. Takes linear time.
 */
export function decodeEncodedWords(text: string, enough: number): string {
	let result = '';
	let copied = 0;
	// Neighbours in one charset are decoded as one: a character may be split between them.
	let decode: Decode | undefined;
	let run: Buffer[] = [];
	let closing = 0;

	function flush(): void {
		if (decode && run.length > 0) result += decode(Buffer.concat(run));
		run = [];
	}

	let start = text.indexOf('=?');
	while (start >= 0 && closing >= 0 && result.length + start - copied < enough) {
		const textStart = findText(text, start);
		// One search serves every word before the place that it found: a million `=?a?q?` without an end stay linear.
		if (closing < textStart) closing = text.indexOf('?=', textStart);
		const word = textStart < 0 || closing < 0 ? undefined : readWord(text, { start, textStart, closing });
		if (word) {
			const between = text.slice(copied, start);
			// RFC 2047, 6.2: white space between two encoded words is no part of the text.
			const adjacent = run.length > 0 && between.trim() === '';
			if (!adjacent || word.decode !== decode || word.bytes[0] === ESCAPE) flush();
			if (!adjacent) result += between;
			decode = word.decode;
			run.push(word.bytes);
			copied = word.end;
		}
		start = text.indexOf('=?', word ? word.end : start + 2);
	}
	flush();
	return result + text.slice(copied);
}

/** Index of the encoded text of a word that starts at `start`, or -1 where none does. */
function findText(text: string, start: number): number {
	const charset = start + 2;
	let at = charset;
	while (at < text.length && at - charset <= LONGEST_CHARSET && text[at] !== '?' && text[at] !== ' ') at++;
	const encoding = text[at + 1];
	const known = encoding === 'B' || encoding === 'b' || encoding === 'Q' || encoding === 'q';
	return at > charset && text[at] === '?' && known && text[at + 2] === '?' ? at + 3 : -1;
}

function readWord(text: string, place: { start: number; textStart: number; closing: number }): EncodedWord | undefined {
	const encoded = text.slice(place.textStart, place.closing);
	// The word was cut off, and a later one brought the closing.
	if (encoded.includes('=?')) return undefined;
	// RFC 2231, 5: a language may follow the charset.
	const [charset = ''] = text.slice(place.start + 2, place.textStart - 3).split('*', 1);
	const decode = findDecoder(charset);
	if (!decode) return undefined;
	const end = place.closing + 2;
	if (text[place.textStart - 2] === 'B' || text[place.textStart - 2] === 'b') {
		return { decode, bytes: Buffer.from(encoded, 'base64'), end };
	}
	const bytes = Buffer.from(encoded, 'utf8');
	// Characters beyond ASCII must not stand here; where they do, they were made text with the rest of the header.
	return { decode: bytes.length === encoded.length ? decode : decodeUtf8, bytes: decodeQ(bytes), end };
}

function decodeUtf8(bytes: Buffer): string {
	return bytes.toString('utf8');
}

/** RFC 2047, 4.2; a `=` without two hex digits stands for itself. Decodes in place. */
function decodeQ(bytes: Buffer): Buffer {
	let length = 0;
	for (let at = 0; at < bytes.length; at++) {
		let byte = bytes[at] ?? 0;
		if (byte === 0x5f) {
			byte = 0x20;
		} else if (byte === 0x3d) {
			const high = hexDigit(bytes[at + 1]);
			const low = hexDigit(bytes[at + 2]);
			if (high >= 0 && low >= 0) {
				byte = high * 16 + low;
				at += 2;
			}
		}
		bytes[length++] = byte;
	}
	return bytes.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
	if (byte === undefined) return -1;
	if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
	const letter = byte | 0x20;
	return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
