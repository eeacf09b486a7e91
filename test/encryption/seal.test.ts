import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginSealing, openSealedStream, parseRecipients, type Sealing } from '../../src/encryption/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { CHUNK, collect, failureOf, makeKey, piecesOf, plainOf, SIZES } from './sample-files.ts';

const key = await makeKey();
const recipients = parseRecipients([key.recipient]);

/** What a call gives out before it ends, and how it ends. */
async function attempt(sealing: Sealing, plain: Uint8Array, size = 50_000): Promise<{ readonly bytes: Buffer; readonly end: unknown }> {
	const pieces: Uint8Array[] = [];
	const end = await failureOf(async () => {
		for await (const piece of sealing.seal(piecesOf(plain, size))) pieces.push(piece);
		return 'whole';
	});
	return { bytes: Buffer.concat(pieces), end };
}

describe('seal()', () => {
	it.each(SIZES)('gives the same bytes again for %i bytes, whatever the pieces', async (size) => {
		const plain = plainOf(size);
		const sealing = await beginSealing(recipients);
		const first = await collect(sealing.seal(piecesOf(plain)));
		for (const piece of [1013, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]) {
			expect((await collect(sealing.seal(piecesOf(plain, piece)))).equals(first), `pieces of ${piece}`).toBe(true);
		}
	});

	it('gives the same bytes also byte by byte, and with empty pieces between', async () => {
		const plain = plainOf(CHUNK + 1);
		const sealing = await beginSealing(recipients);
		const first = await collect(sealing.seal(piecesOf(plain)));
		expect((await collect(sealing.seal(piecesOf(plain, 1)))).equals(first)).toBe(true);
		async function* withEmpty(): AsyncIterable<Uint8Array> {
			for await (const piece of piecesOf(plain, CHUNK)) yield* [new Uint8Array(0), piece, new Uint8Array(0)];
		}
		expect((await collect(sealing.seal(withEmpty()))).equals(first)).toBe(true);
	});

	it('takes a source that fills the same memory again and again', async () => {
		const plain = plainOf(300_000);
		async function* reusing(): AsyncIterable<Uint8Array> {
			const memory = Buffer.alloc(70_001);
			for (let at = 0; at < plain.length; at += memory.length) yield memory.subarray(0, plain.copy(memory, 0, at));
			memory.fill(0);
		}
		const sealed = await collect((await beginSealing(recipients)).seal(reusing()));
		expect((await collect(openSealedStream(piecesOf(sealed), key.identities))).equals(plain)).toBe(true);
	});

	it('gives pieces of about 1 MiB, each in memory of its own', async () => {
		const pieces: Uint8Array[] = [];
		const sealing = await beginSealing(recipients);
		for await (const piece of sealing.seal(piecesOf(plainOf(5_000_000), 10_000))) pieces.push(piece);
		expect(pieces.map(({ length }) => length >> 20)).toEqual([1, 1, 1, 1, 0]);
		expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(5);
	});

	it('gives other bytes in each sealing: key and nonce are new', async () => {
		const plain = plainOf(1000);
		const [one, two] = [await beginSealing(recipients), await beginSealing(recipients)];
		const [left, right] = [await collect(one.seal(piecesOf(plain))), await collect(two.seal(piecesOf(plain)))];
		expect(left.length).toBe(right.length);
		expect(left.subarray(one.headerLength - 16, one.headerLength)).not.toEqual(right.subarray(two.headerLength - 16, two.headerLength));
		expect(left.subarray(one.headerLength)).not.toEqual(right.subarray(two.headerLength));
	});

	it('closes its source when the reader goes away', async () => {
		let closed = false;
		async function* endless(): AsyncIterable<Uint8Array> {
			try {
				for (;;) yield Buffer.alloc(CHUNK);
			} finally {
				closed = true;
			}
		}
		for await (const _piece of (await beginSealing(recipients)).seal(endless())) break;
		expect(closed).toBe(true);
	});

	it('throws what its source throws, and can be called again', async () => {
		const plain = plainOf(2_000_000);
		const sealing = await beginSealing(recipients);
		async function* cut(): AsyncIterable<Uint8Array> {
			yield plain.subarray(0, 1_500_000);
			throw new Error('the disk is gone');
		}
		await expect(collect(sealing.seal(cut()))).rejects.toThrow('the disk is gone');
		const sealed = await collect(sealing.seal(piecesOf(plain)));
		expect((await collect(openSealedStream(piecesOf(sealed), key.identities))).equals(plain)).toBe(true);
	});
});

describe('seal() for other content than before', () => {
	const plain = plainOf(20 * CHUNK + 5);
	const changed = Buffer.from(plain);
	changed.writeUInt8(changed.readUInt8(18 * CHUNK) ^ 1, 18 * CHUNK);

	it.each([
		['one bit is another', changed],
		['it is shorter', plain.subarray(0, 19 * CHUNK + 1)],
		['it ends at the border of a chunk', plain.subarray(0, 20 * CHUNK)],
		['it is empty', plain.subarray(0, 0)],
		['it is longer', Buffer.concat([plain, Buffer.alloc(1)])],
		['it is much longer', Buffer.concat([plain, Buffer.alloc(3 * CHUNK)])],
	])('ends before the chunk that differs goes out: %s', async (_name, other) => {
		const sealing = await beginSealing(recipients);
		const first = await attempt(sealing, plain);
		const second = await attempt(sealing, other);
		expect(first.end).toBe('whole');
		expect(second.end).toBe('archive-damaged content-changed');
		expect(first.bytes.subarray(0, second.bytes.length).equals(second.bytes)).toBe(true);
		expect((await attempt(sealing, plain)).bytes.equals(first.bytes)).toBe(true);
	});

	it('ends also where the first call was given up half-way', async () => {
		const sealing = await beginSealing(recipients);
		for await (const _piece of sealing.seal(piecesOf(plain, CHUNK))) break;
		expect((await attempt(sealing, changed)).end).toBe('whole');
		expect((await attempt(sealing, plain)).end).toBe('archive-damaged content-changed');
		const first = Buffer.from(plain);
		first.writeUInt8(first.readUInt8(0) ^ 1, 0);
		expect(await attempt(sealing, first)).toEqual({ bytes: Buffer.alloc(0), end: 'archive-damaged content-changed' });
	});

	it('ends also where the two are read in turn', async () => {
		const sealing = await beginSealing(recipients);
		const [left, right] = [plain, changed].map((bytes) => sealing.seal(piecesOf(bytes, CHUNK))[Symbol.asyncIterator]());
		const [one, two] = [await left?.next(), await right?.next()].map((result) => Buffer.from(result?.value));
		expect(two !== undefined && one?.equals(two)).toBe(true);
		await left?.next();
		expect(await failureOf(() => right?.next())).toBe('archive-damaged content-changed');
	});

	it('never gives two bytes for one place, whatever the contents are', async () => {
		const content = fc.tuple(fc.integer({ min: 0, max: 3 * CHUNK }), fc.option(fc.integer({ min: 0, max: 3 * CHUNK - 1 }), { nil: null }));
		const base = plainOf(3 * CHUNK);
		await fc.assert(
			fc.asyncProperty(fc.array(content, { minLength: 2, maxLength: 4 }), async (contents) => {
				const sealing = await beginSealing(recipients);
				let longest: Buffer = Buffer.alloc(0);
				for (const [size, flip] of contents) {
					const bytes = Buffer.from(base.subarray(0, size));
					if (flip !== null && flip < size) bytes.writeUInt8(bytes.readUInt8(flip) ^ 0x80, flip);
					const given = (await attempt(sealing, bytes)).bytes;
					const shared = Math.min(given.length, longest.length);
					expect(given.subarray(0, shared).equals(longest.subarray(0, shared))).toBe(true);
					if (given.length > longest.length) longest = given;
				}
			}),
			propertyRuns(40),
		);
	});
});
