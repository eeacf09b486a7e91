import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Archive, extract, extractParts, listMessages, search } from '../../../src/archive/index.ts';
import { type BlobStore, counted, type StoreCounts } from '../../../src/remote/index.ts';
import { packOnce } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import { type MailStore, makeMailStore, noisyMail } from '../../support/mail-store.ts';
import {
	archiveIdOf,
	bundleBlobs,
	copyOf,
	flipMiddle,
	folderStore,
	makeKeys,
	openRemote,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	rewrite,
	snapshotBlobs,
	syncOnce,
	timeOf,
	verifyRemote,
} from '../../support/target.ts';
import { compareTreeStates } from '../../support/tree-state.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];
const MIB = 1024 * 1024;
const OLD = timeOf(-100);

let keys: Awaited<ReturnType<typeof makeKeys>>;
/** An archive with a bundle of 12 MiB of messages and one of attachments, and a target of each kind that has it. */
let big: { readonly store: MailStore; readonly archive: string; readonly paths: Readonly<Record<Kind, string>> };
let packed: Packed;

beforeAll(async () => {
	keys = await makeKeys();
	const store = makeMailStore(quickFolder());
	for (let number = 0; number < 40; number++) {
		const key = `${number}`.padStart(2, '0');
		store.put(`anna@one.example/INBOX/${key}:2,S`, { content: noisyMail(`noise ${number}`, 300_000), at: OLD });
	}
	const files = ['one', 'two', 'three'].map((name) => ({ name: `${name}.bin`, bytes: fileBytes(name, 150_000) }));
	store.put('anna@one.example/INBOX/small:2,S', { content: noisyMail('small', 5000), at: OLD });
	for (let number = 0; number < 20; number++) {
		const own = { name: `own-${number}.bin`, bytes: fileBytes(`own ${number}`, 90_000) };
		const chosen = number === 7 ? [files[0], files[2]] : [own];
		const content = mailWith(
			chosen.flatMap((file) => file ?? []),
			{ subject: `with files ${number}` },
		);
		store.put(`anna@one.example/INBOX/f${String(number).padStart(2, '0')}:2,S`, { content, at: OLD });
	}
	const archive = join(quickFolder(), 'archive');
	await packOnce(archive, store.spec, { now: timeOf(0), bundles: { target: 16 * MIB, max: 24 * MIB, linger: 0 } });
	const paths = { plain: join(quickFolder(), 'target'), encrypted: join(quickFolder(), 'target') };
	for (const kind of KINDS) await syncOnce(archive, paths[kind], kind === 'plain' ? {} : { keys: keys.sealing });
	big = { store, archive, paths };
	packed = await packNights(3);
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

async function bytesOf(archive: Archive, reference: string): Promise<Buffer> {
	const { chunks } = await extract(archive, reference, { now: timeOf(100) });
	return Buffer.concat([...chunks()]);
}

/** Compares thousands of bytes at once, and not one by one. */
function isSame(found: Uint8Array, right: Uint8Array): boolean {
	return Buffer.compare(found, right) === 0;
}

/** What one call asked of a store that is counted. */
async function askedFor(
	counts: StoreCounts,
	call: () => Promise<unknown>,
): Promise<{ readonly reads: number; readonly bytes: number; readonly lists: number }> {
	const { reads, bytesRead, lists } = counts;
	await call();
	return { reads: counts.reads - reads, bytes: counts.bytesRead - bytesRead, lists: counts.lists - lists };
}

describe.each(KINDS)('from a target that is %s', (kind) => {
	const CHUNK = 64 * 1024;

	test('a message costs one ranged read, and one for each of its attachments, with the catalog here', async () => {
		const path = big.paths[kind];
		const cache = quickFolder();
		const setup = { ...openingOf(kind), cache };
		await listMessages((await openRemote(path, setup)).archive, { now: timeOf(100) });
		const { store, counts } = counted(folderStore(path));
		// A new process each time.
		const open = async () => (await openRemote(path, { ...setup, store })).archive;
		const plain = await askedFor(counts, async () => {
			expect(isSame(await bytesOf(await open(), 'anna@one.example/INBOX/small'), big.store.read('anna@one.example/INBOX/small:2,S'))).toBe(
				true,
			);
		});
		// The head of the target, and the message.
		expect(plain.reads).toBe(2);
		expect(plain.bytes).toBeLessThan(5000 + 100 + 2 * CHUNK);
		const apart = await askedFor(counts, async () => {
			expect(isSame(await bytesOf(await open(), 'anna@one.example/INBOX/f07'), big.store.read('anna@one.example/INBOX/f07:2,S'))).toBe(
				true,
			);
		});
		expect(apart.reads).toBeLessThanOrEqual(1 + 3);
		expect(apart.bytes).toBeLessThan(300_000 + 4000 + 3 * 2 * CHUNK);
		const again = await askedFor(counts, async () => void (await bytesOf(await open(), 'anna@one.example/INBOX/f07')));
		expect(again.reads).toBe(1);
		expect(again.bytes).toBeLessThan(100);
	});

	test('the very first call of all moves little, and tells what a second one need not ask', async () => {
		const path = big.paths[kind];
		const cache = quickFolder();
		const { store, counts } = counted(folderStore(path));
		const setup = { ...openingOf(kind), cache, store };
		const first = await askedFor(
			counts,
			async () => void (await bytesOf((await openRemote(path, setup)).archive, 'anna@one.example/INBOX/03')),
		);
		const bundles = bundleBlobs(path).length;
		expect(bundles).toBeGreaterThan(1);
		// Heads of the target and of the archive, the snapshot, and of each bundle its age header, its end and its beginning; the message.
		expect(first.reads).toBeLessThanOrEqual(3 + 1 + bundles * (kind === 'plain' ? 2 : 3));
		expect(first.bytes).toBeLessThan(MIB);
		const second = await askedFor(
			counts,
			async () => void (await search((await openRemote(path, setup)).archive, { query: 'noise', limit: 9, now: 0 })),
		);
		expect(second).toMatchObject({ reads: 1, lists: 1 });
	});

	test('several readers with one cache do not disturb each other; while one makes the catalog, another says busy', async () => {
		const path = big.paths[kind];
		const setup = { ...openingOf(kind), cache: quickFolder() };
		const references = ['f07', 'f03', '11', 'small', 'f07'];
		for (const isNew of [true, false]) {
			const ends = await Promise.allSettled(
				references.map(async (key) => bytesOf((await openRemote(path, setup)).archive, `anna@one.example/INBOX/${key}`)),
			);
			for (const [index, key] of references.entries()) {
				const end = ends[index];
				if (end?.status === 'rejected') expect([isNew, end.reason]).toMatchObject([true, { code: 'busy', retryable: true }]);
				else expect(isSame(end?.value ?? Buffer.alloc(0), big.store.read(`anna@one.example/INBOX/${key}:2,S`)), key).toBe(true);
			}
			expect(ends.some(({ status }) => status === 'fulfilled')).toBe(true);
		}
	});

	test('parts of a message are taken out by name', async () => {
		const { archive } = await openRemote(big.paths[kind], openingOf(kind));
		const [part, ...more] = await extractParts(archive, 'anna@one.example/INBOX/f07', { name: 'three.bin', now: timeOf(100) });
		expect(more).toEqual([]);
		expect(isSame(part?.bytes ?? Buffer.alloc(0), fileBytes('three', 150_000))).toBe(true);
	});

	test('any older snapshot is restored by its name, an instant or an age, also by one that has a cache of another', async () => {
		const path = join(quickFolder(), 'target');
		await syncOnce(copyOf(packed.archive), path, keysOf(kind));
		const names = [...packed.trees.keys()];
		const caches = [quickFolder(), null];
		for (const [index, name] of [...names, ...[...names].reverse()].entries()) {
			const day = names.indexOf(name);
			for (const at of [name, new Date(timeOf(day) + 3_600_000).toISOString(), `${100 - day}d`]) {
				for (const cache of caches) {
					const wanted = { kind: 'moments', at: [at], now: timeOf(100) } as const;
					const { archive } = await openRemote(path, { ...openingOf(kind), wanted, cache: cache ?? quickFolder() });
					if (cache === null && index > 1) continue;
					const { result, tree, findings } = await restoreFrom(archive, { at });
					expect(findings).toEqual([]);
					expect(result.snapshot).toBe(name);
					expect(compareTreeStates(packed.trees.get(name) ?? new Map(), tree)).toEqual([]);
				}
			}
		}
		const wanted = { kind: 'moments', at: ['2020-01-01'], now: timeOf(100) } as const;
		await expect(openRemote(path, { ...openingOf(kind), wanted })).rejects.toMatchObject({ code: 'not-found' });
	});

	test('a catalog that is here follows the target night by night, and reads of new bundles alone', async () => {
		const life = await packNights(2);
		const path = join(quickFolder(), 'target');
		const cache = quickFolder();
		await syncOnce(life.archive, path, keysOf(kind));
		const setup = { ...openingOf(kind), cache };
		await listMessages((await openRemote(path, setup)).archive, { now: timeOf(100) });
		const known = new Set(bundleBlobs(path));
		for (let night = 0; night < 3; night++) await life.pack();
		await syncOnce(life.archive, path, keysOf(kind));
		const { store, calls } = faultyStore(folderStore(path), () => null);
		const { archive } = await openRemote(path, { ...setup, store });
		const { result } = await listMessages(archive, { now: timeOf(100) });
		expect(result.rows.length).toBeGreaterThan(10);
		const read = new Set(calls.flatMap(({ operation, name }) => (operation === 'readRange' && name.startsWith('bundles/') ? [name] : [])));
		expect(read.size).toBeGreaterThan(2);
		expect([...read].filter((name) => known.has(name))).toEqual([]);
		const { tree, findings } = await restoreFrom(archive);
		expect(findings).toEqual([]);
		expect(compareTreeStates([...life.trees.values()].at(-1) ?? new Map(), tree)).toEqual([]);
	});

	test('every cached file may be gone or damaged: what is needed comes again', async () => {
		const path = big.paths[kind];
		const setup = { ...openingOf(kind), cache: quickFolder() };
		const read = async () => bytesOf((await openRemote(path, setup)).archive, 'anna@one.example/INBOX/f07');
		const right = await read();
		const files = readdirSync(setup.cache, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile() && !/\.sqlite-|\.lock/.test(entry.name))
			.map((entry) => join(entry.parentPath, entry.name));
		expect(files.length).toBeGreaterThan(5);
		for (const file of files) {
			for (const harm of [flipMiddle, (bytes: Buffer) => bytes.subarray(0, 10), () => Buffer.alloc(0), null]) {
				if (!existsSync(file)) writeFileSync(file, '');
				if (harm === null) rmSync(file);
				else rewrite(file, harm);
				expect(isSame(await read(), right), file).toBe(true);
			}
		}
	});
});

describe('a snapshot that is damaged at the target', () => {
	async function shipped() {
		const path = join(quickFolder(), 'target');
		await syncOnce(copyOf(packed.archive), path);
		return { path, names: [...packed.trees.keys()], blobs: snapshotBlobs(path) };
	}

	test('is told where it is the newest, and an older one is restored all the same', async () => {
		const { path, names, blobs } = await shipped();
		rewrite(join(path, blobs[2] ?? ''), flipMiddle);
		await expect(openRemote(path)).rejects.toMatchObject({
			code: 'archive-damaged',
			message: expect.stringContaining(names[2] ?? '-'),
			hint: expect.stringContaining('--at'),
		});
		const cache = quickFolder();
		for (const at of [names[1], names[0], names[1]]) {
			const wanted = { kind: 'moments', at: [String(at)], now: timeOf(100) } as const;
			const { archive } = await openRemote(path, { wanted, cache });
			const { tree, findings } = await restoreFrom(archive, { at: String(at) });
			expect(findings).toEqual([]);
			expect(compareTreeStates(packed.trees.get(String(at)) ?? new Map(), tree)).toEqual([]);
		}
	});

	test('is none of the business of whoever needs another', async () => {
		const { path, blobs } = await shipped();
		const cache = quickFolder();
		const at = [...packed.trees.keys()][0] ?? '';
		const wanted = { kind: 'moments', at: [at], now: timeOf(100) } as const;
		await restoreFrom((await openRemote(path, { cache, wanted })).archive, { at });
		// Between what is here and what is needed.
		rewrite(join(path, blobs[1] ?? ''), flipMiddle);
		const { archive, findings } = await openRemote(path, { cache });
		expect(findings).toEqual([]);
		const { tree } = await restoreFrom(archive);
		expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), tree)).toEqual([]);
		expect((await verifyRemote(path, 'quick')).findings.map(({ code }) => code)).toContain('snapshot-damaged');
	});
});

describe('a target that was set back, or lost snapshots,', () => {
	test('is told, and read as it is now', async () => {
		const path = join(quickFolder(), 'target');
		const cache = quickFolder();
		await syncOnce(copyOf(packed.archive), path);
		await restoreFrom((await openRemote(path, { cache })).archive);
		const blobs = snapshotBlobs(path);
		rmSync(join(path, blobs[2] ?? ''));
		const warnings: string[] = [];
		const { archive } = await openRemote(path, { cache, warn: (text) => warnings.push(text) });
		expect(warnings.filter((text) => text.includes([...packed.trees.keys()][2] ?? '-'))).toHaveLength(1);
		const { tree, findings } = await restoreFrom(archive);
		expect(findings).toEqual([]);
		expect(compareTreeStates([...packed.trees.values()][1] ?? new Map(), tree)).toEqual([]);
	});

	test('keeps the catalog that is here where only an older one is gone', async () => {
		const path = join(quickFolder(), 'target');
		const cache = quickFolder();
		await syncOnce(copyOf(packed.archive), path);
		await verifyRemote(path, 'quick', { cache });
		await listMessages((await openRemote(path, { cache })).archive, { now: 0 });
		rmSync(join(path, snapshotBlobs(path)[0] ?? ''));
		const warnings: string[] = [];
		const { store, counts } = counted(folderStore(path));
		const { archive } = await openRemote(path, { cache, store, warn: (text) => warnings.push(text) });
		await listMessages(archive, { now: 0 });
		expect(warnings).toEqual([]);
		expect(counts.reads).toBe(1);
	});
});

test('without an identity an encrypted target is refused before anything is asked of it', async () => {
	const path = big.paths.encrypted;
	for (const given of [{}, { keys: keys.sealing }]) {
		await expect(openRemote(path, given)).rejects.toMatchObject({ code: 'permission', hint: expect.stringContaining('--identity') });
	}
	const other = await makeKeys();
	await expect(openRemote(path, { keys: other.opening })).rejects.toMatchObject({ code: 'permission' });
});

test('a target without a snapshot says so', async () => {
	const path = join(quickFolder(), 'target');
	await syncOnce(copyOf(packed.archive), path);
	for (const name of snapshotBlobs(path)) rmSync(join(path, name));
	await expect(openRemote(path)).rejects.toMatchObject({ code: 'not-found', hint: expect.stringContaining('mailseal sync') });
	await expect(openRemote(path, { archiveId: archiveIdOf(packed.archive) })).rejects.toMatchObject({ code: 'not-found' });
});

test('a store in trouble is told as what it is, and the next call goes on', async () => {
	const path = big.paths.plain;
	const cache = quickFolder();
	for (let at = 0; ; at++) {
		let seen = 0;
		const { store, struck } = faultyStore(folderStore(path), () => (seen++ === at ? 'unreachable' : null));
		const call = async (through: BlobStore) =>
			bytesOf((await openRemote(path, { cache, store: through })).archive, 'anna@one.example/INBOX/f07');
		const end = await call(store).then(
			() => null,
			(error: unknown) => error,
		);
		if (struck() === null) break;
		expect(end, `operation ${at}, ${struck()?.operation}`).toMatchObject({ code: 'unreachable' });
		expect(isSame(await call(folderStore(path)), big.store.read('anna@one.example/INBOX/f07:2,S'))).toBe(true);
		rmSync(cache, { recursive: true });
	}
});
