import type { OutgoingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, openS3Store, type S3StoreOptions } from '../../src/remote/index.ts';
import { collect, contentOf, md5, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { type BadWays, BYTES, CUT, EXPECTED, HTML, isGet, isHead, isList, NAME, openBadWays, refusal } from '../support/bad-way.ts';
import { lacksCeph } from '../support/ceph.ts';
import type { Fault, FaultyHttp } from '../support/faulty-http.ts';

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

	describe('a download', () => {
		beforeEach(() => direct.create(NAME, contentOf(BYTES), { signal: NEVER }));

		const WAYS = [
			['a reset', 'reset'],
			['an early end', 'end'],
			['silence', 'silence'],
		] as const;
		const CUTS = WAYS.flatMap(([what, how]) => [0, 1, 1_500_000, BYTES.length - 1].map((after) => [what, after, how] as const));

		test.each(CUTS)('that meets %s after %i bytes fails, and goes on at the next try', async (_what, after, how) => {
			const range = { offset: 0, length: BYTES.length };
			way.fail({ kind: 'cut-answer', how, after }, isGet);
			await expect(store.readRange(NAME, range, NEVER)).rejects.toMatchObject(CUT);
			way.fail({ kind: 'cut-answer', how, after }, isGet);
			const pieces: Uint8Array[] = [];
			for await (const piece of patient.read(NAME, { signal: NEVER })) pieces.push(piece);
			expect(Buffer.concat(pieces).equals(BYTES)).toBe(true);
		});

		test.each([
			['500', refusal(500, 'InternalError'), 'unreachable', true],
			['503 SlowDown', refusal(503, 'SlowDown'), 'unreachable', true],
			['403 ExpiredToken', refusal(403, 'ExpiredToken'), 'permission', false],
			['403 InvalidObjectState', refusal(403, 'InvalidObjectState'), 'io', false],
			['200 with a page', { kind: 'answer', status: 200, body: '<html>Welcome</html>', headers: HTML }, 'unreachable', true],
			['404 with a page', { kind: 'answer', status: 404, body: '<html>Where?</html>', headers: HTML }, 'unreachable', true],
			['404 NoSuchKey', refusal(404, 'NoSuchKey'), 'not-found', false],
			['404 NoSuchBucket', refusal(404, 'NoSuchBucket'), 'not-found', false],
		] as const)('that meets %s fails', async (_what, fault, code, retryable) => {
			for (const read of [() => readAll(store, NAME), () => store.readRange(NAME, { offset: 1, length: 9 }, NEVER)]) {
				way.fail(fault, isGet);
				await expect(read()).rejects.toMatchObject({ code, retryable });
				expect(await read()).toBeInstanceOf(Uint8Array);
			}
		});

		test('takes its part from a server that sends everything', async () => {
			const change: Fault = {
				kind: 'answer',
				status: 200,
				headers: { etag: '"x"', 'content-type': 'application/octet-stream', 'content-length': 10 },
				body: '0123456789',
			};
			way.fail(change, isGet);
			expect(Buffer.from(await store.readRange(NAME, { offset: 3, length: 4 }, NEVER)).toString()).toBe('3456');
			way.fail(change, isGet);
			expect((await readAll(store, NAME, 7)).toString()).toBe('789');
			way.fail(change, isGet);
			await expect(store.readRange(NAME, { offset: 8, length: 3 }, NEVER)).rejects.toMatchObject({
				code: 'archive-damaged',
				details: { size: 10, expected: 11 },
			});
		});

		test('that has fewer bytes than it announces is no download', async () => {
			const headers = { etag: '"x"', 'content-type': 'application/octet-stream', 'content-range': 'bytes 0-9/10', 'content-length': 5 };
			way.fail({ kind: 'answer', status: 206, headers, body: '01234' }, isGet);
			await expect(store.readRange(NAME, { offset: 0, length: 10 }, NEVER)).rejects.toMatchObject(CUT);
		});
	});

	test('small calls one after the other share a connection', async () => {
		const bytes = noise(100_000);
		const before = way.connections;
		for (const name of ['bundles/a', 'bundles/b', 'bundles/c']) {
			await store.create(name, contentOf(bytes), { signal: NEVER });
			await store.stat(name, NEVER);
			await store.readRange(name, { offset: 5, length: 70_000 }, NEVER);
			await readAll(store, name);
			await collect(store.list('bundles/', NEVER));
		}
		expect(way.connections - before).toBe(1);
	});

	test('a call that nobody answers ends as soon as it is told to', async () => {
		const patientStore = openS3Store({ ...settings, endpoint: way.endpoint });
		const calls: readonly ((signal: AbortSignal) => Promise<unknown>)[] = [
			(signal) => patientStore.stat(NAME, signal),
			(signal) => patientStore.create(NAME, contentOf(BYTES), { signal, replace: true }),
			(signal) => patientStore.readRange(NAME, { offset: 0, length: 1 }, signal),
			(signal) => collect(patientStore.list('bundles/', signal)),
			(signal) => patientStore.remove(NAME, signal),
		];
		for (const call of calls) {
			way.fail({ kind: 'silence' });
			const begun = performance.now();
			await expect(call(AbortSignal.timeout(50))).rejects.toMatchObject({ code: 'interrupted' });
			expect(performance.now() - begun).toBeLessThan(2_000);
		}
		await patientStore.close();
	});

	describe('a proof', () => {
		beforeEach(() => direct.create(NAME, contentOf(BYTES), { signal: NEVER }));

		test('reads nothing where size or entity tag tell enough', async () => {
			const before = way.requests.filter(isGet).length;
			expect(await store.prove(NAME, { ...EXPECTED, md5: md5(BYTES) }, NEVER)).toEqual({ state: 'intact', how: 'checksum' });
			const larger = { ...EXPECTED, size: BYTES.length + 1 };
			expect(await store.prove(NAME, larger, NEVER)).toMatchObject({ state: 'damaged', how: 'checksum' });
			expect(way.requests.filter(isGet).length).toBe(before);
		});

		test.each([
			['right', sha256(BYTES), { state: 'intact', how: 'checksum' }],
			['wrong', sha256(noise(1)), { state: 'damaged', how: 'checksum' }],
		])('takes the SHA-256 that the store computed, when it is %s', async (_what, hash, proof) => {
			const checksum = Buffer.from(hash, 'hex').toString('base64');
			const change = (more: OutgoingHttpHeaders): Fault => ({ kind: 'change-answer', change: (headers) => ({ ...headers, ...more }) });
			way.fail(change({ 'x-amz-checksum-sha256': checksum, 'x-amz-checksum-type': 'FULL_OBJECT' }), isHead);
			expect(await store.prove(NAME, EXPECTED, NEVER)).toMatchObject(proof);
			for (const composite of [
				{ 'x-amz-checksum-sha256': checksum, 'x-amz-checksum-type': 'COMPOSITE' },
				{ 'x-amz-checksum-sha256': `${checksum}-2` },
			]) {
				way.fail(change(composite), isHead);
				expect(await store.prove(NAME, EXPECTED, NEVER)).toEqual({ state: 'intact', how: 'read' });
			}
		});

		test('reads the bytes where the entity tag is another, and believes no word of the uploader', async () => {
			const forged = { etag: `"${'0'.repeat(32)}"`, 'x-amz-meta-sha256': sha256(noise(1)) };
			way.fail({ kind: 'change-answer', change: (headers) => ({ ...headers, ...forged }) }, isHead);
			expect(await store.prove(NAME, { ...EXPECTED, md5: md5(BYTES) }, NEVER)).toEqual({ state: 'intact', how: 'read' });
			const other = { size: BYTES.length, sha256: sha256(noise(1)), md5: null };
			way.fail({ kind: 'change-answer', change: (headers) => ({ ...headers, ...forged }) }, isHead);
			expect(await store.prove(NAME, other, NEVER)).toMatchObject({ state: 'damaged', how: 'read' });
		});

		test('says "missing" of what vanishes before it is read', async () => {
			let heads = 0;
			way.fail(refusal(404, 'NoSuchKey'), isGet);
			way.fail({ kind: 'answer', status: 404 }, (asked) => isHead(asked) && ++heads === 2);
			expect(await store.prove(NAME, EXPECTED, NEVER)).toEqual({ state: 'missing' });
		});

		test('never says "damaged" of bytes that did not all come', async () => {
			way.fail({ kind: 'cut-answer', how: 'end', after: 1_000_000 }, isGet);
			await expect(store.prove(NAME, EXPECTED, NEVER)).rejects.toMatchObject({ code: 'unreachable' });
			expect(await store.prove(NAME, EXPECTED, NEVER)).toEqual({ state: 'intact', how: 'read' });
		});
	});

	describe('a question', () => {
		test.each([
			['503', refusal(503, 'SlowDown')],
			['a page', { kind: 'answer', status: 200, body: '<html>Welcome</html>', headers: HTML }],
			['half a page', { kind: 'answer', status: 200, body: '<?xml version="1.0"?><ListBucketResult><Name>x' }],
			[
				'a page that goes on and does not say where',
				{ kind: 'answer', status: 200, body: '<ListBucketResult><Name>x</Name><IsTruncated>true</IsTruncated></ListBucketResult>' },
			],
			['a cut', { kind: 'cut-answer', how: 'end', after: 20 }],
		] as const)('for a listing that meets %s is an error, and never an empty listing', async (_what, fault) => {
			await direct.create(NAME, contentOf(BYTES), { signal: NEVER });
			for (const ask of [(asked: BlobStore) => collect(asked.list('bundles/', NEVER)), (asked: BlobStore) => asked.top(10, NEVER)]) {
				way.fail(fault, isList);
				await expect(ask(store)).rejects.toMatchObject(CUT);
				expect((await ask(patient)).length).toBe(1);
			}
		});

		test('for a blob is told apart: refused, expired, another bucket, and not there', async () => {
			const HEAD_403: Fault = { kind: 'answer', status: 403 };
			way.fail(HEAD_403, isHead);
			await expect(store.stat(NAME, NEVER)).rejects.toMatchObject({ code: 'permission', message: expect.stringContaining('(403)') });
			way.fail(HEAD_403, isHead);
			way.fail(refusal(403, 'ExpiredToken'), isList);
			await expect(store.stat(NAME, NEVER)).rejects.toMatchObject({ message: expect.stringContaining('have expired') });
			way.fail({ kind: 'answer', status: 404 }, isHead);
			way.fail(refusal(404, 'NoSuchBucket'), isList);
			await expect(store.prove(NAME, EXPECTED, NEVER)).rejects.toMatchObject({ code: 'not-found' });
			way.fail({ kind: 'answer', status: 404 }, isHead);
			expect(await store.prove(NAME, EXPECTED, NEVER)).toEqual({ state: 'missing' });
			way.fail({ kind: 'answer', status: 200, headers: HTML }, isHead);
			await expect(store.stat(NAME, NEVER)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('not that of') });
		});

		test('names the region that the bucket is in', async () => {
			way.fail({ ...refusal(301, 'PermanentRedirect'), headers: { 'x-amz-bucket-region': 'eu-west-1' } } as Fault, isList);
			await expect(store.top(1, NEVER)).rejects.toMatchObject({ code: 'config', hint: expect.stringContaining('eu-west-1') });
		});
	});
});
