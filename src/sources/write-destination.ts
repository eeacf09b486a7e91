import { closeSync, constants, existsSync, fchmodSync, fchownSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { MailsealError, type Owner, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';

/** A directory of the destination, held open so that nobody can swap it for a symbolic link while files go into it. */
export interface HeldFolder extends Disposable {
	readonly descriptor: number;
	/** What the first file made in it was like before anything of it was changed, which all others are as well; null before it. */
	born: BirthFacts | null;
	/** As people know it, for messages. */
	readonly shown: string;
	/** A path that leads into this very directory. */
	path(name: string | Uint8Array): string | Buffer;
}

/** What a file is given when it is made. */
export interface BirthFacts {
	readonly mode: number;
	readonly owner: Owner;
}

/** Linux alone lets a path start at an open descriptor; elsewhere each level is looked at by name instead. */
const DESCRIPTORS = process.platform === 'linux' && existsSync('/proc/self/fd') ? '/proc/self/fd' : null;

const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function held(descriptor: number, shown: string): HeldFolder {
	const start = DESCRIPTORS === null ? shown : `${DESCRIPTORS}/${descriptor}`;
	return {
		descriptor,
		born: null,
		shown,
		path(name) {
			return typeof name === 'string' ? `${start}/${name}` : Buffer.concat([Buffer.from(`${start}/`), name]);
		},
		[Symbol.dispose]() {
			closeSync(descriptor);
		},
	};
}

function openLevel(path: string, shown: string): HeldFolder {
	try {
		return held(openSync(path, OPEN_FOLDER), shown);
	} catch (error) {
		if (systemCode(error) === 'ENOTDIR' || systemCode(error) === 'ELOOP') {
			throw new MailsealError('io', `Cannot write into "${shown}": it is a symbolic link or a file (it should be a folder)`, {
				cause: error,
				hint: 'restore into an empty folder, or move it away',
			});
		}
		throw asMailsealError(error, 'write into', shown);
	}
}

/** Opens a directory below the destination, level by level, without following a symbolic link. The destination itself may be one. */
export function holdFolder(root: string, levels: readonly string[]): HeldFolder {
	let folder: HeldFolder;
	try {
		folder = held(openSync(root, constants.O_RDONLY | constants.O_DIRECTORY), root);
	} catch (error) {
		throw asMailsealError(error, 'write into', root);
	}
	for (const level of levels) {
		using above = folder;
		folder = openLevel(String(above.path(level)), join(above.shown, level));
	}
	return folder;
}

/** Makes a directory in one that exists; false where it is there already. Its owner can always use it, whatever `mode` says. */
export function makeFolder(
	root: string,
	levels: readonly string[],
	options: { readonly mode: number; readonly owner: Owner | null },
): boolean {
	using parent = holdFolder(root, levels.slice(0, -1));
	const name = levels.at(-1) ?? '';
	const shown = join(parent.shown, name);
	try {
		mkdirSync(parent.path(name), { mode: 0o700 });
	} catch (error) {
		if (systemCode(error) === 'EEXIST') return false;
		throw asMailsealError(error, 'make folder', shown);
	}
	using folder = openLevel(String(parent.path(name)), shown);
	try {
		if (options.owner !== null) fchownSync(folder.descriptor, ...options.owner);
		fchmodSync(folder.descriptor, (options.mode & 0o2777) | 0o700);
	} catch (error) {
		throw asMailsealError(error, 'make folder', shown);
	}
	return true;
}

/** What lies at a path of the destination. `obstructed`: one of its levels is a symbolic link, no directory, or too long a name. */
export function lookAtFolder(root: string, levels: readonly string[]): 'absent' | 'folder' | 'obstructed' {
	let path = root;
	for (const level of levels) {
		path = join(path, level);
		try {
			if (!lstatSync(path).isDirectory()) return 'obstructed';
		} catch (error) {
			if (systemCode(error) === 'ENOENT') return 'absent';
			if (systemCode(error) === 'ENOTDIR' || systemCode(error) === 'ENAMETOOLONG') return 'obstructed';
			throw asMailsealError(error, 'look at', path);
		}
	}
	return existsSync(root) ? 'folder' : 'absent';
}

/** The owner to give to what is restored: only root can give files away. */
export function ownerToGive(owner: Owner | null | undefined): Owner | null {
	return owner !== undefined && process.geteuid?.() === 0 ? owner : null;
}
