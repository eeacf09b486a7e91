import { randomBytes } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { formatInstant, MailsealError, systemCode } from '../domain/index.ts';
import { acquireLock, asMailsealError, type Files, type Lock, listNames, sizeOf } from '../platform/index.ts';
import { HEAD_FILE, LOCK_FILE } from './layout.ts';
import { NOTHING_OFFSITE, type Offsite } from './offsite.ts';
import { README_TEXT, RECOVER_SCRIPT } from './readme.ts';

/** An archive on this machine, opened. Nothing is held open until it is needed. */
export interface Archive {
	readonly dir: string;
	/** 32 lower-case hex digits, made at birth. */
	readonly id: string;
	/** Parts of a message of at least so many bytes are stored apart from it; fixed at birth, so that one file is always one attachment. */
	readonly attachmentMin: number;
	readonly files: Files;
	/** False where this process may only read. */
	readonly writable: boolean;
	/** Told when something takes longer than expected and why. */
	warn(text: string): void;
	/** Bundles that need not be here. */
	readonly offsite: Offsite;
	/** The file that makes a folder an archive, as it stands. */
	readHead(): Uint8Array;
	/** For whoever changes the archive; throws `busy` or `read-only`. */
	lock(): Lock;
	/** Ends what reading from targets opened. */
	close(): Promise<void>;
}

interface Head {
	readonly format: 1;
	readonly id: string;
	readonly created: string;
	readonly attachmentMin: number;
}

export interface OpenArchiveOptions {
	readonly dir: string;
	readonly files: Files;
	/** Makes the archive where there is none. */
	readonly create?: boolean;
	/** The clock for the date of birth, milliseconds since 1970. */
	readonly now?: number;
	/** For a new archive: parts of at least so many bytes are stored apart. Default: 8 KiB. */
	readonly attachmentMin?: number;
	readonly warn?: (text: string) => void;
	/** Where bundles lie that are not here. Default: all of them are. */
	readonly offsite?: Offsite;
}

/** Smaller parts stay inside their messages; docs/benchmarks.md has the table that it follows from. Bytes. */
export const ATTACHMENT_MIN = 8 * 1024;

/** Opens an archive; throws `not-found` where there is none, `format-newer` where a later mailseal made it. */
export function openArchive(options: OpenArchiveOptions): Archive {
	const { files } = options;
	// Once, for all paths below it: join() drops `..` by its text, and the system would follow a link before it.
	const dir = normalize(options.dir);
	const path = join(dir, HEAD_FILE);
	// Not existsSync(), which takes a folder that may not be entered for one without an archive.
	if (sizeOf(path) === null) {
		if (options.create !== true) {
			throw new MailsealError('not-found', `Cannot open the archive "${dir}": there is no ${HEAD_FILE} in it`, {
				hint: 'name it with --archive DIR or MAILSEAL_ARCHIVE; "mailseal pack" makes a new one',
			});
		}
		create({ ...options, dir });
	}
	const head = readHead(path);
	const offsite = options.offsite ?? NOTHING_OFFSITE;
	return {
		dir,
		id: head.id,
		attachmentMin: head.attachmentMin,
		files,
		writable: canWrite(dir),
		warn: options.warn ?? (() => {}),
		offsite,
		readHead: () => readFileSync(path),
		lock: () => lockOf(dir),
		close: () => offsite.close(),
	};
}

/** Id of the archive in a folder; null where there is none, or its head cannot be read: then another way must tell. */
export function archiveIdAt(dir: string): string | null {
	const path = join(dir, HEAD_FILE);
	try {
		return sizeOf(path) === null ? null : readHead(path).id;
	} catch (error) {
		if (error instanceof MailsealError && (error.code === 'archive-damaged' || error.code === 'permission')) return null;
		throw error;
	}
}

function canWrite(dir: string): boolean {
	try {
		accessSync(dir, constants.W_OK);
		return true;
	} catch (error) {
		const code = systemCode(error);
		if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
		throw asMailsealError(error, 'look at', dir);
	}
}

/** Makes an archive; throws `busy` where another mailseal is at it. */
function create(options: OpenArchiveOptions): void {
	const { dir, files } = options;
	if (!isFree(dir)) return;
	files.makeFolder(dir);
	// A pack that has the archive removes what was cut off, and would take the files that are being written here for that.
	const lock = lockOf(dir);
	try {
		if (isFree(dir)) writeFirst(options);
	} finally {
		lock.release();
	}
}

/** What lies there while an archive is made, and stays where that is cut off: SQLite keeps a journal beside a lock that is held. */
const OF_A_BIRTH: ReadonlySet<string> = new Set([LOCK_FILE, `${LOCK_FILE}-journal`, 'README.txt', 'recover.py']);

/** False where another mailseal has made the archive in the meantime; throws `usage` where the folder is somebody else's. */
function isFree(dir: string): boolean {
	const names = listNames(dir).filter((name) => !OF_A_BIRTH.has(name) && !name.startsWith('.tmp-'));
	// Asked after the listing: what lies beside a head came after it.
	if (names.length === 0 || sizeOf(join(dir, HEAD_FILE)) !== null) return names.length === 0;
	throw new MailsealError('usage', `Cannot make an archive in "${dir}": the folder is not empty (it holds "${names[0]}")`, {
		hint: 'name an empty or a new folder',
	});
}

function writeFirst({ dir, files, now, attachmentMin }: OpenArchiveOptions): void {
	const head: Head = {
		format: 1,
		id: randomBytes(16).toString('hex'),
		created: formatInstant(now ?? Date.now()),
		attachmentMin: attachmentMin ?? ATTACHMENT_MIN,
	};
	files.writeFile(join(dir, 'README.txt'), Buffer.from(README_TEXT), { mode: 0o600, replace: true });
	files.writeFile(join(dir, 'recover.py'), Buffer.from(RECOVER_SCRIPT), { mode: 0o700, replace: true });
	// Written last: a folder without it is no archive yet, and is made again.
	files.writeFile(join(dir, HEAD_FILE), Buffer.from(`${JSON.stringify(head)}\n`), { mode: 0o600 });
}

function lockOf(dir: string): Lock {
	return acquireLock(join(dir, LOCK_FILE), `the archive "${dir}"`);
}

function readHead(path: string): Head {
	let text: string;
	try {
		text = readFileSync(path, 'utf8');
	} catch (error) {
		throw asMailsealError(error, 'read', path);
	}
	return parseHead(text, path);
}

/** What the head of an archive says; throws `archive-damaged`, or `format-newer`. */
export function parseHead(text: string, path: string): Head {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		if (!(error instanceof SyntaxError)) throw error;
		throw new MailsealError('archive-damaged', `Cannot read "${path}": it is not JSON`, {
			hint: 'put the file back from a copy of the archive',
			cause: error,
		});
	}
	const head = (typeof value === 'object' && value !== null ? value : {}) as Partial<Head>;
	const format: unknown = head.format;
	if (typeof format === 'number' && format > 1) {
		throw new MailsealError('format-newer', `Cannot open the archive of "${path}": its format is ${format} (this mailseal knows 1)`, {
			hint: 'use the mailseal that made it, or a later one',
		});
	}
	if (format !== 1 || typeof head.id !== 'string' || !/^[0-9a-f]{32}$/.test(head.id)) {
		throw new MailsealError('archive-damaged', `Cannot read "${path}": it lacks a format or an id`, {
			hint: 'put the file back from a copy of the archive',
		});
	}
	const attachmentMin = head.attachmentMin ?? ATTACHMENT_MIN;
	if (!Number.isSafeInteger(attachmentMin) || attachmentMin < 1) {
		throw new MailsealError('archive-damaged', `Cannot read "${path}": field "attachmentMin" is no number of bytes of 1 or more`, {
			hint: 'put the file back from a copy of the archive',
		});
	}
	return { format: 1, id: head.id, created: String(head.created ?? ''), attachmentMin };
}
