import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LONGEST_NAME } from '../../src/bundle/entry-names.ts';
import { attachmentEntryName, messageEntryName, parseEntryName } from '../../src/bundle/index.ts';
import { parseAttachmentId, parseMessageId } from '../../src/domain/index.ts';
import { SEED } from './sample-content.ts';

const HASH = 'ab12'.repeat(16);
const ID = parseMessageId(HASH);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const anyCodec = fc.constantFrom('none' as const, 'gzip' as const);

describe('parseEntryName()', () => {
	it('gives back what messageEntryName() was given', () => {
		fc.assert(
			fc.property(hash.map(parseMessageId), anyCodec, fc.boolean(), (id, codec, recipe) => {
				expect(parseEntryName(messageEntryName(id, { codec, recipe }))).toEqual({ kind: 'message', id, codec, recipe });
			}),
			{ seed: SEED },
		);
	});

	it('gives back what attachmentEntryName() was given', () => {
		fc.assert(
			fc.property(hash.map(parseAttachmentId), anyCodec, (id, codec) => {
				expect(parseEntryName(attachmentEntryName(id, codec))).toEqual({ kind: 'attachment', id, codec });
			}),
			{ seed: SEED },
		);
	});

	it('knows all endings', () => {
		expect(messageEntryName(ID, { codec: 'none', recipe: false })).toBe(`messages/ab/${ID}.eml`);
		expect(messageEntryName(ID, { codec: 'gzip', recipe: false })).toBe(`messages/ab/${ID}.eml.gz`);
		expect(messageEntryName(ID, { codec: 'none', recipe: true })).toBe(`messages/ab/${ID}.recipe`);
		expect(messageEntryName(ID, { codec: 'gzip', recipe: true })).toBe(`messages/ab/${ID}.recipe.gz`);
		expect(attachmentEntryName(parseAttachmentId(HASH), 'none')).toBe(`attachments/ab/${HASH}`);
		expect(attachmentEntryName(parseAttachmentId(HASH), 'gzip')).toBe(`attachments/ab/${HASH}.gz`);
	});

	it('knows no longer name than a reader has room for', () => {
		const names = (['none', 'gzip'] as const).flatMap((codec) => [
			messageEntryName(ID, { codec, recipe: true }),
			messageEntryName(ID, { codec, recipe: false }),
			attachmentEntryName(parseAttachmentId(HASH), codec),
		]);
		expect(Math.max(...names.map((name) => name.length))).toBe(LONGEST_NAME);
	});

	it.each([
		['in the wrong folder', `messages/ac/${ID}.eml`],
		['in the folder of the other kind', `attachments/ab/${ID}.eml`],
		['without an ending in the folder of messages', `messages/ab/${ID}`],
		['of a recipe among attachments', `attachments/ab/${ID}.recipe`],
		['of an attachment in the wrong folder', `attachments/ac/${ID}`],
		['of an attachment in capitals', `attachments/AB/${ID.toUpperCase()}.gz`],
		['of an attachment with an ending of its own', `attachments/ab/${ID}.pdf`],
		['compressed twice', `attachments/ab/${ID}.gz.gz`],
		['with two endings', `messages/ab/${ID}.eml.recipe`],
		['in capitals', `messages/AB/${ID.toUpperCase()}.eml`],
		['too long', `messages/ab/${ID}0.eml`],
		['with a newline behind it', `messages/ab/${ID}.eml\n`],
		['of an attachment with a newline behind it', `attachments/ab/${ID}\n`],
		['with another ending', `messages/ab/${ID}.eml.bz2`],
		['in a folder above', `../messages/ab/${ID}.eml`],
	])('gives null for a name %s', (_what, name) => {
		expect(parseEntryName(name)).toBeNull();
	});
});
