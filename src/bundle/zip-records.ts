import { damaged } from './damage.ts';

// Zip records after PKWARE's APPNOTE 6.3.10; the numbers behind a field are its offset in the record. All integers are little-endian.

/** Sizes and offsets from here on need zip64 (4.4.8, 4.4.9, 4.4.16). */
export const ZIP64_FROM = 0xffffffff;
/** Entry counts from here on need zip64 (4.4.21). */
export const ZIP64_COUNT = 0xffff;

export const LOCAL_HEADER = 30;
export const CENTRAL_RECORD = 46;
export const END_RECORD = 22;
export const ZIP64_END_RECORD = 56;
export const ZIP64_LOCATOR = 20;
/** Zip64 extra field (4.5.3) with both sizes, as a local header must have it. */
export const ZIP64_LOCAL_EXTRA = 20;
/** Zip64 extra field with both sizes and the offset, as the central directory has it. */
export const ZIP64_CENTRAL_EXTRA = 28;

export const UTF8_NAME = 0x0800;
export const ENCRYPTED = 0x0001;
export const DATA_DESCRIPTOR = 0x0008;
export const STORED = 0;

export const LOCAL_SIGNATURE = 0x04034b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const END_SIGNATURE = 0x06054b50;
export const ZIP64_END_SIGNATURE = 0x06064b50;
export const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
export const ZIP64_EXTRA_ID = 0x0001;

/** Local file header (4.3.7), its name and its extra field. */
export interface LocalHeader {
	readonly flags: number;
	readonly method: number;
	readonly crc32: number;
	readonly compressedSize: number;
	readonly size: number;
	readonly name: Uint8Array;
	readonly extraLength: number;
}

/** The local header at the start of `bytes`, or null where there is none or it is cut off. */
export function parseLocalHeader(bytes: Uint8Array): LocalHeader | null {
	const view = asBuffer(bytes);
	if (view.length < LOCAL_HEADER || view.readUInt32LE(0) !== LOCAL_SIGNATURE) return null;
	const nameEnd = LOCAL_HEADER + view.readUInt16LE(26);
	const extraLength = view.readUInt16LE(28);
	if (view.length < nameEnd + extraLength) return null;
	let compressedSize = view.readUInt32LE(18);
	let size = view.readUInt32LE(22);
	const wide = extraLength === ZIP64_LOCAL_EXTRA && view.readUInt16LE(nameEnd) === ZIP64_EXTRA_ID;
	if (wide && view.readUInt16LE(nameEnd + 2) === 16 && size === ZIP64_FROM && compressedSize === ZIP64_FROM) {
		size = Number(view.readBigUInt64LE(nameEnd + 4));
		compressedSize = Number(view.readBigUInt64LE(nameEnd + 12));
	}
	return {
		flags: view.readUInt16LE(6),
		method: view.readUInt16LE(8),
		crc32: view.readUInt32LE(14),
		compressedSize,
		size,
		name: view.subarray(LOCAL_HEADER, nameEnd),
		extraLength,
	};
}

/** Where the central directory lies, from the end record (4.3.16) and, where that overflows, the zip64 one (4.3.14). */
export interface End {
	readonly entryCount: number;
	readonly directoryOffset: number;
	readonly directorySize: number;
}

/** Reads the end of a zip of `size` bytes from its last bytes. Anything behind or between the records is damage. */
export function parseEnd(tail: Uint8Array, size: number): End {
	const view = asBuffer(tail);
	const at = view.length - END_RECORD;
	if (at < 0 || view.readUInt32LE(at) !== END_SIGNATURE) throw noEnd(view);
	const plain: End = {
		entryCount: view.readUInt16LE(at + 10),
		directorySize: view.readUInt32LE(at + 12),
		directoryOffset: view.readUInt32LE(at + 16),
	};
	const disks = view.readUInt32LE(at + 4); // number of this disk, disk with the start of the central directory
	if (disks !== 0 || view.readUInt16LE(at + 8) !== plain.entryCount || view.readUInt16LE(at + 20) !== 0) {
		throw damaged('bad-end-record', 'Cannot open bundle: its end record speaks of several disks, two entry counts or a comment');
	}
	const wide = plain.entryCount === ZIP64_COUNT || plain.directorySize === ZIP64_FROM || plain.directoryOffset === ZIP64_FROM;
	const end = wide ? parseZip64End(view, { size, plain }) : plain;
	const expected = size - END_RECORD - (wide ? ZIP64_LOCATOR + ZIP64_END_RECORD : 0);
	if (end.directoryOffset + end.directorySize !== expected) {
		throw damaged(
			'directory-misplaced',
			`Cannot open bundle: its directory is said to end at byte ${end.directoryOffset + end.directorySize} (${expected} is where its end record begins)`,
		);
	}
	return end;
}

function parseZip64End(view: Buffer, options: { readonly size: number; readonly plain: End }): End {
	const { size, plain } = options;
	const locator = view.length - END_RECORD - ZIP64_LOCATOR;
	const record = locator - ZIP64_END_RECORD;
	const place = size - END_RECORD - ZIP64_LOCATOR - ZIP64_END_RECORD;
	const ok =
		record >= 0 &&
		view.readUInt32LE(locator) === ZIP64_LOCATOR_SIGNATURE &&
		view.readUInt32LE(locator + 4) === 0 && // number of the disk with the zip64 end record
		view.readBigUInt64LE(locator + 8) === BigInt(place) && // relative offset of the zip64 end record
		view.readUInt32LE(locator + 16) === 1 && // total number of disks
		view.readUInt32LE(record) === ZIP64_END_SIGNATURE &&
		view.readBigUInt64LE(record + 4) === BigInt(ZIP64_END_RECORD - 12) && // size of this record
		view.readBigUInt64LE(record + 16) === 0n && // number of this disk, disk with the start of the central directory
		view.readBigUInt64LE(record + 24) === view.readBigUInt64LE(record + 32); // entries on this disk, entries in all
	if (!ok) throw damaged('bad-end-record', 'Cannot open bundle: its zip64 end record is missing or broken');
	const end: End = {
		entryCount: Number(view.readBigUInt64LE(record + 32)),
		directorySize: Number(view.readBigUInt64LE(record + 40)),
		directoryOffset: Number(view.readBigUInt64LE(record + 48)),
	};
	const agree =
		(plain.entryCount === ZIP64_COUNT || plain.entryCount === end.entryCount) &&
		(plain.directorySize === ZIP64_FROM || plain.directorySize === end.directorySize) &&
		(plain.directoryOffset === ZIP64_FROM || plain.directoryOffset === end.directoryOffset);
	if (!agree) throw damaged('bad-end-record', 'Cannot open bundle: its two end records differ');
	return end;
}

function noEnd(tail: Buffer): Error {
	const signature = Buffer.alloc(4);
	signature.writeUInt32LE(END_SIGNATURE, 0);
	const found = tail.lastIndexOf(signature);
	if (found >= 0 && found + END_RECORD < tail.length) {
		return damaged('junk-after', `Cannot open bundle: ${tail.length - found - END_RECORD} bytes follow its end record`);
	}
	return damaged('truncated', 'Cannot open bundle: it has no end record (a zip ends with one)');
}

export function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
