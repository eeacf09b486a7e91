// Anyone can send mail, so a subject, a folder or a file name may hold escape sequences that retitle, repaint or
// reprogram the terminal it is shown on (C0, and C1 where U+009B is CSI), or turn the reading direction so that a line
// says something else than it holds (bidirectional controls). Category Cs is a surrogate without its other half.
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const UNSAFE_BUT_LINES = /[^\P{Cc}\n\t]|[\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const PLAIN = /^[ -~]*$/;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeOf(character: string): string {
	const short = SHORT[character];
	if (short !== undefined) return short;
	const code = character.codePointAt(0) ?? 0;
	return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** One line that is safe to show: every control character and direction mark is written as an escape. */
export function printable(text: string): string {
	return PLAIN.test(text) ? text : text.replace(UNSAFE, escapeOf);
}

/** The same for text of several lines: line feeds and tabs stay, and the CR of a CRLF goes. */
export function printableLines(text: string): string {
	return text.replaceAll('\r\n', '\n').replace(UNSAFE_BUT_LINES, escapeOf);
}

/** The same for bytes that come in pieces, which may part a character or a CRLF. */
export function* printablePieces(pieces: Iterable<Uint8Array>): Generator<string> {
	const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
	let held = '';
	for (const piece of pieces) {
		const text = held + decoder.decode(piece, { stream: true });
		held = text.endsWith('\r') ? '\r' : '';
		yield printableLines(text.slice(0, text.length - held.length));
	}
	yield printableLines(held + decoder.decode());
}

const NOTHING = /[\p{M}\u200b-\u200d\u2060]/u;
const HALF = /[\uff61-\uffdc]/u;
const WIDE =
	/[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

function widthOf(character: string): number {
	if (character < '\u0300') return 1;
	if (NOTHING.test(character)) return 0;
	return WIDE.test(character) && !HALF.test(character) ? 2 : 1;
}

/** Columns that a printable text takes on a terminal. */
export function displayWidth(text: string): number {
	if (PLAIN.test(text)) return text.length;
	let width = 0;
	for (const character of text) width += widthOf(character);
	return width;
}

/** Cuts a printable text to at most `width` columns; what was cut ends in an ellipsis. */
export function clip(text: string, width: number): string {
	if (text.length <= width * 2 && displayWidth(text) <= width) return text;
	// Marks take no column, so a text of nothing else would never end.
	let marks = width * 4;
	let used = 0;
	let kept = '';
	for (const character of text) {
		const columns = widthOf(character);
		if (columns === 0) marks--;
		if (used + columns > width - 1 || marks < 0) return width > 0 ? `${kept}…` : '';
		used += columns;
		kept += character;
	}
	return kept;
}

/** An integer with its thousands apart: `12,480`. */
export function formatCount(value: number): string {
	return String(value).replace(/(?<=[0-9])(?=(?:[0-9]{3})+$)/g, ',');
}

/** Number and noun: `1 folder`, `2 folders`. `plural` where an s does not make it. */
export function countOf(value: number, noun: string, plural = `${noun}s`): string {
	return `${formatCount(value)} ${value === 1 ? noun : plural}`;
}

/** Bytes so that nothing is lost and every size option takes it: `8KiB`, `1GiB`, `1500`. */
export function formatExactSize(bytes: number): string {
	const units = ['', 'KiB', 'MiB', 'GiB'];
	let value = bytes;
	let unit = 0;
	while (value > 0 && value % 1024 === 0 && unit < units.length - 1) {
		value /= 1024;
		unit++;
	}
	return `${value}${units[unit]}`;
}

/** Seconds for people: `1.8 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
	if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
	const whole = Math.round(seconds);
	if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
	return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** How long ago, in the largest unit that fits: `3 hours ago`. */
export function formatAge(milliseconds: number): string {
	if (milliseconds < 0) return 'in the future';
	const units: readonly (readonly [noun: string, length: number])[] = [
		['day', 86_400_000],
		['hour', 3_600_000],
		['minute', 60_000],
	];
	for (const [noun, length] of units) {
		if (milliseconds >= length) return `${countOf(Math.floor(milliseconds / length), noun)} ago`;
	}
	return 'just now';
}

/** Date and minute, UTC, of an ISO 8601 instant: `2026-11-23 02:15`. */
export function formatMinute(instant: string): string {
	return instant.slice(0, 16).replace('T', ' ');
}
