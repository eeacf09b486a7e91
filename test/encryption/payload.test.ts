import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { beginSealing, parseRecipients, plainSize, sealedSize } from '../../src/encryption/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { CHUNK, collect, failureOf, makeKey, piecesOf, plainOf, SEALED_CHUNK, SIZES } from './sample-files.ts';

const HEAD = 200;
const LARGEST = 2 ** 52;

describe('sizes', () => {
	it.each([
		[0, HEAD + 16],
		[1, HEAD + 17],
		[CHUNK - 1, HEAD + SEALED_CHUNK - 1],
		[CHUNK, HEAD + SEALED_CHUNK],
		[CHUNK + 1, HEAD + SEALED_CHUNK + 17],
		[2 * CHUNK, HEAD + 2 * SEALED_CHUNK],
	])('%i bytes become %i', (plain, sealed) => {
		expect(sealedSize(plain, HEAD)).toBe(sealed);
		expect(plainSize(sealed, HEAD)).toBe(plain);
	});

	it('come back from plain to sealed to plain', () => {
		const nearBorder = fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: -40, max: 40 }));
		const sizes = fc.oneof(
			fc.integer({ min: 0, max: LARGEST }),
			nearBorder.map(([chunks, by]) => Math.max(0, chunks * CHUNK + by)),
		);
		fc.assert(
			fc.property(sizes, fc.integer({ min: 0, max: 65_536 }), (size, head) => {
				expect(plainSize(sealedSize(size, head), head)).toBe(size);
			}),
			propertyRuns(),
		);
	});

	it('come back from sealed to plain to sealed, or no encrypted file has that size', async () => {
		const nearBorder = fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: -40, max: 40 }));
		await fc.assert(
			fc.asyncProperty(
				nearBorder.map(([chunks, by]) => chunks * SEALED_CHUNK + by),
				async (body) => {
					const plain = await failureOf(() => plainSize(HEAD + body, HEAD));
					const past = body % SEALED_CHUNK;
					const none = body < 16 || (body > SEALED_CHUNK && past >= 1 && past <= 16);
					expect(typeof plain === 'number' ? sealedSize(plain, HEAD) : plain).toBe(none ? 'archive-damaged seal-size' : HEAD + body);
				},
			),
			propertyRuns(),
		);
	});

	it.each([0, HEAD, HEAD + 15, HEAD + SEALED_CHUNK + 1, HEAD + SEALED_CHUNK + 16, -1, Number.NaN, HEAD + 16.5])(
		'no encrypted file has %d bytes',
		async (size) => {
			expect(await failureOf(() => plainSize(size, HEAD))).toBe('archive-damaged seal-size');
		},
	);

	it.each([-1, 0.5, Number.NaN, 2 ** 53])('%d is no size of a plain file', (size) => {
		expect(() => sealedSize(size, HEAD)).toThrow(RangeError);
	});
});

test('what is written has the size that was predicted', async () => {
	const { recipient } = await makeKey();
	for (const size of SIZES) {
		const sealing = await beginSealing(parseRecipients([recipient]));
		const bytes = await collect(sealing.seal(piecesOf(plainOf(size))));
		expect(bytes.length).toBe(sealing.sizeOf(size));
		expect(plainSize(bytes.length, sealing.headerLength)).toBe(size);
	}
});
