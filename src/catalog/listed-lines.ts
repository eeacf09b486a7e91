import type { Flag, PlacedWord } from '../domain/index.ts';
import { flagBits, flagsOf, keywordsColumn, keywordsOf } from './rows.ts';

/** What a listing tells of a placement, as the newest word has it: all but its message. */
export type ListedFacts = Pick<PlacedWord, 'key' | 'flags' | 'keywords' | 'uid' | 'dir' | 'info' | 'uidlist'>;

/**
 * A row of `placement` as one text: what a listing tells of it, NUL between the fields. Only the last, which comes from a file that anyone may
 * write, can hold a NUL of its own: two texts are the same only where all fields are.
 */
export const LISTED_LINE =
	"concat_ws(char(0), key, flags, keywords, ifnull(uid, ''), ifnull(dir, ''), ifnull(info, ''), ifnull(uidlist, ''))";

/** Makes the text of what a listing found that LISTED_LINE gives of the same placement. Lists of flags and keywords that are shared are written once. */
export function listedLines(): (facts: ListedFacts) => string {
	const written = new Map<readonly Flag[], Map<readonly string[], string>>();

	function stateOf(flags: readonly Flag[], keywords: readonly string[]): string {
		let states = written.get(flags);
		if (states === undefined) {
			states = new Map();
			written.set(flags, states);
		}
		let state = states.get(keywords);
		if (state === undefined) {
			state = `${flagBits(flags)}\0${keywordsColumn(keywords)}`;
			states.set(keywords, state);
		}
		return state;
	}

	return ({ key, flags, keywords, uid, dir, info, uidlist }) =>
		`${key}\0${stateOf(flags, keywords)}\0${uid ?? ''}\0${dir ?? ''}\0${info ?? ''}\0${uidlist ?? ''}`;
}

/** The key in a text of LISTED_LINE. */
export function keyOfLine(line: string): string {
	return line.slice(0, line.indexOf('\0'));
}

/** What a text of LISTED_LINE says. */
export function listedPlacement(line: string): ListedFacts {
	const [key = '', flags, keywords, uid, dir, info, ...rest] = line.split('\0');
	const uidlist = rest.join('\0');
	return {
		key,
		flags: flagsOf(Number(flags)),
		keywords: keywordsOf(keywords),
		...(uid === '' ? {} : { uid: Number(uid) }),
		...(dir === '' ? {} : { dir: dir as 'cur' | 'new' }),
		...(info === '' || info === undefined ? {} : { info }),
		...(uidlist === '' ? {} : { uidlist }),
	};
}
