import { type HeaderFacts, isFile, type PartFacts } from '../domain/index.ts';
import type { Database } from './database.ts';
import { searchable } from './searchable.ts';

/** A word of the index that no query can hold (U+E000, private use): no phrase spans two names. */
const BETWEEN = ' \ue000 ';

/** The names of a message's parts as the index takes them; null where none has a name. */
export function fileNames(parts: readonly PartFacts[]): string | null {
	const names = parts.flatMap(({ name }) => searchable(name) ?? []);
	return names.length === 0 ? null : names.join(BETWEEN);
}

/**
 * Changes what a message shows of its files, where it is still known. Copies of one message may name different parts, as programs of different ages
 * wrote them: the greatest `copy_parts.parts` counts, so that neither the order of bundles nor what was dropped since matters.
 */
export function openFileSetter(database: Database): (mid: number, parts: readonly PartFacts[]) => void {
	const setCount = database.prepare('UPDATE message SET files = ? WHERE mid = ? RETURNING headers');
	const setWords = database.prepare(
		'INSERT OR REPLACE INTO header(rowid, sender, recipient, cc, subject, filename) VALUES (?, ?, ?, ?, ?, ?)',
	);
	return (mid, parts) => {
		const row = setCount.row(parts.filter(isFile).length, mid);
		if (row === undefined) return;
		const { from, to, cc, subject } = JSON.parse(String(row[0])) as HeaderFacts;
		setWords.run(mid, searchable(from), searchable(to), searchable(cc), searchable(subject), fileNames(parts));
	};
}
