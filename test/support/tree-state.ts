import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The judge of restores: reads trees of Maildir++ accounts with plain calls and shares no code with mailseal, so that
 * no mistake can be made on both sides.
 */
export interface FileState {
	readonly sha256: string;
	/** Of the file, whole milliseconds since 1970. */
	readonly mtime: number;
	readonly mode: number;
}

export interface FolderState {
	/** Permission bits of the folder's directory. */
	readonly mode: number;
	/** By `cur/<name>` or `new/<name>`; a byte of a name that is not ASCII stands as one character (Latin-1). */
	readonly messages: ReadonlyMap<string, FileState>;
	/** What `dovecot-uidlist` says, undefined where there is none. Lines about messages that are gone do not count. */
	readonly uids:
		| { readonly validity: string; readonly next: number; readonly rest: string; readonly lines: ReadonlyMap<string, string> }
		| undefined;
	/** Name by index in `dovecot-keywords`. */
	readonly keywords: ReadonlyMap<string, string>;
	/** Other small files of the folder, and those below it that are no mail. By path. */
	readonly controls: ReadonlyMap<string, { readonly sha256: string; readonly mode: number }>;
	/** Lines of `subscriptions`, sorted; undefined where there is none. */
	readonly subscriptions: readonly string[] | undefined;
}

/** Caches, locks, and what Dovecot makes anew from the uidlists. */
const NOT_COUNTED =
	/^(tmp|cur|new|dovecot\.index.*|dovecot\.list\.index.*|dovecot\.mailbox\.log.*|maildirsize|dovecot-acl-list|dovecot-uidvalidity.*|.*\.lock)$/;
const READ_APART = new Set(['dovecot-uidlist', 'dovecot-keywords', 'subscriptions']);

/** Gives the SHA-256 of a message file; `identity` changes when the file does. */
export type HashMessage = (path: Buffer, identity: string) => string;

/**
 * Folders by `<account>/<directory>`, e.g. `anna@example.org/` for the INBOX and `anna@example.org/.Projects.Alpha`. Who reads the
 * same tree night by night may remember hashes.
 */
export function readTreeState(root: string, hash: HashMessage = hashFile): Map<string, FolderState> {
	const state = new Map<string, FolderState>();
	for (const account of readdirSync(root).sort()) {
		// A store keeps `<account>/Maildir`; a restore writes `<account>` itself.
		const nested = join(root, account, 'Maildir');
		const top = existsSync(join(nested, 'cur')) ? nested : join(root, account);
		for (const directory of [
			'',
			...readdirSync(top)
				.filter((name) => name.startsWith('.'))
				.sort(),
		]) {
			const path = join(top, directory);
			if (existsSync(join(path, 'cur')) || existsSync(join(path, 'new'))) state.set(`${account}/${directory}`, readFolder(path, hash));
		}
	}
	return state;
}

function readFolder(path: string, hash: HashMessage): FolderState {
	const messages = new Map<string, FileState>();
	for (const dir of ['new', 'cur']) {
		if (!existsSync(join(path, dir))) continue;
		for (const name of readdirSync(Buffer.from(join(path, dir)), { encoding: 'latin1' }).sort()) {
			const file = Buffer.concat([Buffer.from(`${join(path, dir)}/`), Buffer.from(name, 'latin1')]);
			const stat = lstatSync(file, { bigint: true });
			if (name.startsWith('.') || !stat.isFile()) continue;
			messages.set(`${dir}/${name}`, {
				sha256: hash(file, `${stat.ino} ${stat.size} ${stat.mtimeNs}`),
				mtime: Number(stat.mtimeNs / 1_000_000n),
				mode: Number(stat.mode & 0o7777n),
			});
		}
	}
	return {
		mode: lstatSync(path).mode & 0o7777,
		messages,
		uids: readUids(join(path, 'dovecot-uidlist'), new Set([...messages.keys()].map(baseOf))),
		keywords: readKeywords(join(path, 'dovecot-keywords')),
		controls: new Map(readControls(path, '')),
		subscriptions: existsSync(join(path, 'subscriptions'))
			? readFileSync(join(path, 'subscriptions'), 'latin1').split('\n').sort()
			: undefined,
	};
}

function readControls(path: string, below: string): [string, { sha256: string; mode: number }][] {
	return readdirSync(join(path, below), { withFileTypes: true }).flatMap((entry): [string, { sha256: string; mode: number }][] => {
		const name = below === '' ? entry.name : `${below}/${entry.name}`;
		if (below === '' && (NOT_COUNTED.test(name) || READ_APART.has(name))) return [];
		// The folders of an account lie beside the control files of its INBOX.
		if (entry.isDirectory()) return existsSync(join(path, name, 'cur')) ? [] : readControls(path, name);
		if (!entry.isFile()) return [];
		return [[name, { sha256: sha256(readFileSync(join(path, name))), mode: lstatSync(join(path, name)).mode & 0o7777 }]];
	});
}

function readUids(path: string, present: ReadonlySet<string>): FolderState['uids'] {
	if (!existsSync(path)) return undefined;
	const [header = '', ...rows] = readFileSync(path, 'latin1').trimEnd().split('\n');
	const [version, ...fields] = header.split(' ');
	if (version !== '3') throw new Error(`${path} is of version ${version}`);
	let next = Number(fields.find((field) => field.startsWith('N'))?.slice(1) ?? 1);
	const lines = new Map<string, string>();
	for (const row of rows) {
		const colon = row.indexOf(':');
		const base = row.slice(colon + 1);
		const uidAndFields = row.slice(0, colon).trim();
		next = Math.max(next, Number.parseInt(uidAndFields, 10) + 1);
		if (present.has(base)) lines.set(base, uidAndFields);
	}
	const validity = fields.find((field) => field.startsWith('V'))?.slice(1) ?? '';
	const rest = fields.filter((field) => !/^[VN]/.test(field)).join(' ');
	return { validity, next, rest, lines };
}

function readKeywords(path: string): Map<string, string> {
	if (!existsSync(path)) return new Map();
	const rows = readFileSync(path, 'latin1')
		.split('\n')
		.filter((row) => row !== '');
	return new Map(rows.map((row) => [row.slice(0, row.indexOf(' ')), row.slice(row.indexOf(' ') + 1)]));
}

function baseOf(path: string): string {
	return path.slice(4).split(':', 1)[0] ?? '';
}

function hashFile(path: Buffer): string {
	return sha256(readFileSync(path));
}

function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** What is different, one sentence each; empty where `actual` is what `expected` was. */
export function compareTreeStates(expected: ReadonlyMap<string, FolderState>, actual: ReadonlyMap<string, FolderState>): string[] {
	const differences: string[] = [];
	for (const [folder, wanted] of expected) {
		const found = actual.get(folder);
		if (found) differences.push(...compareFolders(wanted, found).map((text) => `${folder}: ${text}`));
		else differences.push(`${folder}: the folder is missing, with ${wanted.messages.size} messages`);
	}
	for (const [folder, found] of actual) {
		if (!expected.has(folder)) differences.push(`${folder}: the folder should not be there, with ${found.messages.size} messages`);
	}
	return differences;
}

function compareFolders(wanted: FolderState, found: FolderState): string[] {
	const differences: string[] = [];
	function compare(what: string, one: string | number | undefined, other: string | number | undefined): void {
		if (one !== other) differences.push(`${what} is ${other ?? 'missing'} instead of ${one ?? 'absent'}`);
	}
	compare('the mode of the directory', octal(wanted.mode), octal(found.mode));
	const strangers = new Set([...found.messages.keys()].filter((path) => !wanted.messages.has(path)));
	for (const [path, file] of wanted.messages) {
		const other = found.messages.get(path);
		if (!other) {
			const renamed = [...strangers].find((stranger) => baseOf(stranger) === baseOf(path));
			differences.push(renamed === undefined ? `${path} is missing` : `${path} is there as ${renamed}`);
			strangers.delete(renamed ?? '');
			continue;
		}
		compare(`the SHA-256 of ${path}`, file.sha256, other.sha256);
		compare(`the mtime of ${path}`, file.mtime, other.mtime);
		compare(`the mode of ${path}`, octal(file.mode), octal(other.mode));
	}
	for (const path of strangers) differences.push(`${path} should not be there`);

	compare('UIDVALIDITY', wanted.uids?.validity, found.uids?.validity);
	compare('the next UID', wanted.uids?.next, found.uids?.next);
	compare('the rest of the first line of dovecot-uidlist', wanted.uids?.rest, found.uids?.rest);
	for (const base of unionOf(wanted.uids?.lines, found.uids?.lines)) {
		compare(`the UID of ${base}`, wanted.uids?.lines.get(base), found.uids?.lines.get(base));
	}
	for (const index of unionOf(wanted.keywords, found.keywords)) {
		compare(`keyword ${index}`, wanted.keywords.get(index), found.keywords.get(index));
	}
	for (const name of unionOf(wanted.controls, found.controls)) {
		compare(`the SHA-256 of ${name}`, wanted.controls.get(name)?.sha256, found.controls.get(name)?.sha256);
		compare(`the mode of ${name}`, octal(wanted.controls.get(name)?.mode), octal(found.controls.get(name)?.mode));
	}
	compare('subscriptions', wanted.subscriptions?.join('|'), found.subscriptions?.join('|'));
	return differences;
}

function unionOf(left: ReadonlyMap<string, unknown> | undefined, right: ReadonlyMap<string, unknown> | undefined): Set<string> {
	return new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])]);
}

function octal(mode: number | undefined): string | undefined {
	return mode?.toString(8);
}
