import { textOfName } from './disk-name.ts';
import { baseOf } from './file-name.ts';

const MAX_UID = 0xffff_ffff;
/** Characters of fields that are kept of a line; a GUID and a UIDL are the longest. */
const MAX_FIELDS = 1000;

/** One message's line: its UID and the other fields as they stand. */
export interface UidlistEntry {
	readonly uid: number;
	/** E.g. `S5927 W6130`; empty where there are none. */
	readonly fields: string;
}

/** What `dovecot-uidlist` or `courierimapuiddb` says. */
export interface Uidlist {
	readonly uidValidity?: number;
	/** At least the UID after the last one: lines are appended without touching the number in the header. */
	readonly uidNext?: number;
	/** Header fields besides these two, as they stand, e.g. `Gf00d...`. */
	readonly fields: string;
	readonly entries: ReadonlyMap<string, UidlistEntry>;
	/** Lines that could not be read. */
	readonly badLines: number;
}

/** Reads a uidlist of version 3 or 1, or Courier's, which is version 1; null where the first line is of neither. */
export function parseUidlist(bytes: Buffer): Uidlist | null {
	const lines = textOfName(bytes).split('\n');
	// The last line counts only with its LF: others append while we read.
	lines.pop();
	const header = parseHeader(lines[0] ?? '');
	if (header === null) return null;
	const entries = new Map<string, UidlistEntry>();
	let last = 0;
	let badLines = 0;
	for (let number = 1; number < lines.length; number++) {
		const line = lines[number] ?? '';
		const entry = header.version === 3 ? parseLine3(line) : parseLine1(line);
		if (entry === null || entry.uid <= last) {
			badLines++;
			continue;
		}
		last = entry.uid;
		entries.set(entry.base, { uid: entry.uid, fields: entry.fields });
	}
	const uidNext = Math.max(header.uidNext ?? 0, last === 0 ? 0 : Math.min(last + 1, MAX_UID));
	return {
		...(header.uidValidity === undefined ? {} : { uidValidity: header.uidValidity }),
		...(uidNext === 0 ? {} : { uidNext }),
		fields: header.fields,
		entries,
		badLines,
	};
}

interface Header {
	readonly version: 1 | 3;
	readonly uidValidity: number | undefined;
	readonly uidNext: number | undefined;
	readonly fields: string;
}

function parseHeader(line: string): Header | null {
	const [version, ...tokens] = line.split(' ');
	if (version === '1') return { version: 1, uidValidity: parseNumber(tokens[0]), uidNext: parseNumber(tokens[1]), fields: '' };
	if (version !== '3') return null;
	let uidValidity: number | undefined;
	let uidNext: number | undefined;
	const fields: string[] = [];
	for (const token of tokens) {
		if (token.startsWith('V')) uidValidity = parseNumber(token.slice(1));
		else if (token.startsWith('N')) uidNext = parseNumber(token.slice(1));
		else if (token !== '') fields.push(token);
	}
	const kept = fields.join(' ');
	return kept.length > MAX_FIELDS ? null : { version: 3, uidValidity, uidNext, fields: kept };
}

interface Line extends UidlistEntry {
	readonly base: string;
}

/** `<uid> *( " " <letter><value> ) " :" <base>` */
function parseLine3(line: string): Line | null {
	const colon = line.indexOf(':');
	if (colon < 2 || line[colon - 1] !== ' ') return null;
	const space = line.indexOf(' ');
	const uid = parseNumber(line.slice(0, space));
	const base = line.slice(colon + 1);
	const fields = line.slice(space + 1, colon).trim();
	return uid === undefined || base === '' || fields.length > MAX_FIELDS ? null : { uid, base, fields };
}

/** `<uid> <name>` */
function parseLine1(line: string): Line | null {
	const space = line.indexOf(' ');
	const uid = space < 0 ? undefined : parseNumber(line.slice(0, space));
	const base = baseOf(line.slice(space + 1));
	if (uid === undefined || base === '') return null;
	return { uid, base, fields: '' };
}

/** A number from 1 to 2^32-1 (RFC 9051, nz-number). */
function parseNumber(text: string | undefined): number | undefined {
	if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
	const value = Number(text);
	return value >= 1 && value <= MAX_UID ? value : undefined;
}
