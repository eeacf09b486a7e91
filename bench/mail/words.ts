import { openPrng, type Prng } from './prng.ts';

/** Text cut into lines, from which messages take runs of whole lines. */
export interface TextPool {
	readonly bytes: Buffer;
	/** Where each line starts, and after the last the end of `bytes`. */
	readonly starts: Int32Array;
}

export interface Texts {
	readonly plain: TextPool;
	readonly quoted: TextPool;
	/** UTF-8 with letters beyond ASCII. */
	readonly eightBit: TextPool;
	/** The same sort of text as quoted-printable (RFC 2045, 6.7). */
	readonly quotedPrintable: TextPool;
	readonly html: TextPool;
	/** As they stand behind `Subject: `, some as encoded words (RFC 2047), some folded. */
	readonly subjects: readonly string[];
}

export interface Person {
	readonly address: string;
	/** Display name and address as a header has them. */
	readonly header: string;
}

const WORDS = 12_000;
const POOL_BYTES = 2_000_000;
const SYLLABLES =
	'an be ca der el fo ga hi in jo ka lem mi no or pa qui re so tu un ver wa xe ya zu ing ten ler ach ion ment str pro sta'.split(' ');
const ACCENTED = ['größe', 'für', 'über', 'café', 'señor', 'naïve', 'straße', 'œuvre', 'żółty', 'Δοκιμή', 'проверка'];
const FIRST_NAMES =
	'Anna Bernd Carla David Elena Felix Greta Hugo Ida Jonas Klara Lukas Marta Nils Olga Pavel Rosa Sven Tina Uwe Vera Wim Yara Zoe Jürgen Søren'.split(
		' ',
	);
const LAST_NAMES =
	'Abel Berg Conti Dahl Ebert Frank Gruber Haas Iversen Jansen Keller Lang Meier Novak Olsen Peters Quast Roth Simon Thoma Ulrich Vogel Weber Young Zimmer Müller'.split(
		' ',
	);

let made: Texts | undefined;

/** The pools that all trees share; made once a process. */
export function openTexts(): Texts {
	made ??= makeTexts();
	return made;
}

function makeTexts(): Texts {
	const prng = openPrng('texts');
	const words: string[] = [];
	while (words.length < WORDS) {
		let word = '';
		for (let left = 1 + prng.int(4); left > 0; left--) word += prng.pick(SYLLABLES);
		words.push(word);
	}
	// Zipf's law: the r-th most frequent word is r times rarer than the first.
	function word(): string {
		return words[Math.floor(WORDS ** prng.float())] ?? 'mail';
	}
	return {
		plain: makePool(POOL_BYTES, () => sentence({ prng, word, width: 72 })),
		quoted: makePool(POOL_BYTES / 4, () => `> ${sentence({ prng, word, width: 70 })}`),
		eightBit: makePool(POOL_BYTES / 4, () => withAccents(sentence({ prng, word, width: 60 }), prng)),
		quotedPrintable: makePool(POOL_BYTES / 4, () => quotePrintable(withAccents(sentence({ prng, word, width: 44 }), prng))),
		html: makePool(POOL_BYTES, () => htmlLine(prng, word)),
		subjects: Array.from({ length: 2000 }, () => subject(prng, word)),
	};
}

function makePool(size: number, line: () => string): TextPool {
	const pieces: Buffer[] = [];
	const starts = [0];
	let at = 0;
	while (at < size) {
		const piece = Buffer.from(`${line()}\n`);
		pieces.push(piece);
		at += piece.length;
		starts.push(at);
	}
	return { bytes: Buffer.concat(pieces), starts: Int32Array.from(starts) };
}

function sentence(options: { prng: Prng; word: () => string; width: number }): string {
	if (options.prng.chance(0.06)) return '';
	const width = options.prng.chance(0.15) ? 12 + options.prng.int(options.width - 12) : options.width;
	let text = options.word();
	for (;;) {
		const next = options.word();
		if (text.length + next.length + 2 > width) return text;
		text += options.prng.chance(0.08) ? `, ${next}` : ` ${next}`;
	}
}

function withAccents(text: string, prng: Prng): string {
	return prng.chance(0.7) ? `${text} ${prng.pick(ACCENTED)}` : text;
}

function quotePrintable(text: string): string {
	let encoded = '';
	for (const byte of Buffer.from(text)) {
		encoded += byte === 0x3d || byte > 0x7e ? `=${byte.toString(16).toUpperCase()}` : String.fromCharCode(byte);
	}
	return encoded;
}

function htmlLine(prng: Prng, word: () => string): string {
	const text = sentence({ prng, word, width: 80 });
	const form = prng.int(5);
	if (form === 0) return `<p style="margin:0 0 12px 0;font-family:Arial,sans-serif;font-size:14px">${text}</p>`;
	if (form === 1) return `<tr><td class="c${prng.int(9)}" align="left" valign="top" width="${prng.int(600)}">${text}</td></tr>`;
	if (form === 2) return `<a href="https://news.example.com/c/${prng.hex(3)}" target="_blank">${word()} ${word()}</a><br>`;
	return `${text}<br>`;
}

function subject(prng: Prng, word: () => string): string {
	let text = word();
	for (let left = prng.int(8); left > 0; left--) text += ` ${word()}`;
	if (prng.chance(0.88)) return text;
	return encodedWord(`${prng.pick(ACCENTED)} ${text.slice(0, 24)}`, prng.chance(0.5) ? 'B' : 'Q');
}

function encodedWord(text: string, form: 'B' | 'Q'): string {
	if (form === 'B') return `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
	let encoded = '';
	for (const byte of Buffer.from(text)) {
		const character = String.fromCharCode(byte);
		if (character === ' ') encoded += '_';
		else encoded += /[A-Za-z0-9]/.test(character) ? character : `=${(byte + 0x100).toString(16).slice(1).toUpperCase()}`;
	}
	return `=?UTF-8?Q?${encoded}?=`;
}

/** The n-th person of a domain; the address is different for every n. */
export function makePerson(prng: Prng, options: { readonly n: number; readonly domain: string }): Person {
	const first = prng.pick(FIRST_NAMES);
	const last = prng.pick(LAST_NAMES);
	const local = `${asciiOf(first)}.${asciiOf(last)}${options.n}`;
	const address = `${local}@${options.domain}`;
	const name = `${first} ${last}`;
	if (/[^ -~]/.test(name)) return { address, header: `${encodedWord(name, 'Q')} <${address}>` };
	const form = prng.int(4);
	if (form === 0) return { address, header: address };
	return { address, header: form === 1 ? `"${last}, ${first}" <${address}>` : `${name} <${address}>` };
}

function asciiOf(name: string): string {
	return name.toLowerCase().replace('ü', 'ue').replace('ø', 'oe');
}
