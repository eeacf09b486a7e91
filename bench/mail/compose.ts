import type { AttachmentFile } from './attachment-files.ts';
import type { Signature } from './logos.ts';
import type { Prng } from './prng.ts';
import { openTexts, type Person, type TextPool } from './words.ts';

export interface Letter {
	readonly from: Person;
	readonly to: readonly Person[];
	readonly cc: readonly Person[];
	/** The mailbox it was delivered to; undefined for a message that its owner wrote. */
	readonly deliveredTo?: string;
	/** Milliseconds since 1970. */
	readonly date: number;
	/** With its angle brackets. */
	readonly messageId: string;
	readonly subject: string;
	/** Message-IDs of the thread so far, oldest first. */
	readonly references: readonly string[];
	/** Bytes of text that the message shall have, all forms of it together. */
	readonly textBytes: number;
	readonly files: readonly AttachmentFile[];
	readonly signature?: Signature;
}

/** `bytes` is valid until the next letter is composed. */
export interface Composed {
	readonly bytes: Buffer;
	/** Line feeds in it. */
	readonly lines: number;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const ZONES = [0, 60, 120, -300, 330];
const AGENTS = ['Mozilla Thunderbird', 'Apple Mail (2.3774)', 'Microsoft Outlook 16.0', 'Roundcube Webmail/1.6.5', 'mutt/2.2.9'];

/** Writes messages one after the other into one buffer, in the form that a mail server stores: LF, headers as they came. */
export function openComposer(): (letter: Letter, prng: Prng) => Composed {
	const texts = openTexts();
	let buffer = Buffer.allocUnsafeSlow(1024 * 1024);
	let at = 0;
	let lines = 0;
	let signature: Signature | undefined;

	function reserve(length: number): void {
		if (at + length <= buffer.length) return;
		const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, at + length));
		buffer.copy(larger, 0, 0, at);
		buffer = larger;
	}
	/** ASCII text. */
	function write(text: string): void {
		reserve(text.length);
		const end = at + buffer.write(text, at, 'latin1');
		while (at < end) if (buffer[at++] === 0x0a) lines++;
	}
	function writeLines(pool: TextPool, options: { readonly bytes: number; readonly prng: Prng }): void {
		const { starts } = pool;
		const wanted = Math.min(options.bytes, pool.bytes.length >> 1);
		const first = lineAt(starts, options.prng.int(pool.bytes.length - wanted));
		const last = Math.max(first + 1, lineAt(starts, (starts[first] ?? 0) + wanted));
		const from = starts[first] ?? 0;
		const to = starts[last] ?? pool.bytes.length;
		reserve(to - from);
		at += pool.bytes.copy(buffer, at, from, to);
		lines += last - first;
	}
	function writeText(bytes: number, prng: Prng): void {
		const form = prng.int(10);
		if (form === 0) {
			write('Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n');
			writeLines(texts.eightBit, { bytes, prng });
		} else if (form === 1) {
			write('Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable\n\n');
			writeLines(texts.quotedPrintable, { bytes, prng });
		} else {
			write('Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n');
			const quoted = form < 5 ? Math.floor(bytes * 0.4) : 0;
			writeLines(texts.plain, { bytes: bytes - quoted, prng });
			if (quoted > 0) writeLines(texts.quoted, { bytes: quoted, prng });
		}
	}
	function writeHtml(bytes: number, prng: Prng): void {
		write('Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: 7bit\n\n<html><head>\n');
		write('<meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>\n');
		writeLines(texts.html, { bytes, prng });
		writeImages();
		write('</body></html>\n');
	}
	function writeImages(): void {
		for (const { contentId } of signature?.logos ?? []) write(`<img src="cid:${contentId}" alt="logo">\n`);
	}
	function writeAlternative(bytes: number, prng: Prng): void {
		const form = prng.int(20);
		if (form < 10) {
			if (signature) writeTextWithImages(bytes, { prng, boundary: `=_a${signature.prng.hex(3)}` });
			else writeText(bytes, prng);
		} else if (form < 12) {
			writeHtml(bytes, prng);
		} else {
			const boundary = `=_${prng.hex(3)}`;
			write(`Content-Type: multipart/alternative; boundary="${boundary}"\n\n--${boundary}\n`);
			writeText(Math.floor(bytes * 0.4), prng);
			write(`\n--${boundary}\n`);
			writeHtml(Math.floor(bytes * 0.6), prng);
			write(`\n--${boundary}--\n`);
		}
	}
	/** The pictures need a form of the text that shows them; it takes nothing from the stream of the letter. */
	function writeTextWithImages(bytes: number, options: { readonly prng: Prng; readonly boundary: string }): void {
		const { prng, boundary } = options;
		write(`Content-Type: multipart/alternative; boundary="${boundary}"\n\n--${boundary}\n`);
		writeText(bytes, prng);
		write(`\n--${boundary}\nContent-Type: text/html; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n<html><body>\n`);
		writeImages();
		write(`</body></html>\n\n--${boundary}--\n`);
	}
	/** The text in its forms, and the pictures that it shows (RFC 2387). */
	function writeBody(bytes: number, prng: Prng): void {
		if (!signature) {
			writeAlternative(bytes, prng);
			return;
		}
		const boundary = `_00${signature.prng.int(9)}_${signature.prng.hex(2)}_`;
		write(`Content-Type: multipart/related;\n boundary="${boundary}"\n\n--${boundary}\n`);
		writeAlternative(bytes, prng);
		for (const { file, contentId } of signature.logos) {
			write(`\n--${boundary}\nContent-Type: ${file.type}; name="${file.name}"\nContent-Description: ${file.name}\n`);
			write(`Content-Disposition: inline; filename="${file.name}"; size=${file.size}\n`);
			write(`Content-ID: <${contentId}>\nContent-Transfer-Encoding: base64\n\n`);
			writeEncoded(file);
		}
		write(`\n--${boundary}--\n`);
	}
	function writeEncoded(file: AttachmentFile): void {
		reserve(file.encoded.length);
		at += file.encoded.copy(buffer, at);
		lines += file.lines;
	}
	function writeFile(file: AttachmentFile, prng: Prng): void {
		const plain = /^[ -~]*$/.test(file.name);
		const name = plain ? `filename="${file.name}"` : `filename*=UTF-8''${encodeURIComponent(file.name)}`;
		write(`Content-Type: ${file.type}${plain ? `;\n name="${file.name}"` : ''}\nContent-Transfer-Encoding: base64\n`);
		write(`Content-Disposition: ${prng.chance(0.1) ? 'inline' : 'attachment'}; ${name}\n\n`);
		writeEncoded(file);
	}
	function writeMixed(letter: Letter, prng: Prng): void {
		const boundary = `----=_Part_${prng.int(100_000)}_${prng.hex(2)}`;
		write(`Content-Type: multipart/mixed;\n boundary="${boundary}"\n\nThis is a multi-part message in MIME format.\n--${boundary}\n`);
		writeBody(letter.textBytes, prng);
		for (const file of letter.files) {
			write(`\n--${boundary}\n`);
			writeFile(file, prng);
		}
		write(`\n--${boundary}--\n`);
	}

	return (letter, prng) => {
		at = 0;
		lines = 0;
		signature = letter.signature;
		write(headersOf(letter, prng));
		if (letter.files.length === 0) {
			writeBody(letter.textBytes, prng);
		} else if (prng.chance(0.04)) {
			const boundary = `fwd-${prng.hex(2)}`;
			write(`Content-Type: multipart/mixed; boundary="${boundary}"\n\n--${boundary}\n`);
			writeText(60, prng);
			write(`\n--${boundary}\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n`);
			write(`From: ${letter.from.header}\nSubject: ${letter.subject}\nMIME-Version: 1.0\n`);
			writeMixed(letter, prng);
			write(`\n--${boundary}--\n`);
		} else {
			writeMixed(letter, prng);
		}
		return { bytes: buffer.subarray(0, at), lines };
	};
}

function headersOf(letter: Letter, prng: Prng): string {
	const date = formatDate(letter.date, prng.pick(ZONES));
	let text = '';
	if (letter.deliveredTo !== undefined) {
		const host = letter.from.address.slice(letter.from.address.indexOf('@') + 1);
		const arrived = formatDate(letter.date, 0);
		text += `Return-Path: <${letter.from.address}>\nDelivered-To: ${letter.deliveredTo}\n`;
		text += `Received: from mx1.example.org ([192.0.2.${prng.int(250)}])\n\tby store1.example.org with LMTP id ${prng.hex(2)}\n\tfor <${letter.deliveredTo}>; ${arrived}\n`;
		for (let hop = 1 + prng.int(3); hop > 0; hop--) {
			text += `Received: from out${hop}.${host} (out${hop}.${host} [198.51.100.${prng.int(250)}])\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n\tby mx1.example.org (Postfix) with ESMTPS id ${prng.hex(1)};\n\t${arrived}\n`;
		}
	}
	text += `From: ${letter.from.header}\nTo: ${letter.to.map((person) => person.header).join(',\n\t')}\n`;
	if (letter.cc.length > 0) text += `Cc: ${letter.cc.map((person) => person.header).join(', ')}\n`;
	text += `Subject: ${letter.subject}\nDate: ${date}\nMessage-ID: ${letter.messageId}\n`;
	const parent = letter.references.at(-1);
	if (parent !== undefined) text += `In-Reply-To: ${parent}\nReferences: ${letter.references.join('\n\t')}\n`;
	return `${text}User-Agent: ${prng.pick(AGENTS)}\nMIME-Version: 1.0\n`;
}

/** RFC 5322, 3.3; `zone` in minutes. */
function formatDate(milliseconds: number, zone: number): string {
	const local = new Date(milliseconds + zone * 60_000);
	const sign = zone < 0 ? '-' : '+';
	const offset = two(Math.floor(Math.abs(zone) / 60)) + two(Math.abs(zone) % 60);
	const day = `${DAYS[local.getUTCDay()]}, ${local.getUTCDate()} ${MONTHS[local.getUTCMonth()]} ${local.getUTCFullYear()}`;
	return `${day} ${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())} ${sign}${offset}`;
}

function two(value: number): string {
	return value < 10 ? `0${value}` : `${value}`;
}

/** The last line that starts at or before `offset`. */
function lineAt(starts: Int32Array, offset: number): number {
	let low = 0;
	let high = starts.length - 1;
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		if ((starts[middle] ?? 0) <= offset) low = middle;
		else high = middle - 1;
	}
	return low;
}
