import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

interface FileFacts {
	readonly inode: number;
	readonly bytes: number;
	readonly mtime: number;
}

/** Regular files below a folder, by path from there. */
export type FileScan = ReadonlyMap<string, FileFacts>;

/** `counts` says which paths are part of it, folders and files. */
export function scanFiles(folder: string, counts: (path: string) => boolean = () => true): FileScan {
	const found = new Map<string, FileFacts>();
	function walk(below: string): void {
		for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
			const path = below === '' ? entry.name : `${below}/${entry.name}`;
			if (!counts(path)) continue;
			if (entry.isDirectory()) {
				walk(path);
			} else if (entry.isFile()) {
				const { ino, size, mtimeMs } = lstatSync(join(folder, path));
				found.set(path, { inode: ino, bytes: size, mtime: mtimeMs });
			}
		}
	}
	walk('');
	return found;
}

/** Bytes of files that are new or changed, as a whole: whoever rewrites a file writes all of it. */
export function writtenBytes(before: FileScan, after: FileScan): number {
	let bytes = 0;
	for (const [path, file] of after) if (!isSame(before.get(path), file)) bytes += file.bytes;
	return bytes;
}

/** Paths that are gone, and those whose file is another one now. */
export function lostFiles(before: FileScan, after: FileScan): { readonly gone: readonly string[]; readonly changed: readonly string[] } {
	const paths = [...before.keys()];
	return {
		gone: paths.filter((path) => !after.has(path)),
		changed: paths.filter((path) => after.has(path) && !isSame(before.get(path), after.get(path))),
	};
}

/** Files with several names count once. */
export function sizeOfScan(scan: FileScan): { readonly files: number; readonly bytes: number } {
	const inodes = new Map([...scan.values()].map(({ inode, bytes }) => [inode, bytes]));
	return { files: inodes.size, bytes: [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0) };
}

function isSame(one: FileFacts | undefined, other: FileFacts | undefined): boolean {
	return one?.inode === other?.inode && one?.bytes === other?.bytes && one?.mtime === other?.mtime;
}
