import type { BigIntStats } from 'node:fs';
import type { FolderFacts } from '../contract.ts';
import { type DiskPath, under } from './disk-name.ts';
import { modeOf, ownerOf } from './file-facts.ts';
import { FULL_TABLE_BYTES } from './keyword-table.ts';
import { look } from './small-file.ts';

/** Git's racy rule, milliseconds: a directory that changed this recently may change again without its mtime moving. */
const RACY = 2000;

/** Files that others change in place, or that are kept as control files. */
const WATCHED = [
	'dovecot-uidlist',
	'dovecot-keywords',
	'dovecot-acl',
	'courierimapuiddb',
	'courierimapacl',
	'courierimapkeywords',
	'maildirfolder',
];
/** They change with every flag, so they are looked at only where a keyword may exist that no file name can hold. */
const INDEX_FILES = ['dovecot.index', 'dovecot.index.log', 'dovecot.index.log.2'];
/** In the order in which a signature has them. */
const NAMES = [...WATCHED, ...INDEX_FILES];
/** The mark of a file that is absent. */
const ABSENT = '-';

/** A folder as a handful of lstats see it. */
export interface FolderStat {
	/** Differs whenever anything that a listing depends on changed, as far as mtimes can tell. */
	readonly signature: string;
	/** The part of it that speaks of `cur` and `new`. */
	readonly messages: string;
	/** True where `cur` or `new` changed too recently for the clock to tell the next change from it. */
	readonly racyMessages: boolean;
	/** The same for anything looked at. */
	readonly racy: boolean;
	/** Undefined where it is absent. */
	readonly cur: BigIntStats | undefined;
	readonly fresh: BigIntStats | undefined;
	/** Names beside them that were looked for and are not there. */
	readonly absent: ReadonlySet<string>;
	readonly facts: Pick<FolderFacts, 'mode' | 'owner'>;
}

/** The directories of a folder that hold messages; undefined where one is absent. */
export interface Middles {
	readonly cur: BigIntStats | undefined;
	readonly fresh: BigIntStats | undefined;
}

export interface FolderStatRequest {
	/** Milliseconds since 1970, when the look at the folder's messages began. */
	readonly now: number;
	/**
	 * A signature of this folder that was never racy. While the directory is as it was then, no name in it came or went: what was absent
	 * is not looked for again.
	 */
	readonly known?: string | null | undefined;
	/** Where they were looked at just now. */
	readonly middles?: Middles;
}

/** Looks at a folder's directory; undefined where it is gone. */
export function statFolder(directory: DiskPath, { now, known, middles }: FolderStatRequest): FolderStat | undefined {
	const top = look(directory);
	if (top === undefined || !top.isDirectory()) return undefined;
	const { cur, fresh } = middles ?? statMiddles(directory);
	const place = mark(top);
	// As they are joined below: the directory, its mode and owner, two middles, then what lies beside them.
	const before = known?.startsWith(`${place},`) ? known.split(',').slice(4) : [];
	const beside: (BigIntStats | undefined)[] = [];
	const marks: string[] = [];
	const absent = new Set<string>();
	let isFull = false;
	for (const [index, name] of NAMES.entries()) {
		if (index >= WATCHED.length && !isFull) break;
		const stat = before[index] === ABSENT ? undefined : look(under(directory, name));
		if (name === 'dovecot-keywords') isFull = stat !== undefined && stat.size >= FULL_TABLE_BYTES;
		if (stat === undefined) absent.add(name);
		beside.push(stat);
		marks.push(mark(stat));
	}
	const messages = markOf({ cur, fresh });
	const mode = modeOf(top);
	return {
		messages,
		signature: `${place},${mode.toString(8)}.${top.uid}.${top.gid},${messages},${marks.join(',')}`,
		racyMessages: isRacy([cur, fresh], now),
		racy: isRacy([top, cur, fresh], now) || isRacy(beside, now),
		cur,
		fresh,
		absent,
		facts: { owner: ownerOf(top), ...(mode === 0o700 ? {} : { mode }) },
	};
}

export function statMiddles(directory: DiskPath): Middles {
	return { cur: look(under(directory, 'cur')), fresh: look(under(directory, 'new')) };
}

/** The part of a folder's stat that speaks of its messages; undefined where the folder has none of its directories. */
export function statMessages(directory: DiskPath, now: number): Pick<FolderStat, 'messages' | 'racyMessages'> | undefined {
	const { cur, fresh } = statMiddles(directory);
	if (cur === undefined && fresh === undefined) return undefined;
	return { messages: markOf({ cur, fresh }), racyMessages: isRacy([cur, fresh], now) };
}

/** True where a signature was made of a folder with these very directories, as they are now. */
export function hasMiddles(signature: string, middles: Middles): boolean {
	return signature.split(',').slice(2, 4).join() === markOf(middles);
}

function markOf({ cur, fresh }: Middles): string {
	return `${mark(cur)},${mark(fresh)}`;
}

/** mtime and inode, and of a file its size. */
export function mark(stat: BigIntStats | undefined): string {
	if (stat === undefined) return ABSENT;
	const place = `${stat.mtimeNs.toString(36)}.${stat.ino.toString(36)}`;
	return stat.isDirectory() ? place : `${place}.${stat.size.toString(36)}`;
}

/** True where anything changed within the last two seconds, or in the future, as a file server's clock may have it. */
export function isRacy(stats: readonly (BigIntStats | undefined)[], now: number): boolean {
	return stats.some((stat) => stat !== undefined && Number(stat.mtimeMs) > now - RACY);
}
