import { isUtf8 } from 'node:buffer';
import { type Finding, type FolderName, isPathLevel, MailsealError, parseFolderName } from '../../domain/index.ts';
import type { AccountLook, KnownSignatures } from '../contract.ts';
import { type DiskPath, diskDirectory, shownPath, textOfDirectory, under } from './disk-name.ts';
import { type Entry, listEntries } from './entries.ts';
import { decodeMailboxName } from './mailbox-name.ts';
import { hasMiddles, type Middles, mark, statFolder, statMiddles } from './signature.ts';
import { leadsToDirectory, look } from './small-file.ts';

/** Levels of folders in LAYOUT=fs; deeper ones are reported. */
const DEPTH_LIMIT = 32;
const TRIES = 3;
const MESSAGE_DIRECTORIES = ['cur', 'new', 'tmp'];

export interface FoundFolder {
	readonly folder: FolderName;
	/** Relative to the root, as text (disk-name.ts); empty for the top. */
	readonly dir: string;
	readonly signature: string;
}

export interface FoundFolders {
	readonly layout: AccountLook['layout'];
	/** Sorted by name. */
	readonly folders: readonly FoundFolder[];
	readonly findings: readonly Finding[];
	readonly complete: boolean;
	/** What lies in the root; null where permission is denied. */
	readonly entries: readonly Entry[] | null;
}

export interface FolderSearchRequest {
	/** The real clock, milliseconds since 1970. */
	readonly now: () => number;
	readonly known: KnownSignatures;
	/** Signatures of a moment ago, by directory: while messages did not move since, they hold. */
	readonly seen: ReadonlyMap<string, string>;
}

/** A folder's directory, and the levels of its name; null where its name on disk has no meaning in its layout. */
interface Candidate {
	readonly dir: string;
	readonly levels: readonly string[] | null;
	readonly signature: string;
}

/** Finds the folders below an account's root: Maildir++ (`.A.B`), LAYOUT=fs (`A/B`), or both where somebody mixed them. */
export function findFolders(root: string, request: FolderSearchRequest): FoundFolders {
	const top = diskDirectory(root);
	let search: FolderSearch;
	let isStable: boolean;
	let tries = 0;
	// A listing during which a folder is renamed can miss another one.
	do {
		const before = mark(look(top));
		search = new FolderSearch(request);
		search.run(top);
		isStable = mark(look(top)) === before;
	} while (!isStable && ++tries < TRIES);
	const folders = nameFolders(search.found, search.findings);
	const layout = search.hasDotted || !search.hasPlain ? 'maildir++' : 'fs';
	return { layout, folders, findings: search.findings, complete: search.complete && isStable, entries: search.entries };
}

class FolderSearch {
	readonly found: Candidate[] = [];
	readonly findings: Finding[] = [];
	hasDotted = false;
	hasPlain = false;
	complete = true;
	/** Of the top; null where permission is denied. */
	entries: readonly Entry[] | null = null;
	readonly #request: FolderSearchRequest;

	constructor(request: FolderSearchRequest) {
		this.#request = request;
	}

	run(top: DiskPath): void {
		this.#add(top, { dir: '', levels: ['INBOX'] });
		const pending = [{ place: top, dir: '', levels: [] as readonly string[] }];
		for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
			for (const entry of this.#list(next)) {
				const name = textOfDirectory(entry.name);
				if (MESSAGE_DIRECTORIES.includes(name)) continue;
				const place = under(next.place, diskDirectory(name));
				const dir = next.dir === '' ? name : `${next.dir}/${name}`;
				const isDotted = name.startsWith('.');
				// Maildir++ is flat: what lies below a dotted directory is no folder.
				if ((isDotted && next.dir !== '') || !this.#isOwnDirectory(entry, place)) continue;
				if (isDotted) {
					if (this.#add(place, { dir, levels: dottedLevels(entry.name) })) this.hasDotted = true;
					continue;
				}
				const levels = [...next.levels, decodeLevel(entry.name)];
				if (this.#add(place, { dir, levels })) this.hasPlain = true;
				if (levels.length < DEPTH_LIMIT) pending.push({ place, dir, levels });
				else this.#skip(place, 'folder-too-deep', `folders below this one are not packed: it lies ${DEPTH_LIMIT} levels deep`);
			}
		}
	}

	#list({ place, dir }: { readonly place: DiskPath; readonly dir: string }): readonly Entry[] {
		const entries = listEntries(place);
		if (dir === '') this.entries = entries;
		if (entries !== null) return entries;
		this.#skip(place, 'folder-unreadable', 'folders below it are not packed: permission denied');
		return [];
	}

	/** True where a directory is a folder, which is then among those found. */
	#add(place: DiskPath, candidate: Omit<Candidate, 'signature'>): boolean {
		const began = this.#request.now();
		const middles = middlesOf(place);
		if (middles === null) this.#skip(place, 'folder-unreadable', 'it is not packed: permission denied');
		if (middles === null || !holdMessages(middles)) return false;
		const seen = this.#request.seen.get(candidate.dir);
		if (seen !== undefined && hasMiddles(seen, middles)) {
			this.found.push({ ...candidate, signature: seen });
			return true;
		}
		// Should another folder go by this name, its directory is another too, and what is known says nothing.
		const known = this.#request.known.get(candidate.levels?.join('/') as FolderName)?.signature;
		const stat = statFolder(place, { now: began, known, middles });
		// A folder that went away between the two looks is gone.
		if (stat === undefined) return false;
		this.found.push({ ...candidate, signature: stat.signature });
		return true;
	}

	/** False for a file. A symbolic link to a folder is reported: it may lead to somebody else's mail. */
	#isOwnDirectory(entry: Entry, place: DiskPath): boolean {
		if (entry.isDirectory()) return true;
		if (entry.isSymbolicLink() && leadsToDirectory(under(place, 'cur'))) {
			this.#skip(place, 'symbolic-link', 'a folder that is a symbolic link is not packed');
		}
		return false;
	}

	#skip(place: DiskPath, code: string, text: string): void {
		this.complete = false;
		this.findings.push({ code, severity: 'warning', subject: shownPath(place), text, hint: HINTS[code] ?? '' });
	}
}

const HINTS: Readonly<Record<string, string>> = {
	'folder-too-deep': 'move the folders up',
	'folder-unreadable': 'run as the owner of the mail, or as root',
	'symbolic-link': 'name the place that it leads to as a source of its own, or put the folder itself in its place',
};

/** True for a directory with `cur` or `new` in it; null where permission is denied. A link in their place counts: listing reports it. */
export function holdsMessages(place: DiskPath): boolean | null {
	const middles = middlesOf(place);
	return middles === null ? null : holdMessages(middles);
}

function holdMessages({ cur, fresh }: Middles): boolean {
	return [cur, fresh].some((stat) => stat !== undefined && (stat.isDirectory() || stat.isSymbolicLink()));
}

/** Null where permission is denied. */
function middlesOf(place: DiskPath): Middles | null {
	try {
		return statMiddles(place);
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'permission') return null;
		throw error;
	}
}

/** One level: modified UTF-7 or UTF-8; bytes that are neither are read as Latin-1. */
function decodeLevel(name: Buffer): string {
	return isUtf8(name) ? decodeMailboxName(name.toString('utf8')) : name.toString('latin1');
}

function dottedLevels(name: Buffer): readonly string[] | null {
	const text = name.toString(isUtf8(name) ? 'utf8' : 'latin1').slice(1);
	const levels = text.split('.').map((level) => (isUtf8(name) ? decodeMailboxName(level) : level));
	return levels.every(isPathLevel) ? levels : null;
}

/** Gives every folder a name of its own: where two would have one, the second goes by its name on disk. */
function nameFolders(found: readonly Candidate[], findings: Finding[]): readonly FoundFolder[] {
	const byName = new Map<string, FoundFolder>();
	const odd: Candidate[] = [];
	for (const candidate of [...found].sort((a, b) => (a.dir < b.dir ? -1 : 1))) {
		const name = candidate.levels?.join('/');
		if (name === undefined || byName.has(name)) odd.push(candidate);
		else byName.set(name, { folder: parseFolderName(name), dir: candidate.dir, signature: candidate.signature });
	}
	for (const { dir, levels, signature } of odd) {
		let name = dir.replaceAll('//', '%');
		while (byName.has(name)) name += '~';
		byName.set(name, { folder: parseFolderName(name), dir, signature });
		if (levels === null) continue;
		findings.push({
			code: 'duplicate-folder-name',
			severity: 'note',
			subject: dir,
			text: `the folder is packed as "${name}", since another is called "${levels.join('/')}" too`,
		});
	}
	return [...byName.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}
