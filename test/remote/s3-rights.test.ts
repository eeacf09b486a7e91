import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BlobStore } from '../../src/remote/index.ts';
import { openS3Store, type S3StoreOptions } from '../../src/remote/s3-store.ts';
import { collect, contentOf, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { newBucket, openClient, settingsOf } from '../support/s3-bucket.ts';

const NAME = 'bundles/ab/one.zip';
const BYTES = noise(1_000);

/** One of each call. */
const CALLS: Readonly<Record<string, (store: BlobStore) => Promise<unknown>>> = {
	'top()': (store) => store.top(10, NEVER),
	'list()': (store) => collect(store.list('bundles/', NEVER)),
	'stat()': (store) => store.stat(NAME, NEVER),
	'readRange()': (store) => store.readRange(NAME, { offset: 0, length: 1 }, NEVER),
	'read()': (store) => readAll(store, NAME),
	'create()': (store) => store.create(NAME, contentOf(BYTES), { signal: NEVER }),
	'create() in place of another': (store) => store.create(NAME, contentOf(BYTES), { signal: NEVER, replace: true }),
	'prove()': (store) => store.prove(NAME, { size: 1, sha256: sha256(BYTES), md5: null }, NEVER),
	'remove()': (store) => store.remove(NAME, NEVER),
};

describe.skipIf(lacksCeph())('at a bucket of Ceph,', () => {
	let ceph: Ceph;
	let settings: S3StoreOptions;
	const opened: BlobStore[] = [];

	beforeAll(async () => {
		ceph = await openCeph();
	});
	afterAll(() => ceph?.close());
	beforeEach(async () => {
		settings = settingsOf(ceph, await newBucket(ceph));
		return async () => {
			for (const store of opened.splice(0)) await store.close();
		};
	});

	function open(change: Partial<S3StoreOptions> = {}): BlobStore {
		const store = openS3Store({ ...settings, ...change });
		opened.push(store);
		return store;
	}

	describe.each(Object.entries(CALLS))('%s', (_name, call) => {
		test('says "permission" of a wrong secret and of an unknown key, and tells no secret', async () => {
			const wrong = { secretAccessKey: 'SECRET-KEY', sessionToken: 'SESSION-TOKEN' };
			for (const accessKeyId of [ceph.accessKey, 'nobody']) {
				const error: unknown = await call(open({ credentials: { accessKeyId, ...wrong } })).catch((thrown: unknown) => thrown);
				expect(error).toMatchObject({ code: 'permission', retryable: false, hint: expect.stringContaining('goes on where it stopped') });
				expect(inspect(error, { depth: 9 })).not.toMatch(/SECRET-KEY|SESSION-TOKEN/);
			}
		});

		test('says "not-found" of a bucket that is not there, and nothing else', async () => {
			await expect(call(open({ bucket: 'nowhere' }))).rejects.toMatchObject({
				code: 'not-found',
				message: expect.stringContaining('there is no bucket "nowhere"'),
				hint: expect.stringContaining('make the bucket'),
			});
		});
	});

	test('who may not remove may write, replace, list and read', async () => {
		const client = openClient(ceph);
		const statement = { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: `arn:aws:s3:::${settings.bucket}/*` };
		const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
		await client.send(new PutBucketPolicyCommand({ Bucket: settings.bucket, Policy: policy }));
		client.destroy();
		const store = open();
		const { remove, ...rest } = { remove: CALLS['remove()'], ...CALLS, 'remove()': null };
		for (const call of [CALLS['create()'], ...Object.values(rest)]) await call?.(store);
		await expect(remove?.(store)).rejects.toMatchObject({ code: 'permission' });
		expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
	});

	test("what somebody else keeps there is left out, and an empty place's own mark too", async () => {
		const prefix = 'mail/archive/';
		const { PutObjectCommand } = await import('@aws-sdk/client-s3');
		const client = openClient(ceph);
		const foreign = [
			'',
			'bundles/',
			'bundles/a b',
			'bundles/ä',
			'bundles/a+b',
			'bundles/a%2fb',
			'bundles/a\u0001b',
			'bundles/../x',
			'bundles//x',
			'x y/z',
		];
		for (const name of foreign) await client.send(new PutObjectCommand({ Bucket: settings.bucket, Key: prefix + name, Body: 'x' }));
		await client.send(new PutObjectCommand({ Bucket: settings.bucket, Key: 'mail/archives/x', Body: 'x' }));
		client.destroy();
		const store = open({ prefix });
		await store.create(NAME, contentOf(BYTES), { signal: NEVER });
		expect((await collect(store.list('bundles/', NEVER))).map(({ name }) => name)).toEqual([NAME]);
		expect((await store.top(10, NEVER)).toSorted()).toEqual(['bundles', 'x y']);
		expect((await store.top(1, NEVER)).length).toBe(1);
		expect(await open({ prefix: 'mail/other/' }).top(1, NEVER)).toEqual([]);
	});

	test('the bucket is part of the path, and not of the host name', async () => {
		const store = open({ endpoint: ceph.endpoint.replace('127.0.0.1', 'localhost') });
		await store.create(NAME, contentOf(BYTES), { signal: NEVER });
		expect(await store.top(1, NEVER)).toEqual(['bundles']);
	});

	test('in a bucket with versions a name that is taken stays taken', async () => {
		const bucket = await newBucket(ceph, { lock: true });
		for (let stores = 0; stores < 2; stores++) {
			const store = open({ bucket });
			await store.create(NAME, contentOf(BYTES), { signal: NEVER });
			expect(await store.create(NAME, contentOf(noise(10)), { signal: NEVER })).toMatchObject({ outcome: 'present' });
			expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
		}
	});

	test('more than one upload takes is refused before it is opened', async () => {
		const size = 5 * 1024 ** 3 + 1;
		const content = { size, sha256: sha256(BYTES), open: () => expect.unreachable('the content was opened') };
		await expect(open().create(NAME, content, { signal: NEVER })).rejects.toMatchObject({
			code: 'io',
			retryable: false,
			message: expect.stringContaining('at most 5 GiB'),
			details: { size, limit: size - 1 },
		});
	});

	test('many calls that one signal can end are no leak to Node', async () => {
		const warnings: string[] = [];
		const hear = (warning: Error): unknown => warnings.push(warning.name);
		process.on('warning', hear);
		const { signal } = new AbortController();
		const store = open();
		await Promise.all(Array.from({ length: 30 }, (_, index) => store.create(`bundles/${index}`, contentOf(BYTES), { signal })));
		await Promise.all(Array.from({ length: 30 }, (_, index) => store.readRange(`bundles/${index}`, { offset: 0, length: 9 }, signal)));
		await new Promise(setImmediate);
		process.off('warning', hear);
		expect(warnings).not.toContain('MaxListenersExceededWarning');
	});

	describe('without credentials of its own the store', () => {
		let home: string;
		beforeEach(() => {
			home = mkdtempSync(join(tmpdir(), 'mailseal-'));
			for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_REGION'])
				vi.stubEnv(name, undefined);
			vi.stubEnv('HOME', home);
			vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(home, 'credentials'));
			vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config'));
			// Else the SDK would ask the network of a cloud for some.
			vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
			vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9');
			const { credentials: _credentials, ...rest } = settings;
			settings = rest;
			return () => {
				vi.unstubAllEnvs();
				rmSync(home, { recursive: true, force: true });
			};
		});

		test('takes those of the environment', async () => {
			vi.stubEnv('AWS_ACCESS_KEY_ID', ceph.accessKey);
			vi.stubEnv('AWS_SECRET_ACCESS_KEY', ceph.secretKey);
			expect(await open().top(1, NEVER)).toEqual([]);
		});

		test('takes those of the shared file', async () => {
			const file = `[default]\naws_access_key_id = ${ceph.accessKey}\naws_secret_access_key = ${ceph.secretKey}\n`;
			writeFileSync(join(home, 'credentials'), file);
			expect(await open().top(1, NEVER)).toEqual([]);
		});

		test.each(Object.entries(CALLS))('says at once that there are none: %s', async (_name, call) => {
			await expect(call(open())).rejects.toMatchObject({
				code: 'permission',
				retryable: false,
				message: expect.stringContaining('no credentials'),
			});
		});

		test('says that it needs a region where there is no endpoint either', async () => {
			const { endpoint: _endpoint, region: _region, ...rest } = settings;
			const store = openS3Store({ ...rest, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
			await expect(store.top(1, NEVER)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('no region') });
			await store.close();
		});
	});
});
