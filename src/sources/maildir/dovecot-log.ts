import { BrokenIndex, type KeywordState } from './dovecot-index.ts';

const MAJOR_VERSION = 1;
/** Up to and with the previous file's offset. */
const SMALLEST_HEADER = 24;
const RECORD_HEADER = 8;
/** Four bytes whose high bits are set: Dovecot sets them last, when the record is whole. */
const FINISHED = 0x8080_8080;
const KIND = 0x0fff_ffff;
const EXTERNAL = 0x1000_0000;

const APPEND = 0x02;
const EXPUNGE = [0x01, 0xcd91];
const EXPUNGE_GUID = [0x2000, 0xed90];
const KEYWORD_UPDATE = 0x400;
const KEYWORD_RESET = 0x800;
const BOUNDARY = 0x80000;

/** Steps that a log may cost, so that a forged one cannot keep us busy. */
const MAX_STEPS = 20_000_000;
const MAX_KEYWORDS = 4096;

export interface LogFile {
	readonly indexId: number;
	readonly sequence: number;
	readonly previousSequence: number;
	/** Where the first record starts. */
	readonly start: number;
	readonly bytes: Buffer;
}

/** Reads the header of `dovecot.index.log`. Throws BrokenIndex. */
export function parseLogHeader(bytes: Buffer): LogFile {
	if (bytes.length < SMALLEST_HEADER) throw new BrokenIndex(`dovecot.index.log has ${bytes.length} bytes (${SMALLEST_HEADER} at least)`);
	if (bytes[0] !== MAJOR_VERSION) throw new BrokenIndex(`dovecot.index.log is of version ${bytes[0]} (${MAJOR_VERSION} is known)`);
	const start = bytes.readUInt16LE(2);
	const indexId = bytes.readUInt32LE(4);
	if (start < SMALLEST_HEADER || start > bytes.length) throw new BrokenIndex(`records of dovecot.index.log start at ${start}`);
	if (indexId === 0) throw new BrokenIndex('Dovecot has marked dovecot.index.log as bad');
	return { indexId, sequence: bytes.readUInt32LE(8), previousSequence: bytes.readUInt32LE(12), start, bytes };
}

/** Applies to `state` what a log says of messages and keywords from `offset` on, up to the first record that is not finished. */
export function applyLog(state: KeywordState, log: LogFile, offset: number): void {
	const { bytes } = log;
	const budget = { steps: MAX_STEPS };
	let position = offset;
	while (position + RECORD_HEADER <= bytes.length) {
		const size = recordSize(bytes.readUInt32BE(position));
		if (size === null || position + size > bytes.length) return;
		if (size < RECORD_HEADER) throw new BrokenIndex(`a record of dovecot.index.log at ${position} has ${size} bytes`);
		const type = bytes.readUInt32LE(position + 4);
		const kind = type & KIND;
		const data = bytes.subarray(position + RECORD_HEADER, position + size);
		if (kind === BOUNDARY) {
			// A transaction counts as a whole or not at all.
			if (data.length < 4 || position + data.readUInt32LE(0) > bytes.length) return;
		} else applyRecord(state, { kind, isExternal: (type & EXTERNAL) !== 0, data, budget });
		position += size;
	}
}

/** Seven bits of each byte, in units of four bytes; null for a record that is not finished. */
function recordSize(value: number): number | null {
	if ((value & FINISHED) >>> 0 !== FINISHED) return null;
	return 4 * ((value & 0x7f) + (((value >>> 8) & 0x7f) << 7) + (((value >>> 16) & 0x7f) << 14) + (((value >>> 24) & 0x7f) << 21));
}

interface LogRecord {
	readonly kind: number;
	readonly isExternal: boolean;
	readonly data: Buffer;
	readonly budget: { steps: number };
}

function applyRecord(state: KeywordState, record: LogRecord): void {
	const { kind, data } = record;
	if (kind === APPEND) {
		for (let at = 0; at + 8 <= data.length; at += 8) state.byUid.set(data.readUInt32LE(at), new Set());
	} else if (EXPUNGE.includes(kind)) {
		// Without the external bit it is only a request.
		if (record.isExternal) forRanges(state, record, 0, (uid) => state.byUid.delete(uid));
	} else if (EXPUNGE_GUID.includes(kind)) {
		if (!record.isExternal) return;
		for (let at = 0; at + 20 <= data.length; at += 20) state.byUid.delete(data.readUInt32LE(at));
	} else if (kind === KEYWORD_UPDATE) {
		updateKeyword(state, record);
	} else if (kind === KEYWORD_RESET) {
		forRanges(state, record, 0, (_uid, keywords) => keywords.clear());
	}
}

/** u8 0 to add or 1 to remove, u8, u16 name length, name, padding to 4, ranges of UIDs. */
function updateKeyword(state: KeywordState, record: LogRecord): void {
	const { data } = record;
	if (data.length < 4) throw new BrokenIndex('a keyword record of dovecot.index.log is cut off');
	const nameEnd = 4 + data.readUInt16LE(2);
	if (nameEnd > data.length) throw new BrokenIndex('a keyword name in dovecot.index.log is cut off');
	const name = data.toString('utf8', 4, nameEnd);
	let keyword = state.names.findIndex((known) => known.toLowerCase() === name.toLowerCase());
	if (keyword < 0) {
		if (state.names.length >= MAX_KEYWORDS) throw new BrokenIndex(`dovecot.index.log names more than ${MAX_KEYWORDS} keywords`);
		keyword = state.names.push(name) - 1;
	}
	const isRemoval = data[0] === 1;
	forRanges(state, record, Math.ceil(nameEnd / 4) * 4, (_uid, keywords) => {
		if (isRemoval) keywords.delete(keyword);
		else keywords.add(keyword);
	});
}

/** Calls back for each message in ranges {u32 first UID, u32 last UID}. */
function forRanges(state: KeywordState, record: LogRecord, from: number, visit: (uid: number, keywords: Set<number>) => void): void {
	const { data, budget } = record;
	for (let at = from; at + 8 <= data.length; at += 8) {
		const first = data.readUInt32LE(at);
		const last = data.readUInt32LE(at + 4);
		// A range is walked by number where it is short, else by message.
		const isShort = last - first < state.byUid.size;
		budget.steps -= isShort ? Math.max(last - first + 1, 1) : state.byUid.size;
		if (budget.steps < 0) throw new BrokenIndex('dovecot.index.log is longer than any that Dovecot writes');
		if (isShort) {
			for (let uid = first; uid <= last; uid++) {
				const keywords = state.byUid.get(uid);
				if (keywords !== undefined) visit(uid, keywords);
			}
			continue;
		}
		for (const [uid, keywords] of state.byUid) if (uid >= first && uid <= last) visit(uid, keywords);
	}
}
