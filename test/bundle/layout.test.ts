import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { composeBundle, entryOverhead, openBundle, type StreamedBytes, verifyEntries } from '../../src/bundle/index.ts';
import { planLayout } from '../../src/bundle/layout.ts';
import { writeLocalHeader } from '../../src/bundle/zip-encode.ts';
import { parseLocalHeader } from '../../src/bundle/zip-records.ts';
import { collect, messageId, messageLine } from './sample-content.ts';

const NEVER = new AbortController().signal;

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
		const bytes = Buffer.alloc(100);
		const end = writeLocalHeader(bytes, 0, { name: 'messages/x', crc32: 7, size: 5 * 2 ** 30 });
		expect(end).toBe(30 + 10 + 20);
		expect(parseLocalHeader(bytes.subarray(0, end))).toEqual({
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
				messages: [{ id, codec: 'none', recipe: false, stored: item }],
				attachments: [],
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
			expect(bundle.messages.get(id)).toEqual({ ...draft.locations.get(id), codec: 'none', recipe: false });
			const found = await collect(verifyEntries(source, bundle, { decode: false, signal: NEVER }));
			expect(found).toEqual([]);
		}, 300_000);
});
