import type { EventEmitter } from 'node:events';
import type { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { encodeZip64LocalHeader, ZIP64_FROM } from './zip-records.ts';

/** What yazl keeps of an entry, as far as it is touched here. */
interface YazlEntry {
	crcAndFileSizeKnown: boolean;
	crc32: number;
	compressedSize: number;
	getLocalFileHeader(): Uint8Array;
}

interface EntryOptions {
	readonly compress: false;
	readonly mtime: Date;
	readonly mode: number;
	readonly forceDosTimestamp: true;
	readonly size?: number;
}

/** yazl 3.3.1's ZipFile; its published types stop at 2.4. */
export interface Zip extends EventEmitter {
	readonly outputStream: PassThrough;
	readonly entries: YazlEntry[];
	addBuffer(bytes: Buffer, name: string, options: EntryOptions): void;
	addReadStreamLazy(name: string, options: EntryOptions, open: (give: (error: Error | null, stream?: Readable) => void) => void): void;
	end(): void;
}

export function openZip(): Zip {
	return new ZipFile() as unknown as Zip;
}

/** An entry whose bytes are in memory: sizes and CRC stand in its local header. */
export function addBytes(zip: Zip, entry: { readonly name: string; readonly bytes: Buffer }): void {
	zip.addBuffer(entry.bytes, entry.name, entryOptions());
}

/** An entry whose bytes come from a stream, opened when its turn has come. */
export function addStream(
	zip: Zip,
	entry: { readonly name: string; readonly length: number; readonly crc32: number },
	open: () => Readable,
): void {
	const { name, length, crc32 } = entry;
	// yazl takes sizes and CRC of a stream to be unknown and puts a data descriptor behind it, which the format forbids. Here
	// they are known. The one moment to say so is when yazl lists the entry: right after that it writes the local header.
	const { entries } = zip;
	entries.push = (made: YazlEntry) => {
		made.crcAndFileSizeKnown = true;
		made.crc32 = crc32;
		made.compressedSize = length;
		// yazl has no local header for 4 GiB and more other than one with a data descriptor.
		if (length >= ZIP64_FROM) made.getLocalFileHeader = () => encodeZip64LocalHeader({ name, crc32, size: length });
		return Array.prototype.push.call(entries, made);
	};
	try {
		zip.addReadStreamLazy(name, { ...entryOptions(), size: length }, (give) => give(null, open()));
	} finally {
		entries.push = Array.prototype.push;
	}
}

/** yazl takes DOS time from local parts: only a date made of local parts gives the same bytes in every time zone. */
function entryOptions(): EntryOptions {
	return { compress: false, mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true };
}
