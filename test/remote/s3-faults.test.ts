import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type BlobStore, openS3Store, type S3StoreOptions } from '../../src/remote/index.ts';
import { collect, contentOf, md5, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { type BadWays, BYTES, CUT, HTML, isGet, isHead, isPut, NAME, openBadWays, refusal } from '../support/bad-way.ts';
import { lacksCeph } from '../support/ceph.ts';
import type { Fault, FaultyHttp } from '../support/faulty-http.ts';
import { newBucket, settingsOf } from '../support/s3-bucket.ts';

describe.skipIf(lacksCeph())('on a bad way to a bucket,', () => {
	let ways: BadWays;
	let way: FaultyHttp;
	/** Over the bad way, over it with patience, and beside it. */
	let store: BlobStore;
	let patient: BlobStore;
	let direct: BlobStore;
	let settings: S3StoreOptions;

	beforeAll(async () => {
		ways = await openBadWays();
		way = ways.way;
	});
	afterAll(() => ways?.close());
	beforeEach(async () => {
		const opened = await ways.open();
		({ store, patient, direct, settings } = opened);
		return async () => {
			expect(way.waiting()).toBe(0);
			await opened.close();
		};
	});

	function create(bytes = BYTES) {
		return store.create(NAME, contentOf(bytes), { signal: NEVER });
	}

	describe('an upload', () => {
		const FAULTS: readonly (readonly [string, Fault, string, boolean])[] = [
			['500', refusal(500, 'InternalError'), 'unreachable', true],
			['503 SlowDown', refusal(503, 'SlowDown'), 'unreachable', true],
			['429', { kind: 'answer', status: 429 }, 'unreachable', true],
			['400 RequestTimeout', refusal(400, 'RequestTimeout'), 'unreachable', true],
			['502 of a proxy', { kind: 'answer', status: 502, body: '<html><h1>502</h1>', headers: HTML }, 'unreachable', true],
			['200 with a page', { kind: 'answer', status: 200, body: '<html>Welcome</html>', headers: HTML }, 'unreachable', true],
			['403 ExpiredToken', refusal(403, 'ExpiredToken'), 'permission', false],
			['403 QuotaExceeded', refusal(403, 'QuotaExceeded'), 'no-space', true],
			['no answer', { kind: 'silence' }, 'unreachable', true],
			['a cut before the request', { kind: 'cut-request', after: 0 }, 'unreachable', true],
			['a cut after the first byte', { kind: 'cut-request', after: 1 }, 'unreachable', true],
			['a cut in the middle', { kind: 'cut-request', after: BYTES.length / 2 }, 'unreachable', true],
			['a cut before the last byte', { kind: 'cut-request', after: BYTES.length - 1 }, 'unreachable', true],
			['a bit that flips', { kind: 'damage-request', at: 1_000_000 }, 'unreachable', true],
		];

		test.each(FAULTS)('that meets %s fails, leaves nothing, and passes at the next try', async (_what, fault, code, retryable) => {
			way.fail(fault, isPut);
			await expect(create()).rejects.toMatchObject({ code, retryable, hint: expect.any(String) });
			expect(await direct.stat(NAME, NEVER)).toBe(null);
			expect(await create()).toEqual({ outcome: 'created', md5: md5(BYTES) });
			expect((await readAll(direct, NAME)).equals(BYTES)).toBe(true);
		});

		test.each([10, BYTES.length])('of %i bytes whose answer is lost meets its own blob at the next try', async (size) => {
			const bytes = BYTES.subarray(0, size);
			way.fail({ kind: 'lose-answer' }, isPut);
			expect(await patient.create(NAME, contentOf(bytes), { signal: NEVER })).toEqual({ outcome: 'present', md5: null });
			expect((await readAll(direct, NAME)).equals(bytes)).toBe(true);
		});

		test('is looked at again where the entity tag differs, and such tags count for nothing from then on', async () => {
			const other = `"${'0'.repeat(32)}"`;
			way.fail({ kind: 'change-answer', change: (headers) => ({ ...headers, etag: other }) }, isPut);
			expect(await create()).toEqual({ outcome: 'created', md5: null });
			expect(way.requests.filter(isGet).length).toBe(1);
			expect(await collect(store.list('bundles/', NEVER))).toMatchObject([{ name: NAME, size: BYTES.length, md5: null }]);
			expect(await store.stat(NAME, NEVER)).toMatchObject({ md5: null });
		});

		test('that the store damaged is found out by the entity tag', async () => {
			await direct.create(NAME, contentOf(noise(BYTES.length, 1)), { signal: NEVER });
			way.fail({ kind: 'answer', status: 200, headers: { etag: `"${md5(noise(BYTES.length, 1))}"` }, late: true }, isPut);
			await expect(store.create(NAME, contentOf(BYTES), { signal: NEVER, replace: true })).rejects.toMatchObject({
				code: 'unreachable',
				message: expect.stringContaining('SHA-256'),
			});
		});

		test.each([10, 100_000, BYTES.length])('of %i bytes that are not what they say never comes to its end', async (size) => {
			const bytes = BYTES.subarray(0, size);
			// A store that takes whatever comes whole.
			way.fail({ kind: 'answer', status: 200, headers: { etag: `"${md5(bytes)}"` }, late: true }, isPut);
			const before = way.whole.filter(isPut).length;
			async function* open(): AsyncIterable<Uint8Array> {
				yield bytes;
				await setTimeout(20);
			}
			const content = contentOf(bytes, { sha256: sha256(noise(1)), open });
			await expect(store.create(NAME, content, { signal: NEVER })).rejects.toMatchObject({ code: 'archive-damaged' });
			expect(way.whole.filter(isPut).length).toBe(before);
			way.forgive();
		});

		test('that the store takes before it has seen it is none', async () => {
			way.fail({ kind: 'answer', status: 200, headers: { etag: '"0-2"' } }, isPut);
			await expect(create()).rejects.toMatchObject(CUT);
		});

		test('that fails says nothing on the console', async () => {
			const spies = (['warn', 'error', 'info', 'log'] as const).map((method) => vi.spyOn(console, method).mockImplementation(() => {}));
			way.fail(refusal(503, 'SlowDown'), isPut);
			await expect(create()).rejects.toMatchObject(CUT);
			const said = spies.flatMap((spy) => spy.mock.calls);
			vi.restoreAllMocks();
			expect(said).toEqual([]);
		});

		test('does without the headers for checksums where the store refuses them', async () => {
			const refused: Fault = refusal(
				400,
				'InvalidArgument',
				"Unsupported header 'x-amz-sdk-checksum-algorithm' received for this API call.",
			);
			const asksFor = (header: string) => (_asked: string, headers: Readonly<Record<string, unknown>>) => header in headers;
			way.fail(refused, asksFor('x-amz-checksum-sha256'));
			way.fail(refused, asksFor('x-amz-checksum-sha256'));
			expect(await create()).toEqual({ outcome: 'created', md5: md5(BYTES) });
			expect(await store.create('bundles/two', contentOf(BYTES), { signal: NEVER })).toMatchObject({ outcome: 'created' });
			expect(way.waiting()).toBe(1);
			way.forgive();
			const other = openS3Store({ ...settings, endpoint: way.endpoint });
			for (let times = 0; times < 3; times++) way.fail({ kind: 'answer', status: 400 }, asksFor('x-amz-checksum-mode'));
			for (let times = 0; times < 3; times++) expect(await other.stat(NAME, NEVER)).toMatchObject({ size: BYTES.length });
			expect(way.waiting()).toBe(2);
			way.forgive();
			await other.close();
		});

		test('ends with `present` where another write of the name won, and with another try where it did not', async () => {
			way.fail(refusal(409, 'ConditionalRequestConflict'), isPut);
			await expect(create()).rejects.toMatchObject(CUT);
			await direct.create(NAME, contentOf(BYTES), { signal: NEVER });
			way.fail({ kind: 'answer', status: 404 }, isHead);
			way.fail(refusal(409, 'ConditionalRequestConflict'), isPut);
			expect(await create()).toEqual({ outcome: 'present', md5: null });
		});

		test('that is refused early leaves no connection behind', async () => {
			const narrow = openS3Store({
				...settingsOf(ways.ceph, await newBucket(ways.ceph)),
				endpoint: way.endpoint,
				maxConnections: 1,
				idle: 5_000,
			});
			const bytes = noise(1_000_000);
			async function* open(): AsyncIterable<Uint8Array> {
				yield bytes.subarray(0, 1_000);
				yield bytes.subarray(1_000, 2_000);
				// The refusal is there long before the content is.
				await setTimeout(50);
				yield bytes.subarray(2_000);
			}
			for (let index = 0; index < 3; index++) {
				way.fail(refusal(503, 'SlowDown'), isPut);
				const failing = narrow.create(NAME, contentOf(bytes, { open }), { signal: NEVER });
				await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('SlowDown') });
			}
			expect(await narrow.create(NAME, contentOf(BYTES), { signal: NEVER })).toMatchObject({ outcome: 'created' });
			await narrow.close();
		});

		test('leaves nothing where the store dies of it, and passes when the store is back', async () => {
			async function* open(): AsyncIterable<Uint8Array> {
				yield BYTES.subarray(0, 2_000_000);
				await ways.ceph.kill();
				yield BYTES.subarray(2_000_000);
			}
			try {
				await expect(direct.create(NAME, contentOf(BYTES, { open }), { signal: NEVER })).rejects.toMatchObject(CUT);
				await expect(direct.stat(NAME, NEVER)).rejects.toMatchObject(CUT);
			} finally {
				await ways.ceph.restart();
			}
			expect(await direct.stat(NAME, NEVER)).toBe(null);
			expect(await direct.create(NAME, contentOf(BYTES), { signal: NEVER })).toMatchObject({ outcome: 'created' });
		});
	});

	describe('with a clock that is an hour fast,', () => {
		beforeEach(() => {
			const right = Date.now;
			vi.spyOn(Date, 'now').mockImplementation(() => right() + 3_600_000);
			return () => vi.restoreAllMocks();
		});

		test('the first answer names the clock, and the second try is signed with the time of the store', async () => {
			await expect(store.top(1, NEVER)).rejects.toMatchObject({
				code: 'unreachable',
				retryable: true,
				message: expect.stringContaining('clock'),
			});
			expect(await store.top(1, NEVER)).toEqual([]);
		});

		test.each([
			['an upload', (bad: BlobStore) => bad.create(NAME, contentOf(BYTES), { signal: NEVER })],
			['a look at a blob, whose answer gives no reason,', (bad: BlobStore) => bad.stat(NAME, NEVER)],
			['a read', (bad: BlobStore) => collect(bad.list('bundles/', NEVER))],
		])('%s passes at the second try', async (_what, call) => {
			await call(patient);
			await expect(call(store)).resolves.not.toThrow();
		});
	});
});
