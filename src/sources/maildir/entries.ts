import { type Dirent, readdirSync } from 'node:fs';
import { systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { type DiskPath, shownPath } from './disk-name.ts';

/** An entry of a directory by its true name. */
export type Entry = Dirent<Buffer>;

/** Entries of a directory, sorted by bytes; none where it is gone, null where permission is denied. */
export function listEntries(place: DiskPath): readonly Entry[] | null {
	try {
		return readdirSync(place, { withFileTypes: true, encoding: 'buffer' }).sort((a, b) => Buffer.compare(a.name, b.name));
	} catch (error) {
		const code = systemCode(error);
		if (code === 'ENOENT' || code === 'ENOTDIR') return [];
		if (code === 'EACCES' || code === 'EPERM') return null;
		throw asMailsealError(error, 'list', shownPath(place));
	}
}
