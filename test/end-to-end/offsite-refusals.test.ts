import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtFile } from '../support/build-program.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { freePort } from '../support/free-port.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import { FIRST_NIGHT, makeAgeKey, makeStore, packArguments } from '../support/offsite-mail.ts';
import { type Place, s3Place, sftpPlace } from '../support/offsite-places.ts';
import { newBucket } from '../support/s3-bucket.ts';
import { lacksSshd, makeKey, openSshd, type Sshd } from '../support/sshd.ts';

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();
const SECRET = 'NEVER-TO-BE-TOLD';
let packed: Host;

beforeAll(async () => {
	packed = openHost(program, { within: folder });
	await packed.result(...packArguments(makeStore(packed.folder, { messages: 60 }), FIRST_NIGHT));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Refusal {
	readonly code: number;
	readonly error: string;
	readonly text: RegExp;
	/** Where reading the place ends otherwise than a sync to it. */
	readonly reading?: { readonly code: number; readonly error: string };
	/** More options of a sync, and of what reads. */
	readonly seal?: readonly string[];
	readonly open?: readonly string[];
}

type Refused = Pick<Place, 'url' | 'reach' | 'env'> & Partial<Place>;

/** What cannot reach its place, or may not use it, ends with an error that tells why; it reports nothing done, and does nothing there. */
async function expectRefusal(
	place: Refused,
	{ code, error, text, reading = { code, error }, seal = [], open = [] }: Refusal,
): Promise<void> {
	const host = openHost(program, { within: folder, place, archive: packed.archive });
	const before = await place.list?.();
	const reach = [...place.reach, '--retries', '0'];
	const { code: found, bytes, err } = await host.run('sync', place.url, ...reach, ...seal);
	expect({ code: found, out: bytes.toString() }, err).toEqual({ code, out: '' });
	expect(err).toMatch(text);
	expect(await host.json('sync', place.url, ...reach, ...seal, '--dry-run')).toMatchObject({ code, error: { code: error } });
	const to = join(host.folder, 'restored');
	const restored = await host.json('restore', '--to', to, '--target', place.url, ...reach, ...open);
	expect(restored).toMatchObject({ code: reading.code, error: { code: reading.error } });
	expect(existsSync(to)).toBe(false);
	for (const said of [err, restored.error?.text, restored.error?.hint]) expect(said).not.toContain(SECRET);
	expect(await place.list?.()).toEqual(before);
}

/** A folder as it is named. */
function folderAt(url: string): Refused {
	return { url, reach: [], env: {} };
}

const READING_NOTHING = { code: 3, error: 'not-found' };

describe('a folder', () => {
	test("that is somebody else's", async () => {
		const url = mkdtempSync(join(folder, 'foreign-'));
		writeFileSync(join(url, 'holiday.jpg'), 'sea');
		await expectRefusal(folderAt(url), {
			code: 2,
			error: 'usage',
			text: /not empty \(it holds "holiday\.jpg"\)/,
			reading: READING_NOTHING,
		});
		expect(readFileSync(join(url, 'holiday.jpg'), 'utf8')).toBe('sea');
	});

	test('that is an archive, and no target', async () => {
		const place = folderAt(packed.archive);
		await expectRefusal(place, { code: 2, error: 'usage', text: /not empty/, reading: READING_NOTHING });
	});

	test('that is a file', async () => {
		const url = join(folder, 'file');
		writeFileSync(url, 'text');
		await expectRefusal(folderAt(url), { code: 4, error: 'io', text: /it is a file/ });
	});

	test('whose disk is not mounted any more', async () => {
		const url = join(folder, 'disk');
		await packed.result('sync', url);
		rmSync(url, { recursive: true });
		await expectRefusal(folderAt(url), { code: 3, error: 'not-found', text: /there is no folder/ });
		expect(existsSync(url)).toBe(false);
		mkdirSync(url);
		await expectRefusal(folderAt(url), { code: 3, error: 'not-found', text: /this archive was shipped there before/ });
	});

	test('whose head is damaged, or of a later mailseal', async () => {
		const url = join(folder, 'later');
		const host = openHost(program, { within: folder, archive: packed.archive });
		await host.result('sync', url);
		const head = join(url, 'mailseal-target.json');
		chmodSync(head, 0o600);
		for (const [content, error, text] of [
			['{"format":2,"encryption":"none"}\n', 'format-newer', /its format is 2/],
			['{"format":1}\n', 'archive-damaged', /encryption/],
			['', 'archive-damaged', /not JSON/],
		] as const) {
			writeFileSync(head, content);
			await expectRefusal(folderAt(url), { code: 5, error, text });
		}
	});
});

describe.skipIf(lacks('age-keygen'))('encryption:', () => {
	let key: { readonly recipient: string; readonly file: string };
	let other: { readonly recipient: string; readonly file: string };
	let encrypted: Refused;
	beforeAll(async () => {
		key = makeAgeKey(join(folder, 'key'));
		other = makeAgeKey(join(folder, 'other'));
		encrypted = folderAt(join(folder, 'encrypted'));
		await openHost(program, { within: folder, archive: packed.archive }).result('sync', encrypted.url, '--encrypt-to', key.recipient);
	});

	test('nothing goes to an encrypted target as it is, nor is it read without a key', async () => {
		const reading = { code: 4, error: 'permission' };
		await expectRefusal(encrypted, { code: 2, error: 'usage', text: /it is encrypted, and no recipient is given/, reading });
	});

	test('another key opens nothing', async () => {
		const refusal = { code: 2, error: 'usage', text: /no recipient/, open: ['--identity', other.file] };
		await expectRefusal(encrypted, { ...refusal, reading: { code: 4, error: 'permission' } });
	});

	test('a target without encryption takes nothing encrypted', async () => {
		const plain = folderAt(join(folder, 'plain'));
		const host = openHost(program, { within: folder, archive: packed.archive });
		await host.result('sync', plain.url);
		expect(await host.json('sync', plain.url, '--encrypt-to', key.recipient)).toMatchObject({ code: 2, error: { code: 'usage' } });
	});

	test.each([
		['age1nonsense', 2],
		['AGE-SECRET-KEY-1NEVERTOBETOLD', 2],
		['@/no/such/file', 3],
		['', 2],
	])('"%s" is no recipient', async (recipient, exit) => {
		const url = join(folder, 'never-made');
		const host = openHost(program, { within: folder, archive: packed.archive });
		const { code, err } = await host.run('sync', url, '--encrypt-to', recipient);
		expect(code).toBe(exit);
		expect(err).not.toContain('NEVERTOBETOLD');
		expect(existsSync(url)).toBe(false);
	});
});

describe.skipIf(lacksSshd())('an SSH server', () => {
	let sshd: Sshd;
	beforeAll(async () => {
		sshd = await openSshd();
	});
	afterAll(() => sshd?.close());

	function knowing(name: string, line: string): readonly string[] {
		const knownHosts = join(folder, name);
		writeFileSync(knownHosts, line);
		return ['--sftp-key', sshd.privateKey, '--known-hosts', knownHosts];
	}

	test('that is not known', async () => {
		const place = { ...sftpPlace(sshd, { folder: 'unknown' }), reach: knowing('known-nothing', '') };
		await expectRefusal(place, { code: 4, error: 'permission', text: /its host key is unknown.*SHA256:/ });
	});

	test('that has another key than before', async () => {
		makeKey(join(folder, 'other-host'));
		const line = `[127.0.0.1]:${sshd.port} ${readFileSync(join(folder, 'other-host.pub'), 'utf8')}`;
		const place = { ...sftpPlace(sshd, { folder: 'changed' }), reach: knowing('known-other', line) };
		await expectRefusal(place, { code: 4, error: 'permission', text: /HOST KEY IS NOT THE ONE THAT IS KNOWN/ });
	});

	test('that does not take the key', async () => {
		makeKey(join(folder, 'stranger'));
		const place = sftpPlace(sshd, { folder: 'refused' });
		const reach = ['--sftp-key', join(folder, 'stranger'), ...place.reach.slice(2)];
		await expectRefusal({ ...place, reach }, { code: 4, error: 'permission', text: /sign in/i });
	});

	test('at a port where nobody listens', async () => {
		const place = sftpPlace(sshd, { folder: 'nobody', port: await freePort() });
		await expectRefusal(place, { code: 4, error: 'unreachable', text: /nothing answers at that port/ });
	});

	test("with somebody else's things in the folder", async () => {
		const place = sftpPlace(sshd, { folder: 'foreign' });
		await place.plant('notes.txt', Buffer.from('notes'));
		await expectRefusal(place, { code: 2, error: 'usage', text: /it holds "notes\.txt"/, reading: READING_NOTHING });
	});

	test('with a file in place of the folder', async () => {
		const place = sftpPlace(sshd, { folder: 'a-file' });
		writeFileSync(join(sshd.root, 'a-file'), 'text');
		await expectRefusal({ url: place.url, reach: place.reach, env: {} }, { code: 4, error: 'io', text: /file/ });
	});
});

describe.skipIf(lacksCeph())('an object store', () => {
	let ceph: Ceph;
	let bucket = '';
	beforeAll(async () => {
		ceph = await openCeph();
		bucket = await newBucket(ceph);
	});
	afterAll(() => ceph?.close());

	test('to which the secret is wrong', async () => {
		const place = s3Place(ceph, { bucket });
		const env = { ...place.env, AWS_SECRET_ACCESS_KEY: SECRET };
		await expectRefusal({ ...place, env }, { code: 4, error: 'permission', text: /SignatureDoesNotMatch/ });
	});

	test('that does not know the user', async () => {
		const place = s3Place(ceph, { bucket });
		const env = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: SECRET };
		await expectRefusal({ ...place, env }, { code: 4, error: 'permission', text: /InvalidAccessKeyId/ });
	});

	test('to which there is no key', async () => {
		await expectRefusal({ ...s3Place(ceph, { bucket }), env: {} }, { code: 4, error: 'permission', text: /there are no credentials/ });
	});

	test('without the bucket', async () => {
		const { url, reach, env } = s3Place(ceph, { bucket: 'no-such-bucket' });
		await expectRefusal({ url, reach, env }, { code: 3, error: 'not-found', text: /there is no bucket "no-such-bucket"/ });
	});

	test('at a port where nobody listens', async () => {
		const place = s3Place(ceph, { bucket, endpoint: `http://127.0.0.1:${await freePort()}` });
		await expectRefusal(place, { code: 4, error: 'unreachable', text: /nothing answers at the endpoint/ });
	});

	test('that is a web server', async () => {
		const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Hello</html>'));
		await once(server.listen(0, '127.0.0.1'), 'listening');
		const { port } = server.address() as AddressInfo;
		const place = s3Place(ceph, { bucket, endpoint: `http://127.0.0.1:${port}` });
		await expectRefusal(place, { code: 4, error: 'unreachable', text: /not that of an S3 store/ });
		server.close();
	});

	test('in whose bucket lie the things of somebody else', async () => {
		const place = s3Place(ceph, { bucket: await newBucket(ceph) });
		await place.plant('backup.tar', Buffer.from('tar'));
		await expectRefusal(place, { code: 2, error: 'usage', text: /it holds "backup\.tar"/, reading: READING_NOTHING });
	});
});
