import type { BigIntStats } from 'node:fs';
import { formatInstant, type Owner } from '../../domain/index.ts';

const FIRST = -62_167_219_200_000;
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** An mtime in whole milliseconds since 1970, kept inside the years 0 to 9999: anyone may set any mtime on a file of theirs. */
export function dateOf(stat: BigIntStats): number {
	return Math.min(Math.max(Number(stat.mtimeMs), FIRST), LAST);
}

export function modeOf(stat: BigIntStats): number {
	return Number(stat.mode & 0o7777n);
}

export function ownerOf(stat: BigIntStats): Owner {
	return [Number(stat.uid), Number(stat.gid)];
}

/** Date, mode and owner as a control file's word has them. */
export function controlFacts(stat: BigIntStats): { date: string; owner: Owner; mode?: number } {
	const mode = modeOf(stat);
	return { date: formatInstant(dateOf(stat)), owner: ownerOf(stat), ...(mode === 0o600 || stat.isSymbolicLink() ? {} : { mode }) };
}
