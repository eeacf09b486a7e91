import { fstatSync, lstatSync, readlinkSync } from 'node:fs';
import { systemCode } from '../../domain/index.ts';
import type { DiskPath } from './disk-name.ts';

/** `moved`: the file was renamed or replaced since it was opened. */
export type Place = 'true' | 'moved' | 'behind-a-link';

/**
 * Whether an open file lies in the directory that it was opened by. O_NOFOLLOW guards the last name only: whoever owns a directory
 * above it can put a symbolic link in its place between listing and opening, and have us read any file as theirs. Where the system
 * tells a descriptor's true path, its directory must be the one asked for, which therefore must be free of symbolic links.
 */
export function placeOf(descriptor: number, wanted: DiskPath): Place {
	let actual: Buffer;
	try {
		actual = readlinkSync(`/proc/self/fd/${descriptor}`, 'buffer');
	} catch (error) {
		// Only Linux has it, and only where /proc is mounted.
		if (systemCode(error) === 'ENOENT') return 'true';
		throw error;
	}
	if (directoryOf(actual).equals(directoryOf(Buffer.from(wanted)))) return 'true';
	const named = lstatSync(wanted, { bigint: true, throwIfNoEntry: false });
	const opened = fstatSync(descriptor, { bigint: true });
	return named !== undefined && named.ino === opened.ino && named.dev === opened.dev ? 'behind-a-link' : 'moved';
}

function directoryOf(path: Buffer): Buffer {
	return path.subarray(0, path.lastIndexOf(0x2f));
}
