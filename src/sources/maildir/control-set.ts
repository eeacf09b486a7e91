import type { Finding, Severity } from '../../domain/index.ts';
import type { ControlFile } from '../contract.ts';
import { type DiskPath, shownPath, textOfName, under } from './disk-name.ts';
import { listEntries } from './entries.ts';
import { controlFacts } from './file-facts.ts';
import { kindOf, leadsToFile, readSmallFile } from './small-file.ts';

/** Bytes of one file beside the mail, and of all of one folder or account: they travel inside manifests. */
const FILE_LIMIT = 1024 * 1024;
const TOTAL_LIMIT = 16 * 1024 * 1024;
/** Files below one directory of them: anyone with a shell may make more. */
const COUNT_LIMIT = 1000;
const DEPTH_LIMIT = 8;
const MESSAGE_DIRECTORIES = ['cur', 'new', 'tmp'];

/** Control files as they are gathered, by path. */
export class ControlSet {
	readonly findings: Finding[] = [];
	readonly #files = new Map<string, ControlFile>();
	/** Paths of files and directories that are there but were left out. */
	readonly #closed = new Set<string>();
	#bytes = 0;

	/** Sorted by path. */
	get controls(): readonly ControlFile[] {
		return [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
	}

	/** True where something that is there was left out. */
	get skipped(): boolean {
		return this.findings.length > 0;
	}

	/** False where a path that is not among `controls` may have been kept before, and is still there. */
	get complete(): boolean {
		return this.#closed.size === 0;
	}

	/** Reads one file or symbolic link, if it is there. What was gathered under the same path before stays. */
	add(path: string, place: DiskPath): void {
		const file = readSmallFile(place, FILE_LIMIT);
		if (file.kind === 'absent') return;
		if (this.#files.has(path) || this.#isClosed(path)) {
			this.#leaveOut(place, 'a file of this name in the home directory goes before it', 'note');
			return;
		}
		if (file.kind === 'skipped') {
			this.#closed.add(path);
			this.findings.push(file.finding);
			return;
		}
		this.#bytes += file.kind === 'file' ? file.bytes.length : file.target.length;
		if (this.#bytes > TOTAL_LIMIT) {
			this.#closed.add(path);
			this.#leaveOut(place, `the files of this place have more than ${TOTAL_LIMIT} bytes together`);
			return;
		}
		const content = file.kind === 'file' ? { content: file.bytes.toString('base64') } : { link: file.target };
		this.#files.set(path, { path, ...content, ...controlFacts(file.stat) });
	}

	/** Reads the files below a directory that `accept` takes, by name. Directories that are symbolic links are not entered. */
	addTree(path: string, place: DiskPath, accept: (name: string) => boolean): void {
		const tree = listTree(path, place, accept);
		for (const file of tree.files.slice(0, COUNT_LIMIT)) this.add(file.path, file.place);
		if (tree.files.length > COUNT_LIMIT) this.leaveOutDirectory({ path, place }, `more than ${COUNT_LIMIT} files lie in it`);
		for (const closed of tree.unreadable) this.leaveOutDirectory(closed, 'the directory cannot be read, permission denied');
		for (const link of tree.links)
			this.leaveOutDirectory(link, 'a symbolic link stands where a directory may have been, it is not followed', 'note');
	}

	/** Says that files of a directory which are there may be missing here. */
	leaveOutDirectory({ path, place }: TreeFile, text: string, severity: Severity = 'warning'): void {
		this.#closed.add(path);
		this.#leaveOut(place, text, severity);
	}

	/** A file in the Maildir does not take the place of one in the home directory only because that one cannot be read. */
	#isClosed(path: string): boolean {
		for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (this.#closed.has(path.slice(0, end))) return true;
		return false;
	}

	#leaveOut(place: DiskPath, text: string, severity: Severity = 'warning'): void {
		this.findings.push({
			code: 'control-left-out',
			severity,
			subject: shownPath(place),
			text: `the file beside the mail is not packed: ${text}`,
		});
	}
}

export interface TreeFile {
	/** Relative, with `/`. */
	readonly path: string;
	readonly place: DiskPath;
}

export interface Tree {
	/** Sorted; at most one more than are kept. */
	readonly files: readonly TreeFile[];
	readonly unreadable: readonly TreeFile[];
	/** Symbolic links that may lead to a directory, which is not entered; at most as many as files. */
	readonly links: readonly TreeFile[];
}

/** Whatever `accept` takes below a directory, but for directories. Those of messages are not entered. */
export function listTree(path: string, place: DiskPath, accept: (name: string) => boolean): Tree {
	const files: TreeFile[] = [];
	const unreadable: TreeFile[] = [];
	const links: TreeFile[] = [];
	const pending = [{ path, place, depth: 0 }];
	for (let next = pending.pop(); next !== undefined && files.length <= COUNT_LIMIT; next = pending.pop()) {
		const kind = kindOf(next.place);
		const entries = kind === 'directory' ? listEntries(next.place) : kind === 'denied' ? null : [];
		if (entries === null) unreadable.push(next);
		if (kind === 'link') links.push(next);
		for (const entry of entries ?? []) {
			// A name that is not UTF-8 has no place in a control file's path.
			const name = textOfName(entry.name);
			if (name.includes('/') || MESSAGE_DIRECTORIES.includes(name)) continue;
			const child = { path: `${next.path}/${name}`, place: under(next.place, name), depth: next.depth + 1 };
			if (entry.isDirectory()) {
				if (child.depth < DEPTH_LIMIT) pending.push(child);
			} else if (accept(name)) files.push(child);
			else if (entry.isSymbolicLink() && links.length < COUNT_LIMIT && !leadsToFile(child.place)) links.push(child);
			if (files.length > COUNT_LIMIT) break;
		}
	}
	return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), unreadable, links };
}
