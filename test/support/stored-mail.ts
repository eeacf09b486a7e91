import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads one account of a Maildir with plain calls and shares no code with mailseal, so that no mistake can be made on
 * both sides. Names are taken to be UTF-8.
 */
export interface FileFacts {
	/** Of the bytes, or of the text of a symbolic link. */
	readonly sha256: string;
	/** Whole milliseconds since 1970. */
	readonly mtime: number;
	/** Type and permission bits, octal, with the owner's numbers. */
	readonly access: string;
}

export interface StoredMessage extends FileFacts {
	/** `cur/<name>` or `new/<name>`. */
	readonly path: string;
	/** As Dovecot names them, sorted. */
	readonly flags: readonly string[];
	/** Those that the file name holds, sorted. */
	readonly keywords: readonly string[];
	/** Undefined where no uidlist knows the file. */
	readonly uid: number | undefined;
	/** Dovecot's GUID: the G field of the uidlist, else the base name. */
	readonly guid: string;
}

export interface StoredFolder {
	readonly uidValidity: number | undefined;
	readonly uidNext: number | undefined;
	readonly guid: string | undefined;
	/** Of the folder's directory. */
	readonly access: string;
	/** By base name. */
	readonly messages: ReadonlyMap<string, StoredMessage>;
	/** Names of keyword letters, `a` first. */
	readonly table: readonly string[];
	/** Files that are no mail, but for the uidlist and caches, by path. */
	readonly controls: ReadonlyMap<string, FileFacts>;
}

export type Layout = 'maildir++' | 'fs';

const BOXES = ['new', 'cur', 'tmp'];
const FLAGS: Readonly<Record<string, string>> = { D: '\\Draft', F: '\\Flagged', R: '\\Answered', S: '\\Seen', T: '\\Deleted' };
/** What Dovecot makes anew. */
const CACHES = /^(dovecot-uidlist|dovecot-acl-list|dovecot\.(list\.index|mailbox\.log|index\.cache).*|maildirsize)$/;

/** Folders by name, levels parted by `/`. */
export function readStoredMail(top: string, layout: Layout): Map<string, StoredFolder> {
	const folders = new Map<string, StoredFolder>();
	for (const directory of directoriesOf(top, layout)) {
		const levels = layout === 'fs' ? directory.split('/') : directory.slice(1).split('.');
		folders.set(directory === '' ? 'INBOX' : levels.map(decodeLevel).join('/'), readFolder(join(top, directory)));
	}
	return folders;
}

function directoriesOf(top: string, layout: Layout): string[] {
	const paths = readdirSync(top, { recursive: layout === 'fs', encoding: 'utf8' });
	const below = paths.filter((path) => (layout === 'fs' ? !BOXES.includes(path.split('/').at(-1) ?? '') : path.startsWith('.')));
	return ['', ...below].filter((path) => existsSync(join(top, path, 'cur'))).sort();
}

/** Modified UTF-7 (RFC 3501, 5.1.3). */
function decodeLevel(level: string): string {
	return level.replace(/&([^-]*)-/g, (_run, code: string) =>
		code === '' ? '&' : Buffer.from(code.replaceAll(',', '/'), 'base64').swap16().toString('utf16le'),
	);
}

function readFolder(path: string): StoredFolder {
	const list = readUidlist(join(path, 'dovecot-uidlist'));
	const table = readTable(join(path, 'dovecot-keywords'));
	const messages = new Map<string, StoredMessage>();
	for (const box of ['new', 'cur']) {
		for (const name of readdirSync(join(path, box)).sort()) {
			if (name.startsWith('.')) continue;
			const [base = '', info = ''] = name.split(':');
			if (messages.has(base)) throw new Error(`${path} holds two files of the base name ${base}`);
			const letters = info.startsWith('2,') ? [...(info.slice(2).split(',')[0] ?? '')] : [];
			const line = list?.lines.get(base);
			messages.set(base, {
				...readFacts(join(path, box, name)),
				path: `${box}/${name}`,
				flags: letters.flatMap((letter) => FLAGS[letter] ?? []).sort(),
				keywords: letters
					.flatMap((letter) => (/[a-z]/.test(letter) ? (table[letter.charCodeAt(0) - 97] ?? `unnamed ${letter}`) : []))
					.sort(),
				uid: line?.uid,
				guid: line?.guid ?? base,
			});
		}
	}
	const { uidValidity, uidNext, guid } = list ?? {};
	return { uidValidity, uidNext, guid, access: accessOf(path), messages, table, controls: new Map(readControls(path, '')) };
}

function readControls(path: string, below: string): [string, FileFacts][] {
	return readdirSync(join(path, below), { withFileTypes: true }).flatMap((entry): [string, FileFacts][] => {
		const name = join(below, entry.name);
		if (CACHES.test(name)) return [];
		if (!entry.isDirectory()) return [[name, readFacts(join(path, name))]];
		// Folders and their messages lie beside the control files of INBOX.
		return entry.name === 'sieve' ? readControls(path, name) : [];
	});
}

export function readFacts(path: string): FileFacts {
	const stat = lstatSync(path, { bigint: true });
	const link = stat.isSymbolicLink();
	return {
		sha256: sha256(link ? readlinkSync(path) : readFileSync(path)),
		mtime: link ? 0 : Number(stat.mtimeNs / 1_000_000n),
		access: accessOf(path),
	};
}

function accessOf(path: string): string {
	const { mode, uid, gid } = lstatSync(path);
	return `${mode.toString(8)} ${uid}:${gid}`;
}

function readTable(path: string): string[] {
	const table: string[] = [];
	for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
		const space = line.indexOf(' ');
		if (space > 0) table[Number(line.slice(0, space))] = line.slice(space + 1);
	}
	return table;
}

/** A `dovecot-uidlist` of version 3. */
function readUidlist(path: string) {
	if (!existsSync(path)) return null;
	const [header = '', ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n');
	const [version, ...fields] = header.split(' ');
	if (version !== '3') throw new Error(`${path} is of version ${version}`);
	const field = (letter: string, of: readonly string[]) => of.find((text) => text.startsWith(letter))?.slice(1);
	const lines = new Map<string, { readonly uid: number; readonly guid: string | undefined }>();
	for (const row of rows) {
		const colon = row.indexOf(' :');
		const [uid, ...others] = row.slice(0, colon).split(' ');
		lines.set(row.slice(colon + 2).split(':')[0] ?? '', { uid: Number(uid), guid: field('G', others) });
	}
	return { uidValidity: Number(field('V', fields)), uidNext: Number(field('N', fields)), guid: field('G', fields), lines };
}

export function sha256(bytes: Uint8Array | string): string {
	return createHash('sha256').update(bytes).digest('hex');
}
