import {
	CENTRAL_RECORD,
	CENTRAL_SIGNATURE,
	END_RECORD,
	END_SIGNATURE,
	LOCAL_HEADER,
	LOCAL_SIGNATURE,
	STORED,
	UTF8_NAME,
	ZIP64_CENTRAL_EXTRA,
	ZIP64_COUNT,
	ZIP64_END_RECORD,
	ZIP64_END_SIGNATURE,
	ZIP64_EXTRA_ID,
	ZIP64_FROM,
	ZIP64_LOCAL_EXTRA,
	ZIP64_LOCATOR,
	ZIP64_LOCATOR_SIGNATURE,
} from './zip-records.ts';

// The records of a store-only zip, after PKWARE's APPNOTE 6.3.10; the numbers behind a field are its offset in the record.

/** Made by Unix (4.4.2.2), after version 6.3 of the specification. */
const MADE_BY = (3 << 8) | 63;
const NEEDS_UTF8 = 20;
const NEEDS_ZIP64 = 45;
/** 1980-01-01 00:00 in DOS time (4.4.6), the time in the lower half. */
const DOS_INSTANT = 0x0021_0000;
/** A regular file of mode 0644, in the upper half as Unix has it (4.4.15). */
const ATTRIBUTES = 0o100644 * 0x10000;

/** An entry as its records tell of it; the name is ASCII. */
export interface ZipEntry {
	readonly name: string;
	readonly crc32: number;
	readonly size: number;
}

/** Writes the local file header (4.3.7) at `at`; gives the place behind it. */
export function writeLocalHeader(to: Buffer, at: number, { name, crc32, size }: ZipEntry): number {
	const wide = size >= ZIP64_FROM;
	to.writeUInt32LE(LOCAL_SIGNATURE, at); // local file header signature
	to.writeUInt16LE(wide ? NEEDS_ZIP64 : NEEDS_UTF8, at + 4); // version needed to extract
	to.writeUInt16LE(UTF8_NAME, at + 6); // general purpose bit flag
	to.writeUInt16LE(STORED, at + 8); // compression method
	to.writeUInt32LE(DOS_INSTANT, at + 10); // last mod file time, last mod file date
	to.writeUInt32LE(crc32, at + 14); // crc-32
	to.writeUInt32LE(wide ? ZIP64_FROM : size, at + 18); // compressed size
	to.writeUInt32LE(wide ? ZIP64_FROM : size, at + 22); // uncompressed size
	to.writeUInt16LE(name.length, at + 26); // file name length
	to.writeUInt16LE(wide ? ZIP64_LOCAL_EXTRA : 0, at + 28); // extra field length
	const extra = at + LOCAL_HEADER + to.write(name, at + LOCAL_HEADER, 'latin1');
	return wide ? writeZip64Extra(to, extra, [size, size]) : extra;
}

/** Writes the entry's record in the central directory (4.3.12) at `at`; gives the place behind it. */
export function writeCentralRecord(to: Buffer, at: number, entry: ZipEntry & { readonly headerOffset: number }): number {
	const { name, crc32, size, headerOffset } = entry;
	const wide = size >= ZIP64_FROM || headerOffset >= ZIP64_FROM;
	to.writeUInt32LE(CENTRAL_SIGNATURE, at); // central file header signature
	to.writeUInt16LE(MADE_BY, at + 4); // version made by
	to.writeUInt16LE(wide ? NEEDS_ZIP64 : NEEDS_UTF8, at + 6); // version needed to extract
	to.writeUInt16LE(UTF8_NAME, at + 8); // general purpose bit flag
	to.writeUInt16LE(STORED, at + 10); // compression method
	to.writeUInt32LE(DOS_INSTANT, at + 12); // last mod file time, last mod file date
	to.writeUInt32LE(crc32, at + 16); // crc-32
	to.writeUInt32LE(wide ? ZIP64_FROM : size, at + 20); // compressed size
	to.writeUInt32LE(wide ? ZIP64_FROM : size, at + 24); // uncompressed size
	to.writeUInt16LE(name.length, at + 28); // file name length
	to.writeUInt16LE(wide ? ZIP64_CENTRAL_EXTRA : 0, at + 30); // extra field length
	to.writeUInt32LE(0, at + 32); // file comment length, disk number start
	to.writeUInt16LE(0, at + 36); // internal file attributes
	to.writeUInt32LE(ATTRIBUTES, at + 38); // external file attributes
	to.writeUInt32LE(wide ? ZIP64_FROM : headerOffset, at + 42); // relative offset of local header
	const extra = at + CENTRAL_RECORD + to.write(name, at + CENTRAL_RECORD, 'latin1');
	return wide ? writeZip64Extra(to, extra, [size, size, headerOffset]) : extra;
}

/** Zip64 extended information (4.5.3). */
function writeZip64Extra(to: Buffer, at: number, values: readonly number[]): number {
	to.writeUInt16LE(ZIP64_EXTRA_ID, at); // tag for this extra block type
	to.writeUInt16LE(8 * values.length, at + 2); // size of this extra block
	return values.reduce((place, value) => to.writeBigUInt64LE(BigInt(value), place), at + 4);
}

/** The end record (4.3.16), behind the zip64 ones (4.3.14, 4.3.15) where something does not fit into it. */
export function encodeEnd(end: { readonly entryCount: number; readonly directoryOffset: number; readonly directorySize: number }): Buffer {
	const { entryCount, directoryOffset, directorySize } = end;
	const wide = entryCount >= ZIP64_COUNT || directorySize >= ZIP64_FROM || directoryOffset >= ZIP64_FROM;
	const zip64 = wide ? ZIP64_END_RECORD + ZIP64_LOCATOR : 0;
	const bytes = Buffer.alloc(zip64 + END_RECORD);
	if (wide) writeZip64End(bytes, end);
	bytes.writeUInt32LE(END_SIGNATURE, zip64); // end of central dir signature; the numbers of two disks follow
	const count = Math.min(entryCount, ZIP64_COUNT);
	bytes.writeUInt16LE(count, zip64 + 8); // total number of entries in the central directory on this disk
	bytes.writeUInt16LE(count, zip64 + 10); // total number of entries in the central directory
	bytes.writeUInt32LE(Math.min(directorySize, ZIP64_FROM), zip64 + 12); // size of the central directory
	bytes.writeUInt32LE(Math.min(directoryOffset, ZIP64_FROM), zip64 + 16); // offset of start of central directory
	return bytes;
}

function writeZip64End(
	to: Buffer,
	end: { readonly entryCount: number; readonly directoryOffset: number; readonly directorySize: number },
): void {
	const { entryCount, directoryOffset, directorySize } = end;
	to.writeUInt32LE(ZIP64_END_SIGNATURE, 0); // zip64 end of central dir signature
	to.writeBigUInt64LE(BigInt(ZIP64_END_RECORD - 12), 4); // size of zip64 end of central directory record
	to.writeUInt16LE(MADE_BY, 12); // version made by
	to.writeUInt16LE(NEEDS_ZIP64, 14); // version needed to extract; the numbers of two disks follow
	to.writeBigUInt64LE(BigInt(entryCount), 24); // total number of entries in the central directory on this disk
	to.writeBigUInt64LE(BigInt(entryCount), 32); // total number of entries in the central directory
	to.writeBigUInt64LE(BigInt(directorySize), 40); // size of the central directory
	to.writeBigUInt64LE(BigInt(directoryOffset), 48); // offset of start of central directory
	to.writeUInt32LE(ZIP64_LOCATOR_SIGNATURE, ZIP64_END_RECORD); // zip64 end of central dir locator signature; the number of a disk follows
	to.writeBigUInt64LE(BigInt(directoryOffset + directorySize), ZIP64_END_RECORD + 8); // relative offset of the zip64 end of central directory record
	to.writeUInt32LE(1, ZIP64_END_RECORD + 16); // total number of disks
}
