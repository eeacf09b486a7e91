import { writeFileSync } from 'node:fs';
import { measureShell } from './measure.ts';

/** Whether files are in memory when a program starts. */
export type CacheState = 'warm' | 'cold';

const DROP = '/proc/sys/vm/drop_caches';
const NOT_PERMITTED = ['EACCES', 'EPERM', 'EROFS', 'ENOENT'];

/** Has the kernel forget all files that it holds in memory, once the disk has them. */
export function chill(): void {
	measureShell('sync');
	writeFileSync(DROP, '3');
}

/** Why the kernel cannot be asked for that here; null where it can. It forgets them in trying. */
export function chillTrouble(): string | null {
	try {
		chill();
		return null;
	} catch (error) {
		if (error instanceof Error && 'code' in error && NOT_PERMITTED.includes(String(error.code))) return error.message;
		throw error;
	}
}
