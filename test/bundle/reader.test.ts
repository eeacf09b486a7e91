import { hash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	composeBundle,
	decodeItem,
	encodeManifest,
	MAX_ITEMS,
	openBundle,
	type RangeSource,
	verifyEntries,
} from '../../src/bundle/index.ts';
import { writeLocalHeader } from '../../src/bundle/zip-encode.ts';
import { MailsealError } from '../../src/domain/index.ts';
import {
	attachmentId,
	attachmentLine,
	bundleOf,
	collect,
	messageId,
	messageLine,
	mixedContentOf,
	noise,
	oddContent,
	oddMails,
	recipeLine,
	SEED,
	sourceOf,
	written,
} from './sample-content.ts';

const NEVER = new AbortController().signal;

/** Everything a reader takes from a bundle, or the code of what it refuses it with. */
async function contentIn(source: RangeSource): Promise<string> {
	try {
		const bundle = await openBundle(source);
		const found = await collect(verifyEntries(source, bundle, { decode: true, signal: NEVER }));
		if (found.length > 0) return `damaged: ${found[0]?.damage}`;
		const items: [string, string][] = [];
		for (const line of bundle.lines) {
			if (line.type !== 'message' && line.type !== 'attachment') continue;
			const place = line.type === 'message' ? bundle.messages.get(line.id) : bundle.attachments.get(line.id);
			if (place === undefined) continue;
			const size = line.type === 'message' ? (line.recipe ?? line.size) : line.size;
			const plain = decodeItem(await source.read(place.offset, place.length), { codec: line.codec, size });
			items.push([line.id, hash('sha256', plain, 'hex')]);
		}
		return JSON.stringify([bundle.kind, bundle.lines, items]);
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		return `damaged: ${error.code} ${error.details.damage}`;
	}
}

describe('openBundle()', () => {
	it('gives kind, lines, and the place of every message and attachment', async () => {
		const content = oddContent();
		const draft = composeBundle({ kind: 'volatile', ...content });
		const { bytes } = await written(draft);
		const bundle = await openBundle(sourceOf(bytes));
		expect(bundle.kind).toBe('volatile');
		expect(bundle.lines).toEqual(content.lines);
		const messages = content.messages.map(({ id, codec, recipe }) => [id, { ...draft.locations.get(id), codec, recipe }]);
		expect([...bundle.messages]).toEqual(messages);
		const attachments = content.attachments.map(({ id, codec }) => [id, { ...draft.attachmentLocations.get(id), codec }]);
		expect([...bundle.attachments]).toEqual(attachments);
		expect(new Set([...bundle.messages.values()].map(({ recipe, codec }) => `${recipe} ${codec}`)).size).toBe(4);
		expect(new Set([...bundle.attachments.values()].map(({ codec }) => codec)).size).toBe(2);
	});

	it('keeps a message and an attachment of the same bytes apart', async () => {
		const same = Buffer.from('Subject: forwarded as a file\n\n');
		const source = sourceOf(
			(await written(composeBundle({ kind: 'volatile', ...mixedContentOf({ mails: [same], attachments: [same] }) }))).bytes,
		);
		const bundle = await openBundle(source);
		const [[messageId, message] = [], [attachmentId, attachment] = []] = [[...bundle.messages][0], [...bundle.attachments][0]];
		expect(messageId).toBe(attachmentId);
		expect(message?.offset).not.toBe(attachment?.offset);
		expect(await collect(verifyEntries(source, bundle, { decode: true, signal: NEVER }))).toEqual([]);
	});

	it.each(['messages', 'attachments', 'volatile'] as const)('opens a bundle of %s without any', async (kind) => {
		const { bytes } = await written(composeBundle({ kind, messages: [], attachments: [], lines: [] }));
		expect(await openBundle(sourceOf(bytes))).toMatchObject({ kind, lines: [], messages: new Map(), attachments: new Map() });
	});

	it('opens a bundle without messages', async () => {
		const { bytes } = await written(composeBundle({ kind: 'messages', messages: [], attachments: [], lines: [] }));
		const bundle = await openBundle(sourceOf(bytes));
		expect(bundle.lines).toEqual([]);
		expect(bundle.entries.map(({ name }) => name)).toEqual(['mailseal.json', 'manifest.ndjson.gz']);
	});

	it('opens the largest bundle, and a remote one in few reads', async () => {
		const mails = Array.from({ length: MAX_ITEMS }, (_value, index) =>
			Buffer.from(`Subject: ${index}\n\n${index}`.repeat(1 + (index % 50))),
		);
		const bytes = await bundleOf(mails);
		let reads = 0;
		const remote: RangeSource = {
			size: bytes.length,
			async read(offset, length) {
				reads++;
				await Promise.resolve();
				return bytes.subarray(offset, offset + length);
			},
		};
		const bundle = await openBundle(remote, { localHeaders: false });
		expect(bundle.messages.size).toBe(MAX_ITEMS);
		expect(reads).toBeLessThanOrEqual(3);
		expect(await collect(verifyEntries(remote, bundle, { decode: true, signal: NEVER }))).toEqual([]);
	});

	it('throws what its source throws', async () => {
		const bytes = await bundleOf([Buffer.from('a'.repeat(3_000_000)), noise(3_000_000)]);
		const failure = new Error('the line is cut');
		for (let at = 0; ; at++) {
			let reads = 0;
			const source: RangeSource = {
				size: bytes.length,
				read(offset, length) {
					if (reads++ === at) throw failure;
					return bytes.subarray(offset, offset + length);
				},
			};
			const opened = await openBundle(source).catch((error: unknown) => error);
			if (reads <= at) {
				expect(opened).toMatchObject({ kind: 'messages' });
				expect(at).toBeGreaterThan(2);
				return;
			}
			expect(opened).toBe(failure);
		}
	});

	it('refuses a source that gives fewer bytes than it was asked for', async () => {
		const bytes = await bundleOf([Buffer.from('a')]);
		const short: RangeSource = { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length - 1) };
		await expect(openBundle(short)).rejects.toThrow(expect.objectContaining({ code: 'archive-damaged' }));
	});

	it('refuses a bundle that is cut off anywhere', async () => {
		const bytes = await bundleOf([Buffer.from('a'), Buffer.from('b'.repeat(500))]);
		for (let length = 0; length < bytes.length; length++) {
			await expect(openBundle(sourceOf(bytes.subarray(0, length)))).rejects.toThrow(
				expect.objectContaining({ code: 'archive-damaged', details: { damage: 'truncated' } }),
			);
		}
	});

	it('finds any flipped bit, or reads exactly what was written', async () => {
		const mails = [Buffer.from('Subject: a\n\na'), Buffer.from('Subject: b\n\nb'.repeat(50)), Buffer.alloc(0)];
		const content = mixedContentOf({ mails, recipes: [Buffer.from('{}\nc')], attachments: [Buffer.from('d'), Buffer.alloc(90)] });
		const { bytes } = await written(composeBundle({ kind: 'volatile', ...content }));
		const sound = await contentIn(sourceOf(bytes));
		expect(sound).not.toContain('damaged');
		const ignored = new Set<number>();
		async function flip(bit: number): Promise<void> {
			const copy = Buffer.from(bytes);
			copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			const content = await contentIn(sourceOf(copy));
			if (content === sound) ignored.add(bit);
			else expect(content).toContain('damaged');
		}
		if (process.env.SLOW === undefined) {
			await fc.assert(fc.asyncProperty(fc.nat(bytes.length * 8 - 1), flip), { seed: SEED, numRuns: 2500 });
		} else {
			for (let bit = 0; bit < bytes.length * 8; bit++) await flip(bit);
		}
		// What a reader has no use for: versions, times, permissions, internal attributes.
		expect(ignored.size).toBeGreaterThan(0);
		expect(ignored.size / (bytes.length * 8)).toBeLessThan(0.1);
	});

	it('takes any bytes without a bug', async () => {
		const sound = await bundleOf([Buffer.from('Subject: a\n\na')]);
		const patches = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
		await fc.assert(
			fc.asyncProperty(patches, async (changes) => {
				const copy = Buffer.from(sound);
				for (const [at, value] of changes) copy[at] = value;
				expect(typeof (await contentIn(sourceOf(copy)))).toBe('string');
			}),
			{ seed: SEED, numRuns: process.env.SLOW === undefined ? 500 : 20_000 },
		);
	});

	it('reads an entry of 5 GiB and one that lies behind it', async () => {
		const { source, id, offset, length } = await hugeBundle();
		const bundle = await openBundle(source);
		expect(bundle.messages.get(id)).toEqual({ offset, length, codec: 'none', recipe: false });
		expect(bundle.entries.at(-1)?.offset).toBeGreaterThan(length);
	});
});

/** A bundle with one message of 5 GiB of zeros, of which only the rest is in memory. */
async function hugeBundle() {
	const length = 5 * 2 ** 30;
	const id = messageId(Buffer.from('stands for the hash of 5 GiB'));
	const name = `messages/${id.slice(0, 2)}/${id}.eml`;
	const sound = (await written(composeBundle({ kind: 'messages', messages: [], attachments: [], lines: [] }))).bytes;
	const marker = sound.subarray(0, 74);
	const header = Buffer.alloc(30 + name.length + 20);
	writeLocalHeader(header, 0, { name, crc32: 0, size: length });
	const manifest = Buffer.from(encodeManifest([messageLine(id, 'none', length)]));
	const offset = marker.length + header.length;
	const manifestAt = offset + length;
	const manifestHeader = Buffer.from(sound.subarray(74, 74 + 30 + 18));
	manifestHeader.writeUInt32LE(crc32(manifest), 14);
	manifestHeader.writeUInt32LE(manifest.length, 18);
	manifestHeader.writeUInt32LE(manifest.length, 22);
	const directory = Buffer.concat([
		centralRecord('mailseal.json', { crc: crc32(marker.subarray(43)), length: 31, at: 0 }),
		centralRecord(name, { crc: 0, length, at: marker.length }),
		centralRecord('manifest.ndjson.gz', { crc: crc32(manifest), length: manifest.length, at: manifestAt }),
	]);
	const directoryAt = manifestAt + manifestHeader.length + manifest.length;
	const end = Buffer.alloc(56 + 20 + 22);
	end.writeUInt32LE(0x06064b50, 0);
	end.writeBigUInt64LE(44n, 4);
	end.writeBigUInt64LE(3n, 24);
	end.writeBigUInt64LE(3n, 32);
	end.writeBigUInt64LE(BigInt(directory.length), 40);
	end.writeBigUInt64LE(BigInt(directoryAt), 48);
	end.writeUInt32LE(0x07064b50, 56);
	end.writeBigUInt64LE(BigInt(directoryAt + directory.length), 64);
	end.writeUInt32LE(1, 72);
	end.writeUInt32LE(0x06054b50, 76);
	end.writeUInt16LE(3, 84);
	end.writeUInt16LE(3, 86);
	end.writeUInt32LE(directory.length, 88);
	end.writeUInt32LE(0xffffffff, 92);
	const head = Buffer.concat([marker, header]);
	const tail = Buffer.concat([manifestHeader, manifest, directory, end]);
	const size = manifestAt + tail.length;
	const source: RangeSource = {
		size,
		read(from, count) {
			const out = Buffer.alloc(count);
			if (from < head.length) out.set(head.subarray(from, from + count));
			const skipped = Math.max(0, manifestAt - from);
			if (skipped < count) out.set(tail.subarray(from + skipped - manifestAt, from + count - manifestAt), skipped);
			return out;
		},
	};
	return { source, id, offset, length };
}

function centralRecord(name: string, entry: { readonly crc: number; readonly length: number; readonly at: number }): Buffer {
	const wide = entry.length >= 0xffffffff || entry.at >= 0xffffffff;
	const record = Buffer.alloc(46 + name.length + (wide ? 28 : 0));
	record.writeUInt32LE(0x02014b50, 0);
	record.writeUInt16LE(0x0800, 8);
	record.writeUInt32LE(entry.crc, 16);
	record.writeUInt32LE(wide ? 0xffffffff : entry.length, 20);
	record.writeUInt32LE(wide ? 0xffffffff : entry.length, 24);
	record.writeUInt16LE(name.length, 28);
	record.writeUInt16LE(wide ? 28 : 0, 30);
	record.writeUInt32LE(wide ? 0xffffffff : entry.at, 42);
	record.write(name, 46);
	if (wide) {
		const extra = 46 + name.length;
		record.writeUInt16LE(1, extra);
		record.writeUInt16LE(24, extra + 2);
		record.writeBigUInt64LE(BigInt(entry.length), extra + 4);
		record.writeBigUInt64LE(BigInt(entry.length), extra + 12);
		record.writeBigUInt64LE(BigInt(entry.at), extra + 20);
	}
	return record;
}

describe('verifyEntries()', () => {
	it('gives nothing for a sound bundle', async () => {
		const source = sourceOf((await written(composeBundle({ kind: 'volatile', ...oddContent() }))).bytes);
		expect(await collect(verifyEntries(source, await openBundle(source), { decode: true, signal: NEVER }))).toEqual([]);
	});

	it('names every damaged entry and goes on to the next', async () => {
		const bytes = Buffer.from(await bundleOf([Buffer.from('first'), Buffer.from('second'), Buffer.from('third')]));
		const bundle = await openBundle(sourceOf(bytes));
		for (const place of [...bundle.messages.values()].slice(0, 2)) bytes[place.offset] = 0;
		const found = await collect(verifyEntries(sourceOf(bytes), bundle, { decode: false, signal: NEVER }));
		expect(found.map(({ name, damage }) => [name, damage])).toEqual(bundle.entries.slice(1, 3).map(({ name }) => [name, 'wrong-crc']));
	});

	it('looks inside messages and attachments only where it is asked to', async () => {
		const item = Buffer.from('an item');
		const id = messageId(Buffer.from('another item'));
		const attachment = attachmentId(Buffer.from('another item'));
		const draft = composeBundle({
			kind: 'volatile',
			messages: [{ id, codec: 'none', recipe: false, stored: item }],
			attachments: [{ id: attachment, codec: 'none', stored: item }],
			lines: [messageLine(id, 'none', item.length), { type: 'attachment', id: attachment, codec: 'none', size: item.length }],
		});
		const source = sourceOf((await written(draft)).bytes);
		const bundle = await openBundle(source);
		expect(await collect(verifyEntries(source, bundle, { decode: false, signal: NEVER }))).toEqual([]);
		const found = await collect(verifyEntries(source, bundle, { decode: true, signal: NEVER }));
		expect(found.map(({ damage, text }) => [damage, /SHA-256 of the (\w+)/.exec(text)?.[1]])).toEqual([
			['wrong-hash', 'message'],
			['wrong-hash', 'attachment'],
		]);
	});

	it.each([
		['in memory', 1000],
		['in pieces', 33 << 20],
	])('compares a recipe with its size and not with the id of its message, %s', async (_how, length) => {
		const recipe = Buffer.alloc(length, '{}\n');
		const id = messageId(Buffer.from('the message'));
		async function damageFor(said: number) {
			const stored = gzipSync(recipe, { level: 0 });
			const draft = composeBundle({
				kind: 'messages',
				messages: [{ id, codec: 'gzip', recipe: true, stored }],
				attachments: [],
				lines: [recipeLine(id, 'gzip', said)],
			});
			const source = sourceOf((await written(draft)).bytes);
			const found = await collect(verifyEntries(source, await openBundle(source), { decode: true, signal: NEVER }));
			return found.map(({ damage }) => damage);
		}
		expect(await damageFor(length)).toEqual([]);
		expect(await damageFor(length + 1)).toEqual(['wrong-size']);
		expect(await damageFor(length - 1)).toEqual(['too-large']);
	});

	it('checks an attachment too large for memory in pieces', async () => {
		const attachment = Buffer.alloc(33 << 20, 'a long film ');
		const id = attachmentId(attachment);
		const lines = [attachmentLine(attachment, 'none')];
		async function damageOf(stored: Buffer) {
			const attachments = [{ id, codec: 'none' as const, stored }];
			const source = sourceOf((await written(composeBundle({ kind: 'attachments', messages: [], attachments, lines }))).bytes);
			const found = await collect(verifyEntries(source, await openBundle(source), { decode: true, signal: NEVER }));
			return found.map(({ damage }) => damage);
		}
		expect(await damageOf(attachment)).toEqual([]);
		expect(await damageOf(Buffer.from(attachment).fill(0, 32 << 20, (32 << 20) + 1))).toEqual(['wrong-hash']);
	});

	it.each([
		['stored as it is', 'none', (mail: Buffer) => mail, []],
		['compressed', 'gzip', (mail: Buffer) => gzipSync(mail, { level: 0 }), []],
		['compressed and damaged', 'gzip', (mail: Buffer) => Buffer.from(gzipSync(mail, { level: 0 })).fill(0xff, 1000, 1100), ['wrong-hash']],
		['compressed and cut off', 'gzip', (mail: Buffer) => gzipSync(mail, { level: 0 }).subarray(0, -9), ['bad-gzip']],
		['a bomb', 'gzip', (mail: Buffer) => gzipSync(Buffer.concat([mail, mail]), { level: 0 }), ['too-large']],
	] as const)('checks a message too large for memory in pieces: %s', async (_what, codec, store, expected) => {
		const mail = Buffer.alloc(33 << 20, 'a long mail ');
		const id = messageId(mail);
		const draft = composeBundle({
			kind: 'messages',
			messages: [{ id, codec, recipe: false, stored: store(mail) }],
			attachments: [],
			lines: [messageLine(id, codec, mail.length)],
		});
		const { bytes } = await written(draft);
		const source = sourceOf(bytes);
		const found = await collect(verifyEntries(source, await openBundle(source), { decode: true, signal: NEVER }));
		expect(found.map(({ damage }) => damage)).toEqual(
			expected.length === 0 ? [] : [expect.stringMatching(expected[0] === 'wrong-hash' ? /^(wrong-hash|bad-gzip)$/ : expected[0])],
		);
	});

	it('stops when it is aborted', async () => {
		const source = sourceOf(await bundleOf(oddMails()));
		const bundle = await openBundle(source);
		const reason = new Error('interrupted');
		await expect(collect(verifyEntries(source, bundle, { decode: true, signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
	});

	it('throws what its source throws, and where it is shorter than it was', async () => {
		const bytes = await bundleOf(oddMails());
		const bundle = await openBundle(sourceOf(bytes));
		const failure = new MailsealError('io', 'Cannot read "x": EIO');
		const broken: RangeSource = {
			size: bytes.length,
			read: () => {
				throw failure;
			},
		};
		await expect(collect(verifyEntries(broken, bundle, { decode: true, signal: NEVER }))).rejects.toBe(failure);
		const cut = sourceOf(bytes.subarray(0, 1000));
		await expect(collect(verifyEntries(cut, bundle, { decode: true, signal: NEVER }))).rejects.toThrow('Cannot read bundle');
	});
});
