import type { PlacedWord } from '../../domain/index.ts';
import { parseKeywordTable, TABLE_SIZE } from './keyword-table.ts';

/** The letter of each keyword in a `dovecot-keywords`, by its name in lower case: keywords compare without regard to case. */
export function readLetters(content: Uint8Array): ReadonlyMap<string, string> {
	const letters = new Map<string, string>();
	for (const [index, name] of parseKeywordTable(Buffer.from(content)).entries()) {
		if (name !== undefined && !letters.has(name.toLowerCase())) letters.set(name.toLowerCase(), String.fromCharCode(97 + index));
	}
	return letters;
}

/** An IMAP atom (RFC 9051, 9): a space or a line end in a name would forge other lines of the file. */
const ATOM = /^[^\s\p{Cc}(){%*"\\\]]{1,255}$/u;

/** A `dovecot-keywords` for placements whose file names have no letters yet, or null where these have no keywords. */
export function makeKeywordFile(placements: readonly PlacedWord[]): Buffer | null {
	const names = new Map<string, string>();
	for (const placement of placements) {
		if (placement.dir !== undefined || placement.info !== undefined) continue;
		for (const keyword of placement.keywords) {
			if (ATOM.test(keyword) && !names.has(keyword.toLowerCase())) names.set(keyword.toLowerCase(), keyword);
		}
	}
	if (names.size === 0) return null;
	const lines = [...names.values()].sort().slice(0, TABLE_SIZE);
	return Buffer.from(lines.map((name, index) => `${index} ${name}\n`).join(''));
}
