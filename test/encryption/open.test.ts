import { Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSealed, openSealedStream, parseIdentities } from '../../src/encryption/index.ts';
import { lacks } from '../support/needs.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { ageEncrypt } from './age-program.ts';
import { CHUNK, collect, failureOf, makeKey, piecesOf, plainOf, SEALED_CHUNK, SIZES, sealedBytes, sourceOf } from './sample-files.ts';

const key = await makeKey();
const { identities } = key;
const encrypter = new Encrypter();
encrypter.addRecipient(key.recipient);

const WRITERS = [
	['ourselves', false, sealedBytes],
	['the program age', lacks('age'), ageEncrypt],
	['the library age-encryption', false, (plain: Uint8Array) => encrypter.encrypt(plain)],
] as const;

describe('openSealed()', () => {
	describe.each(WRITERS)('written by %s', (_name, missing, write) => {
		it.skipIf(missing)('gives any range by one read of the chunks that hold it', async () => {
			const plains = [5 * CHUNK, 7 * CHUNK + 12_345, 100].map(plainOf);
			const files: { readonly plain: Buffer; readonly sealed: Uint8Array }[] = [];
			for (const plain of plains) files.push({ plain, sealed: await write(plain, key) });
			const cases = fc.tuple(fc.nat({ max: 2 }), fc.nat(), fc.nat(), fc.boolean());
			await fc.assert(
				fc.asyncProperty(cases, async ([file, from, take, small]) => {
					const { plain, sealed } = files[file] ?? { plain: Buffer.alloc(0), sealed: new Uint8Array(0) };
					const source = sourceOf(sealed);
					const { size, headerLength, read } = await openSealed({ source, identities });
					const offset = from % (size + 1);
					const length = take % (Math.min(small ? 30_000 : size, size - offset) + 1);
					source.reads.length = 0;
					expect(plain.subarray(offset, offset + length).equals(await read(offset, length))).toBe(true);
					expect(source.reads.length).toBe(length === 0 ? 0 : 1);
					for (const read of source.reads) {
						expect((read.offset - headerLength) % SEALED_CHUNK).toBe(0);
						expect(read.length).toBeLessThanOrEqual((Math.ceil(length / CHUNK) + 1) * SEALED_CHUNK);
					}
				}),
				propertyRuns(60),
			);
		});
	});

	it.each([
		[0, 1, 1],
		[0, CHUNK, 1],
		[CHUNK - 1, 1, 1],
		[CHUNK - 1, 2, 2],
		[CHUNK, CHUNK, 1],
		[1, 2 * CHUNK, 3],
	])('reads of %i + %i bytes exactly the %i chunks', async (offset, length, chunks) => {
		const source = sourceOf(await sealedBytes(plainOf(4 * CHUNK), key));
		const { headerLength, read } = await openSealed({ source, identities });
		await read(offset, length);
		const first = headerLength + Math.floor(offset / CHUNK) * SEALED_CHUNK;
		expect(source.reads.slice(1)).toEqual([{ offset: first, length: chunks * SEALED_CHUNK }]);
	});

	it.each([
		[0, 101],
		[100, 1],
		[101, 0],
		[-1, 2],
		[0, -1],
		[Number.NaN, 1],
	])('refuses %d + %d bytes of 100', async (offset, length) => {
		const { read } = await openSealed({ source: sourceOf(await sealedBytes(plainOf(100), key)), identities });
		expect(await failureOf(() => read(offset, length))).toBe('archive-damaged seal-size');
	});

	it('gives memory of its own, which the next read leaves alone', async () => {
		const plain = plainOf(3 * CHUNK);
		const { read } = await openSealed({ source: sourceOf(await sealedBytes(plain, key)), identities });
		const one = await read(10, CHUNK);
		const [two, three] = await Promise.all([read(20, 2 * CHUNK), read(CHUNK, 5)]);
		expect(plain.subarray(10, 10 + CHUNK).equals(one)).toBe(true);
		expect(plain.subarray(20, 20 + 2 * CHUNK).equals(two)).toBe(true);
		expect(plain.subarray(CHUNK, CHUNK + 5).equals(three)).toBe(true);
	});
});

describe('the header', () => {
	it('is read once, with 4 KiB; a kept head takes no read at all, however much of the file it holds', async () => {
		const plain = plainOf(100_000);
		const sealed = await sealedBytes(plain, key);
		const source = sourceOf(sealed);
		const { head, headerLength } = await openSealed({ source, identities });
		expect(source.reads).toEqual([{ offset: 0, length: 4096 }]);
		expect(head).toEqual(Uint8Array.from(sealed.subarray(0, headerLength)));
		for (const kept of [head, sealed.subarray(0, headerLength + 1), sealed]) {
			const again = sourceOf(sealed);
			const opened = await openSealed({ source: again, identities, head: kept });
			expect(again.reads).toEqual([]);
			expect(plain.equals(await opened.read(0, opened.size))).toBe(true);
		}
	});

	it('is read on where it is longer than the first read, or than what was kept', async () => {
		const many = [key];
		while (many.length < 60) many.push(await makeKey());
		const plain = plainOf(100_000);
		const sealed = await sealedBytes(plain, ...many);
		for (const [options, reads] of [
			[{}, [4096, 61_440]],
			[{ firstRead: 16_384 }, [16_384]],
			[{ firstRead: 1 }, [1, 65_535]],
			[{ head: sealed.subarray(0, 100) }, [3996, 61_440]],
			[{ head: sealed.subarray(0, 5000) }, [60_536]],
		] as const) {
			const source = sourceOf(sealed);
			const opened = await openSealed({ source, identities, ...options });
			expect(source.reads.map(({ length }) => length)).toEqual(reads);
			expect(opened.headerLength).toBeGreaterThan(4096);
			expect(plain.equals(await opened.read(0, opened.size))).toBe(true);
		}
	});

	it('opens with any of several identities, and says whose is missing with none', async () => {
		const [left, right] = [await makeKey(), await makeKey()];
		const sealed = await sealedBytes(plainOf(10), right, key);
		const both = parseIdentities(`${left.secret}\n${key.secret}`, 'keys');
		expect((await openSealed({ source: sourceOf(sealed), identities: both })).size).toBe(10);
		for (const wrong of [left.identities, []]) {
			for (const call of [
				() => openSealed({ source: sourceOf(sealed), identities: wrong }),
				() => collect(openSealedStream(piecesOf(sealed), wrong)),
			]) {
				const error = await call().catch((reason) => reason);
				expect(error).toMatchObject({ code: 'permission', retryable: false, details: { recipients: 2, identities: wrong.length } });
				expect(error.hint).toContain('give the identity file (AGE-SECRET-KEY-1...) of a recipient');
			}
		}
	});

	it('says where a passphrase is needed', async () => {
		const withPassphrase = new Encrypter();
		withPassphrase.setScryptWorkFactor(1);
		withPassphrase.setPassphrase('open');
		const sealed = await withPassphrase.encrypt(plainOf(10));
		const error = await openSealed({ source: sourceOf(sealed), identities }).catch((reason) => reason);
		expect(error).toMatchObject({ code: 'permission', message: 'Cannot decrypt file: it is encrypted with a passphrase' });
	});
});

describe('openSealedStream()', () => {
	it.each(SIZES)('gives %i bytes back, whatever the pieces', async (size) => {
		const plain = plainOf(size);
		const sealed = await sealedBytes(plain, key);
		for (const piece of [997, SEALED_CHUNK - 1, SEALED_CHUNK, SEALED_CHUNK + 1, 200_000, sealed.length]) {
			expect(plain.equals(await collect(openSealedStream(piecesOf(sealed, piece), identities))), `pieces of ${piece}`).toBe(true);
		}
	});

	it('gives the bytes back byte by byte, also where the source fills the same memory', async () => {
		const plain = plainOf(CHUNK + 100);
		const sealed = await sealedBytes(plain, key);
		async function* reusing(): AsyncIterable<Uint8Array> {
			const memory = new Uint8Array(1);
			for (const byte of sealed) yield memory.fill(byte);
		}
		expect(plain.equals(await collect(openSealedStream(reusing(), identities)))).toBe(true);
	});

	it('gives a chunk as soon as a byte follows it', async () => {
		const plain = plainOf(3 * CHUNK);
		const sealed = await sealedBytes(plain, key);
		const { headerLength } = await openSealed({ source: sourceOf(sealed), identities });
		let sent = 0;
		async function* counted(): AsyncIterable<Uint8Array> {
			for await (const piece of piecesOf(sealed, 1000)) {
				sent += piece.length;
				yield piece;
			}
		}
		let given = 0;
		for await (const piece of openSealedStream(counted(), identities)) {
			given += piece.length;
			const chunks = given / CHUNK;
			expect(sent).toBeLessThanOrEqual(headerLength + chunks * SEALED_CHUNK + 1000);
		}
		expect(given).toBe(plain.length);
	});

	it('throws what its source throws', async () => {
		const sealed = await sealedBytes(plainOf(100_000), key);
		async function* cut(): AsyncIterable<Uint8Array> {
			yield sealed.subarray(0, 90_000);
			throw new Error('the line is cut');
		}
		await expect(collect(openSealedStream(cut(), identities))).rejects.toThrow('the line is cut');
	});
});
