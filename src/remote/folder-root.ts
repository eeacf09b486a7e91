import { lstatSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../domain/index.ts';
import type { Files } from '../platform/index.ts';
import { folderFailure, notFolder, rootGone, rootMissing } from './folder-failure.ts';

/** The top folder of a target: what is not found below it is missing only while the top itself is there. */
export interface FolderRoot {
	/** False where the top is not there and could be made: the folder it is to lie in is there. */
	exists(): boolean;
	/** Throws `not-found` where the top is not there, `unreachable` where it was. */
	require(): void;
	/** Makes the top where only its last level is missing: no path is made on a disk that is not mounted. */
	make(): void;
	/** Facts of what lies under a name, or null where nothing does. A link is not followed; one on the way is refused. */
	look(name: string): Stats | null;
}

export function openFolderRoot({ path: root, files }: { readonly path: string; readonly files: Files }): FolderRoot {
	/** The device on which the top was seen: once it is unmounted, the folder below the mount point is another. */
	let device: number | null = null;

	function exists(): boolean {
		const found = folderAt(root);
		if (device !== null && found?.dev !== device) throw rootGone(root);
		if (found === null && folderAt(dirname(root)) === null) throw rootMissing(root, dirname(root));
		device = found?.dev ?? null;
		return found !== null;
	}

	function require(): void {
		if (!exists()) throw rootMissing(root, root);
	}

	return {
		exists,
		require,
		make() {
			if (!exists()) files.makeFolder(root);
		},
		look(name) {
			const levels = name.split('/');
			let path = root;
			for (const [index, level] of levels.entries()) {
				path = `${path}/${level}`;
				const stats = lookAt(path);
				if (index === levels.length - 1 && stats !== null) return stats;
				if (stats?.isSymbolicLink()) throw notFolder(path, 'a symbolic link');
				if (!stats?.isDirectory()) break;
			}
			require();
			return null;
		},
	};
}

/** Facts of what lies at a path, a link itself and not what it leads to, or null where nothing does. */
export function lookAt(path: string): Stats | null {
	try {
		return lstatSync(path);
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
		throw folderFailure(error, 'look at', path);
	}
}

function folderAt(path: string): Stats | null {
	let stats: Stats;
	try {
		stats = statSync(path);
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
		throw folderFailure(error, 'look at', path);
	}
	if (!stats.isDirectory()) throw notFolder(path, 'a file');
	return stats;
}
