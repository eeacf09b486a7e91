import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { type CuttingProxy, openCuttingProxy } from '../support/cutting-proxy.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { type FaultyHttp, openFaultyHttp } from '../support/faulty-http.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import { bundleFiles, copyFolder, FIRST_NIGHT, makeStore, packArguments } from '../support/offsite-mail.ts';
import { type Place, s3Place, sftpPlace } from '../support/offsite-places.ts';
import { newBucket } from '../support/s3-bucket.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { lacksSshd, openSshd, type Sshd } from '../support/sshd.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
const born = join(folder, 'born');
/** Bundles of the archive, and their bytes together. */
let bundles = 0;
beforeAll(async () => {
	const host = openHost(program, { within: folder });
	await host.result(...packArguments(makeStore(host.folder), FIRST_NIGHT));
	copyFolder(host.folder, born);
	bundles = bundleFiles(host.archive).size;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openMailServer(place: Pick<Place, 'env'>): Host {
	return openHost(program, { within: folder, place, archive: join(born, 'archive') });
}

/** Everything is there, each bundle once, and comes back. */
async function expectWhole(place: Pick<Place, 'url' | 'reach' | 'env'>, host: Host): Promise<void> {
	const again = await host.result<SyncResult>('sync', place.url, ...place.reach);
	expect(again).toMatchObject({ confirmed: bundles, shipped: 0, snapshots: 0 });
	const stranger = openHost(program, { within: folder, place });
	const reading = ['--target', place.url, ...place.reach];
	expect(await stranger.result<VerifyResult>('verify', '--deep', ...reading)).toMatchObject({ damaged: [], missing: [] });
	const to = join(stranger.folder, 'restored');
	await stranger.result('restore', '--to', to, ...reading);
	expect(compareTreeStates(readTreeState(join(born, 'store')), readTreeState(to))).toEqual([]);
}

/** Where in a first sync the connection is cut, of all bytes that it sends. */
const MOMENTS = [0.02, 0.5, 0.97];

describe.skipIf(lacksSshd())('over SSH', () => {
	let sshd: Sshd;
	let proxy: CuttingProxy;
	let sent = 0;
	beforeAll(async () => {
		sshd = await openSshd();
		proxy = await openCuttingProxy({ target: sshd });
		const place = sftpPlace(sshd, { folder: 'undisturbed', port: proxy.port });
		await openMailServer(place).result('sync', place.url, ...place.reach);
		sent = proxy.up;
	});
	afterAll(async () => {
		await proxy?.close();
		await sshd?.close();
	});

	test.each(MOMENTS)('a connection that is cut after %d of all bytes is taken up again in the same run', async (share) => {
		const place = sftpPlace(sshd, { folder: `cut-${share}`, port: proxy.port });
		proxy.cutAfter({ up: Math.floor(sent * share) });
		const before = proxy.cuts;
		const host = openMailServer(place);
		const synced = await host.json<SyncResult>('sync', place.url, ...place.reach);
		expect(proxy.cuts - before).toBe(1);
		expect(synced).toMatchObject({ code: 0, findings: [], result: { snapshots: 1 } });
		expect(synced.err).toMatch(/: the connection was cut; try 2 of 6 follows\n/);
		await expectWhole(place, host);
	});
});

describe.skipIf(lacksCeph())('at an object store', () => {
	let ceph: Ceph;
	let way: FaultyHttp;
	let place: Place;
	beforeAll(async () => {
		ceph = await openCeph();
	});
	afterAll(() => ceph?.close());
	beforeEach(async () => {
		way = await openFaultyHttp(ceph.endpoint);
		place = s3Place(ceph, { bucket: await newBucket(ceph), endpoint: way.endpoint });
		return way.close;
	});

	function isBundle(asked: string): boolean {
		return asked.startsWith('PUT ') && asked.includes('/bundles/');
	}

	test('what is cut, answered with 500 and 503, throttled or heard of by nobody is sent again in the same run', async () => {
		way.fail({ kind: 'cut-request', after: 0 }, isBundle);
		way.fail({ kind: 'cut-request', after: 1000 }, isBundle);
		way.fail({ kind: 'lose-answer' }, isBundle);
		way.fail({ kind: 'answer', status: 500 }, isBundle);
		way.fail({ kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' }, isBundle);
		way.fail({ kind: 'cut-answer', after: 10, how: 'reset' }, (asked) => asked.includes('list-type=2'));
		const host = openMailServer(place);
		const synced = await host.json<SyncResult>('sync', place.url, ...place.reach);
		expect(way.waiting()).toBe(0);
		expect(synced).toMatchObject({ code: 0, findings: [], result: { snapshots: 1 } });
		await expectWhole(place, host);
	});

	test('what is damaged on the way is not taken by the store, and sent again', async () => {
		way.fail({ kind: 'damage-request', at: 500 }, isBundle);
		const host = openMailServer(place);
		const synced = await host.json<SyncResult>('sync', place.url, ...place.reach);
		expect(way.waiting()).toBe(0);
		expect(synced).toMatchObject({ code: 0, findings: [], result: { snapshots: 1 } });
		expect(synced.err).toContain('the bytes were changed on the way, and the store refused them');
		await expectWhole(place, host);
	});

	test('credentials that expire in mid-run end it at once, and the next run goes on from there', async () => {
		const host = openMailServer(place);
		const body = '<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>';
		const before = way.requests.length;
		let expired = true;
		const isLate = (asked: string): boolean => expired && isBundle(asked) && way.requests.slice(before).filter(isBundle).length > 3;
		for (let answers = 0; answers < bundles; answers++) way.fail({ kind: 'answer', status: 403, body }, isLate);
		const ended = await host.json('sync', place.url, ...place.reach);
		expect(ended).toMatchObject({ code: 4, error: { code: 'permission', text: expect.stringContaining('ExpiredToken') } });
		expect([...(await place.list()).keys()].filter((name) => name.includes('/snapshots/'))).toEqual([]);
		const there = [...(await place.list()).keys()].filter((name) => name.startsWith('bundles/')).length;
		expect(there).toBeGreaterThanOrEqual(3);
		expired = false;
		expect(await host.result<SyncResult>('sync', place.url, ...place.reach)).toMatchObject({
			confirmed: there,
			shipped: bundles - there,
			snapshots: 1,
		});
		await expectWhole(place, host);
	});

	test('a server that goes away for good ends the run after the tries it may make, and the next one goes on', async () => {
		const host = openMailServer(place);
		way.fail({ kind: 'answer', status: 503 }, isBundle);
		way.fail({ kind: 'answer', status: 503 }, isBundle);
		const ended = await host.json('sync', place.url, ...place.reach, '--retries', '0', '--transfers', '1');
		expect(ended).toMatchObject({ code: 4, error: { code: 'unreachable' } });
		expect((await host.json<SyncResult>('sync', place.url, ...place.reach)).result).toMatchObject({ snapshots: 1 });
		expect(way.waiting()).toBe(0);
		await expectWhole(place, host);
	});
});

describe.skipIf(!canMount())('a full disk', () => {
	test('ends the run, leaves no half of a bundle, and the next run with room goes on', async () => {
		const disk = smallDisk('400k');
		const place = { url: join(disk.path, 'target'), reach: [], env: {} };
		const host = openMailServer(place);
		expect(await host.json('sync', place.url, '--transfers', '1')).toMatchObject({ code: 4, error: { code: 'no-space' } });
		disk.resize('16m');
		const { confirmed, shipped } = await host.result<SyncResult>('sync', place.url, '--check');
		expect(confirmed).toBeGreaterThan(0);
		expect(confirmed + shipped).toBe(bundles);
		await expectWhole(place, host);
	});
});
