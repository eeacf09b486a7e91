import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { systemCode } from '../../domain/index.ts';
import type { OpenMessage, ReadMessage, Unreadable } from '../contract.ts';
import { MAGIC_LENGTH, methodOf, UNPACKED_LIMIT, unpack } from './compression.ts';
import { type DiskPath, diskPath } from './disk-name.ts';
import { dateOf, modeOf, ownerOf } from './file-facts.ts';
import { readUpTo } from './small-file.ts';
import { placeOf } from './true-place.ts';

/** Readings of a file whose size or mtime moves meanwhile. */
const TRIES = 5;
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

export interface Failure {
	readonly unreadable: Unreadable;
	readonly text: string;
}

/** Reads one message of a Maildir; `path` as a listing gives it (disk-name.ts), which is free of symbolic links. */
export const openMaildirMessage: OpenMessage = (path, options) => {
	const opened = openDescriptor(path);
	if (typeof opened !== 'number') return opened;
	try {
		return readMessage(opened, options);
	} catch (error) {
		return asFailure(error);
	} finally {
		closeSync(opened);
	}
};

/** Opens a message without following a symbolic link or waiting for a FIFO; the caller closes the descriptor. */
export function openDescriptor(path: string): number | Failure {
	const place = diskPath(path);
	let descriptor: number;
	try {
		descriptor = openSync(place, FLAGS);
	} catch (error) {
		return asFailure(error);
	}
	let failure: Failure | null;
	try {
		failure = checkPlace(descriptor, place);
	} catch (error) {
		closeSync(descriptor);
		return asFailure(error);
	}
	if (failure === null) return descriptor;
	closeSync(descriptor);
	return failure;
}

type Options = Parameters<OpenMessage>[1];

function readMessage(descriptor: number, options: Options): ReadMessage | Failure {
	for (let attempt = 0; attempt < TRIES; attempt++) {
		const before = fstatSync(descriptor, { bigint: true });
		if (!before.isFile()) return { unreadable: 'not-a-file', text: 'it is not a regular file' };
		const message = readOnce(descriptor, before, options);
		const after = fstatSync(descriptor, { bigint: true });
		if (message !== null && after.size === before.size && after.mtimeNs === before.mtimeNs) return message;
	}
	return { unreadable: 'io', text: 'it keeps changing while it is read' };
}

/** Null where fewer bytes came than the file had. */
function readOnce(descriptor: number, stat: BigIntStats, { limit, allocate = Buffer.allocUnsafeSlow }: Options): ReadMessage | null {
	const size = Number(stat.size);
	const facts = { date: dateOf(stat), mode: modeOf(stat), owner: ownerOf(stat) };
	if (size > limit) {
		const method = methodOf(readUpTo(descriptor, Buffer.allocUnsafeSlow(MAGIC_LENGTH)));
		if (method === null) return { bytes: null, size, ...facts };
		if (size > UNPACKED_LIMIT) return { bytes: null, size, ...facts, oddity: method === 'crypted' ? 'encrypted' : 'unknown-compression' };
	}
	const stored = readUpTo(descriptor, allocate(size));
	if (stored.length !== size) return null;
	const method = methodOf(stored.subarray(0, MAGIC_LENGTH));
	if (method === null) return { bytes: stored, size, ...facts };
	const { bytes, oddity } = unpack(stored, method);
	if (oddity === undefined) return { bytes, size: bytes.length, ...facts };
	return { bytes: bytes.length > limit ? null : bytes, size: bytes.length, ...facts, oddity };
}

function checkPlace(descriptor: number, path: DiskPath): Failure | null {
	const place = placeOf(descriptor, path);
	if (place === 'true') return null;
	if (place === 'moved') return { unreadable: 'vanished', text: 'it was moved to another folder' };
	return { unreadable: 'symbolic-link', text: 'its path leads through a symbolic link' };
}

const FAILURES: Readonly<Record<string, Failure>> = {
	ENOENT: { unreadable: 'vanished', text: 'no such file' },
	ESTALE: { unreadable: 'vanished', text: 'the file server no longer knows it' },
	ELOOP: { unreadable: 'symbolic-link', text: 'it is a symbolic link' },
	EACCES: { unreadable: 'permission', text: 'permission denied' },
	EPERM: { unreadable: 'permission', text: 'operation not permitted' },
	ENXIO: { unreadable: 'not-a-file', text: 'it is a socket or a device' },
	ENODEV: { unreadable: 'not-a-file', text: 'it is a device' },
	EISDIR: { unreadable: 'not-a-file', text: 'it is a directory' },
	ENOTDIR: { unreadable: 'vanished', text: 'its folder is no directory any more' },
	EIO: { unreadable: 'io', text: 'the disk reports a read error' },
	// fcntl(2), F_SETLEASE: the owner of a file can have others wait, who may not wait here.
	EAGAIN: { unreadable: 'io', text: 'a program holds a lease on it' },
	ETIMEDOUT: { unreadable: 'io', text: 'the file server does not answer' },
	ENAMETOOLONG: { unreadable: 'io', text: 'its path is too long' },
};

/** How libuv calls what it has no name for: EUCLEAN, EBADMSG and others of a damaged file system. */
const UNNAMED = 'Unknown system error';

function asFailure(error: unknown): Failure {
	const code = systemCode(error) ?? '';
	const failure = code.startsWith(UNNAMED) ? FAILURES.EIO : FAILURES[code];
	if (failure === undefined) throw error;
	return failure;
}
