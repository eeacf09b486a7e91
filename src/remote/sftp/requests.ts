import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import { Refusal, type Space, STATUS } from './errors.ts';

/** A number that the server knows an open file by. */
export type Handle = Buffer;

/** Answers with what a request gave; an error with a number for a code is the server's own. */
export type Answer<T> = (error: Error | null | undefined, value: T) => void;

/** Sends one request and waits for its answer. `late` gets the value where nobody waits any more. */
export type Ask = <T>(send: (answer: Answer<T>) => void, late?: (value: T) => void) => Promise<T>;

/** What can be asked of an SFTP server. Each fails with a Refusal where the server says no. */
export interface Requests {
	open(path: string, mode: 'r' | 'wx'): Promise<Handle>;
	close(handle: Handle): Promise<void>;
	/** Bytes read, fewer than asked for where the server gives fewer; 0 at the end of the file. */
	read(handle: Handle, into: Buffer, range: { readonly at: number; readonly length: number; readonly offset: number }): Promise<number>;
	/** `bytes` may be used again when the call returns: a copy is on its way. */
	write(handle: Handle, bytes: Buffer, offset: number): Promise<void>;
	statHandle(handle: Handle): Promise<Stats>;
	chmodHandle(handle: Handle, mode: number): Promise<void>;
	/** Asks for fsync(2), an extension of OpenSSH's. */
	flush(handle: Handle): Promise<void>;
	stat(path: string): Promise<Stats>;
	list(path: string): Promise<FileEntryWithStats[]>;
	/** Makes one folder, 0700. */
	makeFolder(path: string): Promise<void>;
	/** What an existing target does to it depends on the server: OpenSSH refuses, others take its place. */
	rename(from: string, to: string): Promise<void>;
	/** Takes the place of an existing target, an extension of OpenSSH's. */
	replace(from: string, to: string): Promise<void>;
	unlink(path: string): Promise<void>;
	realPath(path: string): Promise<string>;
	/** Free space where `path` lies, an extension of OpenSSH's. */
	space(path: string): Promise<Space>;
}

/** The library's words where the server lacks an extension; nothing is sent then. */
const NO_EXTENSION = 'Server does not support this extended request';

/** Bit of f_flag, statvfs@openssh.com. */
const READ_ONLY = 1;

interface Statvfs {
	readonly f_frsize: number;
	readonly f_bavail: number;
	readonly f_ffree: number;
	readonly f_files: number;
	readonly f_flag: number;
}

/** Wraps the requests of one session; `ask` decides how long an answer is waited for. */
export function requestsOf(sftp: SFTPWrapper, ask: Ask): Requests {
	function done(send: (answer: Answer<unknown>) => void): Promise<void> {
		return ask<unknown>(send).then(() => undefined);
	}
	function extended<T>(send: (answer: Answer<T>) => void): Promise<T> {
		return ask<T>((answer) => {
			try {
				send(answer);
			} catch (error) {
				if (!(error instanceof Error) || error.message !== NO_EXTENSION) throw error;
				throw new Refusal(STATUS.unsupported, 'not supported');
			}
		});
	}
	function plain(answer: Answer<unknown>): (error?: Error | null) => void {
		return (error) => answer(error, undefined);
	}
	return {
		open: (path, mode) =>
			ask<Handle>(
				(answer) => sftp.open(path, mode, mode === 'wx' ? { mode: 0o600 } : {}, answer),
				(handle) => sftp.close(handle, () => {}),
			),
		close: (handle) => done((answer) => sftp.close(handle, plain(answer))),
		read: (handle, into, { at, length, offset }) => ask<number>((answer) => sftp.read(handle, into, at, length, offset, answer)),
		write: (handle, bytes, offset) => done((answer) => sftp.write(handle, bytes, 0, bytes.length, offset, plain(answer))),
		statHandle: (handle) => ask<Stats>((answer) => sftp.fstat(handle, answer)),
		chmodHandle: (handle, mode) => done((answer) => sftp.fchmod(handle, mode, plain(answer))),
		flush: (handle) => extended<unknown>((answer) => sftp.ext_openssh_fsync(handle, answer)).then(() => undefined),
		stat: (path) => ask<Stats>((answer) => sftp.stat(path, answer)),
		list: (path) => ask<FileEntryWithStats[]>((answer) => sftp.readdir(path, answer)),
		makeFolder: (path) => done((answer) => sftp.mkdir(path, { mode: 0o700 }, plain(answer))),
		rename: (from, to) => done((answer) => sftp.rename(from, to, plain(answer))),
		replace: (from, to) => extended<unknown>((answer) => sftp.ext_openssh_rename(from, to, plain(answer))).then(() => undefined),
		unlink: (path) => done((answer) => sftp.unlink(path, plain(answer))),
		realPath: (path) => ask<string>((answer) => sftp.realpath(path, answer)),
		async space(path) {
			const told = await extended<Statvfs>((answer) => sftp.ext_openssh_statvfs(path, answer));
			return {
				free: told.f_bavail * told.f_frsize,
				// File systems without a fixed number of files say 0 of 0.
				freeFiles: told.f_files === 0 ? Number.POSITIVE_INFINITY : told.f_ffree,
				readOnly: (told.f_flag & READ_ONLY) !== 0,
			};
		},
	};
}
