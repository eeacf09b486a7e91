import Database from 'better-sqlite3';
import { MailsealError } from '../domain/index.ts';
import { asMailsealError } from './files.ts';
import { makePrivateFile } from './private-file.ts';

/** A lock that the kernel takes back when its holder dies, so that no crash leaves it behind. */
export interface Lock {
	release(): void;
}

/**
 * Takes the lock file at `path`, creating it where it is missing; throws `busy` where another process holds it.
 * SQLite's file lock is the only one that Node reaches without a compiled module of our own.
 */
export function acquireLock(path: string, what: string): Lock {
	let database: Database.Database;
	makePrivateFile(path);
	try {
		database = new Database(path, { timeout: 0 });
		database.exec('BEGIN EXCLUSIVE');
	} catch (error) {
		const code = error instanceof Database.SqliteError ? error.code : '';
		if (code.startsWith('SQLITE_BUSY')) {
			throw new MailsealError('busy', `Cannot lock ${what}: another mailseal is writing to it`, {
				hint: 'wait until it is done and run the command again',
				cause: error,
			});
		}
		if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_WRITE') {
			throw new MailsealError('no-space', `Cannot lock ${what}: the disk is full`, {
				hint: 'free some space and run the command again; nothing that was packed before is affected',
				cause: error,
			});
		}
		if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
			throw new MailsealError('read-only', `Cannot lock ${what}: "${path}" cannot be written`, {
				hint: 'run as the owner of the archive, and check that its file system is not mounted read-only',
				cause: error,
			});
		}
		throw asMailsealError(error, 'lock', path);
	}
	return {
		release() {
			if (database.open) database.close();
		},
	};
}
