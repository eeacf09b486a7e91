import { describe, expect, it } from 'vitest';
import { type BlobStore, sleep, withLimits } from '../../src/remote/index.ts';
import { collect, contentOf, describeBlobStore, NEVER, noise, readAll } from '../contract/blob-store.ts';
import { openFolderUnderTest } from './folder-under-test.ts';

const REAL = { now: () => performance.now(), sleep };

describeBlobStore({
	name: 'a folder with limits',
	open: () => openFolderUnderTest((store) => withLimits(store, { ...REAL, bytesPerSecond: 200e6, concurrent: 2 })),
	temporaryName: 'bundles/ab/.tmp-0123456789abcdef',
});

/** A clock that is moved by sleeping alone. */
function clock() {
	const at = { ms: 5_000 };
	const options = {
		now: () => at.ms,
		async sleep(ms: number) {
			expect(ms).toBeGreaterThan(0);
			// Whoever sleeps at the same time wakes at its own time.
			const until = at.ms + ms;
			await Promise.resolve();
			at.ms = Math.max(at.ms, until);
		},
	};
	return { options, passed: () => at.ms - 5_000 };
}

/** Takes and gives noise; remembers the sizes of pieces, and how many calls were under way at most. */
function noisy(size: number) {
	const seen = { taken: [] as number[], now: 0, most: 0 };
	async function under<T>(work: () => Promise<T>): Promise<T> {
		seen.most = Math.max(seen.most, ++seen.now);
		await new Promise((resolve) => setImmediate(resolve));
		try {
			return await work();
		} finally {
			seen.now--;
		}
	}
	const store = {
		place: 'noise',
		stat: () => under(async () => null),
		readRange: (_name, { length }) => under(async () => noise(length)),
		async *read() {
			yield noise(size);
		},
		create: (_name, content) =>
			under(async () => {
				for await (const piece of content.open()) seen.taken.push(piece.length);
				return { outcome: 'created', md5: null };
			}),
		prove: () => under(async () => ({ state: 'intact', how: 'read' })),
		async *list() {
			for (const name of ['a', 'b', 'c']) yield await under(async () => ({ name, size: 1, modified: null, md5: null }));
		},
		close: async () => {},
	} as Partial<BlobStore> as BlobStore;
	return { store, seen };
}

describe('withLimits()', () => {
	it('lets so many bytes a second pass, in parts of a tenth of a second', async () => {
		const { options, passed } = clock();
		const { store, seen } = noisy(0);
		await withLimits(store, { ...options, bytesPerSecond: 10_000 }).create('a', contentOf(noise(25_500)), { signal: NEVER });
		expect(seen.taken).toEqual([...Array.from({ length: 25 }, () => 1_000), 500]);
		expect(passed()).toBeCloseTo(2_450);
	});

	it('counts uploads, downloads, ranges and proofs together, whichever comes first', async () => {
		const { options, passed } = clock();
		const { store } = noisy(10_000);
		const limited = withLimits(store, { ...options, bytesPerSecond: 10_000 });
		await Promise.all([
			readAll(limited, 'a'),
			limited.create('b', contentOf(noise(10_000)), { signal: NEVER }),
			limited.readRange('c', { offset: 0, length: 10_000 }, NEVER),
			limited.prove('d', { size: 10_000, sha256: null, md5: null }, NEVER),
		]);
		expect(passed()).toBeCloseTo(3_900);
	});

	it('does not save up what was not used', async () => {
		const { options, passed } = clock();
		const { store } = noisy(10_000);
		const limited = withLimits(store, { ...options, bytesPerSecond: 10_000 });
		await readAll(limited, 'a');
		await options.sleep(60_000);
		await readAll(limited, 'a');
		expect(passed()).toBeCloseTo(61_800);
	});

	it('changes nothing where there is no limit', async () => {
		const { options, passed } = clock();
		const { store, seen } = noisy(100_000);
		const limited = withLimits(store, options);
		expect((await readAll(limited, 'a')).equals(noise(100_000))).toBe(true);
		await Promise.all(Array.from({ length: 50 }, () => limited.stat('a', NEVER)));
		expect([passed(), seen.most]).toEqual([0, 50]);
	});

	it('ends a transfer that waits for its turn', async () => {
		const stop = new AbortController();
		const { store } = noisy(0);
		const limited = withLimits(store, { ...REAL, bytesPerSecond: 1 });
		const sending = limited.create('a', contentOf(noise(1_000)), { signal: stop.signal });
		setImmediate(() => stop.abort());
		await expect(sending).rejects.toMatchObject({ code: 'interrupted' });
	});

	it.each([1, 3])('keeps %i calls under way at most, and does all', async (concurrent) => {
		const { store, seen } = noisy(0);
		const limited = withLimits(store, { ...REAL, concurrent });
		const done = await Promise.all(Array.from({ length: 20 }, () => limited.stat('a', NEVER)));
		expect([done.length, seen.most, seen.now]).toEqual([20, concurrent, 0]);
	});

	it('gives a place back after a failure, after a read that was left, and where nobody waits for it any more', async () => {
		const { store } = noisy(10);
		const failure = new Error('failed');
		const limited = withLimits({ ...store, remove: () => Promise.reject(failure) }, { ...REAL, concurrent: 1 });
		await expect(limited.remove('a', NEVER)).rejects.toBe(failure);
		for await (const _piece of limited.read('a', { signal: NEVER })) break;
		const stop = new AbortController();
		const reading = limited.read('a', { signal: NEVER })[Symbol.asyncIterator]();
		await reading.next();
		const waiting = [limited.stat('a', NEVER), limited.stat('a', stop.signal), limited.stat('a', NEVER)];
		stop.abort();
		await expect(waiting[1]).rejects.toMatchObject({ code: 'interrupted' });
		await reading.return?.();
		expect(await Promise.all([waiting[0], waiting[2]])).toEqual([null, null]);
	});

	it('lets a loop over a listing make calls, with one place for all', async () => {
		const { store, seen } = noisy(0);
		const limited = withLimits(store, { ...REAL, concurrent: 1 });
		const names: string[] = [];
		for await (const { name } of limited.list('', NEVER)) {
			await limited.stat(name, NEVER);
			names.push(name);
		}
		expect(names).toEqual(['a', 'b', 'c']);
		await Promise.all([collect(limited.list('', NEVER)), collect(limited.list('', NEVER)), limited.stat('a', NEVER)]);
		expect(seen.most).toBe(1);
	});
});
