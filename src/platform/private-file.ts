import { closeSync, openSync } from 'node:fs';
import { systemCode } from '../domain/index.ts';

/**
 * Makes an empty file that its owner alone can open, unless there is one. For files that SQLite would make readable for all: the
 * catalog holds senders and subjects, and whoever can read a lock file can hold it; the archive may lie in a folder open to others.
 */
export function makePrivateFile(path: string): void {
	try {
		closeSync(openSync(path, 'wx', 0o600));
	} catch (error) {
		// What keeps the file from being made is told by SQLite, which tries next.
		if (systemCode(error) === undefined) throw error;
	}
}
