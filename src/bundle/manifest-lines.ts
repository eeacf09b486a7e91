import {
	type AccountRemovedWord,
	type AccountWord,
	type ControlRemovedWord,
	type ControlWord,
	FLAGS,
	type Flag,
	type FolderRemovedWord,
	type FolderWord,
	isFlag,
	isPathLevel,
	type ManifestLine,
	type Owner,
	type PlacedWord,
	parseAccountName,
	parseFolderName,
	parseMessageId,
	type RemovedWord,
} from '../domain/index.ts';
import { choice, type Fields, instant, list, optional, parsed, refuseUnknown, text, texts, wholeNumber } from './fields.ts';
import { type Complete, orderedAttachment, orderedMessage, parseAttachment, parseMessage } from './item-lines.ts';

const DIRECTORIES = ['cur', 'new'] as const;
const LAYOUTS = ['maildir++', 'fs'] as const;
const LARGEST_MODE = 0o7777;
const LARGEST_OWNER = 0xffffffff;
/** A byte that is not UTF-8 is 0x80 or above: any other escape could smuggle in a slash or a dot. */
const ESCAPED_BYTE = /\/[89a-fA-F][0-9a-fA-F]/g;
/** The same in a directory, where a single slash parts levels. */
const ESCAPED_BYTE_OF_DIRECTORY = /\/\/[89a-f][0-9a-f]/g;
const BASE64_PADDING = /={1,2}$/;
const NOT_BASE64 = /[^A-Za-z0-9+/]/;

type Types = { [Line in ManifestLine as Line['type']]: Line };

const PARSERS: { readonly [Type in keyof Types]: (fields: Fields) => Types[Type] } = {
	message: parseMessage,
	attachment: parseAttachment,
	placed: parsePlaced,
	removed: parseRemoved,
	folder: parseFolder,
	'folder-removed': parseFolderRemoved,
	account: parseAccount,
	'account-removed': parseAccountRemoved,
	control: parseControl,
	'control-removed': parseControlRemoved,
};

/** Reads one line, or refuses it by the fields' own fault. */
export function parseManifestLine(fields: Fields): ManifestLine {
	const type = text(fields, 'type');
	if (!Object.hasOwn(PARSERS, type)) throw fields.fault('type', `is ${JSON.stringify(type)} (must be one that format 1 knows)`);
	return refuseUnknown(fields, PARSERS[type as keyof Types](fields));
}

/** The line as a value whose fields stand in the order in which they are written. */
export function orderedLine(line: ManifestLine): object {
	switch (line.type) {
		case 'message':
			return orderedMessage(line);
		case 'attachment':
			return orderedAttachment(line);
		case 'placed': {
			const { type, account, folder, key, message, flags, keywords, date, uid, dir, info, uidlist, since, mode, owner } = line;
			const ordered = { type, account, folder, key, message, flags, keywords, date, uid, dir, info, uidlist, since, mode, owner };
			return ordered satisfies Complete<PlacedWord>;
		}
		case 'removed': {
			const { type, account, folder, key } = line;
			return { type, account, folder, key } satisfies Complete<RemovedWord>;
		}
		case 'folder': {
			const { type, account, folder, dir, uidValidity, uidNext, uidlist, mode, owner } = line;
			return { type, account, folder, dir, uidValidity, uidNext, uidlist, mode, owner } satisfies Complete<FolderWord>;
		}
		case 'folder-removed': {
			const { type, account, folder } = line;
			return { type, account, folder } satisfies Complete<FolderRemovedWord>;
		}
		case 'account': {
			const { type, account, source, layout } = line;
			return { type, account, source, layout } satisfies Complete<AccountWord>;
		}
		case 'account-removed': {
			const { type, account } = line;
			return { type, account } satisfies Complete<AccountRemovedWord>;
		}
		case 'control': {
			const { type, account, folder, path, content, link, date, mode, owner } = line;
			return { type, account, folder, path, content, link, date, mode, owner } satisfies Complete<ControlWord>;
		}
		case 'control-removed': {
			const { type, account, folder, path } = line;
			return { type, account, folder, path } satisfies Complete<ControlRemovedWord>;
		}
	}
}

function parsePlaced(fields: Fields): PlacedWord {
	return {
		type: 'placed',
		account: account(fields),
		folder: folder(fields),
		key: key(fields),
		message: parsed(fields, 'message', parseMessageId),
		flags: flags(fields),
		keywords: texts(fields, 'keywords'),
		date: instant(fields, 'date'),
		...optional(fields, 'uid', count),
		...optional(fields, 'dir', (from, name) => choice(from, name, DIRECTORIES)),
		...optional(fields, 'info', fileNamePart),
		...optional(fields, 'uidlist', text),
		...optional(fields, 'since', instant),
		...optional(fields, 'mode', mode),
		...optional(fields, 'owner', owner),
	};
}

function parseRemoved(fields: Fields): RemovedWord {
	return { type: 'removed', account: account(fields), folder: folder(fields), key: key(fields) };
}

function parseFolder(fields: Fields): FolderWord {
	return {
		type: 'folder',
		account: account(fields),
		folder: folder(fields),
		dir: directory(fields, 'dir'),
		...optional(fields, 'uidValidity', count),
		...optional(fields, 'uidNext', count),
		...optional(fields, 'uidlist', text),
		...optional(fields, 'mode', mode),
		...optional(fields, 'owner', owner),
	};
}

function parseFolderRemoved(fields: Fields): FolderRemovedWord {
	return { type: 'folder-removed', account: account(fields), folder: folder(fields) };
}

function parseAccount(fields: Fields): AccountWord {
	return { type: 'account', account: account(fields), source: text(fields, 'source'), layout: choice(fields, 'layout', LAYOUTS) };
}

function parseAccountRemoved(fields: Fields): AccountRemovedWord {
	return { type: 'account-removed', account: account(fields) };
}

function parseControl(fields: Fields): ControlWord {
	const contents = { ...optional(fields, 'content', base64), ...optional(fields, 'link', linkText) };
	if ((contents.content === undefined) === (contents.link === undefined)) {
		throw fields.fault('content', 'and field "link" are both there or both missing (one of them must be there)');
	}
	return {
		type: 'control',
		account: account(fields),
		...optional(fields, 'folder', folder),
		path: relativePath(fields, 'path'),
		...contents,
		date: instant(fields, 'date'),
		...optional(fields, 'mode', mode),
		...optional(fields, 'owner', owner),
	};
}

function parseControlRemoved(fields: Fields): ControlRemovedWord {
	return { type: 'control-removed', account: account(fields), ...optional(fields, 'folder', folder), path: relativePath(fields, 'path') };
}

function account(fields: Fields) {
	return parsed(fields, 'account', parseAccountName);
}

function folder(fields: Fields) {
	return parsed(fields, 'folder', parseFolderName);
}

function key(fields: Fields): string {
	const value = fileNamePart(fields, 'key');
	if (value === '' || value === '.' || value === '..') throw fields.fault('key', `is "${value}" (must be a name)`);
	return value;
}

/** A part of a file name: a slash in it would lead a restore out of its folder. */
function fileNamePart(fields: Fields, name: string): string {
	const value = text(fields, name);
	if (value.includes('\0') || (value.includes('/') && value.replaceAll(ESCAPED_BYTE, '').includes('/'))) {
		throw fields.fault(name, 'holds NUL or a slash (must be part of a file name)');
	}
	return value;
}

/** Empty for the top; a byte that is not UTF-8 stands as `//` and two hex digits. */
function directory(fields: Fields, name: string): string {
	const value = text(fields, name);
	if (value !== '') checkLevels(fields, { name, path: value.replaceAll(ESCAPED_BYTE_OF_DIRECTORY, '\ufffd') });
	return value;
}

function relativePath(fields: Fields, name: string): string {
	const value = text(fields, name);
	checkLevels(fields, { name, path: value });
	return value;
}

function checkLevels(fields: Fields, { name, path }: { readonly name: string; readonly path: string }): void {
	if (!path.split('/').every(isPathLevel)) throw fields.fault(name, 'has an empty level, ".", ".." or NUL (must be a relative path)');
}

function flags(fields: Fields): Flag[] {
	const found = texts(fields, 'flags');
	const known = found.filter(isFlag);
	const sorted = known.every((flag, index) => FLAGS.indexOf(flag) > FLAGS.indexOf(known[index - 1] ?? flag) || index === 0);
	if (known.length !== found.length || !sorted)
		throw fields.fault('flags', `is ${JSON.stringify(found)} (must be some of ${FLAGS.join(', ')}, in this order)`);
	return known;
}

function count(fields: Fields, name: string): number {
	return wholeNumber(fields, name);
}

function mode(fields: Fields, name: string): number {
	return wholeNumber(fields, name, LARGEST_MODE);
}

function owner(fields: Fields, name: string): Owner {
	const [uid, gid, ...rest] = list(fields, name);
	if (rest.length > 0) throw fields.fault(name, `has ${rest.length + 2} members (must be user and group)`);
	const pair = { ...fields, values: { [name]: uid } };
	return [wholeNumber(pair, name, LARGEST_OWNER), wholeNumber({ ...fields, values: { [name]: gid } }, name, LARGEST_OWNER)];
}

function base64(fields: Fields, name: string): string {
	const value = text(fields, name);
	if (value.length % 4 !== 0 || NOT_BASE64.test(value.replace(BASE64_PADDING, ''))) {
		throw fields.fault(name, 'is not base64 (RFC 4648, section 4)');
	}
	return value;
}

function linkText(fields: Fields, name: string): string {
	const value = text(fields, name);
	if (value === '' || value.includes('\0')) throw fields.fault(name, 'is empty or holds NUL (must be the text of a symbolic link)');
	return value;
}
