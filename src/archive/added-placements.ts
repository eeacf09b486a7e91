import type { PlacedWord } from '../domain/index.ts';
import type { ListedPlacement } from '../sources/index.ts';
import type { NewPlacement } from './scan.ts';

/** What many placements of a folder share. */
type Shared = Pick<ListedPlacement, 'flags' | 'keywords' | 'dir'> & { readonly directory: string };

/** What they do not: null stands for nothing, and a number for a key that is so many characters at the start of the name. */
type Row = readonly [
	shared: number,
	name: string,
	key: string | number,
	info: string | null,
	uid: number | null,
	uidlist: string | null,
	ambiguous: true | null,
	date: number,
	size: number,
	known: PlacedWord | null,
];

/** So many placements are made of their text at a time, and no more than so many characters but for one. */
const PAGE = 512;
const PAGE_LENGTH = 1 << 20;

/** Keeps new placements of a folder in little memory, since a first pack has all of a store at once; each iteration makes them anew. */
export function packPlacements(placements: Iterable<NewPlacement>): Iterable<NewPlacement> {
	const shared: Shared[] = [];
	const known = new Map<string, number>();
	const pages: Buffer[] = [];
	let rows: string[] = [];
	let rowsLength = 0;

	function sharedOf({ flags, keywords, dir }: ListedPlacement, directory: string): number {
		const name = JSON.stringify([flags, keywords, dir, directory]);
		let index = known.get(name);
		if (index === undefined) {
			index = shared.push({ flags, keywords, ...(dir === undefined ? {} : { dir }), directory }) - 1;
			known.set(name, index);
		}
		return index;
	}

	function rowOf({ listed, date, size, known: before }: NewPlacement): Row {
		const { path, key, info, uid, uidlist, ambiguous } = listed;
		const name = path.slice(path.lastIndexOf('/') + 1);
		const directory = path.slice(0, path.length - name.length);
		const shortKey = name.startsWith(key) ? key.length : key;
		const index = sharedOf(listed, directory);
		const isAmbiguous = ambiguous === true ? true : null;
		return [index, name, shortKey, info ?? null, uid ?? null, uidlist ?? null, isAmbiguous, date, size, before];
	}

	function endPage(): void {
		if (rows.length > 0) pages.push(Buffer.from(`[${rows.join()}]`));
		rows = [];
		rowsLength = 0;
	}

	for (const placement of placements) {
		const row = JSON.stringify(rowOf(placement));
		if (rows.length >= PAGE || rowsLength + row.length > PAGE_LENGTH) endPage();
		rows.push(row);
		rowsLength += row.length;
	}
	endPage();

	return {
		*[Symbol.iterator]() {
			for (const page of pages) {
				for (const row of JSON.parse(page.toString()) as Row[]) yield placementOf(row, shared);
			}
		},
	};
}

function placementOf(row: Row, all: readonly Shared[]): NewPlacement {
	const [index, name, key, info, uid, uidlist, ambiguous, date, size, known] = row;
	const found = all[index];
	if (found === undefined) throw new Error('a placement shares what was never kept');
	const { directory, ...shared } = found;
	return {
		listed: {
			key: typeof key === 'number' ? name.slice(0, key) : key,
			...shared,
			path: directory + name,
			...(info === null ? {} : { info }),
			...(uid === null ? {} : { uid }),
			...(uidlist === null ? {} : { uidlist }),
			...(ambiguous === null ? {} : { ambiguous }),
		},
		date,
		size,
		known,
	};
}
