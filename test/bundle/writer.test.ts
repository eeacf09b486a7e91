import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composeBundle, entryOverhead, MAX_MESSAGES, openBundle, type StreamedBytes, verifyEntries } from '../../src/bundle/index.ts';
import { planLayout } from '../../src/bundle/layout.ts';
import { encodeZip64LocalHeader, parseLocalHeader } from '../../src/bundle/zip-records.ts';
import type { ManifestLine } from '../../src/domain/index.ts';
import { collect, contentOf, messageId, messageLine, oddMails, RUNS, SEED, sourceOf, written } from './sample-content.ts';

const NEVER = new AbortController().signal;

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
		messages: [{ id, codec: 'none', stored: item }],
		lines: [messageLine(id, 'none', promised.length)],
	});
}

describe('composeBundle()', () => {
	it('predicts the size of the file and the place of every message, and names the file by its hash', async () => {
		const mails = fc.uniqueArray(fc.uint8Array({ maxLength: 400 }), {
			selector: (mail) => Buffer.from(mail).toString('hex'),
			maxLength: 12,
		});
		await fc.assert(
			fc.asyncProperty(mails, fc.boolean(), async (some, compress) => {
				const content = contentOf(
					[...some, ...oddMails()].filter((mail, index, all) => all.findIndex((other) => Buffer.compare(mail, other) === 0) === index),
					{ compress },
				);
				const draft = composeBundle({ kind: 'volatile', ...content });
				const { bytes, id } = await written(draft);
				expect(draft.size).toBe(bytes.length);
				expect(id).toBe(hash('sha256', bytes, 'hex'));
				expect(draft.locations.size).toBe(content.messages.length);
				for (const { id: message, stored } of content.messages) {
					const place = draft.locations.get(message);
					expect(place?.length).toBe(stored.length);
					const found = bytes.subarray(place?.offset, (place?.offset ?? 0) + stored.length);
					expect(stored instanceof Uint8Array && found.equals(stored)).toBe(true);
				}
			}),
			{ seed: SEED, numRuns: RUNS / 5 },
		);
	});

	it('writes the marker first, messages in the order given, the manifest last', async () => {
		const content = contentOf([Buffer.from('b'), Buffer.from('a'), Buffer.from('c')]);
		const { entries } = await openBundle(sourceOf((await written(composeBundle({ kind: 'messages', ...content }))).bytes));
		const names = content.messages.map(({ id }) => `messages/${id.slice(0, 2)}/${id}.eml`);
		expect(entries.map(({ name }) => name)).toEqual(['mailseal.json', ...names, 'manifest.ndjson.gz']);
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

	it('writes the exact marker of the format', async () => {
		const { bytes } = await written(composeBundle({ kind: 'messages', messages: [], lines: [] }));
		expect(bytes.subarray(43, 74).toString()).toBe('{"format":1,"kind":"messages"}\n');
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
		const content = contentOf(oddMails(), { compress: false });
		const plain = await written(composeBundle({ kind: 'messages', ...content }));
		const messages = content.messages.map(({ stored, ...message }) => ({
			...message,
			stored: stored instanceof Uint8Array ? streamed(stored, { piece: 999 }) : stored,
		}));
		expect((await written(composeBundle({ kind: 'messages', lines: content.lines, messages }))).id).toBe(plain.id);
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
		const { messages, lines } = contentOf([Buffer.from('a'), Buffer.from('b')]);
		const [message] = messages;
		const [line] = lines;
		if (message === undefined || line === undefined) throw new Error('no content');
		const other: ManifestLine = messageLine(message.id, 'gzip', 1);
		const compose = (some: typeof messages, said: readonly ManifestLine[]) => () =>
			composeBundle({ kind: 'messages', messages: some, lines: said });
		expect(compose([...messages, message], lines)).toThrow('is there twice');
		expect(compose(messages, lines.slice(1))).toThrow('has no line in the manifest');
		expect(compose(messages.slice(1), lines)).toThrow('has no message');
		expect(compose(messages, [...lines, line])).toThrow('is there twice');
		expect(compose([message], [other])).toThrow('has another codec');
		expect(compose(new Array(MAX_MESSAGES + 1).fill(message), lines)).toThrow('7998 at most');
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
			messages: [
				{ id: ids[0], codec: 'none', stored: streamed(mail) },
				{ id: ids[1], codec: 'none', stored: broken },
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

describe('planLayout()', () => {
	const GIB = 2 ** 30;

	it('charges an entry what entryOverhead() says', () => {
		const empty = planLayout([]).size;
		expect(empty).toBe(22);
		expect(planLayout([{ nameLength: 80, length: 1000 }]).size).toBe(empty + entryOverhead(80) + 1000);
	});

	it('adds zip64 fields exactly from 4 GiB less one byte on', () => {
		const below = planLayout([{ nameLength: 10, length: 4 * GIB - 2 }]);
		const at = planLayout([{ nameLength: 10, length: 4 * GIB - 1 }]);
		expect(below.size).toBe(4 * GIB - 2 + entryOverhead(10) + 56 + 20 + 22);
		expect(at.size).toBe(4 * GIB - 1 + entryOverhead(10) + 20 + 28 + 56 + 20 + 22);
		expect(at.offsets).toEqual([30 + 10 + 20]);
	});
});

describe('a message of 4 GiB', () => {
	it('gets a local header whose sizes stand in a zip64 field', () => {
		const header = encodeZip64LocalHeader({ name: 'messages/x', crc32: 7, size: 5 * 2 ** 30 });
		expect(parseLocalHeader(header)).toEqual({
			flags: 0x0800,
			method: 0,
			crc32: 7,
			size: 5 * 2 ** 30,
			compressedSize: 5 * 2 ** 30,
			name: Buffer.from('messages/x'),
			extraLength: 20,
		});
	});

	// 4 GiB take a while: only with SLOW set.
	if (process.env.SLOW !== undefined)
		it('is written in bounded memory as predicted, and read back', async () => {
			const piece = Buffer.alloc(4 << 20);
			const pieces = 1025;
			let crc = 0;
			for (let index = 0; index < pieces; index++) crc = crc32(piece, crc);
			const length = pieces * piece.length;
			const item: StreamedBytes = {
				length,
				crc32: crc,
				*chunks() {
					for (let index = 0; index < pieces; index++) yield piece;
				},
			};
			const id = messageId(Buffer.from('stands for 4 GiB of zeros'));
			const draft = composeBundle({
				kind: 'messages',
				messages: [{ id, codec: 'none', stored: item }],
				lines: [messageLine(id, 'none', length)],
			});
			const kept = new Map<number, Uint8Array>();
			let at = 0;
			await draft.write((bytes) => {
				if (bytes.some((byte) => byte !== 0)) kept.set(at, bytes);
				at += bytes.length;
			}, NEVER);
			expect(at).toBe(draft.size);
			const source = {
				size: at,
				read(offset: number, count: number) {
					const out = Buffer.alloc(count);
					for (const [start, bytes] of kept) {
						const from = Math.max(offset, start);
						const to = Math.min(offset + count, start + bytes.length);
						if (from < to) out.set(bytes.subarray(from - start, to - start), from - offset);
					}
					return out;
				},
			};
			const bundle = await openBundle(source);
			expect(bundle.messages.get(id)).toEqual({ ...draft.locations.get(id), codec: 'none' });
			const found = await collect(verifyEntries(source, bundle, { decode: false, signal: NEVER }));
			expect(found).toEqual([]);
		}, 300_000);
});
