import { fromRandomAccessReader, RandomAccessReader, type Entry as YauzlEntry, type ZipFile } from 'yauzl';
import { damaged } from './damage.ts';
import { isTreacherousName, LONGEST_NAME } from './entry-names.ts';
import { centralExtraLength, localExtraLength, MAX_ENTRIES } from './layout.ts';
import {
	asBuffer,
	CENTRAL_RECORD,
	DATA_DESCRIPTOR,
	ENCRYPTED,
	END_RECORD,
	type End,
	LOCAL_HEADER,
	STORED,
	UTF8_NAME,
	ZIP64_CENTRAL_EXTRA,
	ZIP64_END_RECORD,
	ZIP64_LOCATOR,
} from './zip-records.ts';

/** Messages, attachments, marker and manifest. */
const MOST_ENTRIES = MAX_ENTRIES;
const LARGEST_DIRECTORY = MOST_ENTRIES * (CENTRAL_RECORD + LONGEST_NAME + ZIP64_CENTRAL_EXTRA);
/** Bytes at the end of a bundle among which its end records lie. */
export const LONGEST_END = ZIP64_END_RECORD + ZIP64_LOCATOR + END_RECORD;
/** Bytes at the end of a bundle among which its directory and end records lie. */
export const LONGEST_TAIL = LARGEST_DIRECTORY + LONGEST_END;

const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const DOS_DIRECTORY = 0x10;

/** One entry as the central directory tells of it. */
export interface DirectoryEntry {
	readonly name: string;
	readonly flags: number;
	readonly headerOffset: number;
	/** Where the data begins. */
	readonly offset: number;
	readonly length: number;
	readonly crc32: number;
}

/** The last bytes of a file. */
export interface Tail {
	readonly offset: number;
	readonly bytes: Uint8Array;
}

/** yauzl's entry as it is with `decodeStrings: false`; its published types stop at 2.10. */
type RawEntry = Omit<YauzlEntry, 'fileName'> & { readonly fileName: Buffer };
type RawZip = Omit<ZipFile, 'readEntryCursor'> & { readonly readEntryCursor: number; readEntry(): void };

/** Everything the directory says, checked for itself: names, kinds of entries, no gap, no overlap, exact counts. */
export async function readDirectory(tail: Tail, end: End): Promise<DirectoryEntry[]> {
	if (end.entryCount > MOST_ENTRIES || end.directorySize > LARGEST_DIRECTORY) {
		throw damaged('too-many-entries', `Cannot open bundle: its directory has ${end.entryCount} entries (${MOST_ENTRIES} at most)`);
	}
	const entries = (await listEntries(tail, end)).map(checkEntry);
	checkNames(entries);
	checkPlaces(entries, end.directoryOffset);
	return entries;
}

/** Serves yauzl from memory, without a turn of the event loop for each of its two reads an entry. */
class TailReader extends RandomAccessReader {
	readonly #tail: Tail;

	constructor(tail: Tail) {
		super();
		this.#tail = tail;
	}

	override read(
		buffer: Buffer,
		offset: number,
		length: number,
		position: number,
		callback: (error: Error | null, bytesRead?: number) => void,
	): void {
		const from = position - this.#tail.offset;
		if (from < 0 || from + length > this.#tail.bytes.length) {
			callback(new Error(`no directory at byte ${position}`));
			return;
		}
		buffer.set(this.#tail.bytes.subarray(from, from + length), offset);
		callback(null, length);
	}
}

function listEntries(tail: Tail, end: End): Promise<RawEntry[]> {
	const directoryEnd = end.directoryOffset + end.directorySize;
	const options = { lazyEntries: true, decodeStrings: false, validateEntrySizes: false, autoClose: false };
	return new Promise((resolve, reject) => {
		function refuse(error: Error): void {
			reject(damaged('bad-directory', `Cannot open bundle: its directory is broken: ${error.message}`, { cause: error }));
		}
		fromRandomAccessReader(new TailReader(tail), tail.offset + tail.bytes.length, options, (error, opened) => {
			if (error) {
				refuse(error);
				return;
			}
			const zip = opened as unknown as RawZip;
			if (zip.entryCount !== end.entryCount || zip.readEntryCursor !== end.directoryOffset) {
				reject(damaged('bad-end-record', 'Cannot open bundle: its end record can be read in two ways'));
				return;
			}
			const entries: RawEntry[] = [];
			let arrived = false;
			let reading = false;
			// yauzl answers at once when the bytes are there, but for a nameless entry: a loop, since recursion would run out of stack.
			function readAll(): void {
				reading = true;
				do {
					arrived = false;
					const left = end.entryCount - entries.length;
					if (zip.readEntryCursor < directoryEnd !== left > 0 || zip.readEntryCursor > directoryEnd) {
						const found = left > 0 ? `${entries.length}` : 'more';
						reject(damaged('entry-count', `Cannot open bundle: its directory has ${found} entries (${end.entryCount} by its end record)`));
						return;
					}
					if (left === 0) {
						resolve(entries);
						return;
					}
					zip.readEntry();
				} while (arrived);
				reading = false;
			}
			zip.on('error', refuse);
			zip.on('entry', (entry: RawEntry) => {
				entries.push(entry);
				arrived = true;
				if (!reading) readAll();
			});
			readAll();
		});
	});
}

function checkEntry(raw: RawEntry): DirectoryEntry {
	const name = asBuffer(raw.fileName).toString('latin1');
	const shown = JSON.stringify(name.slice(0, 120));
	if (isTreacherousName(name)) throw damaged('bad-name', `Cannot open bundle: entry ${shown} has a name that leads astray`);
	function refuse(damage: string, problem: string): never {
		throw damaged(damage, `Cannot open bundle: entry ${shown} ${problem}`);
	}
	const flags = raw.generalPurposeBitFlag;
	if ((flags & ENCRYPTED) !== 0) refuse('encrypted', 'is encrypted');
	if ((flags & DATA_DESCRIPTOR) !== 0) refuse('data-descriptor', 'has a data descriptor');
	if ((flags & ~UTF8_NAME) !== 0) refuse('unknown-flags', `has flags 0x${flags.toString(16)}`);
	if (raw.compressionMethod !== STORED) refuse('compressed', `has compression method ${raw.compressionMethod} (must be stored)`);
	if (raw.compressedSize !== raw.uncompressedSize) {
		refuse('wrong-size', `has ${raw.compressedSize} bytes and ${raw.uncompressedSize} (must be the same)`);
	}
	const attributes = raw.externalFileAttributes;
	const fileType = (attributes >>> 16) & FILE_TYPE;
	if ((fileType !== 0 && fileType !== REGULAR_FILE) || (attributes & DOS_DIRECTORY) !== 0) refuse('not-a-file', 'is not a regular file');
	const { uncompressedSize: length, relativeOffsetOfLocalHeader: headerOffset } = raw;
	if (raw.extraFieldLength !== centralExtraLength(length, headerOffset)) refuse('unknown-extra', 'has an extra field that is not needed');
	if (raw.fileCommentLength !== 0) refuse('entry-comment', 'has a comment');
	const offset = headerOffset + LOCAL_HEADER + name.length + localExtraLength(length);
	return { name, flags, headerOffset, offset, length, crc32: raw.crc32 };
}

/** Which of two entries of one name is meant depends on the program that reads: neither is. */
function checkNames(entries: readonly DirectoryEntry[]): void {
	const seen = new Set<string>();
	for (const { name } of entries) {
		if (seen.has(name)) throw damaged('duplicate-name', `Cannot open bundle: entry "${name}" is there twice`);
		seen.add(name);
	}
}

/** Bytes that no entry covers, or that two do, are bytes that nobody vouches for. */
function checkPlaces(entries: readonly DirectoryEntry[], directoryOffset: number): void {
	let expected = 0;
	function check(what: string, at: number): void {
		if (at > expected) throw damaged('gap', `Cannot open bundle: nothing covers bytes ${expected} to ${at}, before ${what}`);
		if (at < expected) throw damaged('overlap', `Cannot open bundle: ${what} begins at byte ${at} (the one before ends at ${expected})`);
	}
	for (const entry of entries) {
		check(`entry "${entry.name}"`, entry.headerOffset);
		expected = entry.offset + entry.length;
	}
	check('the directory', directoryOffset);
}
