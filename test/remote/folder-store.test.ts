import { spawnSync } from 'node:child_process';
import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FileHooks, type FileOperation, openFiles } from '../../src/platform/index.ts';
import { type BlobStore, openFolderStore } from '../../src/remote/index.ts';
import { collect, contentOf, describeBlobStore, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { asNobody } from '../support/as-nobody.ts';
import { canMount, readOnlyView, smallDisk } from '../support/small-disk.ts';
import { openFolderUnderTest } from './folder-under-test.ts';

describeBlobStore({ name: 'a folder', open: () => openFolderUnderTest(), temporaryName: 'bundles/ab/.tmp-0123456789abcdef' });

const NAME = 'bundles/ab/one.zip';
const noMounts = !canMount();

/** A folder that is gone when the test ends. */
function newFolder(): string {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-folder-'));
	onTestFinished(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

function storeAt(path: string, hooks?: FileHooks): BlobStore {
	return openFolderStore({ path, files: openFiles(), ...(hooks === undefined ? {} : { hooks }) });
}

function create(store: BlobStore, bytes: Uint8Array = noise(1_000), replace = false) {
	return store.create(NAME, contentOf(bytes), { signal: NEVER, replace });
}

/** Every call that looks for a blob or for all of them. */
function looks(store: BlobStore) {
	return {
		list: () => collect(store.list('bundles/', NEVER)),
		leftovers: () => collect(store.leftovers(NEVER)),
		stat: () => store.stat(NAME, NEVER),
		readRange: () => store.readRange(NAME, { offset: 0, length: 1 }, NEVER),
		read: () => readAll(store, NAME),
		prove: () => store.prove(NAME, { size: 1, sha256: sha256(noise(1)), md5: null }, NEVER),
	};
}

/** The codes that these calls end with. */
async function endsOf(calls: Record<string, () => Promise<unknown>>): Promise<Record<string, unknown>> {
	const ends: Record<string, unknown> = {};
	for (const [name, call] of Object.entries(calls)) {
		ends[name] = await call().then(
			() => 'succeeded',
			(error) => error.code ?? error,
		);
	}
	return ends;
}

function same(calls: Record<string, unknown>, code: string): Record<string, string> {
	return Object.fromEntries(Object.keys(calls).map((name) => [name, code]));
}

describe('the top folder', () => {
	it('is made by the first create, for the owner alone, and not by looking', async () => {
		const path = join(newFolder(), 'target');
		const store = storeAt(path);
		expect(await store.top(10, NEVER)).toEqual([]);
		expect(existsSync(path)).toBe(false);
		await create(store);
		expect([statSync(path).mode & 0o777, statSync(join(path, 'bundles', 'ab')).mode & 0o777]).toEqual([0o700, 0o700]);
		expect(statSync(join(path, NAME)).mode & 0o777).toBe(0o400);
		expect(await store.top(10, NEVER)).toEqual(['bundles']);
	});

	it('is never told as an empty one where it is not there', async () => {
		const store = storeAt(join(newFolder(), 'target'));
		expect(await endsOf(looks(store))).toEqual(same(looks(store), 'not-found'));
	});

	it('is not made where the folder that it would lie in is missing: its disk may not be mounted', async () => {
		const above = join(newFolder(), 'mnt');
		const store = storeAt(join(above, 'target'));
		const calls = { ...looks(store), top: () => store.top(1, NEVER), create: () => create(store) };
		expect(await endsOf(calls)).toEqual(same(calls, 'not-found'));
		await expect(create(store)).rejects.toMatchObject({
			message: `Cannot use the target "${above}/target": there is no folder "${above}"`,
			hint: expect.stringContaining('mount'),
		});
		expect(existsSync(above)).toBe(false);
	});

	it('is unreachable once it vanished, and is not made again', async () => {
		const path = join(newFolder(), 'target');
		const store = storeAt(path);
		await create(store);
		renameSync(path, `${path}-unplugged`);
		const calls = { ...looks(store), top: () => store.top(1, NEVER), create: () => create(store), remove: () => store.remove(NAME, NEVER) };
		expect(await endsOf(calls)).toEqual(same(calls, 'unreachable'));
		await expect(store.stat(NAME, NEVER)).rejects.toMatchObject({ retryable: true });
		expect(existsSync(path)).toBe(false);
		renameSync(`${path}-unplugged`, path);
		expect(await store.stat(NAME, NEVER)).toMatchObject({ size: 1_000 });
	});

	it.skipIf(noMounts)('is unreachable once its disk is unmounted, though an empty folder is left', async () => {
		const { path } = smallDisk('1m');
		const store = storeAt(path);
		await create(store);
		expect(spawnSync('umount', [path]).status).toBe(0);
		expect(readdirSync(path)).toEqual([]);
		const calls = { ...looks(store), create: () => create(store) };
		expect(await endsOf(calls)).toEqual(same(calls, 'unreachable'));
		expect(readdirSync(path)).toEqual([]);
	});

	it('may be a link itself, and may not be a file', async () => {
		const folder = newFolder();
		mkdirSync(join(folder, 'real'));
		symlinkSync('real', join(folder, 'link'));
		expect(await create(storeAt(join(folder, 'link')))).toMatchObject({ outcome: 'created' });
		writeFileSync(join(folder, 'file'), '');
		await expect(create(storeAt(join(folder, 'file')))).rejects.toMatchObject({
			code: 'io',
			message: expect.stringContaining('it is a file'),
		});
		await expect(create(storeAt(join(folder, 'file', 'target')))).rejects.toMatchObject({ code: 'io' });
	});
});

describe('a write', () => {
	it('goes to a temporary file, to the disk, and then to its name', async () => {
		const seen: FileOperation[] = [];
		const path = newFolder();
		const bytes = noise(200_000);
		await create(storeAt(path, { before: (operation) => void seen.push(operation) }), bytes);
		expect(seen.filter((operation, index) => operation !== seen[index - 1])).toEqual([
			'create',
			'write',
			'fsync',
			'chmod',
			'rename',
			'fsync-folder',
		]);
	});

	it.each(['before', 'after'] as const)('that fails %s any step shows no part of a blob, and the next one succeeds', async (moment) => {
		const bytes = noise(200_000);
		for (let failing = 0; ; failing++) {
			const path = newFolder();
			let step = 0;
			const hook = () => {
				if (step++ === failing) throw Object.assign(new Error('EIO'), { code: 'EIO' });
			};
			const first = await create(storeAt(path, { [moment]: hook }), bytes).catch((error) => error);
			const store = storeAt(path);
			const shown = await collect(store.list('', NEVER));
			if (shown.length > 0) expect((await readAll(store, NAME)).equals(bytes)).toBe(true);
			expect(await collect(store.leftovers(NEVER))).toEqual([]);
			expect(await create(store, bytes)).toMatchObject({ outcome: shown.length > 0 ? 'present' : 'created' });
			expect((await readAll(store, NAME)).equals(bytes)).toBe(true);
			if (first.outcome === 'created') {
				expect(failing).toBeGreaterThan(5);
				break;
			}
			expect(first).toMatchObject({ code: 'unreachable' });
		}
	});

	it('asks for no more of content that is too long, or once it is interrupted', async () => {
		const store = storeAt(newFolder());
		const stop = new AbortController();
		const pulled = { long: 0, stopped: 0 };
		async function* long(): AsyncIterable<Uint8Array> {
			for (; pulled.long < 50; pulled.long++) yield noise(100);
		}
		async function* stopped(): AsyncIterable<Uint8Array> {
			for (; pulled.stopped < 50; pulled.stopped++) {
				if (pulled.stopped === 3) stop.abort();
				yield noise(100);
			}
		}
		await expect(store.create(NAME, contentOf(noise(250), { open: long }), { signal: NEVER })).rejects.toMatchObject({
			code: 'archive-damaged',
		});
		await expect(store.create(NAME, contentOf(noise(5_000), { open: stopped }), { signal: stop.signal })).rejects.toMatchObject({
			code: 'interrupted',
		});
		expect(pulled).toEqual({ long: 2, stopped: 3 });
	});

	it('fails where the disk fails on the way, though it is content at the end', async () => {
		const path = newFolder();
		let fsyncs = 0;
		const store = storeAt(path, {
			before(operation) {
				if (operation === 'fsync' && ++fsyncs === 1) throw Object.assign(new Error('EIO'), { code: 'EIO' });
			},
		});
		const bytes = noise(40 * 1024 * 1024);
		await expect(create(store, bytes)).rejects.toMatchObject({ code: 'unreachable' });
		expect(fsyncs).toBe(1);
		expect(await collect(store.list('', NEVER))).toEqual([]);
		expect(await create(store, bytes)).toMatchObject({ outcome: 'created' });
		expect(fsyncs).toBeGreaterThan(2);
	});

	it.skipIf(noMounts)('says `no-space` where the disk is full, and leaves nothing', async () => {
		const store = storeAt(join(smallDisk('256k').path, 'target'));
		await expect(create(store, noise(5 * 1024 * 1024))).rejects.toMatchObject({ code: 'no-space' });
		expect(await collect(store.list('', NEVER))).toEqual([]);
		expect(await collect(store.leftovers(NEVER))).toEqual([]);
		expect(await create(store)).toMatchObject({ outcome: 'created' });
	});

	it.skipIf(noMounts)('says `read-only` where the disk is', async () => {
		const path = newFolder();
		await create(storeAt(path));
		const store = storeAt(readOnlyView(path));
		await expect(create(store, noise(10), true)).rejects.toMatchObject({ code: 'read-only' });
		await expect(store.remove(NAME, NEVER)).rejects.toMatchObject({ code: 'read-only' });
		expect(await store.stat(NAME, NEVER)).toMatchObject({ size: 1_000 });
	});

	it('does not take the name of a temporary file', async () => {
		const store = storeAt(newFolder());
		await expect(store.create('bundles/.tmp-0123456789abcdef', contentOf(noise(1)), { signal: NEVER })).rejects.toThrow('being written');
	});
});

it('a refusal is `permission`, and never "not there"', async () => {
	const path = newFolder();
	chmodSync(path, 0o755);
	await create(storeAt(path));
	chmodSync(join(path, 'bundles'), 0);
	const store = storeAt(path);
	const calls = { ...looks(store), create: () => create(store), remove: () => store.remove(NAME, NEVER) };
	expect(await asNobody(() => endsOf(calls))).toEqual(same(calls, 'permission'));
	chmodSync(join(path, 'bundles'), 0o755);
	chmodSync(join(path, 'bundles', 'ab'), 0o755);
	const { stat, list, leftovers, create: present, ...reads } = calls;
	expect(await asNobody(() => endsOf({ stat, list, leftovers, present }))).toEqual(same({ stat, list, leftovers, present }, 'succeeded'));
	const right = { size: 1_000, sha256: sha256(noise(1_000)), md5: null };
	const refused = { ...reads, prove: () => store.prove(NAME, right, NEVER) };
	expect(await asNobody(() => endsOf(refused))).toEqual(same(refused, 'permission'));
});

describe('symbolic links', () => {
	it('are no blobs, and what they lead to stays as it is', async () => {
		const path = newFolder();
		const outside = join(newFolder(), 'outside');
		writeFileSync(outside, noise(1_000));
		const store = storeAt(path);
		mkdirSync(join(path, 'bundles', 'ab'), { recursive: true });
		symlinkSync(outside, join(path, NAME));
		expect(await collect(store.list('', NEVER))).toEqual([]);
		expect(await store.stat(NAME, NEVER)).toBe(null);
		await expect(readAll(store, NAME)).rejects.toMatchObject({ code: 'not-found' });
		const right = { size: 1_000, sha256: sha256(noise(1_000)), md5: null };
		expect(await store.prove(NAME, right, NEVER)).toMatchObject({ state: 'damaged', text: expect.stringContaining('a file is right') });
		expect(await create(store)).toMatchObject({ outcome: 'present' });
		expect(await create(store, noise(2_000), true)).toMatchObject({ outcome: 'created' });
		expect(lstatSync(join(path, NAME)).isFile()).toBe(true);
		expect(readFileSync(outside).equals(noise(1_000))).toBe(true);
	});

	it('lead to no other folder', async () => {
		const path = newFolder();
		const outside = newFolder();
		const store = storeAt(path);
		symlinkSync(outside, join(path, 'bundles'));
		mkdirSync(join(outside, 'ab'));
		writeFileSync(join(outside, 'ab', 'one.zip'), 'x');
		expect(await collect(store.list('', NEVER))).toEqual([]);
		const { leftovers, ...calls } = { ...looks(store), create: () => create(store), remove: () => store.remove(NAME, NEVER) };
		expect(await endsOf(calls)).toEqual(same(calls, 'io'));
		expect(await leftovers()).toEqual([]);
		expect(readdirSync(join(outside, 'ab'))).toEqual(['one.zip']);
	});
});

it('a proof tells of a wrong size, and of a wrong hash', async () => {
	const store = storeAt(newFolder());
	await create(store);
	const [right, other] = [noise(1_000), noise(1_000, 1)].map(sha256);
	const expected = { size: 1_000, sha256: other ?? '', md5: null };
	expect(await store.prove(NAME, expected, NEVER)).toEqual({
		state: 'damaged',
		how: 'read',
		text: `its SHA-256 is ${right} (${other} is right)`,
	});
	expect(await store.prove(NAME, { ...expected, size: 999 }, NEVER)).toMatchObject({ text: 'it has 1000 bytes (999 are right)' });
});

it('whatever is no file is damaged and is never waited for', async () => {
	const path = newFolder();
	mkdirSync(join(path, 'bundles', 'ab'), { recursive: true });
	expect(spawnSync('mkfifo', [join(path, NAME)]).status).toBe(0);
	const store = storeAt(path);
	const right = { size: 1, sha256: sha256(noise(1)), md5: null };
	expect(await store.prove(NAME, right, NEVER)).toMatchObject({ state: 'damaged' });
	expect(await store.prove('bundles/ab', right, NEVER)).toMatchObject({ state: 'damaged', text: 'it is a folder (a file is right)' });
	await expect(readAll(store, NAME)).rejects.toMatchObject({ code: 'not-found' });
	expect(await collect(store.list('', NEVER))).toEqual([]);
});

it('a listing leaves out what no blob is called', async () => {
	const path = newFolder();
	for (const name of ['lost+found', 'a b', 'ä']) {
		mkdirSync(join(path, name));
		writeFileSync(join(path, name, 'x'), 'x');
		writeFileSync(join(path, `${name}.txt`), 'x');
	}
	const store = storeAt(path);
	expect(await collect(store.list('', NEVER))).toEqual([]);
	expect((await store.top(10, NEVER)).length).toBe(6);
});

it('a blob that becomes shorter while it is read is damaged', async () => {
	const path = newFolder();
	const store = storeAt(path);
	await create(store, noise(5 * 1024 * 1024));
	const reading = (async () => {
		for await (const _piece of store.read(NAME, { signal: NEVER })) truncateSync(join(path, NAME), 10);
	})();
	await expect(reading).rejects.toMatchObject({ code: 'archive-damaged' });
});

it('finds what it wrote, by every way, where its path leads up behind a link', async () => {
	const folder = newFolder();
	mkdirSync(join(folder, 'elsewhere', 'deep'), { recursive: true });
	symlinkSync(join('elsewhere', 'deep'), join(folder, 'link'));
	const store = storeAt(`${folder}/link/../target`);
	const bytes = noise(1_000);
	await create(store, bytes);
	expect(readdirSync(folder).sort()).toEqual(['elsewhere', 'link', 'target']);
	expect(await store.stat(NAME, NEVER)).toMatchObject({ size: bytes.length });
	expect((await collect(store.list('bundles/', NEVER))).map(({ name }) => name)).toEqual([NAME]);
	expect(await store.prove(NAME, { size: bytes.length, sha256: sha256(bytes), md5: null }, NEVER)).toMatchObject({ state: 'intact' });
});

it('proves several large blobs side by side: what is read of one is hashed before the next is read', async () => {
	const store = storeAt(newFolder());
	const names = ['one', 'two', 'three'].map((name) => `bundles/ab/${name}.zip`);
	const blobs = names.map((name, seed) => ({ name, bytes: noise(5 * 1024 * 1024 + seed, seed) }));
	for (const { name, bytes } of blobs) await store.create(name, contentOf(bytes), { signal: NEVER });
	const proofs = blobs.map(({ name, bytes }) => store.prove(name, { size: bytes.length, sha256: sha256(bytes), md5: null }, NEVER));
	expect(await Promise.all(proofs)).toEqual(blobs.map(() => ({ state: 'intact', how: 'read' })));
});

it('hears an interrupt while it hashes a large blob, and while it lists many', async () => {
	const store = storeAt(newFolder());
	const bytes = noise(13 * 1024 * 1024);
	await create(store, bytes);
	for (let n = 0; n < 250; n++) await store.create(`bundles/${n}/one`, contentOf(noise(1)), { signal: NEVER });
	const calls = {
		prove: (signal: AbortSignal) => store.prove(NAME, { size: bytes.length, sha256: sha256(bytes), md5: null }, signal),
		list: (signal: AbortSignal) => collect(store.list('', signal)),
	};
	for (const [name, call] of Object.entries(calls)) {
		const stop = new AbortController();
		let turns = 0;
		// Both begin with a turn or two.
		const count = (): void => void (++turns === 2 ? stop.abort() : setImmediate(count));
		setImmediate(count);
		await expect(call(stop.signal), name).rejects.toMatchObject({ code: 'interrupted' });
	}
});
