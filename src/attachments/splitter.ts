import { Buffer } from 'node:buffer';
import { HeldBytes } from './held-bytes.ts';
import { type Delimiter, LONGEST_DELIMITER, OpenBoundaries } from './open-boundaries.ts';
import { type FieldStarts, fieldAt, type PartHeader, readPartHeader } from './part-header.ts';

/** Multiparts and messages within each other; real mail has fewer than ten. A level costs next to nothing. */
const DEEPEST = 256;
const MOST_PARTS = 10_000;
/** Bytes of one header block. */
const LARGEST_HEADER = 1 << 20;
/** Bytes of a chunk that are put behind what was held of the chunks before it. */
const STEP = 1 << 16;

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;

/** A MIME part (RFC 2045) that is neither a multipart nor a message that was opened. */
export interface Leaf {
	/** Offset of the first byte of its body in the message. */
	readonly start: number;
	/** Offset behind the last byte of its body: the line break before a delimiter belongs to the delimiter (RFC 2046, 5.1.1). */
	readonly end: number;
	/** Content-Transfer-Encoding in lower case; `7bit` where absent. */
	readonly encoding: string;
	/** Media type in lower case; `text/plain` where absent or unreadable. */
	readonly type: string;
	/** File name, decoded, without folders and control characters, at most 255 characters. */
	readonly name?: string;
	readonly disposition?: 'attachment' | 'inline';
}

/** Why a message was not split. */
export type SplitProblem = 'mime-too-deep' | 'mime-too-many-parts' | 'mime-header-too-large';

/** Leaves in the order of the message; none where there is a problem. */
export interface SplitResult {
	readonly leaves: readonly Leaf[];
	/** Messages inside the message (message/rfc822) that were opened: what is in their leaves lies in them too. */
	readonly messages: readonly Leaf[];
	readonly problem: SplitProblem | null;
}

/** Finds the leaves of a message that comes in chunks of any sizes; never throws. Chunks may be changed once `push` returned. */
export interface Splitter {
	push(chunk: Uint8Array): void;
	end(): SplitResult;
}

/** A splitter for a message that comes in chunks; holds at most the header block it is in. */
export function openSplitter(): Splitter {
	return new MimeSplitter();
}

/** The leaves of a message in memory. */
export function splitMessage(message: Uint8Array): SplitResult {
	return new MimeSplitter().split(asBuffer(message));
}

function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class MimeSplitter implements Splitter {
	readonly #leaves: Leaf[] = [];
	readonly #messages: Leaf[] = [];
	/** Opened messages whose end was not seen yet, outermost first, with the number of multiparts around each. */
	readonly #opened: { readonly header: PartHeader; readonly start: number; readonly around: number }[] = [];
	readonly #boundaries = new OpenBoundaries();
	readonly #held = new HeldBytes();
	#problem: SplitProblem | null = null;
	/** Offset in the message of the first byte of what is being parsed. */
	#base = 0;
	#final = false;
	#parts = 0;
	#depth = 0;
	#inHeader = true;
	/** Nothing but empty lines was seen: they are passed over above the headers of the message. */
	#blankSoFar = true;
	#defaultType = 'text/plain';
	/** From the start of the header block: the line to look at, and how far its end was searched for. */
	#line = 0;
	#searched = 0;
	#fields = noFields();
	/** The leaf whose body is being passed over, and where that began. */
	#header: PartHeader | undefined;
	#start = 0;

	push(chunk: Uint8Array): void {
		const bytes = asBuffer(chunk);
		let at = 0;
		while (at < bytes.length && this.#problem === null) {
			if (this.#held.length === 0) {
				at += this.#consume(at === 0 ? bytes : bytes.subarray(at));
				if (this.#problem === null) this.#held.add(bytes.subarray(at));
				return;
			}
			this.#held.add(bytes.subarray(at, at + STEP));
			at += STEP;
			this.#held.drop(this.#consume(this.#held.view()));
		}
	}

	end(): SplitResult {
		return this.split(this.#held.view());
	}

	/** The result for what was pushed, with `rest` behind it. */
	split(rest: Buffer): SplitResult {
		this.#final = true;
		if (this.#problem === null) this.#consume(rest);
		if (this.#problem !== null) return { leaves: [], messages: [], problem: this.#problem };
		this.#endLeaf(this.#base);
		this.#endMessages(-1, this.#base);
		this.#messages.sort((a, b) => a.start - b.start);
		return { leaves: this.#leaves, messages: this.#messages, problem: null };
	}

	/** Parses as far as these bytes allow; returns how many of them are done with. */
	#consume(bytes: Buffer): number {
		let at = 0;
		let waiting = false;
		while (!waiting) {
			const next = this.#inHeader ? this.#readHeader(bytes, at) : this.#skipBody(bytes, at);
			waiting = next < 0;
			at = waiting ? ~next : next;
		}
		this.#base += at;
		return at;
	}

	/** Where to go on, or the complement of where to wait for more bytes. */
	#readHeader(bytes: Buffer, from: number): number {
		let start = from;
		for (;;) {
			const line = start + this.#line;
			let lf = bytes.indexOf(LF, start + this.#searched);
			if (lf < 0 && this.#final) lf = bytes.length;
			const end = lf < 0 ? bytes.length : lf;
			if (end - start > LARGEST_HEADER) return this.#fail('mime-header-too-large');
			if (lf < 0) {
				this.#searched = end - start;
				return ~start;
			}
			if (line >= bytes.length) return this.#endWithoutBody(bytes, { start, end: bytes.length });
			if (lf < bytes.length && (line === lf || (line + 1 === lf && bytes[line] === CR))) {
				if (!this.#blankSoFar) return this.#endHeader(bytes, { start, end: line, lf });
				start = lf + 1;
				this.#searched = 0;
				continue;
			}
			this.#blankSoFar = false;
			if (bytes[line] === DASH && bytes[line + 1] === DASH && this.#boundaries.size > 0) {
				const delimiter = this.#boundaries.find(bytes, line, lf);
				if (delimiter) {
					this.#endWithoutBody(bytes, { start, end: line });
					return this.#delimit(delimiter, { at: this.#base + line, next: lf, length: bytes.length });
				}
			}
			this.#noteField(bytes, { start, line, lf });
			this.#line = lf + 1 - start;
			this.#searched = this.#line;
		}
	}

	#noteField(bytes: Buffer, { start, line, lf }: { readonly start: number; readonly line: number; readonly lf: number }): void {
		const marked = this.#base + line === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
		const name = marked ? 3 : line;
		const field = fieldAt(bytes, name, lf);
		if (field !== undefined && this.#fields[field] < 0) this.#fields[field] = name - start;
	}

	/** The header block ended at an empty line, whose LF is at `lf`. */
	#endHeader(bytes: Buffer, { start, end, lf }: { readonly start: number; readonly end: number; readonly lf: number }): number {
		const header = readPartHeader(bytes.subarray(start, end), this.#fields, this.#defaultType);
		const { type, boundary } = header;
		if (boundary === undefined && !isOpened(header)) {
			this.#header = header;
			this.#start = this.#base + lf + 1;
			this.#inHeader = false;
			return lf;
		}
		if (++this.#depth > DEEPEST) return this.#fail('mime-too-deep');
		if (boundary === undefined) {
			this.#opened.push({ header, start: this.#base + lf + 1, around: this.#boundaries.size });
			return this.#startHeader(lf + 1, 'text/plain');
		}
		// RFC 2046, 5.1.5.
		const defaultType = type === 'multipart/digest' ? 'message/rfc822' : 'text/plain';
		this.#boundaries.open({ boundary, defaultType, depth: this.#depth });
		this.#inHeader = false;
		return lf;
	}

	/** The header block ended at a delimiter or with the message. */
	#endWithoutBody(bytes: Buffer, { start, end }: { readonly start: number; readonly end: number }): number {
		const header = readPartHeader(bytes.subarray(start, end), this.#fields, this.#defaultType);
		this.#header = header.boundary === undefined ? header : undefined;
		this.#start = this.#base + end;
		this.#inHeader = false;
		return ~end;
	}

	/** Goes to the next delimiter; results as of #readHeader. The LF before the first line that can be one is at `from` or behind it. */
	#skipBody(bytes: Buffer, from: number): number {
		if (this.#boundaries.size === 0) return ~bytes.length;
		let at = from;
		for (;;) {
			const line = findDashes(bytes, at);
			if (line < 0) return ~(this.#final ? bytes.length : keepLineBreak(bytes, from));
			let lf = bytes.indexOf(LF, line + 2);
			if (lf < 0 && !this.#final && bytes.length - line <= LONGEST_DELIMITER) return ~startOfBreak(bytes, line - 1, from);
			if (lf < 0) lf = bytes.length;
			const delimiter = this.#boundaries.find(bytes, line, lf);
			if (delimiter) {
				const end = this.#base + startOfBreak(bytes, line - 1, from);
				return this.#delimit(delimiter, { at: end, next: lf, length: bytes.length });
			}
			at = lf;
		}
	}

	/** Ends what ends at the delimiter line that ends at `next`; the bodies in it end at `at`, an offset in the message. */
	#delimit(delimiter: Delimiter, place: { readonly at: number; readonly next: number; readonly length: number }): number {
		this.#endLeaf(place.at);
		this.#endMessages(delimiter.index, place.at);
		const multipart = this.#boundaries.apply(delimiter);
		if (multipart) {
			this.#depth = multipart.depth;
			return this.#startHeader(Math.min(place.next + 1, place.length), multipart.defaultType);
		}
		this.#inHeader = false;
		return place.next;
	}

	#startHeader(at: number, defaultType: string): number {
		if (++this.#parts > MOST_PARTS) return this.#fail('mime-too-many-parts');
		this.#inHeader = true;
		this.#defaultType = defaultType;
		this.#line = 0;
		this.#searched = 0;
		this.#fields = noFields();
		return at;
	}

	#endLeaf(at: number): void {
		if (this.#header === undefined) return;
		this.#leaves.push(leafOf(this.#header, this.#start, at));
		this.#header = undefined;
	}

	/** Ends the opened messages that stand in the multipart at `index` of those that are open; all of them for -1. */
	#endMessages(index: number, at: number): void {
		for (let last = this.#opened.at(-1); last !== undefined && last.around > index; last = this.#opened.at(-1)) {
			this.#messages.push(leafOf(last.header, last.start, at));
			this.#opened.pop();
		}
	}

	#fail(problem: SplitProblem): number {
		this.#problem = problem;
		this.#leaves.length = 0;
		this.#held.clear();
		return ~0;
	}
}

function leafOf({ type, encoding, name, disposition }: PartHeader, start: number, at: number): Leaf {
	// An empty body has no line break of its own: the one before the delimiter is that of the empty line above it.
	const end = Math.max(start, at);
	return { start, end, encoding, type, ...(name !== undefined && { name }), ...(disposition && { disposition }) };
}

function noFields(): FieldStarts {
	return { type: -1, encoding: -1, disposition: -1 };
}

/** RFC 2046, 5.2.1: only these encodings are allowed; in any other the message is a leaf like any file. */
function isOpened({ type, encoding }: PartHeader): boolean {
	if (type !== 'message/rfc822' && type !== 'message/global') return false;
	return encoding === '7bit' || encoding === '8bit' || encoding === 'binary';
}

/** Index of the first line that begins with `--` behind an LF at `from` or later, or -1. */
function findDashes(bytes: Buffer, from: number): number {
	let at = from + 1;
	for (;;) {
		// Searching for the LF too would stop at each line, and is a tenth as fast.
		const dashes = bytes.indexOf('--', at, 'latin1');
		if (dashes < 0 || bytes[dashes - 1] === LF) return dashes;
		at = dashes + 2;
		while (bytes[at] === DASH) at++;
	}
}

/** Index of the line break with its LF at `lf`; a CR before `from` is of another line. */
function startOfBreak(bytes: Buffer, lf: number, from: number): number {
	return lf > from && bytes[lf - 1] === CR ? lf - 1 : lf;
}

/** Index of what must be kept at the end of a chunk: a line break, or the start of one, which a delimiter may follow. */
function keepLineBreak(bytes: Buffer, from: number): number {
	const end = bytes.length;
	if (end <= from) return end;
	if (bytes[end - 1] === LF) return startOfBreak(bytes, end - 1, from);
	if (bytes[end - 1] === CR) return end - 1;
	if (bytes[end - 1] === DASH && end - 2 >= from && bytes[end - 2] === LF) return startOfBreak(bytes, end - 2, from);
	return end;
}
