import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, fdatasync, fstatSync, fsync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { MailsealError, systemCode } from '../domain/index.ts';
import { type FileHooks, openSteps } from '../platform/index.ts';
import { folderFailure, isDiskGone } from './folder-failure.ts';
import { lookAt } from './folder-root.ts';
import { throwIfAborted } from './interrupt.ts';

/** A file that gets its final name only when it is complete and on disk; other work goes on while the disk takes it. */
export interface FileCopy {
	/** Writes all of a piece behind those before it. */
	write(piece: Uint8Array): void;
	/** Makes the file durable under its final path, or says `present` where that is taken and `replace` is not set. */
	commit(options: { readonly replace: boolean; readonly signal: AbortSignal }): Promise<'created' | 'present'>;
	/** Removes the temporary file; may be called after commit, and twice. */
	discard(): Promise<void>;
}

const fsyncMeanwhile = promisify(fsync);
const fdatasyncMeanwhile = promisify(fdatasync);

/** So often the disk is made to begin, that it writes while more is read and hashed. Bytes. */
const FLUSH = 16 * 1024 * 1024;

/** File systems without rights say so; the mode only guards against accidents. */
const NO_MODES: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Opens a temporary file beside `path`, in a folder that exists. The steps and their order are those of the archive's own durable writes;
 * here the program does not stop while a slow disk takes 100 MB: what is written waits in memory, and the disk is waited for elsewhere.
 * `hooks` see each of them.
 */
export async function openCopy(path: string, hooks: FileHooks): Promise<FileCopy> {
	const folder = dirname(path);
	const temporary = join(folder, `.tmp-${randomBytes(8).toString('hex')}`);
	const { run, runMeanwhile } = openSteps(hooks, folderFailure);
	let written = 0;
	let opened: number | undefined;
	let pending = true;
	let unflushed = 0;
	let flushing: Promise<void> | null = null;
	function close(): void {
		const descriptor = opened;
		opened = undefined;
		if (descriptor !== undefined) closeSync(descriptor);
	}

	async function discard(): Promise<void> {
		if (!pending) return;
		pending = false;
		await Promise.allSettled([flushing]);
		try {
			close();
			unlinkSync(temporary);
		} catch (error) {
			// Whoever cleans up after a failure reports that one, and not that the disk has not come back since.
			if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EROFS' && !isDiskGone(error)) throw error;
		}
	}

	async function start(): Promise<number> {
		try {
			return run('create', temporary, () => {
				opened = openSync(temporary, 'wx', 0o600);
				return opened;
			});
		} catch (error) {
			await discard();
			throw error;
		}
	}

	const descriptor = await start();

	/** A failure is kept for commit(): the system tells of it once, and calls the file sound when it is asked again. */
	function flush(): void {
		if (flushing !== null || unflushed < FLUSH) return;
		unflushed = 0;
		flushing = runMeanwhile('fsync', temporary, () => fdatasyncMeanwhile(descriptor));
		flushing.then(
			() => {
				flushing = null;
			},
			() => {},
		);
	}

	return {
		write(piece) {
			run('write', temporary, () => {
				for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done, piece.length - done, written + done);
			});
			written += piece.length;
			unflushed += piece.length;
			flush();
		},
		async commit({ replace, signal }) {
			await flushing;
			await runMeanwhile('fsync', temporary, async () => {
				const { size } = fstatSync(descriptor);
				if (size !== written) {
					throw new MailsealError('io', `Cannot write "${path}": the file has ${size} bytes (${written} were written)`);
				}
				await fsyncMeanwhile(descriptor);
				close();
			});
			run('chmod', temporary, () => makeReadOnly(temporary));
			throwIfAborted(signal);
			// Looking and renaming are one step, so that of two writes side by side one is told that the name is taken.
			const outcome = run('rename', path, () => {
				if (!replace && lookAt(path) !== null) return 'present';
				renameSync(temporary, path);
				pending = false;
				return 'created';
			});
			if (outcome === 'created') await runMeanwhile('fsync-folder', folder, () => syncFolder(folder));
			return outcome;
		},
		discard,
	};
}

function makeReadOnly(path: string): void {
	try {
		chmodSync(path, 0o400);
	} catch (error) {
		if (!NO_MODES.includes(systemCode(error))) throw error;
	}
}

async function syncFolder(path: string): Promise<void> {
	const descriptor = openSync(path, constants.O_RDONLY);
	try {
		await fsyncMeanwhile(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
