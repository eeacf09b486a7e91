import { FLAGS, type Flag } from '../../domain/index.ts';

/** What the capital letters of a Maildir info say; `a` to `z` are keywords. */
const LETTERS: Readonly<Record<Flag, string>> = { answered: 'R', deleted: 'T', draft: 'D', flagged: 'F', passed: 'P', seen: 'S' };

/** The part of a file name that stays the same while flags change: all before the first `:`. A name that starts with `:` is all base. */
export function baseOf(name: string): string {
	const colon = name.indexOf(':');
	return colon > 0 ? name.slice(0, colon) : name;
}

/** The flag letters of a file name: after its last `:`, behind `2,`, up to the next comma. Experimental infos (`1,`) have none. */
export function lettersOf(name: string): string {
	const colon = name.lastIndexOf(':');
	if (colon < 0 || name[colon + 1] !== '2' || name[colon + 2] !== ',') return '';
	const end = name.indexOf(',', colon + 3);
	return name.slice(colon + 3, end < 0 ? undefined : end);
}

/** Flags and keywords that a message's file name tells. */
export interface NamedState {
	readonly flags: readonly Flag[];
	/** Sorted by code point. */
	readonly keywords: readonly string[];
}

/** Flags and keywords of flag letters. `table` names the keyword letters, `a` first; a letter without a name becomes `unknown-N`. */
export function stateOf(letters: string, table: readonly (string | undefined)[]): NamedState {
	const flags = FLAGS.filter((flag) => letters.includes(LETTERS[flag]));
	const keywords = new Set<string>();
	for (const letter of letters) {
		if (letter < 'a' || letter > 'z') continue;
		const index = letter.charCodeAt(0) - 97;
		keywords.add(table[index] ?? `unknown-${index}`);
	}
	return { flags, keywords: sortByCodePoint(keywords) };
}

/** Sorted, without repetitions. UTF-8 bytes order as code points do, UTF-16 code units do not. */
export function sortByCodePoint(texts: Iterable<string>): readonly string[] {
	return [...new Set(texts)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
