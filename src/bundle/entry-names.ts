import { type Codec, type MessageId, parseMessageId } from '../domain/index.ts';

/** The first entry of every bundle. */
export const MARKER_NAME = 'mailseal.json';
/** The last entry of every bundle. */
export const MANIFEST_NAME = 'manifest.ndjson.gz';
/** Bytes of the longest name that an entry can have. */
export const LONGEST_NAME = 'messages/ab/.eml.gz'.length + 64;

const MESSAGE = /^messages\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.eml(\.gz)?$/;

export function messageEntryName(id: MessageId, codec: Codec): string {
	return `messages/${id.slice(0, 2)}/${id}.eml${codec === 'gzip' ? '.gz' : ''}`;
}

/** What messageEntryName was given, or null for a name that it does not make. */
export function parseMessageEntryName(name: string): { readonly id: MessageId; readonly codec: Codec } | null {
	const match = MESSAGE.exec(name);
	if (match?.[2] === undefined) return null;
	return { id: parseMessageId(match[2]), codec: match[3] === undefined ? 'none' : 'gzip' };
}

/**
 * True for a name that an unpacking program could take for a path outside its folder, or that two programs could read
 * differently: absolute, with a drive, `.`, `..` or empty levels, backslashes, or anything but printable ASCII.
 */
export function isTreacherousName(name: string): boolean {
	if (!/^[\x20-\x7e]+$/.test(name) || name.includes('\\') || /^[A-Za-z]:/.test(name)) return true;
	return name.split('/').some((level) => level === '' || level === '.' || level === '..');
}
