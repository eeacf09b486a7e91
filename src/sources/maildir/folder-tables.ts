import type { Finding } from '../../domain/index.ts';
import type { FolderFacts } from '../contract.ts';
import { type DiskPath, shownPath, under } from './disk-name.ts';
import { type IndexKeywords, readIndexKeywords } from './index-keywords.ts';
import { isFull, parseKeywordTable } from './keyword-table.ts';
import { readSmallFile } from './small-file.ts';
import { parseUidlist, type Uidlist } from './uidlist.ts';

/** A uidlist of two million messages; what is larger was not written by a mail server. */
const UIDLIST_LIMIT = 256 * 1024 * 1024;
const KEYWORDS_LIMIT = 1024 * 1024;

/** What the files beside a folder's messages say of them. */
export interface FolderTables {
	readonly uidlist: Uidlist | null;
	/** Names of keyword letters, `a` first. */
	readonly keywords: readonly (string | undefined)[];
	/** Keywords that no file name can hold, by UID; null where there are none. */
	readonly index: IndexKeywords | null;
	readonly facts: Pick<FolderFacts, 'uidValidity' | 'uidNext' | 'uidlist'>;
	readonly findings: readonly Finding[];
	/** False where the uidlist is there but could not be read in full. */
	readonly uidsComplete: boolean;
	/** False where the table or the index of keywords is there but could not be read. */
	readonly keywordsComplete: boolean;
}

/** `absent`: names that are not looked for. */
export function readFolderTables(directory: DiskPath, absent: ReadonlySet<string> = new Set()): FolderTables {
	const aboutUids: Finding[] = [];
	const aboutKeywords: Finding[] = [];
	const uidlist = ['dovecot-uidlist', 'courierimapuiddb'].every((name) => absent.has(name)) ? null : readUidlist(directory, aboutUids);
	const keywords = absent.has('dovecot-keywords') ? [] : readKeywordTable(directory, aboutKeywords);
	const index = isFull(keywords) ? readIndexKeywords(directory, keywords, aboutKeywords) : null;
	return {
		uidlist,
		keywords,
		index,
		facts: {
			...(uidlist?.uidValidity === undefined ? {} : { uidValidity: uidlist.uidValidity }),
			...(uidlist?.uidNext === undefined ? {} : { uidNext: uidlist.uidNext }),
			...(uidlist === null || uidlist.fields === '' ? {} : { uidlist: uidlist.fields }),
		},
		findings: [...aboutUids, ...aboutKeywords],
		uidsComplete: aboutUids.length === 0,
		keywordsComplete: aboutKeywords.length === 0,
	};
}

/** Dovecot's where there is one, else Courier's; never Courier's uids where Dovecot's are there but cannot be read. */
function readUidlist(directory: DiskPath, findings: Finding[]): Uidlist | null {
	for (const name of ['dovecot-uidlist', 'courierimapuiddb']) {
		const path = under(directory, name);
		const file = readSmallFile(path, UIDLIST_LIMIT);
		if (file.kind === 'absent') continue;
		if (file.kind !== 'file') {
			findings.push(unusable(path, file.kind === 'link' ? 'it is a symbolic link' : file.finding.text));
			return null;
		}
		// Dovecot makes the file empty and fills it later.
		if (file.bytes.length === 0) continue;
		const uidlist = parseUidlist(file.bytes);
		if (uidlist === null) {
			findings.push(unusable(path, 'its first line is of no known version'));
			return null;
		}
		if (uidlist.badLines > 0) findings.push(unusable(path, `${uidlist.badLines} of its lines cannot be read`));
		return uidlist;
	}
	return null;
}

function readKeywordTable(directory: DiskPath, findings: Finding[]): readonly (string | undefined)[] {
	const path = under(directory, 'dovecot-keywords');
	const file = readSmallFile(path, KEYWORDS_LIMIT);
	if (file.kind === 'absent') return [];
	if (file.kind === 'file') return parseKeywordTable(file.bytes);
	findings.push(unusable(path, file.kind === 'link' ? 'it is a symbolic link' : file.finding.text));
	return [];
}

function unusable(path: DiskPath, text: string): Finding {
	return {
		code: 'folder-table-damaged',
		severity: 'warning',
		subject: shownPath(path),
		text: `UIDs or keyword names of this folder are packed as far as they can be read: ${text}`,
		hint: 'the messages and their flags are packed; look at the file',
	};
}
