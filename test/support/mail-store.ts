import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from './archive.ts';

/** Any day would do; packs of these stores are judged by clocks that count from it. */
export const DAY_ZERO = Date.UTC(2026, 0, 1);
export const DAY = 86_400_000;

export interface NewMail {
	/** Internal date, milliseconds since 1970; DAY_ZERO where left out. */
	readonly at?: number;
	readonly subject?: string;
	/** The whole message; made up from the name where left out, so that the same key is the same message. */
	readonly content?: string | Uint8Array;
}

/**
 * Maildirs `<root>/<account>/Maildir` whose messages are named `account/folder/file name`: with `:2,` in `cur`, without in `new`.
 * Directories change their mtimes with every change and still look long settled.
 */
export interface MailStore {
	readonly root: string;
	readonly spec: string;
	put(place: string, mail?: NewMail): void;
	rename(from: string, to: string): void;
	remove(place: string): void;
	/** A file beside the mail of a folder; `place` is `account/folder/name`. */
	write(place: string, content: string): void;
	removeFolder(account: string, folder: string): void;
	removeAccount(account: string): void;
	read(place: string): Buffer;
}

export function makeMailStore(root = temporaryFolder()): MailStore {
	let changes = 0;

	function directoryOf(account: string, folder: string): string {
		const top = join(root, account, 'Maildir');
		return folder === 'INBOX' ? top : join(top, `.${folder.replaceAll('/', '.')}`);
	}

	function pathOf(place: string): string {
		const { account, folder, name } = splitPlace(place);
		return join(directoryOf(account, folder), name.includes(':2,') ? 'cur' : 'new', name);
	}

	function makeFolder(account: string, folder: string): void {
		const directory = directoryOf(account, folder);
		if (existsSync(join(directory, 'cur'))) return;
		for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
		settle(directory);
		if (folder === 'INBOX') return;
		makeFolder(account, 'INBOX');
		// The new directory lies in it.
		settle(directoryOf(account, 'INBOX'));
	}

	function settle(directory: string): void {
		const at = new Date(DAY_ZERO - 365 * DAY + ++changes * 10_000);
		for (const name of ['cur', 'new', 'tmp', '.']) utimesSync(join(directory, name), at, at);
	}

	return {
		root,
		spec: `maildir:${root}/{account}/Maildir`,
		put(place, mail = {}) {
			const { account, folder, name } = splitPlace(place);
			makeFolder(account, folder);
			const key = name.replace(/:2,.*/, '');
			const at = new Date(mail.at ?? DAY_ZERO);
			const content = mail.content ?? `Message-ID: <${key}@test.example>\nSubject: ${mail.subject ?? key}\n\nThis is ${key}.\n`;
			writeFileSync(pathOf(place), content, { mode: 0o600 });
			utimesSync(pathOf(place), at, at);
			settle(directoryOf(account, folder));
		},
		rename(from, to) {
			const target = splitPlace(to);
			makeFolder(target.account, target.folder);
			renameSync(pathOf(from), pathOf(to));
			for (const path of [from, to]) settle(dirname(dirname(pathOf(path))));
		},
		remove(place) {
			unlinkSync(pathOf(place));
			settle(dirname(dirname(pathOf(place))));
		},
		write(place, content) {
			const { account, folder, name } = splitPlace(place);
			const directory = directoryOf(account, folder);
			writeFileSync(join(directory, name), content, { mode: 0o600 });
			const at = new Date(DAY_ZERO - 365 * DAY + ++changes * 10_000);
			utimesSync(join(directory, name), at, at);
			settle(directory);
		},
		removeFolder(account, folder) {
			rmSync(directoryOf(account, folder), { recursive: true });
			settle(directoryOf(account, 'INBOX'));
		},
		removeAccount(account) {
			rmSync(join(root, account), { recursive: true });
		},
		read: (place) => readFileSync(pathOf(place)),
	};
}

function splitPlace(place: string): { account: string; folder: string; name: string } {
	const [account = '', ...rest] = place.split('/');
	const name = rest.pop() ?? '';
	return { account, folder: rest.join('/'), name };
}

/** A message of exactly this many bytes that does not compress. */
export function noisyMail(name: string, size: number): Buffer {
	const head = Buffer.from(`Subject: ${name}\n\n`);
	const bytes = Buffer.alloc(size);
	let state = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0;
	for (let index = 0; index < size; index++) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		bytes[index] = state >>> 16;
	}
	head.copy(bytes);
	return bytes;
}
