import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageEntryName, parseMessageEntryName } from '../../src/bundle/index.ts';
import { parseMessageId } from '../../src/domain/index.ts';
import { SEED } from './sample-content.ts';

const ID = parseMessageId('ab12'.repeat(16));

describe('parseMessageEntryName()', () => {
	it('gives back what messageEntryName() was given', () => {
		const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => parseMessageId(Buffer.from(bytes).toString('hex')));
		fc.assert(
			fc.property(id, fc.constantFrom('none' as const, 'gzip' as const), (message, codec) => {
				expect(parseMessageEntryName(messageEntryName(message, codec))).toEqual({ id: message, codec });
			}),
			{ seed: SEED },
		);
	});

	it('knows both endings', () => {
		expect(messageEntryName(ID, 'none')).toBe(`messages/ab/${ID}.eml`);
		expect(messageEntryName(ID, 'gzip')).toBe(`messages/ab/${ID}.eml.gz`);
	});

	it.each([
		['in the wrong folder', `messages/ac/${ID}.eml`],
		['in capitals', `messages/AB/${ID.toUpperCase()}.eml`],
		['too long', `messages/ab/${ID}0.eml`],
		['with a newline behind it', `messages/ab/${ID}.eml\n`],
		['with another ending', `messages/ab/${ID}.eml.bz2`],
		['in a folder above', `../messages/ab/${ID}.eml`],
	])('gives null for a name %s', (_what, name) => {
		expect(parseMessageEntryName(name)).toBeNull();
	});
});
