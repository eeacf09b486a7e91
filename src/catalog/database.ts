import { readFileSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { MailsealError } from '../domain/index.ts';
import { makePrivateFile } from '../platform/index.ts';

export type Value = string | number | bigint | Uint8Array | null;

/** A prepared statement; rows are arrays in the order of the selected columns. */
export interface Statement {
	run(...values: Value[]): { readonly changes: number; readonly id: number };
	/** The first row, or undefined. */
	row(...values: Value[]): Value[] | undefined;
	rows(...values: Value[]): Iterable<Value[]>;
	/** The rows of a statement that selects one text. */
	texts(...values: Value[]): string[];
}

/** The little that the catalog asks of SQLite. */
export interface Database {
	exec(sql: string): void;
	prepare(sql: string): Statement;
	/** False once SQLite has taken a transaction back by itself, as it does on a full disk. */
	readonly inTransaction: boolean;
	close(): void;
}

export type Place =
	| { readonly kind: 'file'; readonly path: string }
	/** A file that is being built and that nobody opens before it is whole and closed: where building it fails, it is good for nothing. */
	| { readonly kind: 'new-file'; readonly path: string }
	/** An existing file that cannot be written: read whole into memory. */
	| { readonly kind: 'copy'; readonly path: string }
	| { readonly kind: 'memory' };

/** Bytes 18 and 19 of a database file say that it is in WAL mode, which a database in memory cannot be. */
const JOURNAL_BYTES = [18, 19] as const;

/** Opens a database, or throws `archive-damaged` where the file is no database or a broken one. */
export function openDatabase(place: Place): Database {
	return guard(() => {
		const sqlite = connect(place);
		sqlite.pragma('temp_store = MEMORY');
		sqlite.pragma('cache_size = -65536');
		if (place.kind === 'file') {
			sqlite.pragma('journal_mode = WAL');
			// The catalog can always be rebuilt from the bundles: it need not survive a power cut, only be consistent after it.
			sqlite.pragma('synchronous = NORMAL');
		}
		if (place.kind === 'new-file') {
			// Every page is written once, and flushed by the commit, instead of once more into a journal that nobody would go back by.
			sqlite.pragma('journal_mode = OFF');
		}
		return wrap(sqlite);
	});
}

function connect(place: Place): Sqlite.Database {
	if (place.kind === 'memory') return new Sqlite(':memory:');
	if (place.kind === 'file' || place.kind === 'new-file') {
		makePrivateFile(place.path);
		return new Sqlite(place.path, { timeout: 5000 });
	}
	const bytes = readFileSync(place.path);
	for (const index of JOURNAL_BYTES) {
		if (bytes[index] === 2) bytes[index] = 1;
	}
	return new Sqlite(bytes);
}

function wrap(sqlite: Sqlite.Database): Database {
	return {
		exec(sql) {
			guard(() => sqlite.exec(sql));
		},
		prepare(sql) {
			const statement = guard(() => sqlite.prepare<Value[], Value[]>(sql));
			if (statement.reader) statement.raw(true);
			return {
				run(...values) {
					return guard(() => {
						const { changes, lastInsertRowid } = statement.run(...values);
						return { changes, id: Number(lastInsertRowid) };
					});
				},
				row(...values) {
					return guard(() => statement.get(...values));
				},
				*rows(...values) {
					// An open cursor blocks every other statement that writes, so the rows are taken at once.
					yield* guard(() => statement.all(...values));
				},
				texts(...values) {
					statement.pluck(true);
					try {
						return guard(() => statement.all(...values)) as unknown as string[];
					} finally {
						statement.raw(true);
					}
				},
			};
		},
		get inTransaction() {
			return sqlite.inTransaction;
		},
		close() {
			sqlite.close();
		},
	};
}

/** Each needs room: the files beside the database too. */
const FULL_DISK: ReadonlySet<string> = new Set(['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE', 'SQLITE_IOERR_SHMOPEN']);

function guard<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		if (!(error instanceof Sqlite.SqliteError)) throw error;
		const code = error.code;
		if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB') || code === 'SQLITE_ERROR') {
			throw new MailsealError('archive-damaged', `Cannot use the catalog: ${error.message}`, {
				hint: 'run "mailseal reindex": the catalog can always be rebuilt from the bundles',
				cause: error,
				details: { damage: 'catalog-damaged' },
			});
		}
		if (code.startsWith('SQLITE_BUSY')) {
			throw new MailsealError('busy', 'Cannot use the catalog: another mailseal is writing to it', {
				hint: 'wait until it is done and run the command again',
				cause: error,
			});
		}
		if (FULL_DISK.has(code)) {
			throw new MailsealError('no-space', 'Cannot write the catalog: the disk is full', {
				hint: 'free some space and run the command again; nothing that was packed before is affected',
				cause: error,
			});
		}
		if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) {
			throw new MailsealError('read-only', `Cannot open the catalog: ${error.message}`, {
				hint: 'run as the owner of the archive, and check that its file system is not mounted read-only',
				cause: error,
			});
		}
		throw new MailsealError('io', `Cannot use the catalog: ${error.message}`, { cause: error });
	}
}
