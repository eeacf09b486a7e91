/** Parameters that a mail reader needs to find parts and to name files; others are passed over. */
const WANTED = new Set(['boundary', 'filename', 'name']);

/** Characters; a longer name is none of those wanted, even with the `*999999*` of a continuation. */
const LONGEST_NAME = 20;

/** The value of a Content-Type or Content-Disposition header (RFC 2045, 5.1; RFC 2183). */
export interface StructuredValue {
	/** What stands before the parameters, in lower case, e.g. `text/plain`. */
	readonly value: string;
	/** First of each name; names in lower case, with the marks of RFC 2231. Values hold one character for each byte. */
	readonly parameters: ReadonlyMap<string, string>;
}

/** Text of a parameter, one character for each byte, and the charset that it names (RFC 2231) or undefined. */
export interface ParameterText {
	readonly text: string;
	readonly charset: string | undefined;
}

/** Reads an unfolded header value that holds one character for each byte. Takes any text, in time linear in its length. */
export function readStructured(text: string): StructuredValue {
	const parameters = new Map<string, string>();
	const start = skipBlank(text, 0);
	let at = start;
	while (at < text.length && !isBreak(text.charCodeAt(at))) at++;
	const value = text.slice(start, at).toLowerCase();
	for (;;) {
		at = skipBlank(text, at);
		while (text[at] === ';') at = skipBlank(text, at + 1);
		if (at >= text.length) return { value, parameters };
		const nameStart = at;
		while (at < text.length && text[at] !== '=' && text[at] !== ';') at++;
		if (text[at] !== '=') continue;
		const name = at - nameStart > LONGEST_NAME ? '' : text.slice(nameStart, at).trim().toLowerCase();
		at = skipSpaces(text, at + 1);
		const from = at;
		const quoted = text[at] === '"';
		const end = quoted ? endOfQuoted(text, at + 1) : endOfPlain(text, at);
		at = quoted ? end + 1 : end;
		const [base = ''] = name.split('*', 1);
		if (!WANTED.has(base) || parameters.has(name)) continue;
		parameters.set(name, quoted ? unquote(text.slice(from + 1, end)) : plainValue(base, text.slice(from, end)));
	}
}

/** The value of a parameter: extended, in continuations (RFC 2231), or as it stands; undefined where it is not there. */
export function findParameter(parameters: ReadonlyMap<string, string>, name: string): ParameterText | undefined {
	const extended = parameters.get(`${name}*`);
	if (extended !== undefined) return readExtended(extended);
	const continued = joinContinuations(parameters, name);
	if (continued !== undefined) return continued;
	const text = parameters.get(name);
	return text === undefined ? undefined : { text, charset: undefined };
}

/** RFC 2231, 3: in order of their numbers, whatever order they stand in; what follows a gap is lost. */
function joinContinuations(parameters: ReadonlyMap<string, string>, name: string): ParameterText | undefined {
	let result = '';
	let charset: string | undefined;
	for (let index = 0; ; index++) {
		const encoded = parameters.get(`${name}*${index}*`);
		if (encoded !== undefined) {
			const piece = index === 0 ? readExtended(encoded) : { text: decodePercent(encoded), charset };
			charset = piece.charset;
			result += piece.text;
			continue;
		}
		const plain = parameters.get(`${name}*${index}`);
		if (plain === undefined) return index === 0 ? undefined : { text: result, charset };
		result += plain;
	}
}

/** RFC 2231, 4: charset, language, and text, with an apostrophe between them. */
function readExtended(value: string): ParameterText {
	const first = value.indexOf("'");
	const second = first < 0 ? -1 : value.indexOf("'", first + 1);
	if (second < 0) return { text: decodePercent(value), charset: undefined };
	return { text: decodePercent(value.slice(second + 1)), charset: first === 0 ? undefined : value.slice(0, first) };
}

function decodePercent(text: string): string {
	return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function isBreak(code: number): boolean {
	return code === 0x3b || code === 0x20 || code === 0x09 || code === 0x28;
}

function skipSpaces(text: string, from: number): number {
	let at = from;
	while (text[at] === ' ' || text[at] === '\t') at++;
	return at;
}

/** Passes over white space and comments, which nest (RFC 5322, 3.2.2); one that is not closed runs to the end. */
function skipBlank(text: string, from: number): number {
	let at = from;
	let depth = 0;
	for (; at < text.length; at++) {
		const character = text[at];
		if (character === '(') depth++;
		else if (depth > 0 && character === '\\') at++;
		else if (depth > 0 && character === ')') depth--;
		else if (depth === 0 && character !== ' ' && character !== '\t') break;
	}
	return Math.min(at, text.length);
}

function endOfQuoted(text: string, from: number): number {
	let at = from;
	while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
	return Math.min(at, text.length);
}

/** Many senders put names with spaces here without quotes, so that only a semicolon ends a value. */
function endOfPlain(text: string, from: number): number {
	const end = text.indexOf(';', from);
	return end < 0 ? text.length : end;
}

/** A backslash before any other character is one of a Windows path that was not escaped. */
function unquote(text: string): string {
	return text.replace(/\\(["\\])/g, '$1');
}

function plainValue(base: string, text: string): string {
	if (base !== 'boundary') return text.trim();
	const end = text.search(/[ \t]/);
	return end < 0 ? text : text.slice(0, end);
}
