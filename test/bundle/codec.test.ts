import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { decodeItem, encodeAttachment, encodeItem } from '../../src/bundle/index.ts';
import { noise } from '../support/noise.ts';
import { RUNS, SEED } from './sample-content.ts';

function damage(code: string) {
	return expect.objectContaining({ code: 'archive-damaged', details: expect.objectContaining({ damage: code }) });
}

const TEXT = Buffer.from('Hello Ann, how are you?\n'.repeat(50));

const { gzipped, fault } = vi.hoisted(() => ({ gzipped: [] as number[], fault: { spoil: (stored: Uint8Array) => stored } }));

/** Notes the length of everything that is given to gzip. */
vi.mock('../../src/bundle/libdeflate.ts', async (importOriginal) => {
	const libdeflate = await importOriginal<typeof import('../../src/bundle/libdeflate.ts')>();
	return {
		libdeflateGzip(bytes: Uint8Array, level: number) {
			gzipped.push(bytes.length);
			return fault.spoil(libdeflate.libdeflateGzip(bytes, level));
		},
	};
});

/** How an attachment is stored, and how many bytes were given to gzip for that. */
function encoded(attachment: Uint8Array) {
	gzipped.length = 0;
	const item = encodeAttachment(attachment, { compress: true });
	return { ...item, tried: gzipped.reduce((sum, length) => sum + length, 0) };
}

const KIB = 1024;

describe('encodeItem() and decodeItem()', () => {
	it('give back any bytes, compressed or not', () => {
		const bytes = fc.oneof(
			fc.uint8Array({ maxLength: 300 }),
			fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(400)).map(([unit, times]) => Buffer.alloc(unit.length * times, unit)),
		);
		fc.assert(
			fc.property(bytes, fc.boolean(), (item, compress) => {
				const { codec, stored } = encodeItem(item, { compress });
				expect(Buffer.from(decodeItem(stored, { codec, size: item.length })).equals(Buffer.from(item))).toBe(true);
				if (!compress) expect(codec).toBe('none');
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('keep an item that does not shrink by a tenth as it is, without a copy', () => {
		const noise = Uint8Array.from({ length: 1000 }, (_value, index) => (index * index * 7919) >>> 3);
		const { codec, stored } = encodeItem(noise, { compress: true });
		expect(gzipSync(noise).length).toBeGreaterThan(900);
		expect(codec).toBe('none');
		expect(stored).toBe(noise);
	});

	it.each<[string, (stored: Uint8Array) => Uint8Array]>([
		['with a wrong byte', (stored) => Uint8Array.from(stored, (byte, index) => (index === 40 ? byte ^ 1 : byte))],
		['cut off', (stored) => stored.subarray(0, -9)],
		['of nothing', (stored) => stored.subarray(0, 0)],
		['that is whole and of something else', () => gzipSync(Buffer.alloc(TEXT.length, 'x'))],
	])('keep the bytes as they are where the compressor gives a member %s', (_what, spoil) => {
		fault.spoil = spoil;
		try {
			expect(encodeItem(TEXT, { compress: true })).toEqual({ codec: 'none', stored: TEXT });
			expect(encodeAttachment(TEXT, { compress: true })).toEqual({ codec: 'none', stored: TEXT });
		} finally {
			fault.spoil = (stored) => stored;
		}
	});

	it('write a gzip member without a time, that any gunzip reads', () => {
		const { codec, stored } = encodeItem(TEXT, { compress: true });
		expect(codec).toBe('gzip');
		expect([...stored.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff]);
		expect(gunzipSync(stored).equals(TEXT)).toBe(true);
		const attachment = encodeAttachment(TEXT, { compress: true });
		expect([...attachment.stored.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
	});

	it('take a gzip member that another program wrote', () => {
		for (const level of [0, 1, 9]) expect(decodeItem(gzipSync(TEXT, { level }), { codec: 'gzip', size: TEXT.length })).toEqual(TEXT);
		expect(decodeItem(gzipSync(''), { codec: 'gzip', size: 0 })).toHaveLength(0);
	});
});

describe('encodeAttachment()', () => {
	it('gives what decodeItem() makes the attachment of, and the same each time', () => {
		const pieces = fc.array(
			fc.oneof(
				fc.nat(30 * KIB).map((length) => noise(length)),
				fc.nat(30 * KIB).map((length) => Buffer.alloc(length, 'text ')),
			),
			{ maxLength: 4 },
		);
		fc.assert(
			fc.property(pieces, fc.boolean(), (some, compress) => {
				const attachment = Buffer.concat(some);
				const { codec, stored } = encodeAttachment(attachment, { compress });
				expect(attachment.equals(decodeItem(stored, { codec, size: attachment.length }))).toBe(true);
				if (codec === 'gzip') expect(stored.length).toBeLessThanOrEqual(attachment.length * 0.9);
				if (!compress) expect(stored).toBe(attachment);
				const again = encodeAttachment(Buffer.from(attachment), { compress });
				expect(Buffer.from(again.stored).equals(stored)).toBe(true);
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('compresses text of any size', () => {
		for (const length of [100, 16 * KIB, 16 * KIB + 1, 300_000]) expect(encoded(Buffer.alloc(length, TEXT)).codec).toBe('gzip');
	});

	it('stores what is random as it is, having looked at no more than 16 KiB of it', () => {
		for (const length of [100, 16 * KIB, 16 * KIB + 1, 300_000, 5_000_000]) {
			const attachment = noise(length);
			const { codec, stored, tried } = encoded(attachment);
			expect([codec, stored === attachment]).toEqual(['none', true]);
			expect(tried).toBe(Math.min(length, 16 * KIB));
		}
	});

	it('tries a small attachment as a whole, where samples would not tell', () => {
		const { codec, tried } = encoded(Buffer.concat([noise(8 * KIB), Buffer.alloc(8 * KIB, 'text ')]));
		expect([codec, tried]).toEqual(['gzip', 16 * KIB]);
	});

	it.each([
		['begins', [Buffer.alloc(4 * KIB, 'text '), noise(300_000)]],
		['ends', [noise(300_000), Buffer.alloc(4 * KIB, 'text ')]],
	])('is not taken in by an attachment that %s with text', (_where, pieces) => {
		const { codec, tried } = encoded(Buffer.concat(pieces));
		expect([codec, tried]).toEqual(['none', 16 * KIB]);
	});

	it('finds out where the samples shrink and the whole does not', () => {
		const slice = 100 * KIB;
		const attachment = noise(4 * slice);
		for (let index = 0; index < 4; index++)
			attachment.fill('text ', index * slice + slice / 2 - 2 * KIB, index * slice + slice / 2 + 2 * KIB);
		const { codec, stored, tried } = encoded(attachment);
		expect([codec, stored === attachment, tried]).toEqual(['none', true, 16 * KIB + attachment.length]);
	});

	it('compresses an attachment of which a part is worth it', () => {
		const half = Buffer.concat([noise(150_000), Buffer.alloc(150_000, 'text ')]);
		expect(encoded(half).codec).toBe('gzip');
	});

	it('leaves alone what is larger than 64 MiB', () => {
		const { codec, tried } = encoded(Buffer.alloc((64 << 20) + 1));
		expect([codec, tried]).toEqual(['none', 0]);
	});
});

describe('decodeItem()', () => {
	const stored = gzipSync(TEXT);
	function lying(size: number): Buffer {
		const copy = Buffer.from(gzipSync(Buffer.alloc(10_000_000)));
		copy.writeUInt32LE(size, copy.length - 4);
		return copy;
	}

	it.each([
		['wrong-size', 'is longer than what was stored as it is', Buffer.from('abc'), 'none', 4],
		['wrong-size', 'is shorter than what was stored as it is', Buffer.from('abc'), 'none', 2],
		['wrong-size', 'is longer than the content', stored, 'gzip', TEXT.length + 1],
		['too-large', 'is shorter than the content', stored, 'gzip', TEXT.length - 1],
		['bad-gzip', 'is what a bomb claims in its trailer', lying(100), 'gzip', 100],
		['too-large', 'is less than a bomb claims in its trailer', lying(10_000_000), 'gzip', 100],
	] as const)('says %s where the size %s', (code, _reason, bytes, codec, size) => {
		expect(() => decodeItem(bytes, { codec, size })).toThrow(damage(code));
	});

	it.each([
		['nothing', Buffer.alloc(0)],
		['something else', Buffer.from('From: ann@example.org\n\nno gzip\n')],
		['a cut member', stored.subarray(0, -9)],
		['a member with bytes behind it', Buffer.concat([stored, stored.subarray(-8)])],
		['two members', Buffer.concat([stored, gzipSync(TEXT)])],
		['a member with a flipped bit', Buffer.concat([stored.subarray(0, 30), Buffer.from([(stored[30] ?? 0) ^ 1]), stored.subarray(31)])],
	])('refuses %s in place of a gzip member', (_what, bytes) => {
		expect(() => decodeItem(bytes, { codec: 'gzip', size: 0xffffffff })).toThrow(
			expect.objectContaining({ code: 'archive-damaged', details: { damage: expect.stringMatching(/^(bad-gzip|too-large)$/) } }),
		);
	});
});
