import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composeBundle, MAX_ITEMS, openBundle, type StreamedBytes } from '../../src/bundle/index.ts';
import { parseAccountName, parseFolderName } from '../../src/domain/index.ts';
import {
	attachmentLine,
	contentOf,
	messageId,
	messageLine,
	mixedContentOf,
	oddContent,
	RUNS,
	recipeLine,
	type SampleContent,
	SEED,
	sourceOf,
	written,
} from './sample-content.ts';

const NEVER = new AbortController().signal;
const PLACE = { account: parseAccountName('ann'), folder: parseFolderName('INBOX'), key: '1.host' };

function streamed(bytes: Uint8Array, options: { readonly piece?: number; readonly log?: string[] } = {}): StreamedBytes {
	const piece = options.piece ?? 7;
	return {
		length: bytes.length,
		crc32: crc32(bytes),
		*chunks() {
			try {
				for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
			} finally {
				options.log?.push('closed');
			}
		},
	};
}

/** A bundle of one streamed message that promises to be `promised` and is `item`. */
function streamedBundle(promised: Uint8Array, item: StreamedBytes) {
	const id = messageId(promised);
	return composeBundle({
		kind: 'volatile',
		messages: [{ id, codec: 'none', recipe: false, stored: item }],
		attachments: [],
		lines: [messageLine(id, 'none', promised.length)],
	});
}

describe('composeBundle()', () => {
	it('predicts the size of the file and the place of every message and attachment, and names the file by its hash', async () => {
		const items = fc.uniqueArray(fc.uint8Array({ maxLength: 400 }), {
			selector: (item) => Buffer.from(item).toString('hex'),
			maxLength: 8,
		});
		const contents = fc.record({ mails: items, recipes: items, attachments: items });
		function expectThere(
			bytes: Buffer,
			item: { readonly stored: unknown; readonly place: { offset: number; length: number } | undefined },
		) {
			const { stored, place } = item;
			if (!(stored instanceof Uint8Array) || place === undefined) throw new Error('no place');
			expect(place.length).toBe(stored.length);
			expect(bytes.subarray(place.offset, place.offset + place.length).equals(stored)).toBe(true);
		}
		async function expectPredicted(content: SampleContent) {
			const draft = composeBundle({ kind: 'volatile', ...content });
			const { bytes, id } = await written(draft);
			expect(draft.size).toBe(bytes.length);
			expect(id).toBe(hash('sha256', bytes, 'hex'));
			expect(draft.locations.size).toBe(content.messages.length);
			expect(draft.attachmentLocations.size).toBe(content.attachments.length);
			for (const { id: message, stored } of content.messages) expectThere(bytes, { stored, place: draft.locations.get(message) });
			for (const { id: item, stored } of content.attachments) expectThere(bytes, { stored, place: draft.attachmentLocations.get(item) });
		}
		await expectPredicted(oddContent());
		await expectPredicted(oddContent({ compress: false }));
		await fc.assert(
			fc.asyncProperty(contents, fc.boolean(), async (some, compress) => expectPredicted(mixedContentOf(some, { compress }))),
			{ seed: SEED, numRuns: RUNS / 2 },
		);
	});

	it('writes the marker first, messages and then attachments in the order given, the manifest last', async () => {
		const items = [Buffer.from('b'), Buffer.from('a'), Buffer.from('c')];
		const content = mixedContentOf({ mails: items, recipes: items, attachments: items });
		const { entries } = await openBundle(sourceOf((await written(composeBundle({ kind: 'volatile', ...content }))).bytes));
		const mails = content.messages.map(({ id, recipe }) => `messages/${id.slice(0, 2)}/${id}.${recipe ? 'recipe' : 'eml'}`);
		const attachments = content.attachments.map(({ id }) => `attachments/${id.slice(0, 2)}/${id}`);
		expect(mails).toHaveLength(6);
		expect(entries.map(({ name }) => name)).toEqual(['mailseal.json', ...mails, ...attachments, 'manifest.ndjson.gz']);
	});

	it('writes every header without a data descriptor, a time, or a mode of its own', async () => {
		const mail = Buffer.from('streamed');
		const { bytes } = await written(streamedBundle(mail, streamed(mail)));
		let at = 0;
		let locals = 0;
		for (; bytes.readUInt32LE(at) === 0x04034b50; locals++) {
			expect(bytes.readUInt16LE(at + 6)).toBe(0x0800);
			expect(bytes.readUInt16LE(at + 8)).toBe(0);
			expect(bytes.readUInt32LE(at + 10)).toBe(0x00210000);
			const length = bytes.readUInt32LE(at + 18);
			const data = at + 30 + bytes.readUInt16LE(at + 26);
			expect(bytes.readUInt32LE(at + 14)).toBe(crc32(bytes.subarray(data, data + length)));
			expect(bytes.readUInt16LE(at + 28)).toBe(0);
			at = data + length;
		}
		expect(locals).toBe(3);
		for (; bytes.readUInt32LE(at) === 0x02014b50; at += 46 + bytes.readUInt16LE(at + 28)) {
			expect(bytes.readUInt16LE(at + 8)).toBe(0x0800);
			expect(bytes.readUInt32LE(at + 30)).toBe(0);
			expect(bytes.readUInt32LE(at + 38)).toBe(0o100644 * 0x10000);
		}
		expect(bytes.readUInt32LE(at)).toBe(0x06054b50);
		expect(at + 22).toBe(bytes.length);
	});

	it.each(['messages', 'attachments', 'volatile'] as const)('writes the exact marker of the format for %s', async (kind) => {
		const { bytes } = await written(composeBundle({ kind, messages: [], attachments: [], lines: [] }));
		const marker = `{"format":1,"kind":"${kind}"}\n`;
		expect(bytes.subarray(43, 43 + marker.length).toString()).toBe(marker);
	});

	it('gives the same bytes each time it writes, for streamed items too', async () => {
		const mail = Buffer.alloc(300_000, 'mail ');
		const draft = streamedBundle(mail, streamed(mail, { piece: 1000 }));
		const first = await written(draft);
		expect((await written(draft)).bytes.equals(first.bytes)).toBe(true);
		const whole = streamedBundle(mail, streamed(mail, { piece: 300_000 }));
		expect((await written(whole)).id).toBe(first.id);
	});

	it('gives the same bytes for an item in memory and one that is streamed', async () => {
		const content = oddContent({ compress: false });
		const plain = await written(composeBundle({ kind: 'volatile', ...content }));
		function inPieces<Item extends { readonly stored: Uint8Array | StreamedBytes }>({ stored, ...item }: Item) {
			return { ...item, stored: stored instanceof Uint8Array ? streamed(stored, { piece: 999 }) : stored };
		}
		const messages = content.messages.map(inPieces);
		const attachments = content.attachments.map(inPieces);
		expect((await written(composeBundle({ kind: 'volatile', lines: content.lines, messages, attachments }))).id).toBe(plain.id);
	});

	it('gives pieces that stay as they were given', async () => {
		const content = contentOf(
			Array.from({ length: 50 }, (_value, index) => Buffer.alloc(50_000, `${index} `)),
			{ compress: false },
		);
		const pieces: { readonly piece: Uint8Array; readonly sha256: string }[] = [];
		await composeBundle({ kind: 'messages', ...content }).write(
			(piece) => pieces.push({ piece, sha256: hash('sha256', piece, 'hex') }),
			NEVER,
		);
		expect(pieces.length).toBeGreaterThan(2);
		for (const { piece, sha256 } of pieces) expect(hash('sha256', piece, 'hex')).toBe(sha256);
	});

	it('refuses content that the reader would refuse', () => {
		const { messages, attachments, lines } = mixedContentOf({
			mails: [Buffer.from('a')],
			recipes: [Buffer.from('b')],
			attachments: [Buffer.from('c')],
		});
		const [whole, recipe] = messages;
		const [attachment] = attachments;
		const [wholeLine, recipeOne, attachmentOne] = lines;
		if (!whole || !recipe || !attachment || !wholeLine || !recipeOne || !attachmentOne) throw new Error('no content');
		const content = { kind: 'volatile' as const, messages, attachments, lines };
		const compose = (change: Partial<typeof content>) => () => composeBundle({ ...content, ...change });
		expect(compose({})).not.toThrow();
		expect(compose({ messages: [...messages, whole] })).toThrow('is there twice');
		expect(compose({ messages: [...messages, { ...whole, recipe: true }] })).toThrow('is there twice');
		expect(compose({ attachments: [attachment, attachment] })).toThrow('is there twice');
		expect(compose({ lines: lines.slice(1) })).toThrow('has no line in the manifest');
		expect(compose({ lines: lines.slice(0, -1) })).toThrow(`attachment "${attachment.id}" has no line in the manifest`);
		expect(compose({ messages: messages.slice(1) })).toThrow('has no entry');
		expect(compose({ attachments: [] })).toThrow('has no entry');
		for (const line of lines) expect(compose({ lines: [...lines, line] })).toThrow('is there twice');
		expect(compose({ lines: [messageLine(whole.id, 'gzip', 1), recipeOne, attachmentOne] })).toThrow('has another codec');
		expect(compose({ lines: [wholeLine, recipeOne, attachmentLine(Buffer.from('c'), 'gzip')] })).toThrow('has another codec');
		expect(compose({ messages: [{ ...whole, recipe: true }, recipe] })).toThrow('has another codec or form');
		expect(compose({ messages: [whole, { ...recipe, recipe: false }] })).toThrow('has another codec or form');
		const { recipe: _bytes, ...noRecipe } = recipeLine(recipe.id, recipe.codec, 1);
		expect(compose({ lines: [wholeLine, noRecipe, attachmentOne] })).toThrow('recipe without an attachment or the other way round');
		const many = new Array(1001).fill({ type: 'image/gif', size: 43 });
		const full = { ...messageLine(whole.id, whole.codec, 1), attachments: many };
		expect(compose({ lines: [full, recipeOne, attachmentOne] })).toThrow('more than 1000 parts');
		const some = new Array(MAX_ITEMS).fill(whole);
		expect(compose({ messages: some, attachments: [] })).toThrow('is there twice');
		expect(compose({ messages: some, attachments: [attachment] })).toThrow('it has 7999 messages and attachments (7998 at most)');
	});

	it('refuses an attachment among sealed messages, and anything but attachments among sealed attachments', () => {
		const { messages, attachments, lines } = mixedContentOf({ mails: [Buffer.from('a')], attachments: [Buffer.from('c')] });
		const word = { type: 'removed', ...PLACE } as const;
		expect(() => composeBundle({ kind: 'messages', messages, attachments, lines })).toThrow('of type "attachment"');
		expect(() => composeBundle({ kind: 'attachments', messages, attachments, lines })).toThrow('of type "message"');
		expect(() => composeBundle({ kind: 'attachments', messages: [], attachments, lines: [...lines.slice(1), word] })).toThrow(
			'of type "removed"',
		);
		composeBundle({ kind: 'attachments', messages: [], attachments, lines: lines.slice(1) });
		composeBundle({ kind: 'messages', messages, attachments: [], lines: [...lines.slice(0, 1), word] });
	});
});

describe('BundleDraft.write()', () => {
	const mail = Buffer.alloc(100_000, 'mail ');

	it.each([
		['is shorter than it promised', mail.subarray(1)],
		['is longer than it promised', Buffer.concat([mail, mail])],
		['has other bytes than it promised', Buffer.from(mail).fill('x', 50, 51)],
		['is empty', mail.subarray(0, 0)],
	])('throws where a streamed item %s', async (_what, actual) => {
		const item = { ...streamed(actual, { piece: 1000 }), length: mail.length, crc32: crc32(mail) };
		await expect(written(streamedBundle(mail, item))).rejects.toThrow(expect.objectContaining({ code: 'io', retryable: true }));
	});

	it('throws where a streamed item has other bytes of the same CRC-32', async () => {
		const item = { ...streamed(mail), sha256: hash('sha256', 'others') };
		await expect(written(streamedBundle(mail, item))).rejects.toThrow(expect.objectContaining({ code: 'io', retryable: true }));
		await written(streamedBundle(mail, { ...item, sha256: hash('sha256', mail) }));
	});

	it('throws what a streamed item throws, and closes it', async () => {
		const log: string[] = [];
		const failure = new Error('the disk is gone');
		const item: StreamedBytes = {
			length: mail.length,
			crc32: crc32(mail),
			*chunks() {
				try {
					yield mail.subarray(0, 10);
					throw failure;
				} finally {
					log.push('closed');
				}
			},
		};
		await expect(written(streamedBundle(mail, item))).rejects.toBe(failure);
		expect(log).toEqual(['closed']);
	});

	it('throws what a streamed item throws when it is opened, also behind another', async () => {
		const failure = new Error('no such file');
		const broken: StreamedBytes = {
			length: 1,
			crc32: 0,
			chunks() {
				throw failure;
			},
		};
		const ids = [messageId(mail), messageId(Buffer.from('b'))] as const;
		const draft = composeBundle({
			kind: 'messages',
			attachments: [],
			messages: [
				{ id: ids[0], codec: 'none', recipe: false, stored: streamed(mail) },
				{ id: ids[1], codec: 'none', recipe: false, stored: broken },
			],
			lines: [messageLine(ids[0], 'none', mail.length), messageLine(ids[1], 'none', 1)],
		});
		await expect(written(draft)).rejects.toBe(failure);
	});

	it('throws what the sink throws, at whichever call, and closes the streamed item', async () => {
		const big = Buffer.alloc(400_000, 'mail ');
		const log: string[] = [];
		const draft = streamedBundle(big, streamed(big, { piece: 70_000, log }));
		const failure = new Error('the disk is full');
		let failed = 0;
		for (let at = 0; ; at++) {
			let calls = 0;
			log.length = 0;
			const done = await draft
				.write(() => {
					if (calls++ === at) throw failure;
				}, NEVER)
				.then(
					() => true,
					(error: unknown) => {
						expect(error).toBe(failure);
						return false;
					},
				);
			expect(log.length).toBeLessThanOrEqual(1);
			if (done) break;
			failed++;
		}
		expect(failed).toBeGreaterThan(5);
		expect(log).toEqual(['closed']);
	});

	it('writes nothing once it is aborted', async () => {
		const draft = streamedBundle(mail, streamed(mail, { piece: 1000 }));
		const reason = new Error('interrupted');
		let calls = 0;
		await expect(draft.write(() => calls++, AbortSignal.abort(reason))).rejects.toBe(reason);
		expect(calls).toBe(0);
		const big = Buffer.alloc(1_000_000);
		const controller = new AbortController();
		const log: string[] = [];
		const stopped = streamedBundle(big, streamed(big, { piece: 100_000, log })).write(() => {
			calls++;
			controller.abort(reason);
		}, controller.signal);
		await expect(stopped).rejects.toBe(reason);
		expect(calls).toBe(1);
		expect(log).toEqual(['closed']);
	});

	it('hears meanwhile that it is to stop, in the middle of a large item and between smaller ones', async () => {
		const big = Buffer.alloc(40 << 20);
		const small = Array.from({ length: 40 }, (_, index) => Buffer.alloc(1 << 20, `mail ${index} `));
		const messages = small.map((stored) => ({ id: messageId(stored), codec: 'none', recipe: false, stored }) as const);
		const lines = messages.map(({ id, stored }) => messageLine(id, 'none', stored.length));
		const drafts = [
			streamedBundle(big, streamed(big, { piece: 1 << 20 })),
			composeBundle({ kind: 'messages', messages, attachments: [], lines }),
		];
		for (const draft of drafts) {
			const reason = new Error('interrupted');
			const controller = new AbortController();
			let taken = 0;
			const stopped = draft.write((bytes) => {
				taken += bytes.length;
			}, controller.signal);
			setImmediate(() => controller.abort(reason));
			await expect(stopped).rejects.toBe(reason);
			expect(taken).toBeLessThan(40 << 20);
		}
	});

	it('takes from a streamed item no faster than the sink takes from it', async () => {
		const piece = Buffer.alloc(1 << 20, 'streamed mail ');
		const pieces = 64;
		let crc = 0;
		for (let index = 0; index < pieces; index++) crc = crc32(piece, crc);
		let given = 0;
		let taken = 0;
		let most = 0;
		const item: StreamedBytes = {
			length: pieces * piece.length,
			crc32: crc,
			*chunks() {
				for (let index = 0; index < pieces; index++) {
					given += piece.length;
					most = Math.max(most, given - taken);
					yield piece;
				}
			},
		};
		await streamedBundle(piece, item).write((bytes) => {
			taken += bytes.length;
		}, NEVER);
		expect(given).toBe(pieces * piece.length);
		expect(most).toBeLessThan(16 << 20);
	});
});
