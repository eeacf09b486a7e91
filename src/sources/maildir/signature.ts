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
	readonly facts: Pick<FolderFacts, 'mode' | 'owner'>;
}

/** Looks at a folder's directory; undefined where it is gone. `now`: milliseconds since 1970, when the look at its messages began. */
export function statFolder(directory: DiskPath, now: number): FolderStat | undefined {
	const top = look(directory);
	if (top === undefined || !top.isDirectory()) return undefined;
	const cur = look(under(directory, 'cur'));
	const fresh = look(under(directory, 'new'));
	const beside = WATCHED.map((name) => look(under(directory, name)));
	const keywords = beside[WATCHED.indexOf('dovecot-keywords')];
	if (keywords !== undefined && keywords.size >= FULL_TABLE_BYTES) {
		beside.push(...INDEX_FILES.map((name) => look(under(directory, name))));
	}
	const messages = `${mark(cur)},${mark(fresh)}`;
	const mode = modeOf(top);
	return {
		messages,
		signature: [mark(top), `${mode.toString(8)}.${top.uid}.${top.gid}`, messages, ...beside.map(mark)].join(','),
		racyMessages: isRacy([cur, fresh], now),
		racy: isRacy([top, cur, fresh, ...beside], now),
		cur,
		fresh,
		facts: { owner: ownerOf(top), ...(mode === 0o700 ? {} : { mode }) },
	};
}

/** mtime and inode, and of a file its size. */
export function mark(stat: BigIntStats | undefined): string {
	if (stat === undefined) return '-';
	const place = `${stat.mtimeNs.toString(36)}.${stat.ino.toString(36)}`;
	return stat.isDirectory() ? place : `${place}.${stat.size.toString(36)}`;
}

/** True where anything changed within the last two seconds, or in the future, as a file server's clock may have it. */
export function isRacy(stats: readonly (BigIntStats | undefined)[], now: number): boolean {
	return stats.some((stat) => stat !== undefined && Number(stat.mtimeMs) > now - RACY);
}
