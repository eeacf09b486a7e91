import { damaged } from './damage.ts';
import type { DirectoryEntry } from './directory.ts';
import { localExtraLength } from './layout.ts';
import { type RangeSource, readExactly, readingAhead } from './range-source.ts';
import { asBuffer, parseLocalHeader, STORED } from './zip-records.ts';

const AHEAD = 1 << 20;
/** Entries further apart than this on average are cheaper to visit one by one. */
const FAR_APART = 1 << 16;

/** A program that streams reads local headers, one that seeks the directory: where they differ, each sees other mail. */
export async function checkLocalHeaders(source: RangeSource, entries: readonly DirectoryEntry[]): Promise<void> {
	const last = entries.at(-1);
	const stride = last === undefined ? 0 : last.offset / entries.length;
	const ahead = readingAhead(source, { ahead: stride > FAR_APART ? 0 : AHEAD });
	for (const entry of entries) {
		const { headerOffset: offset } = entry;
		checkLocalHeader(entry, await readExactly(ahead, { offset, length: entry.offset - offset }));
	}
}

function checkLocalHeader(entry: DirectoryEntry, bytes: Uint8Array): void {
	const local = parseLocalHeader(bytes);
	function differs(what: string): never {
		throw damaged(`local-${what}`, `Cannot open bundle: entry "${entry.name}" has another ${what} in its local header`);
	}
	if (local === null) differs('header');
	if (!asBuffer(local.name).equals(Buffer.from(entry.name, 'latin1'))) differs('name');
	if (local.flags !== entry.flags) differs('flags');
	if (local.method !== STORED) differs('method');
	if (local.crc32 !== entry.crc32) differs('crc');
	if (local.size !== entry.length || local.compressedSize !== entry.length) differs('size');
	if (local.extraLength !== localExtraLength(entry.length)) differs('extra');
}
