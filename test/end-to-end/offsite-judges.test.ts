import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BundleRow, Listing, MessageRow, SyncResult, VerifyResult } from '../../src/archive/index.ts';
import { builtFile } from '../support/build-program.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { complaints, recover, ZIP_JUDGES } from '../support/judges.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import { bundleFiles, FIRST_NIGHT, makeAgeKey, makeStore, packArguments, sha256 } from '../support/offsite-mail.ts';
import { FOLDER, type Place, type PlaceServer } from '../support/offsite-places.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const SEALED = /^bundles\/(sealed|volatile)\/(..)\/([0-9a-f]{64})\.([0-9a-f]{64})\.zip\.age$/;

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
let folders: PlaceServer;
let place: Place;
let host: Host;
let store = '';

beforeAll(async () => {
	host = openHost(program, { within: folder });
	store = makeStore(host.folder);
	await host.result(...packArguments(store, FIRST_NIGHT));
	folders = await FOLDER.open();
});
afterAll(async () => {
	await folders?.close();
	rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
	place = await folders.newPlace();
});

function archiveId({ archive }: Host): string {
	const { id } = JSON.parse(readFileSync(join(archive, 'mailseal.json'), 'utf8')) as { id: string };
	return id;
}

/** A machine that knows nothing but where the target is. */
function stranger(): Host {
	return openHost(program, { within: folder });
}

describe.skipIf(lacks('age', 'age-keygen'))('with the program age', () => {
	let key: { readonly recipient: string; readonly file: string };
	let second: { readonly recipient: string; readonly file: string };
	beforeAll(() => {
		key = makeAgeKey(join(folder, 'key'));
		second = makeAgeKey(join(folder, 'second'));
	});

	/** Gives the plain bytes of every bundle that lies encrypted at the target, with its id. */
	async function decrypted(identity: string): Promise<Map<string, Buffer>> {
		const plain = new Map<string, Buffer>();
		for (const name of (await place.list()).keys()) {
			const [, , , id, hash] = SEALED.exec(name) ?? [];
			if (id === undefined) continue;
			const sealed = await place.read(name);
			expect(sha256(sealed)).toBe(hash);
			plain.set(id, execFileSync('age', ['--decrypt', '-i', identity], { input: sealed, maxBuffer: 2 ** 28 }));
		}
		return plain;
	}

	test('every bundle that was shipped is decrypted to the zip whose SHA-256 is its id, by each recipient, and unzip accepts it', async () => {
		await host.result('sync', place.url, '--encrypt-to', key.recipient, '--encrypt-to', second.recipient);
		const ids = [...bundleFiles(host.archive).keys()].sort();
		for (const { file } of [key, second]) {
			const plain = await decrypted(file);
			expect([...plain.keys()].sort()).toEqual(ids);
			const out = mkdtempSync(join(folder, 'zips-'));
			for (const [id, bytes] of plain) {
				expect(sha256(bytes)).toBe(id);
				writeFileSync(join(out, `${id}.zip`), bytes);
			}
			const zips = ids.map((id) => join(out, `${id}.zip`));
			for (const judge of ZIP_JUDGES.filter(([name]) => name === 'unzip' && !lacks(name))) expect(complaints(judge, zips)).toEqual([]);
		}
	});

	test('what is no bundle is encrypted too, but for the two heads and the two files about how to get the mail back', async () => {
		await host.result('sync', place.url, '--encrypt-to', key.recipient);
		const plain = [...(await place.list()).keys()].filter((name) => !name.endsWith('.age')).sort();
		const archive = archiveId(host);
		expect(plain).toEqual([`archives/${archive}/mailseal.json`, 'README.txt', 'mailseal-target.json', 'recover.py'].sort());
		for (const name of plain) expect((await place.read(name)).toString('latin1')).not.toMatch(/a\.example|b\.example/);
	});

	test('an age file that age made of a bundle counts as shipped, and is read like one', async () => {
		await host.result('sync', place.url, '--encrypt-to', key.recipient);
		const names = [...(await place.list()).keys()].filter((name) => SEALED.test(name));
		for (const name of names) {
			const [, kind, shard, id = ''] = SEALED.exec(name) ?? [];
			const sealed = execFileSync('age', ['-r', key.recipient, join(host.archive, bundleFiles(host.archive).get(id) ?? '')], {
				maxBuffer: 2 ** 28,
			});
			await place.remove(name);
			await place.plant(`bundles/${kind}/${shard}/${id}.${sha256(sealed)}.zip.age`, sealed);
		}
		const before = await place.list();
		// To a host that shipped none of them itself.
		const other = openHost(program, { within: folder, archive: host.archive });
		rmSync(join(other.archive, 'targets'), { recursive: true });
		expect(await other.result<SyncResult>('sync', place.url, '--encrypt-to', key.recipient, '--check')).toMatchObject({
			confirmed: names.length,
			proved: names.length,
			shipped: 0,
			damaged: [],
		});
		expect(await place.list()).toEqual(before);
		const reading = ['--target', place.url, '--identity', key.file];
		const fresh = stranger();
		expect(await fresh.result<VerifyResult>('verify', '--deep', ...reading)).toMatchObject({
			damaged: [],
			missing: [],
			bundles: names.length,
		});
		const { rows } = await fresh.result<Listing<MessageRow>>('ls', 'messages', ...reading);
		for (const { id } of rows.slice(0, 3)) expect(sha256(await fresh.bytes('extract', id, ...reading))).toBe(id);
	});

	describe('an age file of other content under the name of a bundle', () => {
		let id = '';
		let reading: readonly string[];

		/** Anybody who may write there can encrypt to a recipient. `before`: its name sorts before that of the good one. */
		async function forge(options: { readonly before?: string } = {}): Promise<{ readonly name: string; readonly sealed: Buffer }> {
			const { rows } = await host.result<Listing<BundleRow>>('ls', 'bundles');
			const [wanted] = rows.filter(({ messages, kind }) => kind === 'sealed' && messages > 50);
			if (wanted === undefined) throw new Error('no sealed bundle holds messages');
			id = wanted.id;
			for (;;) {
				const sealed = execFileSync('age', ['-r', key.recipient], { input: Buffer.alloc(wanted.size, 'x'), maxBuffer: 2 ** 28 });
				const hash = sha256(sealed);
				if (hash < (options.before ?? 'g')) return { name: `bundles/sealed/${id.slice(0, 2)}/${id}.${hash}.zip.age`, sealed };
			}
		}

		beforeEach(async () => {
			await host.result('sync', place.url, '--encrypt-to', key.recipient);
			reading = ['--target', place.url, '--identity', key.file];
		});

		async function goodName(): Promise<string> {
			return [...(await place.list()).keys()].find((name) => name.includes(`/${id}.`)) ?? '';
		}

		test('is damage to verify, and a restore does not pass as a whole one', async () => {
			const { name, sealed } = await forge();
			await place.remove(await goodName());
			await place.plant(name, sealed);
			expect(await stranger().json<VerifyResult>('verify', '--deep', ...reading)).toMatchObject({ code: 5, result: { damaged: [id] } });
			const fresh = stranger();
			for (const round of ['first', 'second']) {
				const { code } = await fresh.run('restore', '--to', join(fresh.folder, round), ...reading);
				expect(code, round).not.toBe(0);
			}
		});

		test('beside the good one takes nothing away', async () => {
			await forge();
			const good = SEALED.exec(await goodName())?.[4] ?? '';
			const { name, sealed } = await forge({ before: good });
			await place.plant(name, sealed);
			const fresh = stranger();
			await fresh.result('restore', '--to', join(fresh.folder, 'restored'), ...reading);
			expect(compareTreeStates(readTreeState(store), readTreeState(join(fresh.folder, 'restored')))).toEqual([]);
		});
	});
});

describe.skipIf(lacks('python3'))('recover.py', () => {
	/** SHA-256 by account, folder and name of every message below a folder of Maildirs. */
	function recovered(out: string): Map<string, string> {
		const hashes = spawnSync('find', [out, '-type', 'f', '-path', '*/[cn]*/*'], { encoding: 'utf8' }).stdout.trim().split('\n');
		return new Map(hashes.map((path) => [path.slice(out.length + 1), sha256(readFileSync(path))]));
	}

	function expectAll(out: string): void {
		const wanted = [...readTreeState(store).values()].flatMap(({ messages }) =>
			[...messages].map(([path, { sha256: hash }]) => `${path.slice(4)} ${hash}`),
		);
		const found = [...recovered(out)].map(([path, hash]) => `${path.split('/').at(-1)} ${hash}`);
		expect(found.sort()).toEqual(wanted.sort());
	}

	test('that lies at a target gives all mail back, without mailseal', async () => {
		await host.result('sync', place.url);
		const out = join(folder, 'recovered');
		expect(recover(place.url, out)).toMatchObject({ status: 0, stderr: '' });
		expectAll(out);
	});

	test('gives the mail of one of several archives at a target', async () => {
		await host.result('sync', place.url);
		const second = stranger();
		const root = makeStore(second.folder, { messages: 30, seed: 9 });
		await second.result(...packArguments(root, FIRST_NIGHT));
		await second.result('sync', place.url);
		const archive = archiveId(host);
		const out = join(folder, 'recovered-one');
		mkdirSync(out);
		const script = join(place.url, 'recover.py');
		expect(spawnSync('python3', [script, join(place.url, 'archives', archive), out], { encoding: 'utf8' })).toMatchObject({
			status: 0,
			stderr: '',
		});
		expectAll(out);
		expect(spawnSync('python3', [script, place.url, join(folder, 'nothing')], { encoding: 'utf8' }).status).not.toBe(0);
	});
});
