import { DeleteObjectCommand, GetObjectRetentionCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BlobStore } from '../../src/remote/index.ts';
import { openS3Store } from '../../src/remote/s3-store.ts';
import { collect, contentOf, md5, NEVER, noise, readAll } from '../contract/blob-store.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { type FaultyHttp, openFaultyHttp } from '../support/faulty-http.ts';
import { newBucket, openClient, settingsOf } from '../support/s3-bucket.ts';
import { lacksSwift, openSwift, type Swift } from '../support/swift.ts';

const NAME = 'bundles/ab/one.zip';
const BYTES = noise(300_000);
const HOUR = 3_600_000;

function create(store: BlobStore, replace = false) {
	return store.create(NAME, contentOf(BYTES), { signal: NEVER, replace });
}

describe.skipIf(lacksCeph())('with object lock in Ceph,', () => {
	let ceph: Ceph;
	let way: FaultyHttp;
	let client: S3Client;
	beforeAll(async () => {
		ceph = await openCeph();
		way = await openFaultyHttp(ceph.endpoint);
		client = openClient(ceph);
	});
	afterAll(async () => {
		client?.destroy();
		await way?.close();
		await ceph?.close();
	});

	test.each(['GOVERNANCE', 'COMPLIANCE'] as const)(
		'a copy in mode %s is kept until its time, and so is the one that takes its place',
		async (mode) => {
			const bucket = await newBucket(ceph, { lock: true });
			const now = Date.now();
			const store = openS3Store({ ...settingsOf(ceph, bucket), objectLock: { mode, keep: HOUR }, now: () => now });
			expect(await create(store)).toEqual({ outcome: 'created', md5: md5(BYTES) });
			expect(await create(store)).toEqual({ outcome: 'present', md5: null });
			expect(await create(store, true)).toMatchObject({ outcome: 'created' });
			const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: NAME }));
			expect(Retention?.Mode).toBe(mode);
			const kept = (Retention?.RetainUntilDate?.getTime() ?? 0) - now - HOUR;
			expect(kept).toBeGreaterThanOrEqual(0);
			expect(kept).toBeLessThanOrEqual(1_000);
			expect(await collect(store.list('bundles/', NEVER))).toMatchObject([{ name: NAME, md5: md5(BYTES) }]);
			expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
			const { VersionId } = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: NAME }));
			const marker = new DeleteObjectCommand({ Bucket: bucket, Key: NAME, VersionId });
			await client.send(marker);
			expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
			await store.close();
		},
	);

	test('a copy without a lock that is there already is an error, and not a success', async () => {
		const bucket = await newBucket(ceph, { lock: true });
		const free = openS3Store(settingsOf(ceph, bucket));
		await create(free);
		const store = openS3Store({ ...settingsOf(ceph, bucket), objectLock: { mode: 'GOVERNANCE', keep: HOUR } });
		await expect(create(store)).rejects.toMatchObject({ code: 'io', retryable: false, message: expect.stringContaining('shows no lock') });
		expect(await create(store, true)).toMatchObject({ outcome: 'created' });
		expect(await create(store)).toMatchObject({ outcome: 'present' });
		await store.close();
		await free.close();
	});

	test('a bucket without object lock takes nothing', async () => {
		const bucket = await newBucket(ceph);
		const store = openS3Store({ ...settingsOf(ceph, bucket), objectLock: { mode: 'GOVERNANCE', keep: HOUR } });
		await expect(create(store)).rejects.toMatchObject({
			code: 'io',
			retryable: false,
			message: expect.stringContaining('has no object lock'),
			hint: expect.stringContaining('make a bucket with object lock'),
		});
		expect(await store.stat(NAME, NEVER)).toBe(null);
		await store.close();
	});

	test('content that is wrong is found out before a byte is sent', async () => {
		const bucket = await newBucket(ceph, { lock: true });
		const store = openS3Store({ ...settingsOf(ceph, bucket), endpoint: way.endpoint, objectLock: { mode: 'GOVERNANCE', keep: HOUR } });
		const content = contentOf(BYTES, { size: BYTES.length + 1 });
		await expect(store.create(NAME, content, { signal: NEVER })).rejects.toMatchObject({ code: 'archive-damaged' });
		expect(way.requests.filter((asked) => asked.startsWith('PUT '))).toEqual([]);
		await store.close();
	});

	test('a lock that could not be read back is read again at the next try', async () => {
		const bucket = await newBucket(ceph, { lock: true });
		const store = openS3Store({ ...settingsOf(ceph, bucket), endpoint: way.endpoint, objectLock: { mode: 'COMPLIANCE', keep: HOUR } });
		way.fail({ kind: 'answer', status: 503 }, (asked) => asked.startsWith('HEAD ') && asked.includes('versionId'));
		await expect(create(store)).rejects.toMatchObject({ code: 'unreachable', retryable: true });
		expect(await create(store)).toMatchObject({ outcome: 'present' });
		expect(way.waiting()).toBe(0);
		await store.close();
	});
});

describe.skipIf(lacksSwift())('with object lock in Swift, which takes the wish and ignores it,', () => {
	let swift: Swift;
	beforeAll(async () => {
		swift = await openSwift();
	});
	afterAll(() => swift?.close());

	test('a copy is not left there as if it were locked', async () => {
		const bucket = await newBucket(swift);
		const store = openS3Store({ ...settingsOf(swift, bucket), objectLock: { mode: 'COMPLIANCE', keep: HOUR } });
		for (let tries = 0; tries < 2; tries++) {
			await expect(create(store)).rejects.toMatchObject({
				code: 'io',
				retryable: false,
				message: `Cannot lock "${NAME}" at "s3://${bucket}": the store took the copy but did not lock it, and it was removed again`,
			});
			expect(await collect(store.list('bundles/', NEVER))).toEqual([]);
		}
		await expect(create(store, true)).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('shows no lock') });
		await store.close();
	});
});
