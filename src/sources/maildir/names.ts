import { readdirSync } from 'node:fs';
import { systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { type DiskPath, diskName, shownPath, textOfName, under } from './disk-name.ts';
import { baseOf } from './file-name.ts';
import { look } from './small-file.ts';

export type Middle = 'cur' | 'new';

/** One file as one listing saw it. */
export interface SeenName {
	readonly dir: Middle;
	readonly name: string;
}

/** Files by base name. A base that was seen under several names has them all, in the order in which each was last seen. */
export type Sightings = Map<string, SeenName | Map<string, SeenName>>;

/** Names in `cur` or `new`; a directory that is absent, or is none, has none. */
export function listMiddle(folder: DiskPath, dir: Middle): string[] {
	const path = under(folder, dir);
	// readdir would follow a link; whoever owns the folder could point it at somebody else's files.
	if (look(path)?.isDirectory() !== true) return [];
	try {
		const names = readdirSync(path);
		// U+FFFD stands for bytes that were lost in the conversion, or for itself.
		if (!names.some((name) => name.includes('\ufffd'))) return names;
		return readdirSync(path, 'buffer').map(textOfName);
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') return [];
		throw asMailsealError(error, 'list', shownPath(path));
	}
}

/** Adds what one listing saw. */
export function addSightings(seen: Sightings, dir: Middle, names: readonly string[]): void {
	for (const name of names) {
		if (name.startsWith('.')) continue;
		const base = baseOf(name);
		const before = seen.get(base);
		if (before === undefined) {
			seen.set(base, { dir, name });
		} else if (before instanceof Map) {
			// Removed first, so that it goes to the end. A map, since anyone may make a hundred thousand names of one base.
			before.delete(`${dir}/${name}`);
			before.set(`${dir}/${name}`, { dir, name });
		} else if (before.dir !== dir || before.name !== name) {
			const both = [before, { dir, name }];
			seen.set(base, new Map(both.map((file) => [`${file.dir}/${file.name}`, file])));
		}
	}
}

/**
 * Which of the names that one base was seen under are files now. One inode under two names is one file that was renamed
 * between the two looks. At least one name is given back.
 */
export function stillThere(folder: DiskPath, candidates: readonly SeenName[]): readonly SeenName[] {
	const byFile = new Map<string, SeenName>();
	for (const candidate of candidates) {
		const stat = look(under(under(folder, candidate.dir), diskName(candidate.name)));
		if (stat !== undefined) byFile.set(`${stat.dev}.${stat.ino}`, candidate);
	}
	const there = [...byFile.values()];
	return there.length > 0 ? there : candidates.slice(-1);
}

/** One file and the key that it goes by. */
export interface KeyedName extends SeenName {
	readonly key: string;
}

/** Keys for files that have one base name: the first keeps it, the others go by their whole name. */
export function keysOf(base: string, files: readonly SeenName[], isTaken: (key: string) => boolean): readonly KeyedName[] {
	const sorted = [...files].sort((a, b) => compare(a.name, b.name) || compare(a.dir, b.dir));
	const keys = new Set<string>();
	return sorted.map((file, position) => {
		let key = position === 0 ? base : file.name;
		// The same name in `cur` and `new`.
		while (keys.has(key) || (position > 0 && isTaken(key))) key += ':';
		keys.add(key);
		return { ...file, key };
	});
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
