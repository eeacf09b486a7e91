import { createCipheriv, hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import type { BlobContent, BlobFacts, BlobStore } from '../../src/remote/index.ts';

/** A new and empty store, with a way around it. */
export interface OpenedStore {
	readonly store: BlobStore;
	/** Puts bytes under a name behind the store's back, as damage or somebody else would; what is there goes. Makes the folders it needs. */
	plant(name: string, bytes: Uint8Array): Promise<void>;
	/** Ends what `open()` started for this one test. */
	close(): Promise<void>;
}

export interface BlobStoreCase {
	/** Names the store in the report. */
	readonly name: string;
	/** True where what the store needs is missing on this machine. */
	readonly skip?: boolean;
	/** Called before each test. */
	open(): Promise<OpenedStore>;
	/** False where two creates of one name side by side may both say `created`, because the server cannot tell. Usually true. */
	readonly atomicCreate?: boolean;
	/** A name below `bundles/` such as a cut-off write leaves at this store; left out where there are none. */
	readonly temporaryName?: string;
	/** How many small blobs are listed at once. Usually 1,100: more than a page of an object store. */
	readonly many?: number;
}

/** A signal that is never aborted. */
export const NEVER = new AbortController().signal;

const PIECE = 65_521;

/** Bytes that no compression makes smaller, the same for the same arguments. */
export function noise(size: number, seed = 0): Buffer {
	return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
}

export function sha256(bytes: Uint8Array): string {
	return hash('sha256', bytes, 'hex');
}

export function md5(bytes: Uint8Array): string {
	return hash('md5', bytes, 'hex');
}

/** Bytes as content, in pieces of an odd size; `said` takes the place of what is true of them. */
export function contentOf(bytes: Uint8Array, said: Partial<BlobContent> = {}): BlobContent {
	return {
		size: bytes.length,
		sha256: sha256(bytes),
		async *open() {
			for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
		},
		...said,
	};
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const item of items) all.push(item);
	return all;
}

/** All bytes of a blob from `offset` on. */
export async function readAll(store: BlobStore, name: string, offset?: number): Promise<Buffer> {
	return Buffer.concat(await collect(store.read(name, { signal: NEVER, ...(offset === undefined ? {} : { offset }) })));
}

async function namesBelow(store: BlobStore, folder: string): Promise<string[]> {
	return (await collect(store.list(folder, NEVER))).map(({ name }) => name).sort();
}

/** What every BlobStore does, and every wrapper around one. */
export function describeBlobStore(options: BlobStoreCase): void {
	const { atomicCreate = true, temporaryName, many = 1_100 } = options;

	describe.skipIf(options.skip === true)(`${options.name} is a BlobStore:`, () => {
		let opened: OpenedStore;
		let store: BlobStore;
		beforeEach(async () => {
			opened = await options.open();
			store = opened.store;
		});
		afterEach(async () => {
			await store.close();
			await opened.close();
		});

		function create(name: string, bytes: Uint8Array, replace?: boolean) {
			return store.create(name, contentOf(bytes), { signal: NEVER, ...(replace === undefined ? {} : { replace }) });
		}

		/** Nothing shows at the store, neither in a listing nor under the name. */
		async function expectNothing(name: string): Promise<void> {
			expect(await store.stat(name, NEVER)).toBe(null);
			expect(await namesBelow(store, 'bundles/')).toEqual([]);
		}

		describe('create()', () => {
			it.each([0, 1, 65_535, 65_536, 65_537, 5 * 1024 * 1024])('keeps %i bytes, which read back byte for byte', async (size) => {
				const bytes = noise(size);
				const { outcome, md5: told } = await create('bundles/ab/one.zip', bytes);
				expect(outcome).toBe('created');
				expect([null, md5(bytes)]).toContain(told);
				expect((await readAll(store, 'bundles/ab/one.zip')).equals(bytes)).toBe(true);
				expect(await store.stat('bundles/ab/one.zip', NEVER)).toMatchObject({ name: 'bundles/ab/one.zip', size });
			});

			it('takes content in one piece, in single bytes and with empty pieces', async () => {
				const bytes = noise(3_000);
				async function* single(): AsyncIterable<Uint8Array> {
					for (const byte of bytes) yield Uint8Array.of(byte);
				}
				async function* whole(): AsyncIterable<Uint8Array> {
					yield new Uint8Array(0);
					yield bytes;
					yield new Uint8Array(0);
				}
				for (const [name, open] of Object.entries({ single, whole })) {
					await store.create(`bundles/${name}`, contentOf(bytes, { open }), { signal: NEVER });
					expect((await readAll(store, `bundles/${name}`)).equals(bytes)).toBe(true);
				}
			});

			it('says `present` for a taken name, and what is there stays', async () => {
				await create('bundles/ab/one.zip', noise(1_000, 1));
				expect(await create('bundles/ab/one.zip', noise(2_000, 2))).toMatchObject({ outcome: 'present' });
				expect((await readAll(store, 'bundles/ab/one.zip')).equals(noise(1_000, 1))).toBe(true);
				await opened.plant('bundles/ab/two.zip', Buffer.from('damaged'));
				expect(await create('bundles/ab/two.zip', noise(2_000, 2))).toMatchObject({ outcome: 'present' });
				expect((await readAll(store, 'bundles/ab/two.zip')).toString()).toBe('damaged');
			});

			it('takes the place of what is there where it is told to', async () => {
				await opened.plant('bundles/ab/one.zip', noise(3_000, 1));
				expect(await create('bundles/ab/one.zip', noise(2_000, 2), true)).toMatchObject({ outcome: 'created' });
				expect((await readAll(store, 'bundles/ab/one.zip')).equals(noise(2_000, 2))).toBe(true);
				expect(await create('bundles/ab/new.zip', noise(10, 3), true)).toMatchObject({ outcome: 'created' });
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/new.zip', 'bundles/ab/one.zip']);
			});

			it.each([
				['has another SHA-256', { sha256: sha256(Buffer.from('other')) }],
				['is shorter than its size', { size: 200_001 }],
				['is longer than its size', { size: 199_999 }],
				['is empty and should not be', { size: 1, open: async function* () {} }],
			])('refuses content that %s, and leaves nothing', async (_what, said) => {
				const content = contentOf(noise(200_000), said);
				await expect(store.create('bundles/ab/one.zip', content, { signal: NEVER })).rejects.toMatchObject({ code: 'archive-damaged' });
				await expectNothing('bundles/ab/one.zip');
			});

			it('keeps what is there where the content that should replace it is wrong', async () => {
				await create('bundles/ab/one.zip', noise(1_000, 1));
				const content = contentOf(noise(1_000, 2), { sha256: sha256(noise(1_000, 3)) });
				await expect(store.create('bundles/ab/one.zip', content, { signal: NEVER, replace: true })).rejects.toMatchObject({
					code: 'archive-damaged',
				});
				expect((await readAll(store, 'bundles/ab/one.zip')).equals(noise(1_000, 1))).toBe(true);
			});

			it('leaves nothing of content that cannot be read to its end, and throws what reading threw', async () => {
				const bytes = noise(300_000);
				async function* open(): AsyncIterable<Uint8Array> {
					yield bytes.subarray(0, 200_000);
					throw new MailsealError('io', 'Cannot read "one.zip": EIO');
				}
				await expect(store.create('bundles/ab/one.zip', contentOf(bytes, { open }), { signal: NEVER })).rejects.toMatchObject({
					code: 'io',
					message: 'Cannot read "one.zip": EIO',
				});
				await expectNothing('bundles/ab/one.zip');
				expect(await create('bundles/ab/one.zip', bytes)).toMatchObject({ outcome: 'created' });
			});

			it('ends with one whole blob where two write the same name side by side', async () => {
				const [a, b] = [noise(400_000, 1), noise(400_000, 2)];
				const outcomes = await Promise.all([a, b].map(async (bytes) => ({ bytes, ...(await create('bundles/ab/one.zip', bytes)) })));
				const kept = await readAll(store, 'bundles/ab/one.zip');
				const created = outcomes.filter(({ outcome }) => outcome === 'created');
				expect(created.some(({ bytes }) => bytes.equals(kept))).toBe(true);
				if (atomicCreate) expect(created.length).toBe(1);
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/one.zip']);
			});

			it('writes several blobs side by side', async () => {
				const names = Array.from({ length: 8 }, (_, index) => `bundles/${index}/blob`);
				await Promise.all(names.map((name, index) => create(name, noise(100_000 + index, index))));
				for (const [index, name] of names.entries()) {
					expect((await readAll(store, name)).equals(noise(100_000 + index, index))).toBe(true);
				}
			});

			it('ends with `interrupted` before the first byte and between two, and leaves nothing', async () => {
				const bytes = noise(300_000);
				const early = AbortSignal.abort();
				await expect(store.create('bundles/ab/one.zip', contentOf(bytes), { signal: early })).rejects.toMatchObject({
					code: 'interrupted',
				});
				const late = new AbortController();
				async function* open(): AsyncIterable<Uint8Array> {
					yield bytes.subarray(0, 100_000);
					late.abort();
					yield bytes.subarray(100_000);
				}
				await expect(store.create('bundles/ab/one.zip', contentOf(bytes, { open }), { signal: late.signal })).rejects.toMatchObject({
					code: 'interrupted',
				});
				await expectNothing('bundles/ab/one.zip');
			});

			it('takes every character that a name may have', async () => {
				const names = [
					'names/0123456789._-',
					'names/ABCDEFGHIJKLMNOPQRSTUVWXYZ/abcdefghijklmnopqrstuvwxyz',
					'names/_a/-b/..c/.d',
					`names/${'x'.repeat(64)}.zip`,
				];
				for (const name of names) await create(name, Buffer.from(name));
				expect(await namesBelow(store, 'names/')).toEqual(names.toSorted());
				for (const name of names) expect((await readAll(store, name)).toString()).toBe(name);
			});

			it.each(['', '/a', 'a/', 'a//b', '.', '..', 'a/../b', 'a/./b', 'a b', 'a\\b', 'a\nb', 'ä', 'a%2fb', 'x'.repeat(1_025)])(
				'refuses the name %j, as every call does',
				async (name) => {
					await expect(create(name, Buffer.from('x'))).rejects.toThrow(Error);
					await expect(store.stat(name, NEVER)).rejects.toThrow(Error);
					await expect(store.readRange(name, { offset: 0, length: 1 }, NEVER)).rejects.toThrow(Error);
					await expect(readAll(store, name)).rejects.toThrow(Error);
					await expect(store.prove(name, { size: 1, sha256: sha256(Buffer.from('x')), md5: null }, NEVER)).rejects.toThrow(Error);
					await expect(store.remove(name, NEVER)).rejects.toThrow(Error);
				},
			);
		});

		describe('read() and readRange()', () => {
			const BYTES = noise(300_000);
			beforeEach(() => create('bundles/ab/one.zip', BYTES));

			it.each([
				['the start', 0, 1],
				['the middle', 65_530, 131_072],
				['the last byte', 299_999, 1],
				['all', 0, 300_000],
			])('give exactly %s', async (_what, offset, length) => {
				const bytes = await store.readRange('bundles/ab/one.zip', { offset, length }, NEVER);
				expect(Buffer.from(bytes).equals(BYTES.subarray(offset, offset + length))).toBe(true);
			});

			it.each([
				[299_999, 2],
				[300_000, 1],
				[400_000, 10],
				[0, 300_001],
			])('say `archive-damaged` for a range beyond the end: %i, %i bytes', async (offset, length) => {
				await expect(store.readRange('bundles/ab/one.zip', { offset, length }, NEVER)).rejects.toMatchObject({ code: 'archive-damaged' });
			});

			it.each([0, 1, 65_536, 299_999, 300_000])('give the rest from byte %i on', async (offset) => {
				expect((await readAll(store, 'bundles/ab/one.zip', offset)).equals(BYTES.subarray(offset))).toBe(true);
			});

			it('say `not-found` for what is not there', async () => {
				for (const name of ['bundles/ab/two.zip', 'nowhere/one.zip', 'bundles/ab', 'bundles/ab/one.zip/two.zip']) {
					await expect(readAll(store, name)).rejects.toMatchObject({ code: 'not-found' });
					await expect(store.readRange(name, { offset: 0, length: 1 }, NEVER)).rejects.toMatchObject({ code: 'not-found' });
				}
			});

			it('may be left in the middle, and side by side', async () => {
				for await (const piece of store.read('bundles/ab/one.zip', { signal: NEVER })) {
					expect(piece.length).toBeGreaterThan(0);
					break;
				}
				const all = await Promise.all([0, 1, 2, 3].map((offset) => readAll(store, 'bundles/ab/one.zip', offset)));
				for (const [offset, bytes] of all.entries()) expect(bytes.equals(BYTES.subarray(offset))).toBe(true);
			});

			it('end with `interrupted`', async () => {
				const signal = AbortSignal.abort();
				await expect(collect(store.read('bundles/ab/one.zip', { signal }))).rejects.toMatchObject({ code: 'interrupted' });
				await expect(store.readRange('bundles/ab/one.zip', { offset: 0, length: 1 }, signal)).rejects.toMatchObject({
					code: 'interrupted',
				});
				await create('bundles/ab/large.zip', noise(5 * 1024 * 1024));
				const late = new AbortController();
				const reading = (async () => {
					for await (const _piece of store.read('bundles/ab/large.zip', { signal: late.signal })) late.abort();
				})();
				await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
			});
		});

		describe('list(), stat() and top()', () => {
			it('give names and sizes of what lies below a folder, and of nothing else', async () => {
				const sizes: Record<string, number> = { 'bundles/a': 1, 'bundles/ab/b': 2, 'bundles/ab/cd/c': 3, 'bundles/ac/d': 0 };
				for (const [name, size] of Object.entries(sizes)) await create(name, noise(size));
				for (const name of ['snapshots/e', 'bundles-old/f', 'bundle', 'readme.txt']) await create(name, Buffer.from(name));
				const found = await collect(store.list('bundles/', NEVER));
				expect(Object.fromEntries(found.map(({ name, size }) => [name, size]))).toEqual(sizes);
				expect(found.length).toBe(4);
				expect(await namesBelow(store, 'bundles/ab/')).toEqual(['bundles/ab/b', 'bundles/ab/cd/c']);
				expect((await store.top(100, NEVER)).toSorted()).toEqual(['bundle', 'bundles', 'bundles-old', 'readme.txt', 'snapshots']);
				expect((await store.top(2, NEVER)).length).toBe(2);
			});

			it('agree with each other, and tell a time and an MD5 only where they are right', async () => {
				const before = Date.now();
				await create('bundles/ab/one.zip', noise(10_000));
				const [listed] = await collect(store.list('bundles/', NEVER));
				const facts = await store.stat('bundles/ab/one.zip', NEVER);
				for (const told of [listed, facts] as BlobFacts[]) {
					expect(told).toMatchObject({ name: 'bundles/ab/one.zip', size: 10_000 });
					expect([null, md5(noise(10_000))]).toContain(told.md5);
					if (told.modified !== null) expect(Math.abs(told.modified - before)).toBeLessThan(600_000);
				}
			});

			it('have nothing where nothing is', async () => {
				expect(await store.top(100, NEVER)).toEqual([]);
				expect(await namesBelow(store, 'bundles/')).toEqual([]);
				await create('bundles/ab/one.zip', noise(10));
				expect(await namesBelow(store, 'snapshots/')).toEqual([]);
				for (const name of ['bundles/ab/two.zip', 'bundles/ab', 'bundles/ab/one', 'bundles/ab/one.zip/two', 'nowhere/x']) {
					expect(await store.stat(name, NEVER)).toBe(null);
				}
			});

			it(`list all of ${many} blobs, each once`, async () => {
				const names = Array.from({ length: many }, (_, index) => `bundles/${(index % 16).toString(16)}/${index}`);
				const waiting = [...names];
				async function plantWaiting(): Promise<void> {
					for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await opened.plant(name, Buffer.from(name));
				}
				await Promise.all(Array.from({ length: 16 }, plantWaiting));
				const found = await collect(store.list('bundles/', NEVER));
				expect(found.map(({ name }) => name).sort()).toEqual(names.toSorted());
				expect(found.every(({ name, size }) => size === name.length)).toBe(true);
			});

			it('end with `interrupted`', async () => {
				await create('bundles/ab/one.zip', noise(10));
				const signal = AbortSignal.abort();
				await expect(collect(store.list('bundles/', signal))).rejects.toMatchObject({ code: 'interrupted' });
				await expect(store.stat('bundles/ab/one.zip', signal)).rejects.toMatchObject({ code: 'interrupted' });
				await expect(store.top(1, signal)).rejects.toMatchObject({ code: 'interrupted' });
			});

			it.each(['/', 'a//', '../', 'a', './', 'a b/'])('refuse the folder %j', async (folder) => {
				await expect(namesBelow(store, folder)).rejects.toThrow(Error);
			});
		});

		describe('prove()', () => {
			const BYTES = noise(200_000);
			const HASHES = [
				['both hashes', { sha256: sha256(BYTES), md5: md5(BYTES) }],
				['SHA-256 alone', { sha256: sha256(BYTES), md5: null }],
				['MD5 alone', { sha256: null, md5: md5(BYTES) }],
			] as const;

			it.each(HASHES)('says `intact` of whole bytes, by %s', async (_by, hashes) => {
				await create('bundles/ab/one.zip', BYTES);
				expect(await store.prove('bundles/ab/one.zip', { size: BYTES.length, ...hashes }, NEVER)).toMatchObject({ state: 'intact' });
			});

			it.each(HASHES)('says `damaged` of other bytes and of another size, by %s', async (_by, hashes) => {
				await create('bundles/ab/one.zip', BYTES);
				const flipped = Buffer.from(BYTES);
				flipped.writeUInt8(flipped.readUInt8(100_000) ^ 1, 100_000);
				for (const bytes of [flipped, BYTES.subarray(1), Buffer.concat([BYTES, Buffer.alloc(1)]), Buffer.alloc(0)]) {
					await opened.plant('bundles/ab/one.zip', bytes);
					const proof = await store.prove('bundles/ab/one.zip', { size: BYTES.length, ...hashes }, NEVER);
					expect(proof).toMatchObject({ state: 'damaged', text: expect.stringMatching(/[^.]$/) });
				}
			});

			it('says `missing` only of what is not there', async () => {
				const expected = { size: BYTES.length, sha256: sha256(BYTES), md5: null };
				expect(await store.prove('bundles/ab/one.zip', expected, NEVER)).toEqual({ state: 'missing' });
				await create('bundles/ab/one.zip', BYTES);
				expect(await store.prove('bundles/ab/two.zip', expected, NEVER)).toEqual({ state: 'missing' });
				const signal = AbortSignal.abort();
				await expect(store.prove('bundles/ab/two.zip', expected, signal)).rejects.toMatchObject({ code: 'interrupted' });
			});
		});

		describe('remove()', () => {
			it('removes one blob, and is content where there is none', async () => {
				await create('bundles/ab/one.zip', noise(10));
				await create('bundles/ab/two.zip', noise(10));
				await store.remove('bundles/ab/one.zip', NEVER);
				await store.remove('bundles/ab/one.zip', NEVER);
				await store.remove('nowhere/one.zip', NEVER);
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/two.zip']);
				expect(await create('bundles/ab/one.zip', noise(20))).toMatchObject({ outcome: 'created' });
			});

			it('ends with `interrupted`, and what is there stays', async () => {
				await create('bundles/ab/one.zip', noise(10));
				await expect(store.remove('bundles/ab/one.zip', AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' });
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/one.zip']);
			});
		});

		describe('leftovers()', () => {
			it('has none where all writes ended', async () => {
				await create('bundles/ab/one.zip', noise(10));
				await expect(
					store.create('bundles/ab/two.zip', contentOf(noise(100_000), { sha256: sha256(noise(1)) }), { signal: NEVER }),
				).rejects.toMatchObject({ code: 'archive-damaged' });
				expect(await collect(store.leftovers(NEVER))).toEqual([]);
			});

			// A store that has no temporary names leaves nothing.
			if (temporaryName === undefined) return;
			const left = temporaryName;
			it('gives what a cut-off write left, no listing does, and it can be removed', async () => {
				await create('bundles/ab/one.zip', noise(10));
				await opened.plant(left, noise(1_000));
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/one.zip']);
				expect(await collect(store.leftovers(NEVER))).toMatchObject([{ name: left, size: 1_000 }]);
				await store.remove(left, NEVER);
				expect(await collect(store.leftovers(NEVER))).toEqual([]);
				expect(await namesBelow(store, 'bundles/')).toEqual(['bundles/ab/one.zip']);
			});
		});

		it('names itself, and may be closed twice', async () => {
			expect(store.place).not.toBe('');
			await store.close();
			await store.close();
		});
	});
}
