import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { HeadObjectCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import { bundleFiles, copyFolder, FIRST_NIGHT, liveUntilNight, makeAgeKey, makeStore, packArguments } from '../support/offsite-mail.ts';
import { type Place, s3Place } from '../support/offsite-places.ts';
import { newBucket, openClient } from '../support/s3-bucket.ts';
import { lacksSwift, openSwift, type Swift } from '../support/swift.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const DAY = 86_400_000;
const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
const born = join(folder, 'born');
beforeAll(async () => {
	const host = openHost(program, { within: folder });
	await host.result(...packArguments(makeStore(host.folder, { messages: 80 }), FIRST_NIGHT));
	copyFolder(host.folder, born);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openMailServer(place: Place): { readonly host: Host; readonly store: string } {
	const host = openHost(program, { within: folder, place, archive: join(born, 'archive') });
	const store = join(host.folder, 'store');
	copyFolder(join(born, 'store'), store);
	return { host, store };
}

describe.skipIf(lacksCeph())('at Ceph,', () => {
	let ceph: Ceph;
	beforeAll(async () => {
		ceph = await openCeph();
	});
	afterAll(() => ceph?.close());

	describe('with object lock,', () => {
		let bucket = '';
		let place: Place;
		beforeEach(async () => {
			bucket = await newBucket(ceph, { lock: true });
			place = s3Place(ceph, { bucket });
		});

		test.each(['governance', 'compliance'])(
			'every bundle is kept in mode %s as long as the call says, through nights and repairs',
			async (mode) => {
				const { host, store } = openMailServer(place);
				const lock = ['--object-lock', '3d', '--object-lock-mode', mode];
				const before = Date.now();
				await host.result('sync', place.url, ...place.reach, ...lock);
				await host.result(...packArguments(store, liveUntilNight(store, 1)));
				const [damaged = ''] = [...(await place.list()).keys()].filter((name) => name.startsWith('bundles/sealed'));
				await place.plant(damaged, Buffer.alloc((await place.list()).get(damaged) ?? 0));
				const again = await host.json<SyncResult>('sync', place.url, ...place.reach, ...lock, '--check');
				expect(again).toMatchObject({ code: 1, result: { damaged: [damaged.slice(-68, -4)] } });
				const after = Date.now();
				const client = openClient(ceph);
				const names = [...(await place.list()).keys()].filter((name) => name.startsWith('bundles/'));
				expect(names.length).toBe(bundleFiles(host.archive).size);
				for (const name of names) {
					const { ObjectLockMode, ObjectLockRetainUntilDate } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: name }));
					expect(ObjectLockMode).toBe(mode.toUpperCase());
					const kept = ObjectLockRetainUntilDate?.getTime() ?? 0;
					expect(kept).toBeGreaterThanOrEqual(before + 3 * DAY - 1000);
					expect(kept).toBeLessThanOrEqual(after + 3 * DAY + 1000);
				}
				client.destroy();
				const stranger = openHost(program, { within: folder, place });
				await stranger.result('restore', '--to', join(stranger.folder, 'restored'), '--target', place.url, ...place.reach);
				expect(compareTreeStates(readTreeState(store), readTreeState(join(stranger.folder, 'restored')))).toEqual([]);
			},
		);

		test('a bucket that has none takes nothing', async () => {
			const other = s3Place(ceph, { bucket: await newBucket(ceph) });
			const { host } = openMailServer(other);
			const refused = await host.json('sync', other.url, ...other.reach, '--object-lock', '3d');
			expect(refused).toMatchObject({ code: 4, error: { code: 'io', text: expect.stringContaining('object lock') } });
			expect([...(await other.list()).keys()].filter((name) => name.startsWith('bundles/') || name.includes('/snapshots/'))).toEqual([]);
		});
	});

	describe.each([false, true])('to a user who may not delete, with encryption %s,', (encrypted) => {
		test.skipIf(encrypted && lacks('age-keygen'))('sync ships nights, and puts a damaged copy right', async () => {
			const bucket = await newBucket(ceph);
			const place = s3Place(ceph, { bucket });
			const client = openClient(ceph);
			const statement = { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: `arn:aws:s3:::${bucket}/*` };
			const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
			await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy }));
			client.destroy();
			await expect(place.remove('anything')).rejects.toThrow();
			const { host, store } = openMailServer(place);
			const key = encrypted ? makeAgeKey(join(folder, 'key')) : null;
			const sync = ['sync', place.url, ...place.reach, ...(key === null ? [] : ['--encrypt-to', key.recipient])];
			const open = key === null ? [] : ['--identity', key.file];
			await host.result(...sync);
			await host.result(...packArguments(store, liveUntilNight(store, 1)));
			expect(await host.result<SyncResult>(...sync)).toMatchObject({ snapshots: 1 });
			const [damaged = ''] = [...(await place.list()).keys()].filter((name) => name.startsWith('bundles/sealed'));
			await place.plant(damaged, Buffer.alloc((await place.list()).get(damaged) ?? 0));
			const checked = await host.json<SyncResult>(...sync, '--check');
			expect(checked).toMatchObject({ code: 1, result: { shipped: 1 } });
			// Where the new copy cannot take the name of the damaged one, that stays beside it, and is told of.
			const codes = checked.findings.map(({ code }) => code).sort();
			expect(codes).toEqual(encrypted ? ['target-bundle-damaged', 'target-copy-left'] : ['target-bundle-damaged']);
			expect(await host.json<SyncResult>(...sync, '--check')).toMatchObject({ code: 0, result: { shipped: 0 } });
			const stranger = openHost(program, { within: folder, place });
			const reading = ['--target', place.url, ...place.reach, ...open];
			expect(await stranger.result<VerifyResult>('verify', '--deep', ...reading)).toMatchObject({ damaged: [], missing: [] });
			await stranger.result('restore', '--to', join(stranger.folder, 'restored'), ...reading);
			expect(compareTreeStates(readTreeState(store), readTreeState(join(stranger.folder, 'restored')))).toEqual([]);
		});
	});
});

describe.skipIf(lacksSwift())('at Swift, which takes the wish for a lock and ignores it,', () => {
	let swift: Swift;
	beforeAll(async () => {
		swift = await openSwift();
	});
	afterAll(() => swift?.close());

	test('sync with object lock fails, and leaves neither bundle nor snapshot', async () => {
		const place = s3Place(swift, { bucket: await newBucket(swift) });
		const { host } = openMailServer(place);
		for (let round = 0; round < 2; round++) {
			const refused = await host.json('sync', place.url, ...place.reach, '--object-lock', '3d');
			expect(refused).toMatchObject({ code: 4, error: { code: 'io', text: expect.stringContaining('did not lock') } });
		}
		expect([...(await place.list()).keys()].filter((name) => name.startsWith('bundles/') || name.includes('/snapshots/'))).toEqual([]);
	});
});
