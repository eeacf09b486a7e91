import { isUtf8 } from 'node:buffer';
import {
	type BigIntStats,
	closeSync,
	constants,
	fstatSync,
	lstatSync,
	openSync,
	readlinkSync,
	readSync,
	type Stats,
	statSync,
} from 'node:fs';
import { type Finding, MailsealError, systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { type DiskPath, shownPath } from './disk-name.ts';
import { placeOf } from './true-place.ts';

/** What a look at a small file beside the mail gives. */
export type SmallFile =
	| { readonly kind: 'absent' }
	| { readonly kind: 'file'; readonly bytes: Buffer; readonly stat: BigIntStats }
	| { readonly kind: 'link'; readonly target: string; readonly stat: BigIntStats }
	| { readonly kind: 'skipped'; readonly finding: Finding };

const CHANGED = 'it changed while it was read';

const LOOK = { bigint: true, throwIfNoEntry: false } as const;

/** lstat, undefined where there is nothing; other failures are MailsealErrors. */
export function look(path: DiskPath): BigIntStats | undefined {
	try {
		return lstatSync(path, LOOK);
	} catch (error) {
		if (systemCode(error) === 'ENOTDIR') return undefined;
		throw asMailsealError(error, 'look at', shownPath(path));
	}
}

/** The same, undefined too where permission is denied. */
export function lookIfAllowed(path: DiskPath): BigIntStats | undefined {
	try {
		return look(path);
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'permission') return undefined;
		throw error;
	}
}

/** Reads a file of `limit` bytes at most without following a symbolic link or waiting for a FIFO. */
export function readSmallFile(path: DiskPath, limit: number): SmallFile {
	let descriptor: number;
	try {
		descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
		if (code === 'ELOOP') return readLink(path);
		if (code === 'ENXIO') return skipped(path, 'control-not-a-file', 'it is not a regular file');
		if (code === 'EACCES' || code === 'EPERM') return skipped(path, 'control-unreadable', 'permission denied');
		if (code === 'EIO') return skipped(path, 'control-unreadable', 'the disk reports a read error');
		if (code === 'EAGAIN') return skipped(path, 'control-unreadable', 'a program holds a lease on it');
		throw asMailsealError(error, 'read', shownPath(path));
	}
	try {
		const stat = fstatSync(descriptor, { bigint: true });
		if (placeOf(descriptor, path) === 'behind-a-link') return skipped(path, 'symbolic-link', 'its path leads through a symbolic link');
		if (!stat.isFile()) return skipped(path, 'control-not-a-file', 'it is not a regular file');
		if (stat.size > BigInt(limit)) return skipped(path, 'control-too-large', `it has ${stat.size} bytes (${limit} at most are kept)`);
		return { kind: 'file', bytes: readUpTo(descriptor, Buffer.allocUnsafeSlow(Number(stat.size))), stat };
	} catch (error) {
		if (systemCode(error) === 'EIO') return skipped(path, 'control-unreadable', 'the disk reports a read error');
		throw asMailsealError(error, 'read', shownPath(path));
	} finally {
		closeSync(descriptor);
	}
}

/** Fills `room` from the start of an open file; gives less of it where the file ends before. */
export function readUpTo(descriptor: number, room: Buffer): Buffer {
	let done = 0;
	while (done < room.length) {
		const got = readSync(descriptor, room, done, room.length - done, done);
		if (got === 0) break;
		done += got;
	}
	return room.subarray(0, done);
}

function readLink(path: DiskPath): SmallFile {
	const stat = look(path);
	if (stat === undefined) return { kind: 'absent' };
	if (!stat.isSymbolicLink()) return skipped(path, 'control-not-a-file', CHANGED);
	try {
		const target = readlinkSync(path, 'buffer');
		if (!isUtf8(target)) return skipped(path, 'control-not-a-file', 'it is a symbolic link whose text is not UTF-8');
		return { kind: 'link', target: target.toString('utf8'), stat };
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return { kind: 'absent' };
		if (systemCode(error) === 'EINVAL') return skipped(path, 'control-not-a-file', CHANGED);
		throw asMailsealError(error, 'read', shownPath(path));
	}
}

function skipped(path: DiskPath, code: string, text: string): SmallFile {
	return {
		kind: 'skipped',
		finding: {
			code,
			severity: 'warning',
			subject: shownPath(path),
			text: `the file beside the mail is not packed: ${text}`,
			hint: 'the messages are packed; look at the file',
		},
	};
}

/** What lies at a path, a symbolic link not followed; `denied` where permission is. */
export function kindOf(path: DiskPath): 'absent' | 'directory' | 'link' | 'file' | 'denied' {
	try {
		const stat = lstatSync(path, { throwIfNoEntry: false });
		if (stat === undefined) return 'absent';
		return stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'file';
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOTDIR') return 'absent';
		if (code === 'EACCES' || code === 'EPERM') return 'denied';
		throw asMailsealError(error, 'look at', shownPath(path));
	}
}

/** True where a path ends at a directory, symbolic links followed; nothing is read there. */
export function leadsToDirectory(path: DiskPath): boolean {
	return endOf(path)?.isDirectory() === true;
}

/** True where a path is seen to end at something that is no directory, symbolic links followed. */
export function leadsToFile(path: DiskPath): boolean {
	return endOf(path)?.isDirectory() === false;
}

function endOf(path: DiskPath): Stats | undefined {
	try {
		return statSync(path, { throwIfNoEntry: false });
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EACCES' || code === 'EPERM') return undefined;
		throw asMailsealError(error, 'look at', shownPath(path));
	}
}
