/** Thrown where an index file is not as Dovecot writes it; the message says what and where. */
export class BrokenIndex extends Error {
	override readonly name = 'BrokenIndex';
}

/** Keywords of all messages of one folder, while snapshot and logs are applied. */
export interface KeywordState {
	/** Keyword numbers to names. */
	readonly names: string[];
	/** Keyword numbers by UID; UIDs ascend. */
	readonly byUid: Map<number, Set<number>>;
}

export interface IndexSnapshot {
	readonly state: KeywordState;
	readonly indexId: number;
	/** The log that goes on from here, and the offset in it. */
	readonly logSequence: number;
	readonly logOffset: number;
}

const MAJOR_VERSION = 7;
const LITTLE_ENDIAN = 0x01;
/** Up to and with the log head offset at 68. */
const SMALLEST_HEADER = 72;
const EXTENSION_HEADER = 16;
/** Dovecot allows no more keywords than fit into the record; this is far above any real folder. */
const MAX_KEYWORDS = 4096;

interface KeywordColumn {
	readonly offset: number;
	readonly size: number;
}

/** Reads `dovecot.index`: the keywords of every record, and where the log goes on. Throws BrokenIndex. */
export function parseIndexSnapshot(bytes: Buffer): IndexSnapshot {
	if (bytes.length < SMALLEST_HEADER) throw new BrokenIndex(`dovecot.index has ${bytes.length} bytes (${SMALLEST_HEADER} at least)`);
	if (bytes[0] !== MAJOR_VERSION) throw new BrokenIndex(`dovecot.index is of version ${bytes[0]} (${MAJOR_VERSION} is known)`);
	if (bytes[12] !== LITTLE_ENDIAN) throw new BrokenIndex('dovecot.index was written on a machine of another byte order');
	const baseSize = bytes.readUInt16LE(2);
	const headerSize = bytes.readUInt32LE(4);
	const recordSize = bytes.readUInt32LE(8);
	const records = bytes.readUInt32LE(32);
	if (baseSize < SMALLEST_HEADER || headerSize < baseSize || headerSize > bytes.length) {
		throw new BrokenIndex(`the header of dovecot.index ends at ${headerSize} (file has ${bytes.length} bytes)`);
	}
	if (recordSize < 5 || headerSize + records * recordSize > bytes.length) {
		throw new BrokenIndex(`dovecot.index is cut off: ${records} records of ${recordSize} bytes (file has ${bytes.length} bytes)`);
	}
	const state: KeywordState = { names: [], byUid: new Map() };
	const column = parseExtensions(bytes.subarray(0, headerSize), baseSize, state.names);
	if (column !== null && column.offset + column.size > recordSize) {
		throw new BrokenIndex(`keywords of dovecot.index lie at ${column.offset} (records have ${recordSize} bytes)`);
	}
	for (let number = 0; number < records; number++) {
		const start = headerSize + number * recordSize;
		const uid = bytes.readUInt32LE(start);
		const set = new Set<number>();
		if (column !== null) addBits(set, bytes.subarray(start + column.offset, start + column.offset + column.size), state.names.length);
		state.byUid.set(uid, set);
	}
	return { state, indexId: bytes.readUInt32LE(16), logSequence: bytes.readUInt32LE(60), logOffset: bytes.readUInt32LE(68) };
}

/** Keyword i is bit i mod 8 of byte i/8. */
function addBits(set: Set<number>, bits: Buffer, keywords: number): void {
	for (let keyword = 0; keyword < Math.min(keywords, bits.length * 8); keyword++) {
		if (((bits[keyword >> 3] ?? 0) >> (keyword & 7)) & 1) set.add(keyword);
	}
}

/** Finds the extension `keywords`, and adds its names. */
function parseExtensions(header: Buffer, baseSize: number, names: string[]): KeywordColumn | null {
	let position = align8(baseSize);
	while (position + EXTENSION_HEADER <= header.length) {
		const dataSize = header.readUInt32LE(position);
		const offset = header.readUInt16LE(position + 8);
		const size = header.readUInt16LE(position + 10);
		const nameLength = header.readUInt16LE(position + 14);
		const dataStart = position + align8(EXTENSION_HEADER + nameLength);
		const end = dataStart + align8(dataSize);
		if (dataStart + dataSize > header.length) throw new BrokenIndex(`an extension of dovecot.index at ${position} is cut off`);
		const name = header.toString('latin1', position + EXTENSION_HEADER, position + EXTENSION_HEADER + nameLength);
		if (name === 'keywords') {
			names.push(...parseNames(header.subarray(dataStart, dataStart + dataSize)));
			return { offset, size };
		}
		position = end;
	}
	return null;
}

/** u32 count, count times {u32 unused, u32 offset of the name}, names that end with NUL. */
function parseNames(data: Buffer): string[] {
	if (data.length < 4) return [];
	const count = data.readUInt32LE(0);
	const textStart = 4 + count * 8;
	if (count > MAX_KEYWORDS || textStart > data.length) throw new BrokenIndex(`dovecot.index names ${count} keywords, which do not fit`);
	const names: string[] = [];
	for (let number = 0; number < count; number++) {
		const start = textStart + data.readUInt32LE(4 + number * 8 + 4);
		const end = data.indexOf(0, start);
		if (start >= data.length || end < 0) throw new BrokenIndex(`name ${number} of the keywords in dovecot.index is cut off`);
		names.push(data.toString('utf8', start, end));
	}
	return names;
}

function align8(size: number): number {
	return Math.ceil(size / 8) * 8;
}
