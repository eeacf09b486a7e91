import { hash } from 'node:crypto';
import fc from 'fast-check';
import {
	type BundleDraft,
	composeBundle,
	encodeAttachment,
	encodeItem,
	type RangeSource,
	type StoredAttachment,
	type StoredMessage,
} from '../../src/bundle/index.ts';
import {
	type AttachmentId,
	type AttachmentLine,
	type Codec,
	FLAGS,
	type ManifestLine,
	type MessageId,
	type MessageLine,
	parseAccountName,
	parseAttachmentId,
	parseFolderName,
	parseMessageId,
} from '../../src/domain/index.ts';

export const RUNS = process.env.SLOW === undefined ? 100 : 2000;
export const SEED = 20261123;

export function messageId(bytes: Uint8Array): MessageId {
	return parseMessageId(hash('sha256', bytes, 'hex'));
}

export function attachmentId(bytes: Uint8Array): AttachmentId {
	return parseAttachmentId(hash('sha256', bytes, 'hex'));
}

export interface SampleContent {
	readonly messages: StoredMessage[];
	readonly attachments: StoredAttachment[];
	readonly lines: ManifestLine[];
}

/** Messages and a manifest that belong together. */
export function contentOf(mails: readonly Uint8Array[], options: { readonly compress: boolean } = { compress: true }): SampleContent {
	return mixedContentOf({ mails }, options);
}

/** Whole messages, recipes, attachments and a manifest that belong together; what a recipe says is no matter of a bundle. */
export function mixedContentOf(
	items: {
		readonly mails?: readonly Uint8Array[];
		readonly recipes?: readonly Uint8Array[];
		readonly attachments?: readonly Uint8Array[];
	},
	options: { readonly compress: boolean } = { compress: true },
): SampleContent {
	const content: SampleContent = { messages: [], attachments: [], lines: [] };
	for (const mail of items.mails ?? []) {
		const id = messageId(mail);
		const { codec, stored } = encodeItem(mail, options);
		content.messages.push({ id, codec, recipe: false, stored });
		content.lines.push(messageLine(id, codec, mail.length));
	}
	for (const recipe of items.recipes ?? []) {
		const id = messageId(Buffer.concat([Buffer.from('the message of '), recipe]));
		const { codec, stored } = encodeItem(recipe, options);
		content.messages.push({ id, codec, recipe: true, stored });
		content.lines.push(recipeLine(id, codec, recipe.length));
	}
	for (const attachment of items.attachments ?? []) {
		const id = attachmentId(attachment);
		const { codec, stored } = encodeAttachment(attachment, options);
		content.attachments.push({ id, codec, stored });
		content.lines.push({ type: 'attachment', id, size: attachment.length, codec });
	}
	return content;
}

export function messageLine(id: MessageId, codec: Codec, size: number): MessageLine {
	return { type: 'message', id, size, codec, attachments: [], headers: { subject: `Nachricht ${id.slice(0, 4)} ☃` } };
}

/** The line of a message that is stored as a recipe of `recipe` bytes. */
export function recipeLine(id: MessageId, codec: Codec, recipe: number): MessageLine {
	const part = { id: parseAttachmentId(id), name: 'Grüße.pdf', type: 'application/pdf', size: 100_000, disposition: 'attachment' } as const;
	return { ...messageLine(id, codec, 140_000), recipe, attachments: [part, { type: 'image/gif', name: 'dot.gif', size: 43 }] };
}

export function attachmentLine(bytes: Uint8Array, codec: Codec): AttachmentLine {
	return { type: 'attachment', id: attachmentId(bytes), size: bytes.length, codec };
}

/** Bytes that do not compress. */
export function noise(length: number): Buffer {
	const bytes = Buffer.alloc(length);
	let state = 1;
	for (let index = 0; index < length; index++) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		bytes[index] = state >>> 16;
	}
	return bytes;
}

/** Mails of every odd kind: empty, one byte, NULs, zip records, incompressible, long. */
export function oddMails(): Uint8Array[] {
	return [
		Buffer.alloc(0),
		Buffer.from('x'),
		Buffer.alloc(3),
		Buffer.from('PK\x05\x06'),
		Buffer.concat([Buffer.from([0x50, 0x4b, 5, 6]), Buffer.alloc(18)]),
		Buffer.from('PK\x03\x04'.repeat(50)),
		noise(5000),
		Buffer.alloc(200_000),
		Buffer.from('Subject: Grüße 🎉\r\n\r\nHallo\r\n'),
	];
}

/** Recipes, attachments and whole mails of every odd kind; one attachment has the bytes, and so the id, of a mail. */
export function oddContent(options: { readonly compress: boolean } = { compress: true }): SampleContent {
	const mails = oddMails();
	const recipes = ['{}\n', '{"recipe":1}\n'.repeat(100), '{}\n\0'].map((text) => Buffer.from(text));
	const attachments = [
		Buffer.from('x'),
		Buffer.alloc(3),
		Buffer.from('PK\x01\x02'.repeat(20)),
		noise(20_000),
		Buffer.alloc(100_000, 'text '),
	];
	return mixedContentOf({ mails, recipes, attachments }, options);
}

export async function written(draft: BundleDraft): Promise<{ readonly bytes: Buffer; readonly id: string }> {
	const pieces: Uint8Array[] = [];
	const id = await draft.write((bytes) => pieces.push(bytes), new AbortController().signal);
	return { bytes: Buffer.concat(pieces), id };
}

export async function bundleOf(mails: readonly Uint8Array[]): Promise<Buffer> {
	return (await written(composeBundle({ kind: 'messages', ...contentOf(mails) }))).bytes;
}

export function sourceOf(bytes: Uint8Array): RangeSource {
	return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

export async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
	const all: Value[] = [];
	for await (const value of values) all.push(value);
	return all;
}

const hex64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const anyText = fc.string({ unit: 'binary', maxLength: 20 });
const level = fc
	.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
	.filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..');
const folder = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => parseFolderName(levels.join('/')));
const path = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => levels.join('/'));
const account = level.map(parseAccountName);
const key = fc
	.array(fc.oneof(level, fc.constant('/80'), fc.constant('/fF')), { minLength: 1, maxLength: 3 })
	.map((parts) => parts.join(''))
	.filter((text) => text !== '..');
const instant = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
const size = fc.maxSafeNat();
const owner = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff));
const flags = fc.subarray([...FLAGS]);
const facts = { mode: fc.nat(0o7777), owner };
const codec = fc.constantFrom('none' as const, 'gzip' as const);

function line<Shape>(shape: { [Name in keyof Shape]: fc.Arbitrary<Shape[Name]> }, requiredKeys: (keyof Shape)[]) {
	return fc.record(shape, { requiredKeys, noNullPrototype: true });
}

const headers = line({ messageId: anyText, date: instant, from: anyText, to: anyText, cc: anyText, subject: anyText }, []);
const control = { type: fc.constant('control' as const), account, folder, path, date: instant, ...facts };
const controlNeeds = ['type', 'account', 'path', 'date'] as const;

const part = line(
	{
		id: hex64.map(parseAttachmentId),
		name: anyText,
		type: anyText,
		size,
		disposition: fc.constantFrom('attachment' as const, 'inline' as const),
	},
	['type', 'size'],
);
const parts = { attachments: fc.array(part, { maxLength: 3 }), recipe: size };
const message = line({ type: fc.constant('message' as const), id: hex64.map(parseMessageId), size, codec, ...parts, headers }, [
	'type',
	'id',
	'size',
	'codec',
	...(['recipe', 'attachments', 'headers'] as const),
]).map(({ recipe, ...whole }) => (whole.attachments.some(({ id }) => id !== undefined) ? { ...whole, recipe } : whole));

/** Every kind of manifest line with every choice of optional fields. */
export const anyLine = fc.oneof(
	message,
	line({ type: fc.constant('attachment' as const), id: hex64.map(parseAttachmentId), size, codec }, ['type', 'id', 'size', 'codec']),
	line(
		{
			type: fc.constant('placed' as const),
			account,
			folder,
			key,
			message: hex64.map(parseMessageId),
			flags,
			keywords: fc.array(anyText, { maxLength: 3 }),
			date: instant,
			uid: size,
			dir: fc.constantFrom('cur' as const, 'new' as const),
			info: key,
			uidlist: anyText,
			since: instant,
			...facts,
		},
		['type', 'account', 'folder', 'key', 'message', 'flags', 'keywords', 'date'],
	),
	line({ type: fc.constant('removed' as const), account, folder, key }, ['type', 'account', 'folder', 'key']),
	line(
		{
			type: fc.constant('folder' as const),
			account,
			folder,
			dir: fc.oneof(fc.constant(''), path),
			uidValidity: size,
			uidNext: size,
			uidlist: anyText,
			...facts,
		},
		['type', 'account', 'folder', 'dir'],
	),
	line({ type: fc.constant('folder-removed' as const), account, folder }, ['type', 'account', 'folder']),
	line(
		{
			type: fc.constant('account' as const),
			account,
			source: anyText,
			layout: fc.constantFrom('maildir++' as const, 'fs' as const),
		},
		['type', 'account', 'source', 'layout'],
	),
	line({ type: fc.constant('account-removed' as const), account }, ['type', 'account']),
	line({ ...control, content: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')) }, [
		...controlNeeds,
		'content',
	]),
	line({ ...control, link: level }, [...controlNeeds, 'link']),
	line({ type: fc.constant('control-removed' as const), account, folder, path }, ['type', 'account', 'path']),
) as fc.Arbitrary<ManifestLine>;
