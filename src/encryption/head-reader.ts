import { damaged } from './damage.ts';
import { NONCE } from './payload.ts';

/** Bytes that header and nonce may have. One recipient takes some 100, a post-quantum one 1,600. */
export const MAX_HEAD = 64 * 1024;

const VERSION = Buffer.from('age-encryption.org/v1\n');
const ARMOR = Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----');
const LAST_LINE = Buffer.from('--- ');
const LINE_FEED = 0x0a;

/** Collects what lies before the first chunk of an encrypted file: header (C2SP age.md, "Header") and nonce. */
export interface HeadReader {
	/** Takes the next bytes of the file. Gives those that follow the head as soon as it is complete, else null. */
	push(piece: Uint8Array): Uint8Array | null;
	/** The head, once it is complete; before, the file ends within it, which is `archive-damaged`. */
	head(): Uint8Array;
}

/** Whatever begins as no header does, or is none after 64 KiB, is `archive-damaged`. */
export function openHeadReader(): HeadReader {
	const bytes = Buffer.alloc(MAX_HEAD);
	let used = 0;
	let line = 0;
	let scanned = 0;
	let end: number | null = null;

	/** Finds the line that ends the header, and with it the end of the nonce that follows. */
	function scan(): void {
		while (end === null) {
			const feed = bytes.subarray(0, used).indexOf(LINE_FEED, scanned);
			scanned = feed < 0 ? used : feed + 1;
			if (feed < 0) return;
			if (bytes.subarray(line, feed).indexOf(LAST_LINE) === 0) end = feed + 1 + NONCE;
			line = feed + 1;
		}
	}

	return {
		push(piece) {
			const before = used;
			bytes.set(piece.subarray(0, MAX_HEAD - used), used);
			used = Math.min(MAX_HEAD, used + piece.length);
			checkBegin(bytes.subarray(0, used));
			scan();
			if (end !== null && end <= used) return piece.subarray(end - before);
			if (used === MAX_HEAD) throw damaged('seal-header', `Cannot decrypt file: its header does not end within ${MAX_HEAD} bytes`);
			return null;
		},
		head() {
			if (end === null || end > used) {
				throw damaged(used === 0 ? 'not-sealed' : 'seal-header', `Cannot decrypt file: it ends after ${used} bytes, within its header`);
			}
			return Uint8Array.from(bytes.subarray(0, end));
		},
	};
}

function checkBegin(bytes: Buffer): void {
	if (startsAlike(bytes, VERSION)) return;
	const armored = bytes.length >= ARMOR.length && startsAlike(bytes, ARMOR);
	if (!armored && startsAlike(bytes, ARMOR)) return;
	const text = armored ? 'it is armored (the binary form is needed)' : 'it is not encrypted by age, version 1';
	throw damaged('not-sealed', `Cannot decrypt file: ${text}`);
}

function startsAlike(bytes: Buffer, begin: Buffer): boolean {
	const length = Math.min(bytes.length, begin.length);
	return bytes.compare(begin, 0, length, 0, length) === 0;
}
