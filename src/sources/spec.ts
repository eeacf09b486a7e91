import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MailsealError, systemCode } from '../domain/index.ts';

export interface SourceSpec {
	readonly type: 'maildir';
	/** Absolute; may hold `{account}`, `{user}` and `{domain}`. */
	readonly path: string;
}

/** Kinds of stores that users know, and what to tell those who name one that cannot be read yet. */
const UNSUPPORTED: Readonly<Record<string, string>> = { mbox: 'mbox', dbox: 'dbox', sdbox: 'dbox', mdbox: 'mdbox', zimbra: 'Zimbra' };

const TYPE = /^([a-z][a-z0-9+-]*):(.*)$/s;
const PLACEHOLDER = /\{[^{}/]*\}/g;
const KNOWN_PLACEHOLDERS = ['{account}', '{user}', '{domain}'];

/** True where accounts are to be found by pattern. */
export function hasPlaceholder(text: string): boolean {
	return KNOWN_PLACEHOLDERS.some((placeholder) => text.includes(placeholder));
}

/** Reads `[TYPE:]PATH`. Where TYPE is left out, what lies at PATH decides. Throws `usage`. */
export function parseSourceSpec(text: string): SourceSpec {
	const match = TYPE.exec(text);
	const [type, path] = match === null ? [undefined, text] : [match[1] ?? '', match[2] ?? ''];
	if (type !== undefined && type !== 'maildir') {
		const known = UNSUPPORTED[type];
		if (known !== undefined) throw unsupported(text, known);
		throw new MailsealError('usage', `Cannot use source "${text}": "${type}" is no kind of mail store (maildir is)`, {
			hint: `write maildir:PATH, or ./${text} if this is the name of a directory`,
		});
	}
	if (path === '') throw new MailsealError('usage', `Cannot use source "${text}": it names no path`, { hint: 'write maildir:PATH' });
	checkPlaceholders(text, path);
	const absolute = resolve(path);
	if (type === undefined && !hasPlaceholder(path)) {
		const other = detectOther(absolute);
		if (other !== null) throw unsupported(text, other);
	}
	return { type: 'maildir', path: absolute };
}

function checkPlaceholders(text: string, path: string): void {
	const used: readonly string[] = path.match(PLACEHOLDER) ?? [];
	const unknown = used.find((placeholder) => !KNOWN_PLACEHOLDERS.includes(placeholder));
	if (unknown !== undefined) {
		throw new MailsealError('usage', `Cannot use source "${text}": ${unknown} is no placeholder ({account}, {user} and {domain} are)`);
	}
	if (used.includes('{domain}') && !used.includes('{user}') && !used.includes('{account}')) {
		throw new MailsealError('usage', `Cannot use source "${text}": {domain} alone does not tell accounts apart ({user} or {account} does)`);
	}
}

/** The kind of a store that is surely no Maildir, by its marks; null for anything else. */
function detectOther(path: string): string | null {
	if (isThere(path, 'file')) return 'mbox';
	if (!isThere(join(path, 'mailboxes'), 'directory') || isThere(join(path, 'cur'), 'directory')) return null;
	return isThere(join(path, 'storage'), 'directory') ? 'mdbox' : 'dbox';
}

function isThere(path: string, kind: 'file' | 'directory'): boolean {
	try {
		const stat = statSync(path, { throwIfNoEntry: false });
		return kind === 'file' ? stat?.isFile() === true : stat?.isDirectory() === true;
	} catch (error) {
		const code = systemCode(error);
		// What cannot be looked at is reported when the source is opened.
		if (code === 'ENOTDIR' || code === 'EACCES' || code === 'EPERM' || code === 'ELOOP' || code === 'ENAMETOOLONG') return false;
		throw error;
	}
}

function unsupported(text: string, kind: string): MailsealError {
	return new MailsealError('usage', `Cannot use source "${text}": it is a store of kind ${kind} (only Maildir can be read)`, {
		hint: 'convert a copy with: doveadm backup -u USER maildir:DIR, and pack that',
	});
}
