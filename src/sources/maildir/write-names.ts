import type { Flag, PlacedWord } from '../../domain/index.ts';
import { diskName, textOfName } from './disk-name.ts';

/** The longest name that Linux file systems take, in bytes. */
export const LONGEST_NAME = 255;

/**
 * The bytes of a file name in which `/` and two hex digits stand for a byte that is not UTF-8, or null where it names no file:
 * a `/` before anything else, or before an ASCII character in hex, could lead out of the folder.
 */
export function nameBytes(name: string): Buffer | null {
	if (name.includes('\0') || /\p{Cs}/u.test(name) || /\/(?![89a-f][0-9a-f])/.test(name)) return null;
	const bytes = Buffer.from(diskName(name));
	return bytes.length === 0 || bytes.length > LONGEST_NAME || name === '.' || name === '..' ? null : bytes;
}

/** A message file to be written. */
export interface FileName {
	/** Canonical: equal texts are equal bytes. */
	readonly name: string;
	/** What the destination is searched for: the base, or the whole name where that is the key of a second file of one base. */
	readonly identity: string;
	/** Keywords that no letter stands for. */
	readonly lost: readonly string[];
}

type Named = Pick<PlacedWord, 'key' | 'dir' | 'info' | 'flags' | 'keywords'>;

/** The file name of a placement, or null where its words give none. */
export function fileName(placement: Named, letters: NameLetters): FileName | null {
	const key = nameBytes(placement.dir === undefined ? maildirBase(placement.key) : placement.key);
	if (key === null || (placement.info ?? ':')[0] !== ':') return null;
	const identity = textOfName(key);
	const { info, lost } = nameInfo(placement, letters);
	const name = nameBytes(identity + info);
	return name === null ? null : { name: textOfName(name), identity, lost };
}

/**
 * Other stores have keys with `:`, which ends a Maildir base, or with a dot in front, which hides a file from mail servers:
 * both are written in octal, as Maildir does with host names.
 */
function maildirBase(key: string): string {
	return key.replaceAll(':', '\\072').replace(/^\./, '\\056');
}

const LETTERS: Readonly<Record<Flag, string>> = { answered: 'R', deleted: 'T', draft: 'D', flagged: 'F', passed: 'P', seen: 'S' };

/** What the keyword letters of a folder stand for. */
export interface NameLetters {
	/** By keyword in lower case. */
	readonly letters: ReadonlyMap<string, string>;
	/** True where the infos of placements were written with the same letters, so that each can stay as it is. */
	readonly exact: boolean;
}

/** What follows the base in the file name, and the keywords that no letter stands for. */
function nameInfo(placement: Named, options: NameLetters): { readonly info: string; readonly lost: readonly string[] } {
	const { letters, exact } = options;
	const own = placement.dir === undefined && placement.info === undefined ? null : (placement.info ?? '');
	const known = placement.keywords.map((keyword) => letters.get(keyword.toLowerCase()));
	// A letter without a name was read as `unknown-3`; the name of the file brings the letter back.
	const lost = placement.keywords.filter((keyword, at) => known[at] === undefined && !(exact && /^unknown-[0-9]+$/.test(keyword)));
	const match = /^:2,([^,]*)(.*)$/s.exec(own ?? ':2,');
	const named = match?.[1] ?? '';
	if (own !== null && (exact || match === null || (placement.keywords.length === 0 && !/[a-z]/.test(named)))) return { info: own, lost };
	const system = own === null ? placement.flags.map((flag) => LETTERS[flag]) : [...named].filter((letter) => !/[a-z]/.test(letter));
	const flags = [...new Set([...system, ...known.filter((letter) => letter !== undefined)])].sort().join('');
	return { info: `:2,${flags}${match?.[2] ?? ''}`, lost };
}
