import { randomBytes } from 'node:crypto';
import {
	accessSync,
	chmodSync,
	closeSync,
	constants,
	existsSync,
	fstatSync,
	fsync,
	fsyncSync,
	mkdirSync,
	openSync,
	readdirSync,
	renameSync,
	statSync,
	unlinkSync,
	writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { MailsealError, systemCode } from '../domain/index.ts';
import { type FileHooks, openSteps } from './steps.ts';

const TEMPORARY = /^\.tmp-[0-9a-f]{16}$/;

/** True for the name of a file that is being written, or was when a run was cut off. */
export function isTemporaryName(name: string): boolean {
	return TEMPORARY.test(name);
}

export interface CommitOptions {
	readonly mode: number;
	/** Puts the file in the place of one that is there already. */
	readonly replace?: boolean;
}

const fsyncMeanwhile = promisify(fsync);

/** A file that gets its final name only when it is complete and on disk. */
export interface PendingFile {
	readonly temporaryPath: string;
	write(bytes: Uint8Array): void;
	/** Makes the file durable under its final path: fsync, mode, rename, fsync of the folder. A file that is there already stays. */
	commit(path: string, options: CommitOptions): void;
	/** The same, while this thread goes on during the fsync of the file, which takes as long as the disk does. */
	commitMeanwhile(path: string, options: CommitOptions): Promise<void>;
	/** Removes the temporary file; may be called after commit, and twice. */
	discard(): void;
}

/** The one door through which an archive's files are changed; reading goes straight to the descriptor. */
export interface Files {
	/** Makes a folder and those above it, 0700. */
	makeFolder(path: string): void;
	/** Opens a temporary file in `folder`, which must exist. */
	create(folder: string): PendingFile;
	/** Writes a small file durably. */
	writeFile(path: string, bytes: Uint8Array, options: CommitOptions): void;
	/** Removes a file; a file that is not there is fine. */
	remove(path: string): void;
}

/** Opens the door. `hooks` see every changing operation. */
export function openFiles(hooks: FileHooks = {}): Files {
	const { run, runMeanwhile } = openSteps(hooks, asMailsealError);

	function syncFolder(path: string): void {
		run('fsync-folder', path, () => {
			const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
			try {
				fsyncSync(descriptor);
			} finally {
				closeSync(descriptor);
			}
		});
	}

	function makeFolder(path: string): void {
		if (existsSync(path)) return;
		const parent = dirname(path);
		makeFolder(parent);
		run('make-folder', path, () => {
			try {
				mkdirSync(path, { mode: 0o700 });
			} catch (error) {
				// Another process may make the same folder at the same time.
				if (systemCode(error) !== 'EEXIST') throw error;
			}
		});
		syncFolder(parent);
	}

	function create(folder: string): PendingFile {
		const temporaryPath = join(folder, `.tmp-${randomBytes(8).toString('hex')}`);
		const descriptor = run('create', temporaryPath, () => openSync(temporaryPath, 'wx', 0o600));
		let open = true;
		let written = 0;
		let pending = true;
		function close(): void {
			if (open) closeSync(descriptor);
			open = false;
		}
		function checkLength(path: string): void {
			const length = fstatSync(descriptor).size;
			if (length !== written) {
				throw new MailsealError('io', `Cannot write "${path}": the file has ${length} bytes (${written} were written)`);
			}
		}
		/** Gives the file its mode and its name. */
		function place(path: string, options: CommitOptions): void {
			close();
			run('chmod', temporaryPath, () => chmodSync(temporaryPath, options.mode));
			const target = dirname(path);
			makeFolder(target);
			if (options.replace !== true && existsSync(path)) {
				run('unlink', temporaryPath, () => unlinkSync(temporaryPath));
			} else {
				run('rename', path, () => renameSync(temporaryPath, path));
			}
			pending = false;
			syncFolder(target);
		}
		return {
			temporaryPath,
			write(bytes) {
				run('write', temporaryPath, () => {
					let done = 0;
					while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done);
				});
				written += bytes.length;
			},
			commit(path, options) {
				checkLength(path);
				run('fsync', temporaryPath, () => fsyncSync(descriptor));
				place(path, options);
			},
			async commitMeanwhile(path, options) {
				checkLength(path);
				await runMeanwhile('fsync', temporaryPath, () => fsyncMeanwhile(descriptor));
				place(path, options);
			},
			discard() {
				close();
				if (!pending) return;
				pending = false;
				try {
					unlinkSync(temporaryPath);
				} catch (error) {
					if (systemCode(error) === 'ENOENT') return;
					// The next pack removes what a failed one left: the first error is the one to report.
					if (systemCode(error) !== 'EROFS' && systemCode(error) !== 'EIO') throw error;
				}
			},
		};
	}

	return {
		makeFolder,
		create,
		writeFile(path, bytes, options) {
			makeFolder(dirname(path));
			const file = create(dirname(path));
			try {
				file.write(bytes);
				file.commit(path, options);
			} finally {
				file.discard();
			}
		},
		remove(path) {
			run('unlink', path, () => {
				try {
					unlinkSync(path);
				} catch (error) {
					if (systemCode(error) !== 'ENOENT') throw error;
				}
			});
		},
	};
}

const CAUSES: Readonly<Record<string, { code: 'no-space' | 'read-only' | 'permission' | 'not-found'; text: string; hint: string }>> = {
	ENOSPC: {
		code: 'no-space',
		text: 'the disk is full',
		hint: 'free some space and run the command again; nothing that was packed before is affected',
	},
	EDQUOT: {
		code: 'no-space',
		text: 'the quota is used up',
		hint: 'free some space and run the command again; nothing that was packed before is affected',
	},
	EROFS: { code: 'read-only', text: 'the file system is read-only', hint: 'remount it writable, or name another archive' },
	EACCES: { code: 'permission', text: 'permission denied', hint: 'run as the owner of the files, or as root' },
	EPERM: { code: 'permission', text: 'operation not permitted', hint: 'run as the owner of the files, or as root' },
	ENOENT: { code: 'not-found', text: 'no such file or folder', hint: 'check the path' },
};

/** Turns a failed system call into an error that says what could not be done, to what, and why. */
export function asMailsealError(error: unknown, action: string, path: string): unknown {
	const code = systemCode(error);
	if (error instanceof MailsealError || code === undefined) return error;
	const known = CAUSES[code];
	return new MailsealError(known?.code ?? 'io', `Cannot ${action} "${path}": ${known?.text ?? code}`, {
		cause: error,
		...(known ? { hint: known.hint } : {}),
	});
}

/** Names in a folder, sorted by code unit; an absent folder has none. */
export function listNames(path: string): string[] {
	try {
		return readdirSync(path).sort();
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return [];
		throw asMailsealError(error, 'list', path);
	}
}

/** False where nothing is at a path. */
export function isThere(path: string): boolean {
	try {
		accessSync(path, constants.F_OK);
		return true;
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') return false;
		throw asMailsealError(error, 'look at', path);
	}
}

/** Size in bytes, or null where there is no such file. */
export function sizeOf(path: string): number | null {
	try {
		return statSync(path).size;
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') return null;
		throw asMailsealError(error, 'look at', path);
	}
}
