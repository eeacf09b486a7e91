import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { BlobStore } from '../../src/remote/index.ts';
import { openSftpStore } from '../../src/remote/sftp-store.ts';
import { collect, contentOf, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { type CuttingProxy, openCuttingProxy } from '../support/cutting-proxy.ts';
import { knownHostsLine, lacksSshd, openSshd, type Sshd, storeOptions } from '../support/sshd.ts';

const LOST = { code: 'unreachable', retryable: true };
const SIZE = 3_000_000;
const BYTES = noise(SIZE);
const NAME = 'bundles/ab/one.zip';

describe.skipIf(lacksSshd())('an SFTP store whose connection is cut', () => {
	let sshd: Sshd;
	let proxy: CuttingProxy;
	let store: BlobStore;
	beforeAll(async () => {
		sshd = await openSshd();
	});
	afterAll(() => sshd.close());

	let count = 0;
	beforeEach(async () => {
		proxy = await openCuttingProxy({ target: sshd });
		store = openSftpStore({ ...storeOptions(sshd), ...way(), path: join(sshd.root, `${count++}`) });
		onTestFinished(async () => {
			await store.close();
			await proxy.close();
		});
	});

	function way() {
		const knownHosts = knownHostsLine(proxy, join(sshd.privateKey, '..', 'host.pub'));
		return { host: proxy.host, port: proxy.port, knownHosts: [{ path: '/kh', text: knownHosts }] };
	}
	function create() {
		return store.create(NAME, contentOf(BYTES), { signal: NEVER });
	}
	async function temporaryNames(): Promise<string[]> {
		return (await collect(store.leftovers(NEVER))).map(({ name }) => name);
	}

	it.each([
		['before a byte', 0],
		['in the handshake', 700],
		['while signing in', 2_500],
	])('%s is `unreachable`, and the next call connects', async (_when, up) => {
		proxy.cutAfter({ up });
		await expect(create()).rejects.toMatchObject(LOST);
		expect(proxy.cuts).toBe(1);
		expect(await create()).toMatchObject({ outcome: 'created' });
		expect(proxy.connections).toBe(2);
	});

	it.each([
		['at the start', 20_000],
		['in the middle', SIZE / 2],
		['near the end', SIZE - 20_000],
	])('%s of an upload shows nothing under the name, and the second try succeeds', async (_when, up) => {
		await store.stat(NAME, NEVER);
		proxy.cutAfter({ up });
		await expect(create()).rejects.toMatchObject(LOST);
		expect(proxy.cuts).toBe(1);
		expect(await store.stat(NAME, NEVER)).toBe(null);
		expect(await collect(store.list('bundles/', NEVER))).toEqual([]);
		const left = await temporaryNames();
		expect(left).toEqual([expect.stringMatching(/^bundles\/ab\/\.tmp-[0-9a-f]{16}$/)]);
		expect(await create()).toMatchObject({ outcome: 'created' });
		expect(await store.prove(NAME, { size: SIZE, sha256: sha256(BYTES), md5: null }, NEVER)).toEqual({ state: 'intact', how: 'command' });
		for (const name of left) await store.remove(name, NEVER);
		expect(await temporaryNames()).toEqual([]);
	});

	it('at any answer of a small write leaves it written as a whole or not at all', async () => {
		const content = contentOf(noise(1_000));
		const seen = new Set<string>();
		for (let down = 1; down < 900; down += 40) {
			const name = `bundles/${down}`;
			await store.stat(name, NEVER);
			proxy.cutAfter({ down });
			const first = await store.create(name, content, { signal: NEVER }).then(
				() => null,
				(error: unknown) => error,
			);
			proxy.cutAfter({});
			if (first !== null) expect(first).toMatchObject(LOST);
			const before = await store.stat(name, NEVER);
			const { outcome } = await store.create(name, content, { signal: NEVER });
			expect(outcome).toBe(before === null ? 'created' : 'present');
			seen.add(`${first === null ? 'written' : 'cut'}, then ${outcome}`);
			expect((await readAll(store, name)).equals(noise(1_000))).toBe(true);
		}
		expect([...seen].sort()).toEqual(['cut, then created', 'cut, then present', 'written, then present']);
	});

	it.each([
		['at the start', 10_000],
		['in the middle', SIZE / 2],
		['near the end', SIZE - 10_000],
	])('%s of a download is `unreachable`, and the second try gives every byte', async (_when, down) => {
		await create();
		proxy.cutAfter({ down });
		await expect(readAll(store, NAME)).rejects.toMatchObject(LOST);
		expect(proxy.cuts).toBe(1);
		expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
	});

	it('fails every call under way, and connects once for all that follow', async () => {
		await create();
		await store.readRange(NAME, { offset: 0, length: 1 }, NEVER);
		proxy.cutAfter({ up: 500_000 });
		const calls = [
			store.create('bundles/ab/two.zip', contentOf(BYTES), { signal: NEVER }),
			store.create('bundles/ab/three.zip', contentOf(BYTES), { signal: NEVER }),
			readAll(store, NAME),
		];
		for (const { status, ...rest } of await Promise.allSettled(calls)) {
			expect(status).toBe('rejected');
			expect(rest).toMatchObject({ reason: LOST });
		}
		const again = await Promise.all([0, 1, 2, 3].map((offset) => store.readRange(NAME, { offset, length: 1_000 }, NEVER)));
		for (const [offset, bytes] of again.entries()) expect(BYTES.subarray(offset, offset + 1_000).equals(bytes)).toBe(true);
		expect(proxy.connections).toBe(2);
	});

	it('while nothing is under way is noticed by the next call at the latest', async () => {
		await create();
		proxy.cutNow();
		await delay(20);
		expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
		expect(proxy.connections).toBe(2);
	});

	it('by a server that is killed is `unreachable` until it is back', async () => {
		async function* slowly() {
			yield BYTES.subarray(0, 1_000_000);
			await sshd.kill();
			yield BYTES.subarray(1_000_000);
		}
		onTestFinished(async () => {
			await sshd.kill();
			await sshd.restart();
		});
		await expect(store.create(NAME, contentOf(BYTES, { open: slowly }), { signal: NEVER })).rejects.toMatchObject(LOST);
		await expect(store.stat(NAME, NEVER)).rejects.toMatchObject(LOST);
		await sshd.restart();
		expect(await store.stat(NAME, NEVER)).toBe(null);
		expect(await create()).toMatchObject({ outcome: 'created' });
		expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
	});

	it('by its own close is `unreachable`, and nothing keeps the program waiting', async () => {
		await create();
		const reading = readAll(store, NAME);
		const closed = expect(reading).rejects.toMatchObject({ code: 'unreachable' });
		await store.close();
		await closed;
		await expect(store.stat(NAME, NEVER)).rejects.toThrow('closed');
	});

	it('leaves no temporary file where the call is interrupted and the connection lives', async () => {
		const controller = new AbortController();
		async function* slowly() {
			yield BYTES.subarray(0, 1_000_000);
			controller.abort();
			yield BYTES.subarray(1_000_000);
		}
		const call = store.create(NAME, contentOf(BYTES, { open: slowly }), { signal: controller.signal });
		await expect(call).rejects.toMatchObject({ code: 'interrupted' });
		expect(readdirSync(join(sshd.root, `${count - 1}`, 'bundles/ab'))).toEqual([]);
		expect(proxy.connections).toBe(1);
	});
});
