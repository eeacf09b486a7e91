import type { SearchQuery } from '../domain/index.ts';
import type { Database, Value } from './database.ts';
import { SHOWN_COLUMNS, SHOWN_JOIN, type ShownPlacement, shownPlacement } from './read-queries.ts';
import { hashColumn } from './rows.ts';
import { searchable } from './searchable.ts';

type Term = SearchQuery['terms'][number];

const COLUMNS: Readonly<Record<Term['field'], string>> = {
	any: '',
	from: 'sender : ',
	to: 'recipient : ',
	cc: 'cc : ',
	subject: 'subject : ',
	filename: 'filename : ',
};

/** Letters and digits only: what the index takes for a word, so that nothing of a query reaches its grammar. */
const WORD = /[\p{L}\p{N}\p{M}]+/gu;

/** One term in the index's grammar (FTS5), or null where it holds no word. */
function expression(term: Term): string | null {
	const words = (searchable(term.text) ?? '').match(WORD);
	if (words === null) return null;
	return `${COLUMNS[term.field]}"${words.join(' ')}"${term.prefix ? '*' : ''}`;
}

/** Placements that match, newest first, at most `limit`. */
export function searchPlacements(database: Database, query: SearchQuery, limit: number): ShownPlacement[] {
	const conditions: string[] = [];
	const values: Value[] = [];
	function add(condition: string, ...more: Value[]): void {
		conditions.push(condition);
		values.push(...more);
	}
	for (const term of query.terms) {
		const text = expression(term);
		if (text === null) continue;
		add(`p.mid ${term.not ? 'NOT ' : ''}IN (SELECT rowid FROM header WHERE header MATCH ?)`, text);
	}
	if (query.before !== undefined) add('p.date < ?', query.before);
	if (query.after !== undefined) add('p.date >= ?', query.after);
	if (query.larger !== undefined) add('m.size > ?', query.larger);
	if (query.smaller !== undefined) add('m.size < ?', query.smaller);
	if (query.hasAttachment !== undefined) add(query.hasAttachment ? 'm.files > 0' : 'm.files = 0');
	if (query.messageId !== undefined) add('m.message_id = ?', query.messageId);
	if (query.accounts.length > 0) add(`a.name IN (${query.accounts.map(() => '?').join(', ')})`, ...query.accounts);
	if (query.folders.length > 0) {
		const each = query.folders.map(() => "(f.name = ? COLLATE NOCASE OR f.name LIKE ? ESCAPE '\\')").join(' OR ');
		add(`(${each})`, ...query.folders.flatMap((folder) => [folder, `${folder.replace(/[\\%_]/g, '\\$&')}/%`]));
	}
	const clause = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
	const rows = database
		.prepare(`SELECT ${SHOWN_COLUMNS} FROM ${SHOWN_JOIN} ${clause} ORDER BY p.date DESC, a.name, f.name, p.key LIMIT ?`)
		.rows(...values, limit);
	return [...rows].map(shownPlacement);
}

/** The placements of one message, in the order of their names. */
export function placementsOfMessage(database: Database, id: string): ShownPlacement[] {
	return [
		...database.prepare(`SELECT ${SHOWN_COLUMNS} FROM ${SHOWN_JOIN} WHERE m.id = ? ORDER BY a.name, f.name, p.key`).rows(hashColumn(id)),
	].map(shownPlacement);
}
