import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { chmod, type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MailsealError, systemCode } from '../domain/index.ts';
import type { FileHooks, FileOperation } from '../platform/index.ts';
import { folderFailure, isDiskGone } from './folder-failure.ts';
import { lookAt } from './folder-root.ts';
import { throwIfAborted } from './interrupt.ts';

/** A file that gets its final name only when it is complete and on disk, written while other work goes on. */
export interface FileCopy {
	/** Writes all of a piece behind those before it. One at a time; the piece must stay as it is until then. */
	write(piece: Uint8Array): Promise<void>;
	/** Makes the file durable under its final path, or says `present` where that is taken and `replace` is not set. */
	commit(options: { readonly replace: boolean; readonly signal: AbortSignal }): Promise<'created' | 'present'>;
	/** Removes the temporary file; may be called after commit, and twice. */
	discard(): Promise<void>;
}

/** So often the disk is made to begin, that it writes while more is read and hashed. Bytes. */
const FLUSH = 16 * 1024 * 1024;

/** File systems without rights say so; the mode only guards against accidents. */
const NO_MODES: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Opens a temporary file beside `path`, in a folder that exists. The steps and their order are those of the archive's own durable writes;
 * here they do not stop the program while a slow disk takes 100 MB. `hooks` see each of them.
 */
export async function openCopy(path: string, hooks: FileHooks): Promise<FileCopy> {
	const folder = dirname(path);
	const temporary = join(folder, `.tmp-${randomBytes(8).toString('hex')}`);
	async function run<T>(operation: FileOperation, at: string, work: () => T | Promise<T>): Promise<T> {
		try {
			hooks.before?.(operation, at);
			const result = await work();
			hooks.after?.(operation, at);
			return result;
		} catch (error) {
			throw folderFailure(error, operation.replace('-', ' '), at);
		}
	}

	let written = 0;
	let opened: FileHandle | undefined;
	let pending = true;
	let unflushed = 0;
	let flushing: Promise<void> | null = null;
	async function close(): Promise<void> {
		const handle = opened;
		opened = undefined;
		await handle?.close();
	}

	async function discard(): Promise<void> {
		if (!pending) return;
		pending = false;
		await Promise.allSettled([flushing]);
		try {
			await close();
			await unlink(temporary);
		} catch (error) {
			// Whoever cleans up after a failure reports that one, and not that the disk has not come back since.
			if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EROFS' && !isDiskGone(error)) throw error;
		}
	}

	async function start(): Promise<FileHandle> {
		try {
			return await run('create', temporary, async () => {
				opened = await open(temporary, 'wx', 0o600);
				return opened;
			});
		} catch (error) {
			await discard();
			throw error;
		}
	}

	const handle = await start();

	/** A failure is kept for commit(): the system tells of it once, and calls the file sound when it is asked again. */
	function flush(): void {
		if (flushing !== null || unflushed < FLUSH) return;
		unflushed = 0;
		flushing = run('fsync', temporary, () => handle.datasync());
		flushing.then(
			() => {
				flushing = null;
			},
			() => {},
		);
	}

	return {
		write: (piece) =>
			run('write', temporary, async () => {
				for (let done = 0; done < piece.length; ) {
					const { bytesWritten } = await handle.write(piece, done, piece.length - done, written + done);
					done += bytesWritten;
				}
				written += piece.length;
				unflushed += piece.length;
				flush();
			}),
		async commit({ replace, signal }) {
			await flushing;
			await run('fsync', temporary, async () => {
				const { size } = await handle.stat();
				if (size !== written) {
					throw new MailsealError('io', `Cannot write "${path}": the file has ${size} bytes (${written} were written)`);
				}
				await handle.sync();
				await close();
			});
			await run('chmod', temporary, () => makeReadOnly(temporary));
			throwIfAborted(signal);
			// Looking and renaming are one step, so that of two writes side by side one is told that the name is taken.
			const outcome = await run('rename', path, () => {
				if (!replace && lookAt(path) !== null) return 'present';
				renameSync(temporary, path);
				pending = false;
				return 'created';
			});
			if (outcome === 'created') await run('fsync-folder', folder, () => syncFolder(folder));
			return outcome;
		},
		discard,
	};
}

async function makeReadOnly(path: string): Promise<void> {
	try {
		await chmod(path, 0o400);
	} catch (error) {
		if (!NO_MODES.includes(systemCode(error))) throw error;
	}
}

async function syncFolder(path: string): Promise<void> {
	const handle = await open(path, 'r');
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
