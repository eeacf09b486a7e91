import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { NOTHING_OFFSITE, type Offsite, offsiteAt } from '../../../src/archive/offsite.ts';
import { readRecord } from '../../../src/archive/target/record.ts';
import { type BundleRef, parseBundleId } from '../../../src/domain/index.ts';
import { beginSealing } from '../../../src/encryption/index.ts';
import { type BlobStore, counted } from '../../../src/remote/index.ts';
import { never } from '../../support/archive.ts';
import { bundlesOf } from '../../support/eventful-night.ts';
import { type FaultyStore, faultyStore } from '../../support/faulty-store.ts';
import {
	bundleBlobs,
	copyOf,
	flipMiddle,
	folderStore,
	makeKeys,
	offsiteOf,
	type Packed,
	packNights,
	quickFolder,
	rewrite,
	syncOnce,
	targetAt,
} from '../../support/target.ts';

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
/** A sealed bundle, and its bytes. */
let ref: BundleRef;
let bytes: Buffer;

beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(2);
	// The largest one: what an age file has beside the bundle counts for little in it.
	const sizeOf = (name: string): number => statSync(join(packed.archive, name)).size;
	const [name = ''] = bundleBlobs(packed.archive, 'sealed').sort((a, b) => sizeOf(b) - sizeOf(a));
	bytes = readFileSync(join(packed.archive, name));
	ref = { id: parseBundleId(name.slice(-68, -4)), kind: 'sealed', size: bytes.length };
});

async function read(offsite: Offsite, offset = 100, length = 500): Promise<Buffer> {
	return Buffer.from(await (await offsite.open(ref, never)).read(offset, length));
}

async function streamed(offsite: Offsite): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	for await (const piece of await offsite.stream(ref, never)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** A thin archive whose bundles two targets have, the first plain, the second as given. */
async function atTwo(second: 'plain' | 'encrypted') {
	const archive = copyOf(packed.archive);
	const paths = [join(quickFolder(), 'target'), join(quickFolder(), 'target')] as const;
	await syncOnce(archive, paths[0]);
	await syncOnce(archive, paths[1], second === 'plain' ? {} : { keys: keys.opening });
	await syncOnce(archive, paths[0], { dropLocal: true });
	await syncOnce(archive, paths[1], { ...(second === 'plain' ? {} : { keys: keys.opening }), dropLocal: true });
	for (const url of paths) expect(readRecord(archive, { url })?.dropped.size).toBe(bundleBlobs(packed.archive, 'sealed').length);
	return { archive, paths };
}

test('an archive that keeps everything knows no bundle at a target', async () => {
	expect(NOTHING_OFFSITE.has(ref.id)).toBe(false);
	await expect(NOTHING_OFFSITE.open(ref, never)).rejects.toMatchObject({ code: 'not-found' });
	await expect(NOTHING_OFFSITE.stream(ref, never)).rejects.toMatchObject({ code: 'not-found' });
	await NOTHING_OFFSITE.close();
	const offsite = offsiteOf(packed.archive);
	expect(offsite.has(ref.id)).toBe(false);
	await expect(offsite.open(ref, never)).rejects.toMatchObject({ code: 'not-found' });
});

test.each(['plain', 'encrypted'] as const)('a bundle that is %s is read in ranges and as a whole', async (kind) => {
	const path = join(quickFolder(), 'target');
	await syncOnce(copyOf(packed.archive), path, kind === 'plain' ? {} : { keys: keys.sealing });
	const { store, counts } = counted(folderStore(path));
	const offsite = offsiteAt(await targetAt(path, { store, keys: keys.opening }), quickFolder());
	expect(offsite.has(parseBundleId('0'.repeat(64)))).toBe(true);
	const reads = counts.reads;
	const bundle = await offsite.open(ref, never);
	expect(bundle.size).toBe(bytes.length);
	for (const [offset, length] of [
		[0, 1],
		[bytes.length - 5, 5],
		[0, bytes.length],
		[7, 0],
	] as const) {
		expect(Buffer.from(await bundle.read(offset, length)).equals(bytes.subarray(offset, offset + length))).toBe(true);
	}
	// The age header is read once, also by one that opens the bundle again.
	expect(counts.reads - reads).toBeLessThanOrEqual(4 + (kind === 'plain' ? 0 : 1));
	const before = counts.reads;
	expect((await read(offsite)).equals(bytes.subarray(100, 600))).toBe(true);
	expect(counts.reads - before).toBe(1);
	expect((await streamed(offsite)).equals(bytes)).toBe(true);
	await expect(
		offsite.open({ ...ref, id: parseBundleId('0'.repeat(64)) }, never).then((missing) => missing.read(0, 1)),
	).rejects.toMatchObject({
		code: 'not-found',
	});
});

test('a signal that ended one call does not end the next', async () => {
	const path = join(quickFolder(), 'target');
	await syncOnce(copyOf(packed.archive), path, { keys: keys.sealing });
	const offsite = offsiteAt(await targetAt(path, { keys: keys.opening }), quickFolder());
	const stop = new AbortController();
	const first = await offsite.open(ref, stop.signal);
	stop.abort();
	await expect(first.read(0, 10)).rejects.toMatchObject({ code: 'interrupted' });
	await expect(offsite.open(ref, stop.signal).then((bundle) => bundle.read(0, 9))).rejects.toMatchObject({ code: 'interrupted' });
	expect((await read(offsite)).equals(bytes.subarray(100, 600))).toBe(true);
});

/** An encrypted target with two copies of the bundle, as two hosts make them that seal it at the same time. */
async function withTwoCopies(): Promise<{ readonly path: string; readonly copies: readonly string[] }> {
	const [path, other] = [join(quickFolder(), 'target'), join(quickFolder(), 'target')];
	for (const one of [path, other]) await syncOnce(copyOf(packed.archive), one, { keys: keys.sealing });
	const second = bundleBlobs(other).find((name) => name.includes(ref.id)) ?? '';
	cpSync(join(other, second), join(path, second));
	return { path, copies: bundleBlobs(path).filter((name) => name.includes(ref.id)) };
}

test('of two copies of a bundle one is read as a whole before it is believed, once for all calls with one cache', async () => {
	const { path, copies } = await withTwoCopies();
	expect(copies).toHaveLength(2);
	const cache = quickFolder();
	for (const call of [1, 2, 3]) {
		const { store, counts } = counted(folderStore(path));
		const offsite = offsiteAt(await targetAt(path, { store, keys: keys.opening }), cache);
		const before = counts.bytesRead;
		expect((await read(offsite)).equals(bytes.subarray(100, 600))).toBe(true);
		expect((await read(offsite, 0, 50)).equals(bytes.subarray(0, 50))).toBe(true);
		const size = bytes.length;
		// The bundle has less than the 64 KiB of a chunk.
		expect((counts.bytesRead - before) / size).toBeLessThan(call === 1 ? 3.5 : 2.5);
	}
	// A stranger's file under the name of the bundle, whole as an age file: never the one that is read.
	const foreign = await sealedElsewhere(flipMiddle(bytes));
	for (const name of copies) {
		const target = copyOf(path);
		rmSync(join(target, name));
		cpSync(foreign, join(target, name.replace(/\.[0-9a-f]{64}\.zip\.age$/, `.${'0'.repeat(64)}.zip.age`)));
		const offsite = offsiteAt(await targetAt(target, { keys: keys.opening }), quickFolder());
		expect((await read(offsite, 0, bytes.length)).equals(bytes)).toBe(true);
	}
});

/** An age file for the same recipients. */
async function sealedElsewhere(content: Uint8Array): Promise<string> {
	const { recipients } = keys.sealing;
	if (recipients === null) throw new Error('no recipients');
	const sealing = await beginSealing(recipients);
	const pieces: Uint8Array[] = [];
	async function* plain(): AsyncGenerator<Uint8Array> {
		yield content;
	}
	for await (const piece of sealing.seal(plain())) pieces.push(piece);
	const file = join(quickFolder(), 'file.age');
	writeFileSync(file, Buffer.concat(pieces));
	return file;
}

test('of two copies of an encrypted bundle the one that is whole is read, range by range', async () => {
	const { path, copies } = await withTwoCopies();
	for (const victim of copies) {
		const target = copyOf(path);
		rewrite(join(target, victim), flipMiddle);
		const offsite = offsiteAt(await targetAt(target, { keys: keys.opening }), quickFolder());
		expect((await read(offsite, 0, bytes.length)).equals(bytes)).toBe(true);
		rewrite(join(target, victim), () => Buffer.from('age-encryption.org/v1\nnonsense'));
		expect((await read(offsiteAt(await targetAt(target, { keys: keys.opening }), quickFolder()))).equals(bytes.subarray(100, 600))).toBe(
			true,
		);
	}
	const target = copyOf(path);
	for (const victim of copies) rewrite(join(target, victim), flipMiddle);
	const offsite = offsiteAt(await targetAt(target, { keys: keys.opening }), quickFolder());
	await expect(read(offsite, 0, bytes.length)).rejects.toMatchObject({ code: 'archive-damaged' });
});

test('a copy that took another’s place since is found', async () => {
	const path = join(quickFolder(), 'target');
	const archive = copyOf(packed.archive);
	await syncOnce(archive, path, { keys: keys.sealing });
	const offsite = offsiteAt(await targetAt(path, { keys: keys.opening }), quickFolder());
	await read(offsite);
	// Shipped again under another name, as after damage.
	const copy = bundleBlobs(path).find((name) => name.includes(ref.id)) ?? '';
	rmSync(join(path, copy));
	await syncOnce(archive, path, { keys: keys.sealing });
	expect(bundleBlobs(path).find((name) => name.includes(ref.id))).not.toBe(copy);
	expect((await read(offsite)).equals(bytes.subarray(100, 600))).toBe(true);
});

describe('of two targets that have a bundle', () => {
	const harms: Readonly<Record<string, (path: string) => BlobStore>> = {
		'cannot be reached': (path) => faultyStore(folderStore(path), () => 'unreachable').store,
		refuses: (path) => faultyStore(folderStore(path), () => 'permission').store,
		'is not mounted': () => folderStore(join(quickFolder(), 'nowhere')),
		'lost the bundle': (path) => {
			for (const name of bundleBlobs(path)) if (name.includes(ref.id)) rmSync(join(path, name));
			return folderStore(path);
		},
	};
	test.each(['plain', 'encrypted'] as const)('the one that can give it does, the second being %s', async (second) => {
		for (const [what, harm] of Object.entries(harms)) {
			for (const bad of [0, 1]) {
				const { archive, paths } = await atTwo(second);
				const storeOf = (path: string): BlobStore => (path === paths[bad] ? harm(path) : folderStore(path));
				const offsite = offsiteOf(archive, { keys: keys.opening, storeOf });
				expect((await read(offsite)).equals(bytes.subarray(100, 600)), `${bad} ${what}`).toBe(true);
				expect((await streamed(offsite)).length, `${bad} ${what}`).toBe(bytes.length);
				await offsite.close();
			}
		}
	});

	test('that none can give, trouble that may pass is told before what is lost', async () => {
		const { archive, paths } = await atTwo('plain');
		for (const down of [0, 1]) {
			const storeOf = (path: string): BlobStore =>
				path === paths[down]
					? faultyStore(folderStore(path), () => 'unreachable').store
					: (harms['lost the bundle'] as typeof folderStore)(path);
			await expect(read(offsiteOf(archive, { storeOf }))).rejects.toMatchObject({ code: 'unreachable' });
		}
		await expect(read(offsiteOf(archive))).rejects.toMatchObject({ code: 'not-found' });
	});
});

test('each target is reached when it is first needed, once, and closed', async () => {
	const { archive, paths } = await atTwo('plain');
	const opened: string[] = [];
	const closed: string[] = [];
	const stores: FaultyStore[] = [];
	const offsite = offsiteOf(archive, {
		storeOf(path) {
			opened.push(path);
			const faulty = faultyStore(folderStore(path), () => null);
			stores.push(faulty);
			return { ...faulty.store, close: async () => void closed.push(path) };
		},
	});
	expect(offsite.has(ref.id)).toBe(true);
	expect(opened).toEqual([]);
	await Promise.all([read(offsite), read(offsite), read(offsite)]);
	expect(opened).toHaveLength(1);
	expect(paths).toContain(opened[0]);
	await offsite.close();
	await offsite.close();
	expect(closed).toEqual(opened);
	// It is opened again for whoever goes on.
	await read(offsite);
	expect(opened).toHaveLength(2);
	expect(bundlesOf(archive, [...packed.trees.keys()].at(-1) ?? '').map(({ id }) => id)).toContain(ref.id);
});
