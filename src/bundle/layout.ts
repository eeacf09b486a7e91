import {
	CENTRAL_RECORD,
	END_RECORD,
	LOCAL_HEADER,
	ZIP64_CENTRAL_EXTRA,
	ZIP64_COUNT,
	ZIP64_END_RECORD,
	ZIP64_FROM,
	ZIP64_LOCAL_EXTRA,
	ZIP64_LOCATOR,
} from './zip-records.ts';

/** Entries that one bundle may hold: a reader takes the whole directory at once. */
export const MAX_ENTRIES = 8000;

/** Bytes that an entry with a name of so many bytes costs beside its data. */
export function entryOverhead(nameLength: number): number {
	return LOCAL_HEADER + CENTRAL_RECORD + 2 * nameLength;
}

/** Bytes of the extra field in the local header of an entry of so many bytes. */
export function localExtraLength(length: number): number {
	return length >= ZIP64_FROM ? ZIP64_LOCAL_EXTRA : 0;
}

/** Bytes of the extra field in the directory's record of an entry of so many bytes at so many. */
export function centralExtraLength(length: number, headerOffset: number): number {
	return length >= ZIP64_FROM || headerOffset >= ZIP64_FROM ? ZIP64_CENTRAL_EXTRA : 0;
}

export interface Layout {
	/** Bytes of the whole file. */
	readonly size: number;
	/** Where the data of each entry begins, in the order given. */
	readonly offsets: readonly number[];
}

/** Where everything in a bundle will lie, before a byte of it is written. Lengths in bytes. */
export function planLayout(entries: readonly { readonly nameLength: number; readonly length: number }[]): Layout {
	const offsets: number[] = [];
	let offset = 0;
	let directorySize = 0;
	for (const { nameLength, length } of entries) {
		directorySize += CENTRAL_RECORD + nameLength + centralExtraLength(length, offset);
		offset += LOCAL_HEADER + nameLength + localExtraLength(length);
		offsets.push(offset);
		offset += length;
	}
	const wide = entries.length >= ZIP64_COUNT || directorySize >= ZIP64_FROM || offset >= ZIP64_FROM;
	return { size: offset + directorySize + (wide ? ZIP64_END_RECORD + ZIP64_LOCATOR : 0) + END_RECORD, offsets };
}
