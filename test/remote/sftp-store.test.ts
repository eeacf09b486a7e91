import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BlobStore } from '../../src/remote/index.ts';
import { openSftpStore, type SftpStoreOptions } from '../../src/remote/sftp-store.ts';
import { collect, contentOf, NEVER, noise, readAll, sha256 } from '../contract/blob-store.ts';
import { openCuttingProxy } from '../support/cutting-proxy.ts';
import { lacks } from '../support/needs.ts';
import { lacksRclone, openRcloneSftp } from '../support/rclone-sftp.ts';
import { canMount, readOnlyView, smallDisk } from '../support/small-disk.ts';
import { knownHostsLine, lacksSshd, openSshd, type Sshd, storeOptions } from '../support/sshd.ts';

/** Where Debian keeps it. */
const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

const NAME = 'bundles/ab/one.zip';
const BYTES = noise(500_000);
const RIGHT = { size: BYTES.length, sha256: sha256(BYTES), md5: null };

type Server = Omit<Sshd, 'kill' | 'restart'>;

/** A store in a folder of its own at a server. */
function open(server: Server, more: Partial<SftpStoreOptions> = {}): BlobStore {
	const root = mkdtempSync(join(server.root, 'store-'));
	const store = openSftpStore({ ...storeOptions(server), path: root, ...more });
	onTestFinished(() => store.close());
	return store;
}

function create(store: BlobStore, name = NAME, bytes = BYTES) {
	return store.create(name, contentOf(bytes), { signal: NEVER });
}

const noSshd = lacksSshd();

describe.skipIf(noSshd)('an SFTP store at OpenSSH', () => {
	let sshd: Sshd;
	let sftpOnly: Sshd;
	beforeAll(async () => {
		[sshd, sftpOnly] = await Promise.all([openSshd(), openSshd({ sftpOnly: true })]);
	});
	afterAll(() => Promise.all([sshd.close(), sftpOnly.close()]));

	it('keeps blobs that nobody may change, in folders that nobody else may enter', async () => {
		const path = join(sshd.root, 'modes');
		await create(open(sshd, { path }));
		const modes = ['', 'bundles', 'bundles/ab', NAME].map((name) => (statSync(join(path, name)).mode & 0o777).toString(8));
		expect(modes).toEqual(['700', '700', '700', '400']);
	});

	it('reads a blob again that another hand changed, where it is told to take its place', async () => {
		const store = open(sshd);
		await create(store);
		await store.readRange(NAME, { offset: 0, length: 10 }, NEVER);
		const other = noise(500_000, 7);
		await store.create(NAME, contentOf(other), { signal: NEVER, replace: true });
		expect(Buffer.from(await store.readRange(NAME, { offset: 0, length: 10 }, NEVER)).equals(other.subarray(0, 10))).toBe(true);
		await store.remove(NAME, NEVER);
		await expect(store.readRange(NAME, { offset: 0, length: 10 }, NEVER)).rejects.toMatchObject({ code: 'not-found' });
	});

	it('reads on in a blob with one request', async () => {
		const proxy = await openCuttingProxy({ target: sshd });
		onTestFinished(() => proxy.close());
		const text = knownHostsLine(proxy, join(sshd.privateKey, '..', 'host.pub'));
		const store = open(sshd, { host: proxy.host, port: proxy.port, knownHosts: [{ path: '/kh', text }] });
		await create(store);
		const costs: number[] = [];
		for (const offset of [0, 100_000, 200_000]) {
			const before = proxy.up;
			await store.readRange(NAME, { offset, length: 30_000 }, NEVER);
			costs.push(proxy.up - before);
		}
		const [first = 0, second = 0, third = 0] = costs;
		expect(second).toBe(third);
		expect(second).toBeLessThan(100);
		expect(first).toBeGreaterThan(2 * second);
	});

	it('says `archive-damaged` of a blob that is cut short while it is open', async () => {
		const path = join(sshd.root, 'short');
		const store = open(sshd, { path });
		await create(store);
		await store.readRange(NAME, { offset: 0, length: 10 }, NEVER);
		truncateSync(join(path, NAME), 100);
		await expect(store.readRange(NAME, { offset: 50, length: 100 }, NEVER)).rejects.toMatchObject({
			code: 'archive-damaged',
			message: `Cannot read "${NAME}": it ends at byte 100 (150 were expected)`,
		});
	});

	it('reads ranges of more blobs than it keeps open, side by side', async () => {
		const store = open(sshd);
		const blobs = Array.from({ length: 20 }, (_, index) => ({ name: `bundles/${index}`, bytes: noise(2_000, index) }));
		for (const { name, bytes } of blobs) await create(store, name, bytes);
		const ranges = await Promise.all([...blobs, ...blobs].map(({ name }) => store.readRange(name, { offset: 500, length: 1_000 }, NEVER)));
		for (const [index, bytes] of ranges.entries()) expect(blobs[index % 20]?.bytes.subarray(500, 1_500).equals(bytes)).toBe(true);
	});

	it('goes through changes of the session keys, whatever is under way', async () => {
		const server = await openSshd({ config: ['RekeyLimit 1M', 'LogLevel DEBUG'] });
		onTestFinished(() => server.close());
		const store = open(server);
		const bytes = noise(8_000_000);
		await Promise.all([0, 1].map((seed) => create(store, `bundles/${seed}`, bytes)));
		const all = await Promise.all([0, 1].map((seed) => readAll(store, `bundles/${seed}`)));
		for (const one of all) expect(one.equals(bytes)).toBe(true);
		expect(server.log().match(/SSH2_MSG_NEWKEYS sent/g)?.length).toBeGreaterThan(10);
	});

	it.skipIf(lacks(SFTP_SERVER))('gives the name when all is on disk, and has the name on disk before it says so', async () => {
		const steps = join(sshd.root, 'steps');
		const server = await openSshd({ subsystem: `${SFTP_SERVER} -e -l DEBUG3 2>>${steps}` });
		onTestFinished(() => server.close());
		const path = join(server.root, 'durable');
		const store = open(server, { path, random: () => '0123456789abcdef' });
		await create(store);
		const name = (text = ''): string => (text === server.root ? '(above)' : text === path ? '(root)' : text.slice(path.length + 1));
		const done = [...readFileSync(steps, 'utf8').matchAll(/^(mkdir name|fsync|rename old) "([^"]*)"(?: new "([^"]*)")?/gm)];
		expect(done.map(([, step = '', of, to]) => [step.split(' ')[0], name(of), ...(to === undefined ? [] : [name(to)])].join(' '))).toEqual([
			'mkdir bundles/ab',
			'mkdir bundles',
			'mkdir (root)',
			'fsync (above)',
			'mkdir bundles',
			'fsync (root)',
			'mkdir bundles/ab',
			'fsync bundles',
			'fsync bundles/ab/.tmp-0123456789abcdef',
			`rename bundles/ab/.tmp-0123456789abcdef ${NAME}`,
			'fsync bundles/ab',
		]);
	});

	it('takes relative paths from where the user starts', async () => {
		const home = await openSshd({ config: [`ForceCommand internal-sftp -d ${sshd.root}`] });
		onTestFinished(() => home.close());
		await create(openSftpStore({ ...storeOptions(home), path: 'relative' }));
		expect(statSync(join(sshd.root, 'relative', NAME)).size).toBe(BYTES.length);
	});

	describe('prove()', () => {
		it('lets the server hash its own copy where it has a shell, whatever the path', async () => {
			for (const folder of ['plain', 'it\'s "odd" $(touch pwned) `touch pwned` ; touch pwned', '-n', 'a\nb\\c*?']) {
				const path = join(sshd.root, folder);
				mkdirSync(path);
				const store = open(sshd, { path });
				await create(store);
				expect(await store.prove(NAME, RIGHT, NEVER)).toEqual({ state: 'intact', how: 'command' });
				writeFileSync(join(path, 'x'), 'changed');
				expect(await store.prove('x', { size: 7, sha256: sha256(Buffer.from('another')), md5: null }, NEVER)).toMatchObject({
					state: 'damaged',
				});
				expect(readdirSync(path).sort()).toEqual(['bundles', 'x']);
			}
		});

		it('reads the copy where it has none, and where an MD5 alone is known', async () => {
			const store = open(sftpOnly);
			await create(store);
			expect(await store.prove(NAME, RIGHT, NEVER)).toEqual({ state: 'intact', how: 'read' });
			const shell = open(sshd);
			await create(shell);
			const md5 = createHash('md5').update(BYTES).digest('hex');
			expect(await shell.prove(NAME, { size: BYTES.length, sha256: null, md5 }, NEVER)).toEqual({ state: 'intact', how: 'read' });
		});

		it('proves many at once', async () => {
			const store = open(sshd);
			await create(store);
			const proofs = await Promise.all(Array.from({ length: 12 }, () => store.prove(NAME, RIGHT, NEVER)));
			expect(proofs).toEqual(Array.from({ length: 12 }, () => ({ state: 'intact', how: 'command' })));
		});

		it.each([
			['only the slower program', { sha256sum: '#!/bin/sh\nexec /usr/bin/sha256sum "$@"\n' }, 'command'],
			['no program', {}, 'read'],
			['a program that fails', { openssl: '#!/bin/sh\nexit 1\n', sha256sum: '#!/bin/sh\nexit 1\n' }, 'read'],
			['a program that sees other files', { openssl: `#!/bin/sh\necho ${'0'.repeat(64)} '*stdin'\n` }, 'read'],
			['a program that talks', { openssl: '#!/bin/sh\necho welcome\n/usr/bin/openssl "$@"\n' }, 'command'],
		])('is right where the server has %s', async (_what, programs: Record<string, string>, how) => {
			const bin = realpathSync(mkdtempSync(join(tmpdir(), 'mailseal-bin-')));
			for (const [name, text] of Object.entries(programs)) {
				writeFileSync(join(bin, name), text);
				chmodSync(join(bin, name), 0o755);
			}
			const server = await openSshd({ config: [`SetEnv PATH=${bin}`] });
			onTestFinished(async () => {
				await server.close();
				rmSync(bin, { recursive: true });
			});
			const store = open(server);
			await create(store);
			for (let time = 0; time < 2; time++) expect(await store.prove(NAME, RIGHT, NEVER)).toEqual({ state: 'intact', how });
			const wrong = { ...RIGHT, sha256: sha256(noise(1)) };
			expect(await store.prove(NAME, wrong, NEVER)).toMatchObject({
				state: 'damaged',
				text: `its SHA-256 is ${RIGHT.sha256} (${wrong.sha256} is right)`,
			});
		});
	});

	describe('the root folder', () => {
		it('is made where its last level alone is missing, and not before something is written', async () => {
			const path = join(sshd.root, 'new');
			const store = open(sshd, { path });
			expect(await store.top(10, NEVER)).toEqual([]);
			expect(await collect(store.list('bundles/', NEVER))).toEqual([]);
			expect(readdirSync(sshd.root)).not.toContain('new');
			await create(store);
			expect(readdirSync(path)).toEqual(['bundles']);
		});

		it('is `not-found` where more is missing, and is not made', async () => {
			const store = open(sshd, { path: join(sshd.root, 'unmounted/new') });
			for (const call of [create(store), store.top(1, NEVER), store.stat(NAME, NEVER), collect(store.list('bundles/', NEVER))]) {
				await expect(call).rejects.toMatchObject({ code: 'not-found' });
			}
			expect(readdirSync(sshd.root)).not.toContain('unmounted');
		});

		it('is refused where it is a file', async () => {
			const path = join(sshd.root, 'file');
			writeFileSync(path, '');
			await expect(create(open(sshd, { path }))).rejects.toMatchObject({ code: 'io' });
		});

		it('that was there and is gone is never told as empty', async () => {
			const path = join(sshd.root, 'goes');
			const store = open(sshd, { path });
			await create(store);
			renameSync(path, join(sshd.root, 'gone'));
			const calls = [
				() => store.top(1, NEVER),
				() => store.stat(NAME, NEVER),
				() => store.prove(NAME, RIGHT, NEVER),
				() => store.remove(NAME, NEVER),
				() => readAll(store, NAME),
				() => collect(store.list('bundles/', NEVER)),
				() => collect(store.leftovers(NEVER)),
				() => create(store),
			];
			for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unreachable' });
			expect(readdirSync(sshd.root)).not.toContain('goes');
		});
	});

	it('lists no links and no names that a blob cannot have', async () => {
		const path = join(sshd.root, 'odd');
		const store = open(sshd, { path });
		await create(store);
		writeFileSync(join(path, 'bundles/a b'), '');
		symlinkSync('/etc', join(path, 'bundles/etc'));
		symlinkSync('one.zip', join(path, 'bundles/ab/two.zip'));
		execFileSync('mkfifo', [join(path, 'bundles/pipe')]);
		expect((await collect(store.list('bundles/', NEVER))).map(({ name }) => name)).toEqual([NAME]);
		expect((await collect(store.list('', NEVER))).map(({ name }) => name)).toEqual([NAME]);
	});

	describe.skipIf(!canMount())('on a disk in trouble', () => {
		it('says `no-space` where it is full, leaves nothing, and goes on when there is room', async () => {
			const disk = smallDisk('1m');
			const store = open(sshd, { path: join(disk.path, 'store') });
			await create(store, 'bundles/small', noise(100_000));
			const large = noise(3_000_000);
			const error = await create(store, NAME, large).catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({ code: 'no-space', message: expect.stringContaining(`Cannot write "${NAME}"`) });
			expect(readdirSync(join(disk.path, 'store/bundles/ab'))).toEqual([]);
			disk.resize('8m');
			expect(await create(store, NAME, large)).toMatchObject({ outcome: 'created' });
			expect((await readAll(store, NAME)).equals(large)).toBe(true);
			await store.close();
		});

		it('says `permission` where it is read-only, and reads what is there', async () => {
			const path = join(sshd.root, 'view');
			await create(open(sshd, { path }));
			const store = open(sshd, { path: readOnlyView(path) });
			await expect(create(store, 'bundles/ab/two.zip')).rejects.toMatchObject({
				code: 'permission',
				message: expect.stringContaining('read-only'),
			});
			expect((await readAll(store, NAME)).equals(BYTES)).toBe(true);
			await store.close();
		});
	});

	describe.skipIf(process.getuid?.() !== 0)('for a user without rights', () => {
		let nobody: Sshd;
		beforeAll(async () => {
			nobody = await openSshd({ sftpOnly: true, user: 'nobody' });
		});
		afterAll(() => nobody.close());

		it('says `permission` of what it may not write, list or read, and never that it is not there', async () => {
			const path = join(nobody.root, 'store');
			mkdirSync(path, { mode: 0o755 });
			mkdirSync(join(path, 'bundles'), { mode: 0o755 });
			mkdirSync(join(path, 'closed'), { mode: 0o700 });
			writeFileSync(join(path, 'bundles/one'), BYTES, { mode: 0o400 });
			writeFileSync(join(path, 'closed/two'), BYTES);
			const store = openSftpStore({ ...storeOptions(nobody), path });
			onTestFinished(() => store.close());
			const refused = { code: 'permission', retryable: false };
			await expect(create(store)).rejects.toMatchObject(refused);
			await expect(create(store, 'other/three')).rejects.toMatchObject(refused);
			await expect(readAll(store, 'bundles/one')).rejects.toMatchObject(refused);
			await expect(store.readRange('bundles/one', { offset: 0, length: 1 }, NEVER)).rejects.toMatchObject(refused);
			await expect(store.prove('bundles/one', RIGHT, NEVER)).rejects.toMatchObject(refused);
			await expect(store.stat('closed/two', NEVER)).rejects.toMatchObject(refused);
			await expect(store.prove('closed/two', RIGHT, NEVER)).rejects.toMatchObject(refused);
			await expect(collect(store.list('closed/', NEVER))).rejects.toMatchObject(refused);
			await expect(collect(store.leftovers(NEVER))).rejects.toMatchObject(refused);
			await expect(store.remove('bundles/one', NEVER)).rejects.toMatchObject(refused);
			expect(await store.stat('bundles/one', NEVER)).toMatchObject({ size: BYTES.length });
		});

		it('works in a folder of its own', async () => {
			const store = openSftpStore({ ...storeOptions(nobody), path: join(nobody.root, 'own') });
			onTestFinished(() => store.close());
			await create(store);
			expect(await store.prove(NAME, RIGHT, NEVER)).toEqual({ state: 'intact', how: 'read' });
			await store.remove(NAME, NEVER);
		});

		it('says `permission` of a root that it may not see', async () => {
			const path = join(sshd.root, 'hidden');
			mkdirSync(path);
			const store = openSftpStore({ ...storeOptions(nobody), path });
			onTestFinished(() => store.close());
			await expect(store.top(1, NEVER)).rejects.toMatchObject({ code: 'permission' });
		});
	});
});

describe.skipIf(lacksRclone())('an SFTP store at rclone', () => {
	let rclone: Awaited<ReturnType<typeof openRcloneSftp>>;
	beforeAll(async () => {
		rclone = await openRcloneSftp();
	});
	afterAll(() => rclone.close());

	it('does without fsync, programs and refused renames, and sends nothing where the name is taken', async () => {
		const store = openSftpStore({ ...storeOptions(rclone), path: '/store' });
		onTestFinished(() => store.close());
		await create(store);
		let asked = false;
		const content = contentOf(noise(500_000, 1), {
			open() {
				asked = true;
				return contentOf(noise(500_000, 1)).open();
			},
		});
		expect(await store.create(NAME, content, { signal: NEVER })).toMatchObject({ outcome: 'present' });
		expect(asked).toBe(false);
		expect(readFileSync(join(rclone.root, 'store', NAME)).equals(BYTES)).toBe(true);
		expect(await store.prove(NAME, RIGHT, NEVER)).toEqual({ state: 'intact', how: 'read' });
		expect(await store.create(NAME, content, { signal: NEVER, replace: true })).toMatchObject({ outcome: 'created' });
		expect(readFileSync(join(rclone.root, 'store', NAME)).equals(noise(500_000, 1))).toBe(true);
	});
});
