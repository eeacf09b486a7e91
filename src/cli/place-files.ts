import { createHash } from 'node:crypto';
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../domain/index.ts';
import { asMailsealError, type Files } from '../platform/index.ts';
import { hashFile } from './file-hash.ts';
import { numberedStem, safeFileName } from './file-names.ts';

const FILE_MODE = 0o600;

/** Where a file came to lie. */
export interface PlacedFile {
	readonly file: string;
	/** False where it was there already, with the same bytes. */
	readonly written: boolean;
}

/** Writes files under names that strangers gave them. */
export interface Places {
	/** Writes one file under its name made safe, or with " (2)" and so on before its extension where that is taken by other bytes. */
	place(name: string, bytes: Uint8Array): PlacedFile;
}

/** The numbered files of one stem and extension that were looked at: each only once, since a message may hold thousands of one name. */
interface Numbered {
	readonly byHash: Map<string, string>;
	next: number;
}

/** Opens a folder, which must exist, for files to be placed in. Nothing in it is ever overwritten. */
export function openPlaces(files: Files, folder: string): Places {
	const stems = new Map<string, Numbered>();

	function write(path: string, bytes: Uint8Array): PlacedFile {
		const pending = files.create(folder);
		try {
			pending.write(bytes);
			pending.commit(path, { mode: FILE_MODE });
		} finally {
			pending.discard();
		}
		return { file: path, written: true };
	}

	function placeNumbered(name: string, what: { readonly bytes: Uint8Array; readonly hash: string }): PlacedFile {
		const { stem, extension } = numberedStem(name);
		// File systems that take "A" for "a" number both together.
		const key = (stem + extension).normalize('NFC').toLowerCase();
		const numbered = stems.get(key) ?? { byHash: new Map<string, string>(), next: 2 };
		stems.set(key, numbered);
		for (;;) {
			const present = numbered.byHash.get(what.hash);
			if (present !== undefined) return { file: present, written: false };
			const path = join(folder, `${stem} (${numbered.next})${extension}`);
			numbered.next++;
			const stats = lookAt(path);
			const hash = stats === null ? what.hash : stats.isFile() ? hashFile(path) : null;
			if (hash !== null) numbered.byHash.set(hash, path);
			if (stats === null) return write(path, what.bytes);
		}
	}

	return {
		place(given, bytes) {
			const name = safeFileName(given);
			const path = join(folder, name);
			const stats = lookAt(path);
			if (stats === null) return write(path, bytes);
			const hash = createHash('sha256').update(bytes).digest('hex');
			if (stats.isFile() && stats.size === bytes.length && hashFile(path) === hash) return { file: path, written: false };
			return placeNumbered(name, { bytes, hash });
		},
	};
}

/** What has a name; null where nothing has it. A symbolic link is not followed: it may lead out of the folder. */
function lookAt(path: string): Stats | null {
	try {
		return lstatSync(path);
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'look at', path);
	}
}
