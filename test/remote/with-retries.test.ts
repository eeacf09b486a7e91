import { describe, expect, it } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { type BlobFacts, type BlobStore, backoff, type Retry, type RetryOptions, withRetries } from '../../src/remote/index.ts';
import { collect, contentOf, describeBlobStore, NEVER, noise, readAll } from '../contract/blob-store.ts';
import { openFolderUnderTest } from './folder-under-test.ts';

const AT_ONCE: RetryOptions = { tries: 3, delay: () => 0, sleep: async () => {} };

function unreachable(text = 'Cannot reach the server: ECONNRESET'): MailsealError {
	return new MailsealError('unreachable', text, { hint: 'look at the network', details: { port: 22 } });
}

/** Fails each call twice before it does it; cuts listings and transfers off at once, and then after more items each time. */
function flaky(store: BlobStore): BlobStore {
	const failed = new Map<string, number>();
	function times(call: string): number {
		const before = failed.get(call) ?? 0;
		failed.set(call, before + 1);
		return before;
	}
	async function twice<T>(name: string, call: () => Promise<T>): Promise<T> {
		if (times(name) < 2) throw unreachable();
		failed.delete(name);
		return call();
	}
	async function* cut<T>(name: string, items: AsyncIterable<T>): AsyncIterable<T> {
		let left = times(name) * 150;
		for await (const item of items) {
			if (left-- === 0) throw unreachable();
			yield item;
		}
	}
	return {
		...store,
		top: (limit, signal) => twice('top', () => store.top(limit, signal)),
		list: (folder, signal) => cut(`list ${folder}`, store.list(folder, signal)),
		stat: (name, signal) => twice(`stat ${name}`, () => store.stat(name, signal)),
		readRange: (name, range, signal) => twice(`range ${name} ${range.offset}`, () => store.readRange(name, range, signal)),
		read: (name, options) => cut(`read ${name} ${options.offset}`, store.read(name, options)),
		create: (name, content, options) => twice(`create ${name} ${content.sha256}`, () => store.create(name, content, options)),
		prove: (name, expected, signal) => twice(`prove ${name}`, () => store.prove(name, expected, signal)),
		remove: (name, signal) => twice(`remove ${name}`, () => store.remove(name, signal)),
		leftovers: (signal) => cut('leftovers', store.leftovers(signal)),
	};
}

describeBlobStore({
	name: 'a folder that often fails, with retries',
	open: () => openFolderUnderTest((store) => withRetries(flaky(store), AT_ONCE)),
	temporaryName: 'bundles/ab/.tmp-0123456789abcdef',
});

/** A store of which only some calls are made. */
function storeOf(calls: Partial<BlobStore>): BlobStore {
	return { place: 'a store', ...calls } as BlobStore;
}

/** `stat()` fails so often, in this way, and then finds nothing. */
function failing(times: number, error: unknown = unreachable()) {
	const calls = { made: 0 };
	const store = storeOf({
		async stat() {
			if (++calls.made <= times) throw error;
			return null;
		},
	});
	return { calls, store };
}

describe('withRetries()', () => {
	it('tries again after the delay for each try, and tells of it', async () => {
		const { calls, store } = failing(2);
		const slept: number[] = [];
		const told: Retry[] = [];
		const retried = withRetries(store, {
			tries: 3,
			delay: (attempt) => attempt * 10,
			sleep: async (ms) => void slept.push(ms),
			onRetry: (retry) => told.push(retry),
		});
		expect(await retried.stat('a', NEVER)).toBe(null);
		expect(calls.made).toBe(3);
		expect(slept).toEqual([10, 20]);
		expect(told.map(({ text, attempt }) => [text, attempt])).toEqual([
			['Cannot reach the server: ECONNRESET; try 2 of 3 follows', 1],
			['Cannot reach the server: ECONNRESET; try 3 of 3 follows', 2],
		]);
		expect(told[0]?.error.code).toBe('unreachable');
	});

	it('gives up with the last error, and says how many tries there were', async () => {
		const { calls, store } = failing(99);
		await expect(withRetries(store, AT_ONCE).stat('a', NEVER)).rejects.toMatchObject({
			code: 'unreachable',
			message: 'Cannot reach the server: ECONNRESET, at the last of 3 tries too',
			hint: 'look at the network',
			retryable: true,
			details: { port: 22 },
			cause: { message: 'Cannot reach the server: ECONNRESET' },
		});
		expect(calls.made).toBe(3);
	});

	it('throws the error itself where there is one try', async () => {
		const error = unreachable();
		const { store } = failing(99, error);
		await expect(withRetries(store, { ...AT_ONCE, tries: 1 }).stat('a', NEVER)).rejects.toBe(error);
	});

	it.each([
		['a refusal', new MailsealError('permission', 'Cannot sign in')],
		['damage', new MailsealError('archive-damaged', 'Cannot read')],
		['a bug', new TypeError('x is not a function')],
	])('does not try again after %s', async (_what, error) => {
		const { calls, store } = failing(99, error);
		await expect(withRetries(store, AT_ONCE).stat('a', NEVER)).rejects.toBe(error);
		expect(calls.made).toBe(1);
	});

	it.each(['resolves', 'throws'])('ends at once where it is interrupted in a pause that %s then', async (how) => {
		const { calls, store } = failing(99);
		const stop = new AbortController();
		const retried = withRetries(store, {
			...AT_ONCE,
			async sleep() {
				stop.abort();
				if (how === 'throws') throw new Error('aborted');
			},
		});
		await expect(retried.stat('a', stop.signal)).rejects.toMatchObject({ code: 'interrupted' });
		expect(calls.made).toBe(1);
	});

	it('goes on with a read where it was cut off, however often it gets further', async () => {
		const bytes = noise(10_000);
		const offsets: (number | undefined)[] = [];
		const store = storeOf({
			async *read(_name, { offset = 0 }) {
				offsets.push(offset);
				yield bytes.subarray(offset, offset + 1_000);
				if (offset < 9_000) throw unreachable();
			},
		});
		expect((await readAll(withRetries(store, AT_ONCE), 'a', 500)).equals(bytes.subarray(500))).toBe(true);
		expect(offsets).toEqual([500, 1_500, 2_500, 3_500, 4_500, 5_500, 6_500, 7_500, 8_500, 9_500]);
	});

	it('gives a read up that gets no further', async () => {
		let opened = 0;
		const store = storeOf({
			async *read() {
				if (opened++ === 0) yield noise(10);
				throw unreachable();
			},
		});
		await expect(readAll(withRetries(store, AT_ONCE), 'a')).rejects.toMatchObject({ code: 'unreachable' });
		expect(opened).toBe(3);
	});

	it('begins a listing anew, in whatever order it then comes, and gives each blob once', async () => {
		const facts = (name: string): BlobFacts => ({ name, size: 1, modified: null, md5: null });
		const listings = [
			['a', 'b'],
			['c', 'a'],
			['d', 'b', 'a', 'c', 'e'],
		];
		const store = storeOf({
			async *list() {
				yield* (listings.shift() ?? []).map(facts);
				if (listings.length > 0) throw unreachable();
			},
		});
		expect((await collect(withRetries(store, AT_ONCE).list('', NEVER))).map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
	});

	it('opens content again for another try, and says `present` where the first one arrived after all', async () => {
		const taken = new Map<string, Buffer>();
		let opened = 0;
		const store = storeOf({
			async create(name, content) {
				if (taken.has(name)) return { outcome: 'present', md5: null };
				const bytes = Buffer.concat(await collect(content.open()));
				if (opened === 1) throw unreachable();
				taken.set(name, bytes);
				throw unreachable('Cannot reach the server: the answer was lost');
			},
		});
		const bytes = noise(300_000);
		const content = contentOf(bytes);
		const counted = {
			...content,
			open() {
				opened++;
				return content.open();
			},
		};
		expect(await withRetries(store, AT_ONCE).create('a', counted, { signal: NEVER })).toEqual({ outcome: 'present', md5: null });
		expect(opened).toBe(2);
		expect(taken.get('a')?.equals(bytes)).toBe(true);
	});
});

describe('backoff()', () => {
	it('doubles what it may wait up to the most, and waits any part of it', () => {
		const most = backoff({ base: 100, most: 1_000, random: () => 1 });
		expect([1, 2, 3, 4, 5, 2_000].map(most)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
		expect(backoff({ base: 100, most: 1_000, random: () => 0 })(3)).toBe(0);
		expect(backoff({ base: 100, most: 1_000, random: () => 0.25 })(3)).toBe(100);
	});
});

describe('withRetries() does not try again', () => {
	it('what the content itself throws, however retryable: its own reader has done that', async () => {
		const opened = await openFolderUnderTest();
		try {
			let opens = 0;
			const content = {
				...contentOf(noise(10)),
				// biome-ignore lint/correctness/useYield: it fails before the first piece.
				async *open(): AsyncGenerator<Uint8Array> {
					opens++;
					throw unreachable('Cannot read the other target: ECONNRESET');
				},
			};
			const store = withRetries(opened.store, AT_ONCE);
			await expect(store.create('bundles/ab/one.zip', content, { signal: NEVER })).rejects.toMatchObject({
				code: 'unreachable',
				message: 'Cannot read the other target: ECONNRESET',
			});
			expect(opens).toBe(1);
		} finally {
			await opened.close();
		}
	});

	it('a full disk: every try would send all of a bundle', async () => {
		let tries = 0;
		const full = {
			async create() {
				tries++;
				throw new MailsealError('no-space', 'Cannot write: the disk is full');
			},
		} as unknown as BlobStore;
		const call = withRetries(full, AT_ONCE).create('bundles/ab/one.zip', contentOf(noise(10)), { signal: NEVER });
		await expect(call).rejects.toMatchObject({ code: 'no-space', message: 'Cannot write: the disk is full' });
		expect(tries).toBe(1);
	});
});
