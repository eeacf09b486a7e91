import { closeSync, futimesSync, mkdirSync, openSync, readFileSync, renameSync, utimesSync, writeSync } from 'node:fs';

/** Names on disk as Dovecot gives them: Maildir++, levels in modified UTF-7 (RFC 3501, 5.1.3). Empty for INBOX. */
export function folderDirectory(folder: string): string {
	return folder === 'INBOX' ? '' : `.${folder.split('/').map(encodeLevel).join('.')}`;
}

/** A folder as a line of `subscriptions`. */
export function subscriptionLine(folder: string): string {
	return folder.split('/').map(encodeLevel).join('\t');
}

function encodeLevel(level: string): string {
	return level.replaceAll('&', '&-').replace(/[^ -~]+/g, (run) => {
		const units = Buffer.from(run, 'utf16le').swap16();
		return `&${units.toString('base64').replaceAll('=', '').replaceAll('/', ',')}-`;
	});
}

/** The name of a delivered or saved file, without `:2,`. `size` in bytes, `virtual` with every LF counted as CRLF. */
export function baseName(options: {
	readonly at: number;
	readonly micros: number;
	readonly pid: number;
	readonly size: number;
	readonly virtual: number;
}): string {
	const { at, micros, pid, size, virtual } = options;
	return `${Math.floor(at / 1000)}.M${micros}P${pid}.mx1.example.org,S=${size},W=${virtual}`;
}

/** Instants on disk are cut to eighths of a second: they survive the way through floating-point seconds exactly. */
export function toEighth(milliseconds: number): number {
	return Math.floor(milliseconds / 125) * 125;
}

/** Makes the file; fails where the name is taken. `at` is its mtime, milliseconds since 1970. */
export function createMessage(path: string, options: { readonly bytes: Uint8Array; readonly at: number }): void {
	const descriptor = openSync(path, 'wx', 0o600);
	try {
		let done = 0;
		while (done < options.bytes.length) done += writeSync(descriptor, options.bytes, done, options.bytes.length - done);
		futimesSync(descriptor, options.at / 1000, options.at / 1000);
	} finally {
		closeSync(descriptor);
	}
}

/** Writes a small file and renames it over what is there, as Dovecot does; a hard link to the old file keeps its bytes. */
export function replaceFile(path: string, options: { readonly text: string; readonly at: number }): void {
	createMessage(`${path}.lock`, { bytes: Buffer.from(options.text), at: options.at });
	renameSync(`${path}.lock`, path);
}

export function makeMaildir(path: string): void {
	for (const name of ['', '/cur', '/new', '/tmp']) mkdirSync(path + name, { mode: 0o700, recursive: name === '' });
}

export function setTime(path: string, at: number): void {
	utimesSync(path, at / 1000, at / 1000);
}

export interface UidLine {
	readonly uid: number;
	readonly base: string;
}

/** `dovecot-uidlist`, version 3. */
export interface UidList {
	readonly validity: number;
	next: number;
	readonly guid: string;
	lines: UidLine[];
}

/** `next` as the file shall state it; it may lag behind the lines. */
export function formatUidList(list: UidList, next = list.next): string {
	let text = `3 V${list.validity} N${next} G${list.guid}\n`;
	for (const line of list.lines) text += `${line.uid} :${line.base}\n`;
	return text;
}

/** Reads what formatUidList wrote. */
export function readUidList(path: string): UidList {
	const rows = readFileSync(path, 'utf8').split('\n');
	const header = /^3 V(\d+) N(\d+) G([0-9a-f]{32})$/.exec(rows[0] ?? '');
	if (!header) throw new Error(`Cannot read "${path}": its first line is ${JSON.stringify(rows[0])}`);
	const lines = rows.slice(1, -1).map((row) => {
		const space = row.indexOf(' :');
		return { uid: Number(row.slice(0, space)), base: row.slice(space + 2) };
	});
	const next = Math.max(Number(header[2]), (lines.at(-1)?.uid ?? 0) + 1);
	return { validity: Number(header[1]), next, guid: header[3] ?? '', lines };
}
