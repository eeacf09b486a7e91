import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeItem, encodeItem } from '../../src/bundle/index.ts';
import { RUNS, SEED } from './sample-content.ts';

function damage(code: string) {
	return expect.objectContaining({ code: 'archive-damaged', details: expect.objectContaining({ damage: code }) });
}

const TEXT = Buffer.from('Hello Ann, how are you?\n'.repeat(50));

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

	it('write a gzip member without a time, that any gunzip reads', () => {
		const { codec, stored } = encodeItem(TEXT, { compress: true });
		expect(codec).toBe('gzip');
		expect([...stored.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
		expect(gunzipSync(stored).equals(TEXT)).toBe(true);
	});

	it('take a gzip member that another program wrote', () => {
		for (const level of [0, 1, 9]) expect(decodeItem(gzipSync(TEXT, { level }), { codec: 'gzip', size: TEXT.length })).toEqual(TEXT);
		expect(decodeItem(gzipSync(''), { codec: 'gzip', size: 0 })).toHaveLength(0);
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
