import { randomBytes } from 'node:crypto';
import {
	closeSync,
	constants,
	fchmodSync,
	fchownSync,
	fstatSync,
	futimesSync,
	linkSync,
	openSync,
	readSync,
	unlinkSync,
	writeSync,
} from 'node:fs';
import { type Owner, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import type { BirthFacts, HeldFolder } from './write-destination.ts';

/** A file to be made whole or not at all. */
export interface NewFile {
	/** Where it is written before it gets its name; on the same file system. */
	readonly staging: HeldFolder;
	readonly folder: HeldFolder;
	readonly name: Uint8Array;
	readonly chunks: Iterable<Uint8Array>;
	/** mtime, milliseconds since 1970; null for now. */
	readonly date: number | null;
	readonly mode: number;
	readonly owner: Owner | null;
}

/** What file systems without hard links (exFAT, some network shares) answer. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

let files = 0;
const run = randomBytes(8).toString('hex');

/** Writes a file under a temporary name and gives it its own name, unless there is one of that name: that one stays. */
export function createFile(file: NewFile): 'written' | 'present' {
	const temporary = file.staging.path(`.tmp-${run}-${process.pid}-${++files}`);
	let descriptor: number;
	try {
		descriptor = openSync(temporary, 'wx', 0o600);
	} catch (error) {
		throw asMailsealError(error, 'write', shownPath(file));
	}
	try {
		try {
			for (const chunk of file.chunks) writeAll(descriptor, chunk);
			file.staging.born ??= birthFacts(descriptor);
			dress(descriptor, file, file.staging.born);
		} finally {
			closeSync(descriptor);
		}
		return nameFile(file, temporary);
	} catch (error) {
		throw asMailsealError(error, 'write', shownPath(file));
	} finally {
		unlinkSync(temporary);
	}
}

function shownPath({ folder, name }: NewFile): string {
	return `${folder.shown}/${Buffer.from(name).toString()}`;
}

function birthFacts(descriptor: number): BirthFacts {
	const { mode, uid, gid } = fstatSync(descriptor);
	return { mode: mode & 0o7777, owner: [uid, gid] };
}

export function writeAll(descriptor: number, bytes: Uint8Array): void {
	let done = 0;
	while (done < bytes.length) done += writeSync(descriptor, bytes, done, bytes.length - done);
}

/**
 * Gives an open file its owner, mode and mtime, where `born` does not have them. Set-user-id and set-group-id are never restored: the
 * words may come from a stranger.
 */
function dress(descriptor: number, { date, mode, owner }: Pick<NewFile, 'date' | 'mode' | 'owner'>, born: BirthFacts | null): void {
	const isOwners = owner === null || (born?.owner[0] === owner[0] && born.owner[1] === owner[1]);
	if (owner !== null && !isOwners) fchownSync(descriptor, ...owner);
	// A change of owner may have taken rights away.
	if (!isOwners || born?.mode !== (mode & 0o777)) fchmodSync(descriptor, mode & 0o777);
	if (date !== null) {
		// Seconds as a double are a fraction of a microsecond off: half a microsecond away from 1970 keeps the whole milliseconds.
		// As text, since Node takes a negative number for the present.
		const seconds = String(date % 1000 === 0 ? date / 1000 : date / 1000 + Math.sign(date) * 5e-7);
		futimesSync(descriptor, seconds, seconds);
	}
}

/** Gives a complete file its name, unless there is one of that name. The temporary name stays, for the caller to remove. */
export function nameFile(file: Omit<NewFile, 'staging' | 'chunks'>, temporary: string | Buffer): 'written' | 'present' {
	const path = file.folder.path(file.name);
	try {
		linkSync(temporary, path);
		return 'written';
	} catch (error) {
		const code = systemCode(error);
		if (code === 'EEXIST') return 'present';
		if (code === undefined || !NO_LINKS.has(code)) throw error;
	}
	return copyExclusively(file, temporary, path);
}

function copyExclusively(
	file: Omit<NewFile, 'staging' | 'chunks'>,
	temporary: string | Buffer,
	path: string | Buffer,
): 'written' | 'present' {
	let descriptor: number;
	try {
		descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
	} catch (error) {
		if (systemCode(error) === 'EEXIST') return 'present';
		throw error;
	}
	let complete = false;
	try {
		const source = openSync(temporary, constants.O_RDONLY | constants.O_NOFOLLOW);
		try {
			const piece = Buffer.allocUnsafe(1 << 20);
			for (let got = readSync(source, piece); got > 0; got = readSync(source, piece)) writeAll(descriptor, piece.subarray(0, got));
		} finally {
			closeSync(source);
		}
		dress(descriptor, file, null);
		complete = true;
	} finally {
		closeSync(descriptor);
		if (!complete) unlinkSync(path);
	}
	return 'written';
}
