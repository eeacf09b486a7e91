import type { FolderWord } from '../../domain/index.ts';
import type { DiskPath } from './disk-name.ts';

/** One line of a uid list to be written. */
export interface UidLine {
	readonly uid: number;
	/** The other fields, e.g. `S5927 W6130`. */
	readonly fields: string | undefined;
	/** Base name on disk. */
	readonly base: DiskPath;
}

const LARGEST = 0xffff_ffff;

/** Letters with values, separated by spaces. Anything else (a line end, a `:`) would forge other lines. */
const FIELDS = /^[A-Za-z][!-9;-~]*(?: [A-Za-z][!-9;-~]*)*$/;

function isUid(uid: number | undefined): uid is number {
	return uid !== undefined && Number.isInteger(uid) && uid > 0 && uid <= LARGEST;
}

function fieldsOf(text: string | undefined): string {
	return text !== undefined && FIELDS.test(text) ? ` ${text}` : '';
}

/**
 * A `dovecot-uidlist` of version 3, uids ascending, or null where the folder's UIDVALIDITY is not known.
 * Of two lines with one uid the first is kept; the server gives the other message a new one.
 */
export function formatUidlist(folder: Pick<FolderWord, 'uidValidity' | 'uidNext' | 'uidlist'>, lines: readonly UidLine[]): Buffer | null {
	if (!isUid(folder.uidValidity)) return null;
	const parts: Uint8Array[] = [];
	let last = 0;
	for (const { uid, fields, base } of lines.toSorted((a, b) => a.uid - b.uid)) {
		if (!isUid(uid) || uid === last || base.includes('\n') || base.includes('\r')) continue;
		parts.push(Buffer.from(`${uid}${fieldsOf(fields)} :`), Buffer.from(base), Buffer.from('\n'));
		last = uid;
	}
	const next = Math.min(LARGEST, Math.max(isUid(folder.uidNext) ? folder.uidNext : 1, last + 1));
	return Buffer.concat([Buffer.from(`3 V${folder.uidValidity} N${next}${fieldsOf(folder.uidlist)}\n`), ...parts]);
}
