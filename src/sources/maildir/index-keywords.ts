import type { Finding } from '../../domain/index.ts';
import { type DiskPath, shownPath, under } from './disk-name.ts';
import { BrokenIndex, type KeywordState, parseIndexSnapshot } from './dovecot-index.ts';
import { applyLog, type LogFile, parseLogHeader } from './dovecot-log.ts';
import { readSmallFile } from './small-file.ts';

/** Keywords that only Dovecot's index files hold. */
export interface IndexKeywords {
	/** By UID; messages without any are left out. */
	readonly byUid: ReadonlyMap<number, readonly string[]>;
}

/** The three files, each null where it is absent. */
export interface IndexFiles {
	readonly index: Buffer | null;
	readonly log: Buffer | null;
	readonly olderLog: Buffer | null;
}

const LIMIT = 64 * 1024 * 1024;
const TRIES = 3;
/** Characters of all keywords of a message: anyone can give thousands to each of theirs. */
const MAX_LENGTH = 8192;

/** The keywords of a folder beyond those that `table` names; null where there are none. A damaged index is a finding. */
export function readIndexKeywords(directory: DiskPath, table: readonly (string | undefined)[], findings: Finding[]): IndexKeywords | null {
	for (let attempt = 1; ; attempt++) {
		try {
			const state = parseIndexFiles(readFiles(directory));
			return state === null ? null : beyondTable(state, table);
		} catch (error) {
			if (!(error instanceof BrokenIndex)) throw error;
			// Dovecot may have replaced one of the three between two reads.
			if (attempt < TRIES) continue;
			findings.push({
				code: 'keyword-index-damaged',
				severity: 'warning',
				subject: shownPath(directory),
				text: `keywords beyond the 26th of this folder are not packed: ${error.message}`,
				hint: 'open the folder once with Dovecot, which repairs its index, and pack again',
			});
			return null;
		}
	}
}

/** Snapshot first, then the log, then the older log: a rotation between two reads then loses nothing. */
function readFiles(directory: DiskPath): IndexFiles {
	return {
		index: readFile(directory, 'dovecot.index'),
		log: readFile(directory, 'dovecot.index.log'),
		olderLog: readFile(directory, 'dovecot.index.log.2'),
	};
}

function readFile(directory: DiskPath, name: string): Buffer | null {
	const file = readSmallFile(under(directory, name), LIMIT);
	if (file.kind === 'absent') return null;
	if (file.kind === 'file') return file.bytes;
	throw new BrokenIndex(`${name} cannot be read${file.kind === 'link' ? ', it is a symbolic link' : ` (${file.finding.text})`}`);
}

/** The state of all keywords; null where there are no index files. Throws BrokenIndex. */
export function parseIndexFiles(files: IndexFiles): KeywordState | null {
	const snapshot = files.index === null ? null : parseIndexSnapshot(files.index);
	const logs = [files.olderLog, files.log]
		.filter((bytes) => bytes !== null)
		.map(parseLogHeader)
		.sort((a, b) => a.sequence - b.sequence);
	if (snapshot === null && logs.length === 0) return null;
	const state: KeywordState = snapshot?.state ?? { names: [], byUid: new Map() };
	const wanted = snapshot === null ? logs : logs.filter((log) => log.sequence >= snapshot.logSequence);
	const first = wanted[0];
	if (snapshot !== null && first?.sequence !== snapshot.logSequence) {
		throw new BrokenIndex(`dovecot.index goes on in log ${snapshot.logSequence}, which is not there`);
	}
	if (snapshot === null && first?.previousSequence !== 0)
		throw new BrokenIndex('there is no dovecot.index, and the oldest log is not the first');
	let before: LogFile | undefined;
	for (const log of wanted) {
		if (snapshot !== null && log.indexId !== snapshot.indexId) throw new BrokenIndex('dovecot.index and its log are of two folders');
		if (before !== undefined && log.previousSequence !== before.sequence) throw new BrokenIndex('a log between the two is missing');
		applyLog(state, log, snapshot !== null && before === undefined ? Math.max(snapshot.logOffset, log.start) : log.start);
		before = log;
	}
	return state;
}

function beyondTable(state: KeywordState, table: readonly (string | undefined)[]): IndexKeywords | null {
	const inTable = new Set(table.map((name) => name?.toLowerCase()));
	const beyond = new Map<number, string>();
	for (const [number, name] of state.names.entries()) if (!inTable.has(name.toLowerCase())) beyond.set(number, name);
	if (beyond.size === 0) return null;
	const byUid = new Map<number, readonly string[]>();
	for (const [uid, keywords] of state.byUid) {
		const names = [...keywords].flatMap((number) => beyond.get(number) ?? []);
		if (names.reduce((total, { length }) => total + length, 0) > MAX_LENGTH) throw new BrokenIndex(`message ${uid} has too many of them`);
		if (names.length > 0) byUid.set(uid, names);
	}
	return { byUid };
}
