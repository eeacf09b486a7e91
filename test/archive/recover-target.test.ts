import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readKeys, sync } from '../../src/archive/index.ts';
import { README_TEXT, RECOVER_SCRIPT } from '../../src/archive/readme.ts';
import { SILENT } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import { openFolderStore } from '../../src/remote/index.ts';
import { archiveAt, never, packOnce, temporaryFolder } from '../support/archive.ts';
import { lacks } from '../support/needs.ts';

const STORE = join(import.meta.dirname, '..', '..', 'fixtures', 'stores', 'vmail');
const SPEC = join(STORE, '{domain}/{user}/Maildir');

let folder: string;
let target: string;

beforeEach(() => {
	folder = temporaryFolder();
	target = join(folder, 'target');
});

/** Packs `spec` into a new archive, on two nights, and ships it; gives the archive's id. */
async function ship(name: string, options: { readonly spec?: string; readonly recipient?: string } = {}): Promise<string> {
	const dir = join(folder, name);
	for (const night of [1, 2]) await packOnce(dir, options.spec ?? SPEC, { now: Date.UTC(2099, 0, night) });
	const archive = archiveAt(dir);
	const { findings } = await sync(archive, {
		address: { url: target },
		store: openFolderStore({ path: target, files: openFiles() }),
		keys: readKeys({ recipients: options.recipient === undefined ? [] : [options.recipient], identityFile: null }),
		check: null,
		prune: null,
		dropLocal: false,
		dryRun: false,
		transfers: 2,
		now: Date.now(),
		progress: SILENT,
		signal: never,
	});
	expect(findings).toEqual([]);
	return archive.id;
}

interface Ran {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs the script that lies at the target. */
function recover(from: string, out = join(folder, 'out'), cwd = folder): Ran {
	return spawnSync('python3', [join(target, 'recover.py'), from, out], { encoding: 'utf8', cwd });
}

/** Each message below a folder by its SHA-256, as often as it is there. */
function messages(below: string): string[] {
	return readdirSync(below, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile() && !entry.name.startsWith('.') && /(^|\/)(cur|new)$/.test(entry.parentPath))
		.map((entry) =>
			createHash('sha256')
				.update(readFileSync(join(entry.parentPath, entry.name)))
				.digest('hex'),
		)
		.sort();
}

describe('recover.py at a target', () => {
	test('writes all mail of the one archive that is there, byte for byte', async () => {
		const id = await ship('one');
		expect(recover('target', undefined, folder)).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'out'))).toEqual(messages(STORE));
		const again = recover('.', join(folder, 'again'), join(target, 'archives', id));
		expect(again).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'again'))).toEqual(messages(STORE));
	});

	test('names the archives where there are several, and takes the one that it is given', async () => {
		const all = await ship('all');
		const one = await ship('one', { spec: join(STORE, 'example.org/bob/Maildir') });
		const both = recover(target);
		expect(both.status).toBe(1);
		for (const id of [all, one]) expect(both.stderr).toContain(join(target, 'archives', id));
		expect(recover(join(target, 'archives', all))).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'out'))).toEqual(messages(STORE));
		const bob = recover(join(target, 'archives', one), join(folder, 'bob'));
		expect(bob).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'bob'))).toEqual(messages(join(STORE, 'example.org/bob')));
	});

	test('takes nothing of a folder beside that is not named as an archive is', async () => {
		await ship('one');
		mkdirSync(join(target, 'archives', '\u001b[2J', 'snapshots'), { recursive: true });
		expect(recover(target)).toMatchObject({ status: 0, stderr: '' });
	});
});

describe.skipIf(lacks('age', 'age-keygen'))('recover.py at an encrypted target', () => {
	let keys: string;
	let recipient: string;

	beforeEach(() => {
		keys = join(folder, 'keys.txt');
		const made = spawnSync('age-keygen', ['-o', keys], { encoding: 'utf8' });
		recipient = /age1[0-9a-z]+/.exec(made.stderr)?.[0] ?? '';
	});

	/** The commands of README.txt, with the placeholders replaced. */
	function decrypt(plain: string): Ran {
		const commands = /^ {4}mkdir PLAIN$[\s\S]*?^ {4}done$/m.exec(README_TEXT)?.[0] ?? 'false';
		const script = commands.replaceAll('PLAIN', plain).replaceAll('KEYS', keys);
		return spawnSync('sh', ['-c', script], { encoding: 'utf8', cwd: target });
	}

	test('says that what is there must be decrypted first', async () => {
		const id = await ship('one', { recipient });
		for (const from of [target, join(target, 'archives', id)]) {
			const ran = recover(from);
			expect(ran.status).toBe(1);
			expect(ran.stderr).toContain('it is encrypted, README.txt tells how to decrypt it with age');
			expect(ran.stderr).not.toContain('Traceback');
		}
		expect(readdirSync(folder)).not.toContain('out');
	});

	test('writes all mail after the commands of README.txt, with the program age, made a plain folder of it', async () => {
		await ship('one', { recipient });
		const plain = join(folder, 'pl-ain');
		expect(decrypt(plain)).toMatchObject({ status: 0, stdout: '', stderr: '' });
		expect(recover(plain)).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'out'))).toEqual(messages(STORE));
	});

	test('is not misled by age files of something else under the names of bundles and snapshots', async () => {
		await ship('one', { recipient });
		const forged = join(folder, 'forged');
		const real = readdirSync(target, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.age'));
		for (const name of real) {
			const sealed = spawnSync('age', ['-r', recipient], { input: 'something else' }).stdout;
			writeFileSync(forged, sealed);
			// Once before the real one in order, and once behind it.
			for (const digit of ['0', 'f']) {
				const path = join(target, name.replace(/\.[0-9a-f]{64}\./, `.${digit.repeat(64)}.`));
				mkdirSync(dirname(path), { recursive: true });
				copyFileSync(forged, path);
			}
		}
		const plain = join(folder, 'plain');
		const ran = decrypt(plain);
		expect(ran.stdout.match(/^NOT USABLE: /gm)).toHaveLength(real.length * 2);
		expect(recover(plain)).toMatchObject({ status: 0, stderr: '' });
		expect(messages(join(folder, 'out'))).toEqual(messages(STORE));
	});
});

test('the script at a target is that of every archive', async () => {
	await ship('one');
	expect(readFileSync(join(target, 'recover.py'), 'utf8')).toBe(RECOVER_SCRIPT);
	expect(readFileSync(join(target, 'README.txt'), 'utf8')).toBe(README_TEXT);
});
