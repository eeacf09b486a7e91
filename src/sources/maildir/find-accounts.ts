import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type AccountName, type Finding, isPathLevel, MailsealError, parseAccountName, systemCode } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import type { AccountList, SourceAccount } from '../contract.ts';
import { hasPlaceholder } from '../spec.ts';
import { MAILDIR_NAMES } from './account-controls.ts';
import { type DiskPath, shownPath, textOfDirectory, under } from './disk-name.ts';
import { type Entry, listEntries } from './entries.ts';
import { holdsMessages } from './folders.ts';
import { kindOf, leadsToDirectory } from './small-file.ts';

export interface AccountSearchRequest {
	/** Absolute; may hold placeholders. */
	readonly path: string;
	readonly account: AccountName | undefined;
	readonly signal: AbortSignal;
}

/** Finds the accounts of a source. Throws `source-gone` where there is none, `permission` where none can be read. */
export function findAccounts(request: AccountSearchRequest): AccountList {
	const search = new AccountSearch(request.signal);
	search.stopIfAborted(request.path);
	if (hasPlaceholder(request.path)) search.byPattern(request.path);
	else search.byPlace(request.path, request.account);
	const accounts = search.accounts;
	if (accounts.length === 0) throw search.nothing(request.path);
	if (request.account !== undefined && !search.isSingle) {
		const text = `Cannot use account name "${request.account}" for "${request.path}": ${accounts.length} accounts lie there`;
		throw new MailsealError('usage', text, { hint: 'leave the account name out, or name one Maildir' });
	}
	return { accounts, findings: search.findings, complete: search.complete };
}

class AccountSearch {
	readonly findings: Finding[] = [];
	complete = true;
	/** True where the path itself is the one store. */
	isSingle = false;
	readonly #signal: AbortSignal;
	readonly #byName = new Map<AccountName, SourceAccount>();
	#denied: string | undefined;

	constructor(signal: AbortSignal) {
		this.#signal = signal;
	}

	get accounts(): readonly SourceAccount[] {
		return [...this.#byName.values()].sort((a, b) => (a.account < b.account ? -1 : 1));
	}

	/** A path without placeholders: one Maildir, or a directory of mail stores. */
	byPlace(path: string, account: AccountName | undefined): void {
		const root = this.#resolve(path);
		const what = probe(root, { isNamed: false });
		if (what === 'denied') this.#deny(root);
		if (what === 'store') {
			this.isSingle = true;
			this.#add(account ?? accountOfPath(path), root);
		}
		if (what !== 'other') return;
		for (const { entry, place } of this.#entries(root)) {
			// Dotted directories are a home's own, but for the one that mail may lie in.
			const name = entry.name.toString('latin1');
			if ((name.startsWith('.') && !MAILDIR_NAMES.includes(name)) || !this.#isOwnDirectory(entry, place, [])) continue;
			this.#addChild(entry, place, path);
		}
	}

	/** A path with placeholders: each level that holds one is listed. */
	byPattern(path: string): void {
		const levels = path.split('/').slice(1);
		const first = levels.findIndex(hasPlaceholder);
		const root = this.#resolve(`/${levels.slice(0, first).join('/')}`);
		this.#descend(root, levels.slice(first), new Map());
	}

	#descend(place: DiskPath, levels: readonly string[], values: ReadonlyMap<string, string>): void {
		const [level, ...rest] = levels;
		if (level === undefined) {
			this.#addNamed(place, values);
			return;
		}
		if (!hasPlaceholder(level)) {
			const child = under(place, level);
			const kind = kindOf(child);
			if (kind === 'directory') this.#descend(child, rest, values);
			else if (kind === 'denied') this.#deny(child);
			else if (kind === 'link') this.#refuseLink(child, rest);
			return;
		}
		for (const { entry, place: child } of this.#entries(place)) {
			const matched = matchLevel(level, nameOf(entry), values);
			if (matched !== null && this.#isOwnDirectory(entry, child, rest)) this.#descend(child, rest, matched);
		}
	}

	/** A directory that a pattern led to. */
	#addNamed(place: DiskPath, values: ReadonlyMap<string, string>): void {
		const domain = values.get('domain');
		const name = values.get('account') ?? `${values.get('user')}${domain === undefined ? '' : `@${domain}`}`;
		const what = probe(place, { isNamed: true });
		if (what === 'store') this.#add(parseAccountName(name), place);
		else if (what === 'denied') this.#deny(place);
		else if (what === 'empty') this.#noteEmpty(place);
		else this.#note(place, 'no-mail-store', 'it is no Maildir, it is not packed');
	}

	/** An entry of a directory of mail stores: a Maildir, or a home with one inside. */
	#addChild(entry: Entry, place: DiskPath, parent: string): void {
		const name = nameOf(entry);
		const what = probe(place, { isNamed: false });
		if (what === 'store') this.#add(MAILDIR_NAMES.includes(name) ? accountOfPath(`${parent}/${name}`) : parseAccountName(name), place);
		else if (what === 'denied') this.#deny(place);
		else if (what === 'empty') this.#noteEmpty(place);
		else this.#addInner(place, name);
	}

	#addInner(place: DiskPath, name: string): void {
		for (const inner of MAILDIR_NAMES) {
			const child = under(place, inner);
			const kind = kindOf(child);
			if (kind === 'link') this.#refuseLink(child, []);
			if (kind !== 'directory') continue;
			const found = probe(child, { isNamed: true });
			if (found === 'store') this.#add(parseAccountName(name), child);
			else if (found === 'denied') this.#deny(child);
			else if (found === 'empty') this.#noteEmpty(child);
		}
	}

	#add(account: AccountName, place: DiskPath): void {
		const other = this.#byName.get(account);
		if (other === undefined) {
			this.#byName.set(account, { account, root: shownPath(place) });
			return;
		}
		this.complete = false;
		this.findings.push({
			code: 'duplicate-account',
			severity: 'warning',
			subject: shownPath(place),
			text: `this store is not packed: "${other.root}" has the same account name "${account}"`,
			hint: 'name the two as sources with account names of their own',
		});
	}

	stopIfAborted(place: DiskPath): void {
		if (!this.#signal.aborted) return;
		throw new MailsealError('interrupted', `Cannot list accounts in "${shownPath(place)}": the run was interrupted`);
	}

	#entries(place: DiskPath): { entry: Entry; place: DiskPath }[] {
		this.stopIfAborted(place);
		const entries = listEntries(place);
		if (entries === null) this.#deny(place);
		return (entries ?? []).filter((entry) => nameOf(entry) !== 'lost+found').map((entry) => ({ entry, place: under(place, entry.name) }));
	}

	/** Whoever owns a home could point a link in it at somebody else's mail, and ask for it as their own. */
	#isOwnDirectory(entry: Entry, place: DiskPath, rest: readonly string[]): boolean {
		if (entry.isSymbolicLink()) this.#refuseLink(place, rest);
		return entry.isDirectory();
	}

	#refuseLink(place: DiskPath, rest: readonly string[]): void {
		const beyond = rest.filter((level) => !hasPlaceholder(level)).reduce(under, place);
		const candidates = [beyond, ...MAILDIR_NAMES.map((name) => under(beyond, name))];
		if (!candidates.some((candidate) => leadsToDirectory(under(candidate, 'cur')))) return;
		this.complete = false;
		this.findings.push({
			code: 'symbolic-link',
			severity: 'warning',
			subject: shownPath(place),
			text: 'a mail store behind a symbolic link is not packed',
			hint: 'name the place that it leads to as a source of its own',
		});
	}

	#deny(place: DiskPath): void {
		this.complete = false;
		this.#denied ??= shownPath(place);
		this.findings.push({
			code: 'account-unreadable',
			severity: 'warning',
			subject: shownPath(place),
			text: 'mail below this directory is not packed: permission denied',
			hint: 'run as the owner of the mail, or as root',
		});
	}

	/** An empty directory where a store may have been: a disk that is not mounted looks like this, so nothing counts as removed. */
	#noteEmpty(place: DiskPath): void {
		this.complete = false;
		this.#note(place, 'empty-directory', 'nothing lies in it; accounts that are missing count as not seen, not as removed');
	}

	#note(place: DiskPath, code: string, text: string): void {
		this.findings.push({ code, severity: 'note', subject: shownPath(place), text });
	}

	/** The true path, so that a message's path is free of symbolic links. */
	#resolve(path: string): DiskPath {
		try {
			return realpathSync.native(path);
		} catch (error) {
			const code = systemCode(error);
			if (code === 'ENOENT' || code === 'ENOTDIR') throw gone(path, 'no such directory');
			throw asMailsealError(error, 'open source', path);
		}
	}

	nothing(path: string): MailsealError {
		if (this.#denied === undefined) return gone(path, 'there is no mail store in it');
		return new MailsealError('permission', `Cannot open source "${path}": "${this.#denied}" cannot be read, permission denied`, {
			hint: 'run as the owner of the mail, or as root',
		});
	}
}

type Probe = 'store' | 'empty' | 'other' | 'denied';

/**
 * What a directory is. Without `cur` and `new` at its top (INBOX may lie elsewhere) it is a store if a dotted folder lies in it, or,
 * where the user's pattern says that a store is here, any folder.
 */
function probe(place: DiskPath, options: { readonly isNamed: boolean }): Probe {
	const holds = holdsMessages(place);
	if (holds !== false) return holds === null ? 'denied' : 'store';
	const entries = listEntries(place);
	if (entries === null) return 'denied';
	if (entries.length === 0) return 'empty';
	for (const entry of entries) {
		const name = entry.name.toString('latin1');
		if (!entry.isDirectory() || MAILDIR_NAMES.includes(name)) continue;
		if ((name.startsWith('.') || options.isNamed) && holdsMessages(under(place, entry.name)) === true) return 'store';
	}
	return 'other';
}

/** The name of an account as its directory spells it; bytes that are not UTF-8 are read as Latin-1. */
function nameOf(entry: Entry): string {
	const text = textOfDirectory(entry.name);
	return text.includes('//') ? entry.name.toString('latin1') : text;
}

function accountOfPath(path: string): AccountName {
	const name = MAILDIR_NAMES.includes(basename(path)) ? basename(dirname(path)) : basename(path);
	if (isPathLevel(name)) return parseAccountName(name);
	throw new MailsealError('usage', `Cannot name the account of "${path}": its path gives no name`, { hint: 'name it with --account' });
}

/** Values of the placeholders of one level, beside those known already; null where the name does not fit. */
function matchLevel(level: string, name: string, known: ReadonlyMap<string, string>): ReadonlyMap<string, string> | null {
	if (name.startsWith('.') && !level.startsWith('.')) return null;
	const keys: string[] = [];
	const pattern = level.split(/(\{(?:account|user|domain)\})/).map((piece) => {
		if (!hasPlaceholder(piece)) return escapePattern(piece);
		const key = piece.slice(1, -1);
		const value = known.get(key);
		if (value !== undefined) return escapePattern(value);
		if (keys.includes(key)) return `\\${keys.indexOf(key) + 1}`;
		keys.push(key);
		return key === 'domain' ? '([^@]+)' : '(.+)';
	});
	const match = new RegExp(`^${pattern.join('')}$`, 's').exec(name);
	if (match === null) return null;
	return new Map([...known, ...keys.map((key, index) => [key, match[index + 1] ?? ''] as const)]);
}

function escapePattern(text: string): string {
	return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function gone(path: string, text: string): MailsealError {
	return new MailsealError('source-gone', `Cannot open source "${path}": ${text}`, {
		hint: 'check the path, and whether the disk is mounted; nothing was changed in the archive',
	});
}
