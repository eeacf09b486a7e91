import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readRecord } from '../../../src/archive/target/record.ts';
import { filesBelow } from '../../support/archive.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import {
	bytesBelow,
	copyOf,
	flawsOfTarget,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	rewrite,
	syncOnce,
	targetAt,
} from '../../support/target.ts';

let packed: Packed;
let keys: Awaited<ReturnType<typeof makeKeys>>;
beforeAll(async () => {
	packed = await packNights(1);
	keys = await makeKeys();
});

const HEAD = 'mailseal-target.json';

/** A folder with these files. */
function folderWith(files: Readonly<Record<string, string>>): string {
	const path = join(quickFolder(), 'place');
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(join(path, name, '..'), { recursive: true });
		writeFileSync(join(path, name), text);
	}
	return path;
}

describe('a place that is somebody else’s is refused, and stays as it is:', () => {
	const others: Readonly<Record<string, Readonly<Record<string, string>>>> = {
		'a folder with a file': { 'letter.txt': 'Dear' },
		'a folder with a hidden file': { '.profile': 'PATH=' },
		'a folder with a folder': { 'photos/one.jpg': 'jpeg' },
		'a folder with bundles, and without a head': { 'bundles/sealed/ab/x.zip': 'PK', 'README.txt': 'read me' },
		'an archive': { 'mailseal.json': '{"format":1}', 'README.txt': 'read me', 'recover.py': '#' },
		'a folder with very many files': Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`${index}.txt`, `${index}`])),
		'one odd file among what a new disk has': { 'README.txt': 'read me', 'recover.py': '#', 'lost+found/x': '', 'mail.zip': 'PK' },
	};
	test.each(Object.entries(others))('%s', async (_what, files) => {
		for (const setup of [{}, { keys: keys.sealing }, { dryRun: true }]) {
			const path = folderWith(files);
			const before = filesBelow(path);
			await expect(syncOnce(copyOf(packed.archive), path, setup)).rejects.toMatchObject({
				code: 'usage',
				message: expect.stringMatching(/^Cannot make a target of ".*": it is not empty \(it holds ".*"\)$/),
				hint: expect.any(String),
			});
			expect(filesBelow(path)).toEqual(before);
		}
	});

	test('and to be read from, too', async () => {
		const path = folderWith({ 'letter.txt': 'Dear' });
		await expect(targetAt(path)).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(HEAD) });
		expect(bytesBelow(path).size).toBe(1);
	});
});

describe('a place becomes a target', () => {
	test.each([
		['where nothing is', null],
		['where an empty folder is', {}],
		['where a new disk is mounted', { 'lost+found/.keep': '' }],
		['where making one was cut off', { 'README.txt': 'read me', 'recover.py': '#!', '.tmp-0123456789abcdef': '{' }],
	])('%s', async (_what, files) => {
		const path = join(quickFolder(), 'place');
		if (files !== null) {
			mkdirSync(path);
			for (const [name, text] of Object.entries(files as Record<string, string>)) {
				mkdirSync(join(path, name, '..'), { recursive: true });
				writeFileSync(join(path, name), text);
			}
		}
		expect((await syncOnce(copyOf(packed.archive), path)).findings).toEqual([]);
		expect(JSON.parse(readFileSync(join(path, HEAD), 'utf8'))).toEqual({ format: 1, encryption: 'none' });
		for (const name of ['README.txt', 'recover.py']) expect(existsSync(join(path, name))).toBe(true);
		expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
	});

	test('of which two hosts begin at once, once', async () => {
		const path = join(quickFolder(), 'place');
		const other = await packNights(1);
		await Promise.all([syncOnce(copyOf(packed.archive), path), syncOnce(other.archive, path)]);
		expect(await flawsOfTarget(path, { trees: packed.trees, archiveId: idOf(packed.archive) })).toEqual([]);
		expect(await flawsOfTarget(path, { trees: other.trees, archiveId: idOf(other.archive) })).toEqual([]);
	});

	test('of which two hosts begin at once, one of them with encryption, as the first of them says', async () => {
		for (let round = 0; round < 3; round++) {
			const path = join(quickFolder(), 'place');
			const ends = await Promise.allSettled([
				syncOnce(copyOf(packed.archive), path),
				syncOnce(copyOf(packed.archive), path, { keys: keys.sealing }),
			]);
			const failed = ends.filter(({ status }) => status === 'rejected');
			expect(failed).toMatchObject([{ reason: { code: 'usage' } }]);
			const { encryption } = JSON.parse(readFileSync(join(path, HEAD), 'utf8')) as { encryption: string };
			expect(ends[encryption === 'none' ? 0 : 1]?.status).toBe('fulfilled');
			expect(await flawsOfTarget(path, { trees: packed.trees, keys: keys.opening })).toEqual([]);
		}
	});

	test('not in a dry run', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		const { result } = await syncOnce(archive, path, { dryRun: true, dropLocal: true, prune: { grace: 0 } });
		expect(result).toMatchObject({ dryRun: true, snapshots: 1, pruned: null });
		expect(result.dropped?.bundles).toBeGreaterThan(2);
		expect(existsSync(path)).toBe(false);
		expect(readRecord(archive, { url: path })).toBeNull();
	});
});

function idOf(archive: string): string {
	return (JSON.parse(readFileSync(join(archive, 'mailseal.json'), 'utf8')) as { id: string }).id;
}

describe('a target that was there, and is no more,', () => {
	test.each([
		['is an empty folder', (path: string) => mkdirSync(path)],
		['is a folder with a new disk', (path: string) => mkdirSync(join(path, 'lost+found'), { recursive: true })],
		['is gone', () => {}],
	])('is not made anew: it %s', async (_what, leave) => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path);
		const record = readRecord(archive, { url: path });
		rmSync(path, { recursive: true });
		leave(path);
		for (const dryRun of [true, false]) {
			await expect(syncOnce(archive, path, { dryRun })).rejects.toMatchObject({ code: 'not-found' });
		}
		expect(existsSync(join(path, HEAD))).toBe(false);
		expect(readRecord(archive, { url: path })).toEqual(record);
	});

	test('is not made anew after a first sync that did not come to its end, either', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		const { store } = faultyStore(folderStore(path), ({ name }) => (name.startsWith('bundles/') ? 'unreachable' : null));
		await expect(syncOnce(archive, path, { store })).rejects.toMatchObject({ code: 'unreachable' });
		expect(existsSync(join(path, HEAD))).toBe(true);
		rmSync(path, { recursive: true });
		mkdirSync(path);
		await expect(syncOnce(archive, path)).rejects.toMatchObject({ code: 'not-found', hint: expect.stringContaining('mounted') });
		expect(filesBelow(path).size).toBe(0);
	});

	test('is a folder with somebody else’s files, and stays as it is', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path);
		rmSync(path, { recursive: true });
		mkdirSync(path);
		writeFileSync(join(path, 'photo.jpg'), 'jpeg');
		await expect(syncOnce(archive, path)).rejects.toMatchObject({ code: 'not-found' });
		expect([...bytesBelow(path)]).toEqual([['photo.jpg', 'jpeg']]);
	});
});

test('a target is found although very many other files lie at its top', async () => {
	const path = join(quickFolder(), 'place');
	await syncOnce(copyOf(packed.archive), path);
	for (let number = 0; number < 150; number++) writeFileSync(join(path, `${number}.txt`), '');
	// Of another host, which never shipped there.
	const other = await packNights(1);
	expect((await syncOnce(other.archive, path)).findings).toEqual([]);
});

describe('encryption is fixed at birth:', () => {
	test('a plain target refuses what is to be encrypted, and stays as it is', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path);
		const before = filesBelow(path);
		for (const dryRun of [true, false]) {
			await expect(syncOnce(archive, path, { keys: keys.sealing, dryRun })).rejects.toMatchObject({ code: 'usage' });
		}
		expect(filesBelow(path)).toEqual(before);
	});

	test('an encrypted target refuses what is plain, with identities and without, and stays as it is', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path, { keys: keys.sealing });
		const before = filesBelow(path);
		for (const identities of [[], keys.opening.identities]) {
			await expect(syncOnce(archive, path, { keys: { recipients: null, identities } })).rejects.toMatchObject({
				code: 'usage',
				hint: expect.stringContaining('--encrypt-to'),
			});
		}
		expect(filesBelow(path)).toEqual(before);
	});

	test('no byte of mail lies in an encrypted target, nor its names in a manifest', async () => {
		const path = join(quickFolder(), 'place');
		await syncOnce(copyOf(packed.archive), path, { keys: keys.sealing });
		const plain = ['anna@one.example', 'mail 1 to', '"bundles"', 'PK\u0001\u0002', 'manifest.ndjson'];
		const own = new Set(['README.txt', 'recover.py']);
		for (const [name, bytes] of bytesBelow(path)) {
			if (own.has(name)) continue;
			for (const text of plain) expect(bytes.includes(text), `${name}: ${text}`).toBe(false);
		}
	});
});

describe('the head of a target', () => {
	test.each([
		['of a later format', '{"format":2,"encryption":"none"}', 'format-newer'],
		['that is no JSON', '{"format":1,', 'archive-damaged'],
		['that is a list', '[1]', 'archive-damaged'],
		['without a format', '{"encryption":"none"}', 'archive-damaged'],
		['with a format that is no number', '{"format":"1","encryption":"none"}', 'archive-damaged'],
		['without encryption', '{"format":1}', 'archive-damaged'],
		['with another encryption', '{"format":1,"encryption":"rot13"}', 'archive-damaged'],
		['that is empty', '', 'archive-damaged'],
		['that is far too long', ' '.repeat(70_000), 'archive-damaged'],
	])('%s is refused, and the target stays as it is', async (_what, text, code) => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path);
		rewrite(join(path, HEAD), () => Buffer.from(text));
		const before = filesBelow(path);
		await expect(syncOnce(archive, path)).rejects.toMatchObject({ code, message: expect.stringContaining(path) });
		await expect(targetAt(path)).rejects.toMatchObject({ code });
		// One that was never shipped there does not take it for an empty place.
		await expect(syncOnce(copyOf(packed.archive), path)).rejects.toMatchObject({ code });
		expect(filesBelow(path)).toEqual(before);
	});

	test('may say more than this mailseal asks for', async () => {
		const path = join(quickFolder(), 'place');
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path);
		rewrite(join(path, HEAD), () => Buffer.from('{"format":1,"encryption":"none","note":"ours"}'));
		expect((await syncOnce(archive, path)).findings).toEqual([]);
	});

	test('is not read through a link', async () => {
		const path = join(quickFolder(), 'place');
		mkdirSync(path);
		symlinkSync('/etc/hostname', join(path, HEAD));
		await expect(syncOnce(copyOf(packed.archive), path)).rejects.toMatchObject({ code: 'usage' });
	});
});
