import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RUNS, SEED } from './sample-content.ts';

interface Crc32 {
	(input: Buffer | string | number, previous?: Buffer | number): Buffer;
	signed(input: Buffer | string | number, previous?: Buffer | number): number;
	unsigned(input: Buffer | string | number, previous?: Buffer | number): number;
}

const require = createRequire(import.meta.url);
const fast = require('../../src/bundle/fast-crc32.cjs') as Crc32;
const original = require('buffer-crc32') as Crc32;

describe('fast-crc32', () => {
	it('gives what buffer-crc32 gives for any input and any CRC before it', () => {
		const input = fc.oneof(
			fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
			fc.string({ unit: 'binary' }),
			fc.nat(50),
		);
		const previous = fc.option(
			fc.oneof(
				fc.nat(0xffffffff),
				fc.integer(),
				fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
			),
			{ nil: undefined },
		);
		fc.assert(
			fc.property(input, previous, (bytes, before) => {
				expect(fast.unsigned(bytes, before)).toBe(original.unsigned(bytes, before));
				expect(fast.signed(bytes, before)).toBe(original.signed(bytes, before));
				expect(fast(bytes, before)).toEqual(original(bytes, before));
			}),
			{ seed: SEED, numRuns: RUNS },
		);
	});

	it('gives the check value of CRC-32', () => {
		expect(fast.unsigned('123456789')).toBe(0xcbf43926);
	});

	it('refuses what buffer-crc32 refuses', () => {
		for (const crc of [fast, original])
			expect(() => crc.unsigned(null as unknown as string)).toThrow('input must be buffer, number, or string');
	});
});
