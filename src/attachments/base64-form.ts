/** `count` lines of `width` characters, each followed by `end`: 1 to 4 characters of CR, LF, space and tab, one of them LF. */
export type LineRun = readonly [count: number, width: number, end: string];

/** How the base64 text (RFC 4648, 4) of an attachment stands in a message. */
export interface Base64Form {
	/** What is left behind all runs is the last line, with no end; neighbours differ in width or end. */
	readonly lines: readonly LineRun[];
	/** Stands for the last group of four characters where that is not what an encoder writes; 1 to 8 of `A-Za-z0-9+/=`. */
	readonly last?: string;
}

/** Base64 text that can be written again from its bytes and its form. */
export interface Base64Text {
	/** Offset of the first character in the body. */
	readonly start: number;
	/** Offset behind the last character. */
	readonly end: number;
	/** Bytes once decoded, at least 1. */
	readonly size: number;
	readonly form: Base64Form;
}

/** Why a body that calls itself base64 is stored as it stands. */
export type IdentityReason = 'empty' | 'junk' | 'line-end' | 'too-many-runs' | 'text-around';

/** Runs of lines that a recipe can hold. */
export const MOST_RUNS = 64;

/** Characters of the longest end of a line. */
export const LONGEST_LINE_END = 4;

/** Characters of the longest replacement of a last group. */
export const LONGEST_LAST = 8;

/** Bytes before and behind base64 text that still leave the body a file and not something that holds one. */
export const MOST_AROUND = 4096;

/** Characters of the encoding of the last 1 to 3 of `size` bytes that stand before it. */
export function charactersBeforeLast(size: number): number {
	return 4 * Math.floor((size - 1) / 3);
}

/** Bytes before the last 1 to 3 of `size` bytes. */
export function bytesBeforeLast(size: number): number {
	return 3 * Math.floor((size - 1) / 3);
}

/** 1 for a character of the base64 alphabet, by byte. */
export const ALPHABET: Uint8Array = alphabet();

function alphabet(): Uint8Array {
	const table = new Uint8Array(256);
	for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') table[character.charCodeAt(0)] = 1;
	return table;
}
