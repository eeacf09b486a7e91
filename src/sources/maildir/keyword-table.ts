import { isUtf8 } from 'node:buffer';

/** Letters `a` to `z`. */
export const TABLE_SIZE = 26;
/** Bytes of the shortest table that is full: ten lines of `0 a`, sixteen of `10 a`. */
export const FULL_TABLE_BYTES = 10 * 4 + 16 * 5;

/** The names of keyword letters from `dovecot-keywords`, `a` first. Lines that are not `<0-25> <name>` say nothing. Every message has its names in a word. */
export function parseKeywordTable(bytes: Buffer): readonly (string | undefined)[] {
	const table: (string | undefined)[] = [];
	for (const line of bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1').split('\n')) {
		const match = /^([0-9]{1,2}) (.{1,255})$/.exec(line);
		const index = Number(match?.[1] ?? TABLE_SIZE);
		if (index < TABLE_SIZE) table[index] = match?.[2];
	}
	return table;
}

/** True where a 27th keyword can exist, which only Dovecot's index files know. */
export function isFull(table: readonly (string | undefined)[]): boolean {
	for (let index = 0; index < TABLE_SIZE; index++) {
		if (table[index] === undefined) return false;
	}
	return true;
}
