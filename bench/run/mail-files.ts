import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { NOW } from './workplace.ts';

const DAY = 86_400_000;

/** Files that hold one mail each, sorted: those in a `cur` or `new`, and `*.eml` anywhere. */
export function listMail(folder: string): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.filter((path) => path.endsWith('.eml') || ['cur', 'new'].includes(basename(dirname(path))))
		.sort();
}

/**
 * Copies each mail below `folder` into the INBOX of one account below `root`, as makeTree lays accounts out. All of it
 * is a year old, whatever the files say, so that the same mail is packed in the same way each time.
 */
export function makeMaildirOf(folder: string, root: string): { readonly messages: number; readonly bytes: number } {
	const maildir = join(root, 'mail@example.org', 'Maildir');
	for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, name), { recursive: true, mode: 0o700 });
	let bytes = 0;
	const files = listMail(folder);
	for (const [n, file] of files.entries()) {
		const mail = readFileSync(file);
		const seconds = Math.floor((NOW - 365 * DAY) / 1000) + n;
		const target = join(maildir, 'cur', `${seconds}.M${n}P1.mx1.example.org,S=${mail.length}:2,S`);
		writeFileSync(target, mail, { mode: 0o600 });
		utimesSync(target, seconds, seconds);
		bytes += mail.length;
	}
	for (const name of ['cur', 'new', 'tmp', '']) utimesSync(join(maildir, name), (NOW - DAY) / 1000, (NOW - DAY) / 1000);
	return { messages: files.length, bytes };
}
