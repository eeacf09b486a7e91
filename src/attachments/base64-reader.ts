import { Buffer } from 'node:buffer';
import {
	ALPHABET,
	type Base64Text,
	bytesBeforeLast,
	type IdentityReason,
	type LineRun,
	LONGEST_LAST,
	LONGEST_LINE_END,
	MOST_AROUND,
	MOST_RUNS,
} from './base64-form.ts';

/** Characters that are decoded at once. */
const STEP = 1 << 15;

/** Characters that are not decoded before the end is known: more than a last group and what can be wrong with it. */
const TAIL = 8;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const PAD = 0x3d;

/** What became of a body: its text, or why it is stored as it stands. */
export type Base64Result = Base64Text | IdentityReason;

/**
 * Reads a base64 body that comes in chunks of any sizes, looking at every byte. Gives what it decodes to `sink`, in pieces that are valid
 * only during the call; they are worth something only where `end` gives a text. Holds some 50 KB.
 */
export class Base64Reader {
	readonly #sink: (bytes: Buffer) => void;
	readonly #characters: Buffer;
	readonly #decoded: Buffer;
	/** Characters that wait for being decoded, and those of the alphabet and of padding so far. */
	#waiting = 0;
	#count = 0;
	#padding = 0;
	/** Offset in the body of the byte to look at; of the first character, of what follows the last one. */
	#at = 0;
	#start = -1;
	#end = 0;
	#column = 0;
	/** What stands behind the last character: its length, its last four bytes in one number, whether it can be the end of a line. */
	#gap = 0;
	#gapBytes = 0;
	#gapJunk = false;
	#gapHoldsLf = false;
	#over = false;
	#reason: IdentityReason | undefined;
	readonly #runs: { count: number; readonly width: number; readonly end: number; readonly length: number }[] = [];

	/** A body of at most `length` bytes needs no more space than those. */
	constructor(sink: (bytes: Buffer) => void, length = STEP) {
		this.#sink = sink;
		const space = Math.min(STEP, length) + TAIL + 4;
		this.#characters = Buffer.allocUnsafe(space);
		this.#decoded = Buffer.allocUnsafe(space);
	}

	push(chunk: Uint8Array): void {
		const base = this.#at;
		this.#at += chunk.length;
		if (this.#reason !== undefined || this.#over) return;
		let at = 0;
		while (at < chunk.length) {
			const byte = chunk[at] ?? 0;
			if (ALPHABET[byte] === 1) {
				if (!this.#takesText(base + at)) return;
				at = this.#take(chunk, at);
				this.#end = base + at;
			} else if (byte === PAD && this.#takesPadding()) {
				if (this.#gap > 0 && !this.#endLine()) return;
				this.#padding++;
				this.#column++;
				at++;
				this.#end = base + at;
			} else {
				this.#widenGap(byte);
				at++;
			}
			if (this.#over) return;
		}
	}

	end(): Base64Result {
		if (this.#reason !== undefined) return this.#reason;
		const size = Math.floor((this.#count * 3) / 4);
		if (size === 0) return 'empty';
		if (this.#start > MOST_AROUND || this.#at - this.#end > MOST_AROUND) return 'text-around';
		const beforeLast = bytesBeforeLast(size);
		const last = this.#characters.toString('latin1', 0, this.#waiting);
		// The characters of the last group and, where one too many was there, that one.
		const tail = last.slice(last.length - (this.#count - (beforeLast / 3) * 4));
		this.#decode(this.#waiting);
		const written = tail + '='.repeat(this.#padding);
		const usual = Buffer.from(tail.slice(0, 4), 'base64').toString('base64');
		const lines = this.#runs.map(({ count, width, end, length }): LineRun => [count, width, lineEnd(end, length)]);
		return { start: this.#start, end: this.#end, size, form: { lines, ...(written !== usual && { last: written }) } };
	}

	/** Ends the line before the character at `at`, where one ended; false where the text cannot be described, or is over. */
	#takesText(at: number): boolean {
		if (this.#start < 0) {
			this.#start = at;
			this.#gap = 0;
			this.#gapJunk = false;
			this.#gapHoldsLf = false;
			return true;
		}
		if (this.#padding > 0) {
			this.#over = true;
			return false;
		}
		return this.#gap === 0 || this.#endLine();
	}

	/** Whether a `=` here is padding: not above all text, not beyond what a last group can be, not below text that is complete. */
	#takesPadding(): boolean {
		if (this.#count === 0 || (this.#gap > 0 && (this.#count + this.#padding) % 4 === 0)) return false;
		const inLast = this.#count % 4 === 0 ? 4 : this.#count % 4 === 1 ? 5 : this.#count % 4;
		return inLast + this.#padding < LONGEST_LAST;
	}

	/** Takes characters up to one that is none; returns its index. */
	#take(chunk: Uint8Array, from: number): number {
		const characters = this.#characters;
		let waiting = this.#waiting;
		let at = from;
		for (;;) {
			const stop = Math.min(chunk.length, at + characters.length - waiting);
			while (at < stop) {
				const byte = chunk[at] ?? 0;
				if (ALPHABET[byte] !== 1) break;
				characters[waiting++] = byte;
				at++;
			}
			if (waiting < characters.length) break;
			this.#waiting = waiting;
			this.#decode((waiting - TAIL) & ~3);
			waiting = this.#waiting;
		}
		this.#waiting = waiting;
		this.#count += at - from;
		this.#column += at - from;
		return at;
	}

	#decode(count: number): void {
		const length = this.#decoded.write(this.#characters.toString('latin1', 0, count), 'base64');
		if (length > 0) this.#sink(this.#decoded.subarray(0, length));
		this.#characters.copyWithin(0, count, this.#waiting);
		this.#waiting -= count;
	}

	#widenGap(byte: number): void {
		if (this.#gap === 0) {
			this.#gapJunk = false;
			this.#gapHoldsLf = false;
			this.#gapBytes = 0;
		}
		this.#gap++;
		this.#gapBytes = (this.#gapBytes << 8) | byte;
		if (byte === LF) this.#gapHoldsLf = true;
		else if (byte !== CR && byte !== SPACE && byte !== TAB) this.#gapJunk = true;
	}

	#endLine(): boolean {
		const { count, width, end, length } = { count: 1, width: this.#column, end: this.#gapBytes, length: this.#gap };
		this.#gap = 0;
		this.#column = 0;
		if (this.#gapJunk || !this.#gapHoldsLf || length > LONGEST_LINE_END) {
			if (this.#padding > 0) this.#over = true;
			else this.#reason = this.#gapJunk ? 'junk' : 'line-end';
			return false;
		}
		const run = this.#runs.at(-1);
		if (run && run.width === width && run.end === end) {
			run.count++;
			return true;
		}
		if (this.#runs.length === MOST_RUNS) this.#reason = 'too-many-runs';
		else this.#runs.push({ count, width, end, length });
		return this.#reason === undefined;
	}
}

function lineEnd(bytes: number, length: number): string {
	let text = '';
	for (let index = length - 1; index >= 0; index--) text += String.fromCharCode((bytes >>> (8 * index)) & 0xff);
	return text;
}
