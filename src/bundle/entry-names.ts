import { type AttachmentId, type Codec, type MessageId, parseAttachmentId, parseMessageId } from '../domain/index.ts';

/** The first entry of every bundle. */
export const MARKER_NAME = 'mailseal.json';
/** The last entry of every bundle. */
export const MANIFEST_NAME = 'manifest.ndjson.gz';
/** Bytes of the longest name that an entry can have. */
export const LONGEST_NAME = 'messages/ab/.recipe.gz'.length + 64;

const MESSAGE = /^messages\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.(eml|recipe)(\.gz)?$/;
const ATTACHMENT = /^attachments\/([0-9a-f]{2})\/(\1[0-9a-f]{62})(\.gz)?$/;

/** What the name of an entry says of the item in it. */
export type ItemName =
	| { readonly kind: 'message'; readonly id: MessageId; readonly codec: Codec; readonly recipe: boolean }
	| { readonly kind: 'attachment'; readonly id: AttachmentId; readonly codec: Codec };

/** The name of the entry with a message, whole or as a recipe. */
export function messageEntryName(id: MessageId, form: { readonly codec: Codec; readonly recipe: boolean }): string {
	return `messages/${id.slice(0, 2)}/${id}${form.recipe ? '.recipe' : '.eml'}${endingOf(form.codec)}`;
}

/** The name of the entry with an attachment. */
export function attachmentEntryName(id: AttachmentId, codec: Codec): string {
	return `attachments/${id.slice(0, 2)}/${id}${endingOf(codec)}`;
}

/** What messageEntryName or attachmentEntryName was given, or null for a name that neither makes. */
export function parseEntryName(name: string): ItemName | null {
	const message = MESSAGE.exec(name);
	if (message?.[2] !== undefined) {
		return { kind: 'message', id: parseMessageId(message[2]), codec: codecOf(message[4]), recipe: message[3] === 'recipe' };
	}
	const attachment = ATTACHMENT.exec(name);
	if (attachment?.[2] === undefined) return null;
	return { kind: 'attachment', id: parseAttachmentId(attachment[2]), codec: codecOf(attachment[3]) };
}

function endingOf(codec: Codec): '' | '.gz' {
	return codec === 'gzip' ? '.gz' : '';
}

function codecOf(ending: string | undefined): Codec {
	return ending === undefined ? 'none' : 'gzip';
}

/**
 * True for a name that an unpacking program could take for a path outside its folder, or that two programs could read
 * differently: absolute, with a drive, `.`, `..` or empty levels, backslashes, or anything but printable ASCII.
 */
export function isTreacherousName(name: string): boolean {
	if (!/^[\x20-\x7e]+$/.test(name) || name.includes('\\') || /^[A-Za-z]:/.test(name)) return true;
	return name.split('/').some((level) => level === '' || level === '.' || level === '..');
}
