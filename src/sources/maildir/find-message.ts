import type { ListedPlacement } from '../contract.ts';
import { type DiskPath, diskDirectory, diskPath } from './disk-name.ts';
import { baseOf } from './file-name.ts';
import { type FolderTables, readFolderTables } from './folder-tables.ts';
import { type FolderPlace, placer } from './list-folder.ts';
import { addSightings, keysOf, listMiddle, type Sightings, stillThere } from './names.ts';
import { statMessages } from './signature.ts';
import { look } from './small-file.ts';

/** Looks that must agree that a message is gone, unless nothing moved during one of them. */
const TRIES = 4;

/** The folder that was searched last: a client that changes flags renames message after message. */
interface Recent {
	readonly directory: string;
	readonly tables: FolderTables;
	seen: Sightings;
}

/** Finds messages that have another name than when they were listed. */
export class MessageFinder {
	readonly #now: () => number;
	#recent: Recent | undefined;

	constructor(now: () => number) {
		this.#now = now;
	}

	/** Drops what is remembered of the folder searched last. */
	forget(): void {
		this.#recent = undefined;
	}

	/** The message under its present name; null where several looks agree that it is gone. */
	find(place: FolderPlace, key: string): ListedPlacement | null {
		const directory = diskDirectory(place.directory);
		if (this.#recent?.directory !== place.directory) {
			this.#recent = { directory: place.directory, tables: readFolderTables(directory), seen: new Map() };
		}
		const recent = this.#recent;
		const known = this.#choose(place, recent, key);
		if (known !== null && isThere(known)) return known;
		for (let attempt = 0; attempt < TRIES; attempt++) {
			const before = statMessages(directory, this.#now());
			recent.seen = listNow(directory);
			const found = this.#choose(place, recent, key);
			if (found !== null && isThere(found)) return found;
			const after = statMessages(directory, this.#now());
			// Both gone, or neither moved and not of late: what was not there is not there.
			if (found !== null || before?.messages !== after?.messages) continue;
			if (before === undefined || !before.racyMessages) return null;
		}
		return null;
	}

	/** The file that goes by `key` among those seen. */
	#choose(place: FolderPlace, recent: Recent, key: string): ListedPlacement | null {
		const toPlacement = placer(place.directory, recent.tables);
		// A key that is a whole file name stands for one of several files of the base in front of its colon.
		for (const base of new Set([key, baseOf(key)])) {
			const sighting = recent.seen.get(base);
			if (sighting === undefined) continue;
			const files = sighting instanceof Map ? stillThere(diskDirectory(place.directory), [...sighting.values()]) : [sighting];
			const keyed = keysOf(base, files, (other) => recent.seen.has(other));
			const file = keyed.find((candidate) => candidate.key === key);
			if (file === undefined) continue;
			const placement = toPlacement(key, file);
			return files.length > 1 ? { ...placement, ambiguous: true } : placement;
		}
		return null;
	}
}

/** `cur` first: a message that was listed in `new` is there by now. */
function listNow(directory: DiskPath): Sightings {
	const seen: Sightings = new Map();
	addSightings(seen, 'cur', listMiddle(directory, 'cur'));
	addSightings(seen, 'new', listMiddle(directory, 'new'));
	return seen;
}

function isThere(placement: ListedPlacement): boolean {
	return look(diskPath(placement.path)) !== undefined;
}
