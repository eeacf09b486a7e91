import type { Buffer } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Names seen in mail that the Encoding standard does not list, and what they stand for. */
const ALIASES = new Map(
	Object.entries({
		'646': 'us-ascii',
		cp50220: 'iso-2022-jp',
		cp932: 'shift_jis',
		cp936: 'gbk',
		cp949: 'euc-kr',
		cp950: 'big5',
		'euc-cn': 'gbk',
		'euc-tw': 'big5',
		euccn: 'gbk',
		eucjp: 'euc-jp',
		euckr: 'euc-kr',
		'iso-2022-jp-ms': 'iso-2022-jp',
		koi8r: 'koi8-r',
		koi8u: 'koi8-u',
		'latin-1': 'iso-8859-1',
		'latin-2': 'iso-8859-2',
		'latin-9': 'iso-8859-15',
		latin9: 'iso-8859-15',
		'mac-roman': 'macintosh',
		macroman: 'macintosh',
		ms932: 'shift_jis',
		ms936: 'gbk',
		ms949: 'euc-kr',
		ms950: 'big5',
		none: 'us-ascii',
		tis620: 'windows-874',
		'unknown-8bit': 'windows-1252',
		utf8mb4: 'utf-8',
		'x-unknown': 'windows-1252',
	}),
);

const WINDOWS = /^(?:windows|win|cp|ms)[-_]?(125[0-8]|874)$/;
const ISO_8859 = /^iso[-_]?8859[-_]([0-9]{1,2})$/;

/** 0x80 to 0x9f of windows-1252; five of them are not assigned. */
const WINDOWS_1252_HIGH = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Turns bytes into text, unreadable ones into U+FFFD. */
export type Decode = (bytes: Buffer) => string;

/** Characters of the longest label that a decoder is looked for; those that exist have fewer than 30. */
const LONGEST_LABEL = 64;

/** By label in lower case, without white space around it. Holds only names that a decoder exists for, so that no sender can make it grow. */
const decoders = new Map<string, Decode>();

/** The decoder of a charset, the same for all its names, or undefined where the charset is not known. */
export function findDecoder(charset: string): Decode | undefined {
	if (charset.length > LONGEST_LABEL) return undefined;
	const label = charset.trim().toLowerCase();
	const known = decoders.get(label);
	if (known) return known;
	try {
		const decoder = new TextDecoder(standardLabel(label));
		const decode = decoders.get(decoder.encoding) ?? decodeWith(decoder);
		decoders.set(decoder.encoding, decode).set(label, decode);
		return decode;
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

function decodeWith(decoder: TextDecoder): Decode {
	// Node 20 decodes windows-1252, and so every name for ISO 8859-1 and ASCII, as if 0x80 to 0x9f were controls.
	return decoder.encoding === 'windows-1252' ? decodeWindows1252 : (bytes) => decoder.decode(bytes);
}

/** The text of bytes in windows-1252, which reads every byte. */
export function decodeWindows1252(bytes: Buffer): string {
	const text = bytes.toString('latin1');
	return text.replace(/[\u0080-\u009f]/g, (character) => WINDOWS_1252_HIGH.charAt(character.charCodeAt(0) - 0x80));
}

function standardLabel(label: string): string {
	const windows = WINDOWS.exec(label);
	if (windows) return `windows-${windows[1]}`;
	const iso = ISO_8859.exec(label);
	if (iso) return `iso-8859-${iso[1]}`;
	return ALIASES.get(label) ?? label;
}
