import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const MEGA = 1e6;

/** Regular files below `path` and their bytes. */
export function countFiles(path: string): { readonly files: number; readonly bytes: number } {
	let files = 0;
	let bytes = 0;
	for (const entry of readdirSync(path, { withFileTypes: true })) {
		const child = join(path, entry.name);
		if (entry.isDirectory()) {
			const below = countFiles(child);
			files += below.files;
			bytes += below.bytes;
		} else if (entry.isFile()) {
			files++;
			bytes += lstatSync(child).size;
		}
	}
	return { files, bytes };
}
