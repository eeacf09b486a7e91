import { isUtf8 } from 'node:buffer';

/**
 * Names on disk are bytes; keys and paths are text. A byte that is not part of valid UTF-8 stands
 * - in a file name (key and info) as `/` and two hex digits: no file name can hold `/`;
 * - in a directory (FolderLook.dir, SourceAccount.root) as `//` and two hex digits: no level of a path is empty.
 * The path of a message is `DIRECTORY/cur/NAME`, `DIRECTORY/new/NAME` or `DIRECTORY/tmp/NAME` in these two forms.
 */
export type DiskPath = Buffer | string;

const MESSAGE_PATH = /^(.*\/)((?:cur|new|tmp)\/)((?:[^/]|\/[89a-f][0-9a-f])+)$/s;

/** The text for bytes that are one file name. */
export function textOfName(bytes: Buffer): string {
	return isUtf8(bytes) ? bytes.toString('utf8') : escapeBytes(bytes, '/');
}

/** The text for bytes that are a directory, or one level of it. */
export function textOfDirectory(bytes: Buffer): string {
	return isUtf8(bytes) ? bytes.toString('utf8') : escapeBytes(bytes, '//');
}

/** The true name of one file, for system calls. */
export function diskName(name: string): DiskPath {
	return name.includes('/') ? unescapeBytes(name, /\/([89a-f][0-9a-f])/g) : name;
}

/** The true path of a directory, for system calls. */
export function diskDirectory(path: string): DiskPath {
	return path.includes('//') ? unescapeBytes(path, /\/\/([89a-f][0-9a-f])/g) : path;
}

/** The true path of a message, for system calls. */
export function diskPath(path: string): DiskPath {
	const match = MESSAGE_PATH.exec(path);
	const [directory, middle, name] = [match?.[1], match?.[2], match?.[3]];
	if (directory === undefined || middle === undefined || name === undefined) return diskDirectory(path);
	if (!name.includes('/') && !directory.includes('//')) return path;
	return Buffer.concat([Buffer.from(diskDirectory(directory)), Buffer.from(middle), Buffer.from(diskName(name))]);
}

/** The path of an entry of a directory. */
export function under(directory: DiskPath, name: DiskPath): DiskPath {
	if (typeof directory === 'string' && typeof name === 'string') return `${directory}/${name}`;
	return Buffer.concat([Buffer.from(directory), Buffer.from('/'), Buffer.from(name)]);
}

/** For messages to people. */
export function shownPath(path: DiskPath): string {
	return typeof path === 'string' ? path : textOfDirectory(path);
}

function escapeBytes(bytes: Buffer, mark: string): string {
	let text = '';
	let valid = 0;
	let position = 0;
	while (position < bytes.length) {
		const length = characterLength(bytes, position);
		if (length === 0) {
			text += bytes.toString('utf8', valid, position) + mark + bytes.toString('hex', position, position + 1);
			valid = position + 1;
		}
		position += Math.max(length, 1);
	}
	return text + bytes.toString('utf8', valid);
}

/** Bytes of the UTF-8 character at `position` (RFC 3629), 0 where there is none. */
function characterLength(bytes: Buffer, position: number): number {
	if ((bytes[position] ?? 0) < 0x80) return 1;
	for (let length = 2; length <= 4 && position + length <= bytes.length; length++) {
		if (isUtf8(bytes.subarray(position, position + length))) return length;
	}
	return 0;
}

function unescapeBytes(text: string, pattern: RegExp): DiskPath {
	const pieces: Buffer[] = [];
	let position = 0;
	for (const match of text.matchAll(pattern)) {
		pieces.push(Buffer.from(text.slice(position, match.index)), Buffer.from(match[1] ?? '', 'hex'));
		position = match.index + match[0].length;
	}
	if (position === 0) return text;
	pieces.push(Buffer.from(text.slice(position)));
	return Buffer.concat(pieces);
}
