import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new directory, free of symbolic links, that is removed when the test ends. */
export function temporaryDirectory(): string {
	const path = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-test-')));
	onTestFinished(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/** One file of a small Maildir. */
export interface SmallMessage {
	/** `cur` where left out. */
	readonly dir?: 'cur' | 'new' | 'tmp';
	/** As it is on disk; bytes where it is not UTF-8. */
	readonly name: string | Buffer;
	readonly content?: string | Uint8Array;
	/** Internal date. */
	readonly date?: Date;
}

export interface SmallFolder {
	readonly messages?: readonly SmallMessage[];
	/** Files beside the messages, by path. */
	readonly files?: Readonly<Record<string, string | Uint8Array>>;
	/** Symbolic links beside the messages, by path: their text. */
	readonly links?: Readonly<Record<string, string>>;
}

/** An instant long ago, so that no directory looks freshly changed. */
export const LONG_AGO = new Date('2020-03-01T12:00:00.000Z');

/** Makes a directory with `cur`, `new`, `tmp` and what `folder` says; all directories get the mtime LONG_AGO. */
export function makeFolder(path: string | Buffer, folder: SmallFolder = {}): void {
	const top = Buffer.from(path);
	for (const dir of ['cur', 'new', 'tmp']) mkdirSync(under(top, dir), { recursive: true, mode: 0o700 });
	for (const { dir = 'cur', name, content = 'Subject: hello\n\nhello\n', date = LONG_AGO } of folder.messages ?? []) {
		const file = under(under(top, dir), name);
		writeFileSync(file, content, { mode: 0o600 });
		utimesSync(file, date, date);
	}
	for (const [name, content] of Object.entries(folder.files ?? {})) {
		const place = join(top.toString(), name);
		mkdirSync(join(place, '..'), { recursive: true });
		writeFileSync(place, content, { mode: 0o600 });
		for (const changed of [place, join(place, '..')]) utimesSync(changed, LONG_AGO, LONG_AGO);
	}
	for (const [name, text] of Object.entries(folder.links ?? {})) symlinkSync(text, join(top.toString(), name));
	settle(top);
}

/** Makes a folder look as if nothing had changed for years. */
export function settle(path: string | Buffer): void {
	for (const dir of ['cur', 'new', 'tmp', '.']) utimesSync(under(Buffer.from(path), dir), LONG_AGO, LONG_AGO);
}

/** Makes a Maildir++ below `root`: folders by their directories, the top as the empty string. */
export function makeMaildir(root: string, folders: Readonly<Record<string, SmallFolder>>): void {
	for (const [dir, folder] of Object.entries(folders)) makeFolder(dir === '' ? root : join(root, dir), folder);
	utimesSync(root, LONG_AGO, LONG_AGO);
}

function under(directory: Buffer, name: string | Buffer): Buffer {
	return Buffer.concat([directory, Buffer.from('/'), Buffer.from(name)]);
}
