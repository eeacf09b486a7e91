import { MailsealError } from './errors.ts';
import { parseInstant } from './instant.ts';
import { parseSize } from './size.ts';

export type SearchField = 'any' | 'from' | 'to' | 'cc' | 'subject' | 'filename';

/** A word or phrase that a message must have, or with `not` must lack, in one field or in any; `filename` is the names of its parts. */
export interface SearchTerm {
	readonly field: SearchField;
	readonly text: string;
	/** It was in quotes: its words stand next to each other. */
	readonly phrase: boolean;
	/** The last word may go on. */
	readonly prefix: boolean;
	readonly not: boolean;
}

/** What a message must be to be found: all of it holds, but one of `accounts` and one of `folders` is enough. */
export interface SearchQuery {
	readonly terms: readonly SearchTerm[];
	/** Milliseconds since 1970: earlier than `before`, not earlier than `after`. */
	readonly before?: number;
	readonly after?: number;
	/** Bytes: more than `larger`, fewer than `smaller`. */
	readonly larger?: number;
	readonly smaller?: number;
	/** True: it has a part that people call an attachment; false: it has none. */
	readonly hasAttachment?: boolean;
	readonly accounts: readonly string[];
	readonly folders: readonly string[];
	/** With its angle brackets. */
	readonly messageId?: string;
}

const KNOWN = 'from:, to:, cc:, subject:, filename:, has:, before:, after:, larger:, smaller:, account:, folder:, message-id:';
const NAMES: ReadonlySet<string> = new Set(KNOWN.split(':, ').map((name) => name.replace(':', '')));

/** One item of a query as it was typed. */
interface Token {
	/** The whole item, for messages. */
	readonly source: string;
	readonly not: boolean;
	/** In lower case; empty where there is none. */
	readonly qualifier: string;
	readonly text: string;
	readonly quoted: boolean;
	/** A `*` stood at its end. */
	readonly starred: boolean;
}

type Draft = { -readonly [Name in keyof SearchQuery]: SearchQuery[Name] } & {
	readonly terms: SearchTerm[];
	readonly accounts: string[];
	readonly folders: string[];
};

/** Reads what a user typed to search for, such as `from:bob "two words" -draft* after:2026-01-01`. */
export function parseSearchQuery(text: string): SearchQuery {
	const draft: Draft = { terms: [], accounts: [], folders: [] };
	const tokens = splitTokens(text);
	if (tokens.length === 0) {
		throw new MailsealError('usage', 'Cannot search for nothing: the query is empty (words, "phrases" or qualifiers were expected)', {
			hint: `use words, "phrases" and ${KNOWN}`,
		});
	}
	for (const token of tokens) addToken(draft, token);
	return draft;
}

function addToken(draft: Draft, token: Token): void {
	switch (token.qualifier) {
		case '':
			draft.terms.push(asTerm('any', token));
			return;
		case 'from':
		case 'to':
		case 'cc':
		case 'subject':
		case 'filename':
			draft.terms.push(asTerm(token.qualifier, token));
			return;
	}
	if (token.starred || (token.not && token.qualifier !== 'has')) {
		throw new MailsealError(
			'usage',
			`Cannot read "${token.source}": only words, phrases, from:, to:, cc:, subject: and filename: take a "-" or "*", and has: a "-"`,
		);
	}
	switch (token.qualifier) {
		case 'before':
		case 'after':
			draft[token.qualifier] = once(draft[token.qualifier], token, parseInstant);
			return;
		case 'larger':
		case 'smaller':
			draft[token.qualifier] = once(draft[token.qualifier], token, parseSize);
			return;
		case 'has':
			draft.hasAttachment = once(draft.hasAttachment, token, (text) => {
				if (text.toLowerCase() === 'attachment') return !token.not;
				throw new MailsealError('usage', `Cannot search for "${token.source}": has: knows no "${text}" (has:attachment is all there is)`);
			});
			return;
		case 'account':
			draft.accounts.push(token.text);
			return;
		case 'folder':
			draft.folders.push(token.text);
			return;
		case 'message-id':
			draft.messageId = once(draft.messageId, token, (text) => (text.startsWith('<') ? text : `<${text}>`));
			return;
	}
}

function asTerm(field: SearchField, token: Token): SearchTerm {
	if (!/[\p{L}\p{N}\p{M}]/u.test(token.text)) {
		throw new MailsealError('usage', `Cannot search for "${token.source}": it holds no letter or digit (mail is indexed by words)`);
	}
	return { field, text: token.text, phrase: token.quoted, prefix: token.starred, not: token.not };
}

function once<T>(present: T | undefined, token: Token, parse: (text: string) => T): T {
	if (present !== undefined) {
		throw new MailsealError('usage', `Cannot read "${token.source}": ${token.qualifier}: was given before (once is enough)`);
	}
	return parse(token.text);
}

function splitTokens(query: string): Token[] {
	const tokens: Token[] = [];
	let at = skipSpace(query, 0);
	while (at < query.length) {
		const start = at;
		const not = query[at] === '-' && !isEnd(query, at + 1);
		if (not) at++;
		const qualifier = readQualifier(query, at);
		if (qualifier !== '') at += qualifier.length + 1;
		const quoted = query[at] === '"';
		const end = quoted ? findQuote(query, at) : findSpace(query, at);
		const raw = quoted ? query.slice(at + 1, end).replace(/\\(["\\])/g, '$1') : query.slice(at, end);
		const starred = quoted ? query[end + 1] === '*' : raw.endsWith('*');
		at = quoted ? end + (starred ? 2 : 1) : end;
		const source = query.slice(start, at);
		const text = starred && !quoted ? raw.slice(0, -1) : raw;
		if (qualifier !== '' && text === '') {
			throw new MailsealError(
				'usage',
				`Cannot read "${source}": nothing follows the colon (a value without a space before it was expected)`,
			);
		}
		tokens.push({ source, not, qualifier: qualifier.toLowerCase(), text, quoted, starred });
		at = skipSpace(query, at);
	}
	return tokens;
}

/** The qualifier as it was typed, without its colon; empty where a plain word begins, such as `http://x`, `12:30` or `Re:`. */
function readQualifier(query: string, at: number): string {
	const pattern = /[a-z]+(?:-[a-z]+)*(?=:)/iy;
	pattern.lastIndex = at;
	const name = pattern.exec(query)?.[0] ?? '';
	if (name === '' || NAMES.has(name.toLowerCase())) return name;
	const value = at + name.length + 1;
	if (isEnd(query, value) || query.startsWith('//', value)) return '';
	throw new MailsealError('usage', `Cannot search by "${name}:": there is no such qualifier (known are ${KNOWN})`, {
		hint: `to search for the text itself, put it in quotes: "${query.slice(at, findSpace(query, at))}"`,
	});
}

/** Index of the quote that closes the one at `open`; a backslash takes the character behind it literally. */
function findQuote(query: string, open: number): number {
	for (let at = open + 1; at < query.length; at++) {
		if (query[at] === '"') return at;
		if (query[at] === '\\') at++;
	}
	throw new MailsealError('usage', `Cannot read ${query.slice(open)}: the quotation mark is not closed (another " should follow)`);
}

function skipSpace(query: string, at: number): number {
	let end = at;
	while (end < query.length && isEnd(query, end)) end++;
	return end;
}

function findSpace(query: string, at: number): number {
	let end = at;
	while (!isEnd(query, end)) end++;
	return end;
}

/** True where an item cannot go on: white space or the end of the query. */
function isEnd(query: string, at: number): boolean {
	return at >= query.length || query.charAt(at).trim() === '';
}
