import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SyncRequest, TargetAddress } from '../../src/archive/index.ts';
import { openStore } from '../../src/cli/open-store.ts';
import type { TargetSettings } from '../../src/cli/target-settings.ts';
import type { BlobStore } from '../../src/remote/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, services } from './call-main.ts';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-targets-'));
	mkdirSync(join(folder, '.config', 'mailseal'), { recursive: true });
	writeFileSync(
		join(folder, '.config', 'mailseal', 'mailseal.toml'),
		'archive = "/archives/mail"\n[targets.offsite]\nurl = "/mnt/backup"\n[targets.cloud]\nurl = "s3://bucket/mail"\ntransfers = 7\n',
	);
});
afterAll(() => {
	rmSync(folder, { recursive: true, force: true });
});

function world(env: Readonly<Record<string, string>> = {}) {
	return recordIo({ env, home: folder, folder });
}

/** Calls sync, and gives what reached the store and the archive where nothing refused it. */
async function callSync(args: readonly string[], io = world()) {
	const reached: { address?: TargetAddress; settings?: TargetSettings; request?: SyncRequest } = {};
	const load = services({
		openStore(address, settings) {
			Object.assign(reached, { address, settings });
			return { place: address.url, async close() {} } as BlobStore;
		},
		async sync(_archive, request) {
			reached.request = request;
			const result = { target: '', confirmed: 0, proved: 0, shipped: 0, shippedBytes: 0, snapshots: 0, damaged: [], newest: null };
			return { findings: [], result: { ...result, pruned: null, dropped: null, seconds: 0, dryRun: false } };
		},
	});
	const { code, err } = await call(['sync', ...args], load, io);
	return { code, err, reached };
}

describe('an S3 endpoint', () => {
	test.each([
		'http://user:geheim@host',
		'user:geheim@host:9000',
		'http://user:ge/heim@host',
		'//user:geheim@host',
		'https://user:gehe#im@host',
		'https://host/?key=geheim',
		'https://geheim@host:9000',
		'https://:geheim@host/',
		'ftp://user:geheim@host',
	])('with a secret in it is refused, and the secret not repeated: %s', async (endpoint) => {
		for (const how of ['option', 'variable']) {
			const { code, err, reached } = await (how === 'option'
				? callSync(['s3://bucket/x', '--s3-endpoint', endpoint])
				: callSync(['s3://bucket/x'], world({ AWS_ENDPOINT_URL: endpoint })));
			expect([code, reached]).toEqual([2, {}]);
			expect(err).toContain('it has more than the address of a server in it');
			expect(err).toContain('AWS_SECRET_ACCESS_KEY');
			expect(err).not.toContain('geheim');
		}
	});

	test.each(['localhost:9000', 's3.example.org', 'ftp://s3.example.org', 'http://', '/srv/s3', 'file:///srv'])(
		'that is no address of a server is refused: %s',
		async (endpoint) => {
			const { code, err, reached } = await callSync(['s3://bucket/x', '--s3-endpoint', endpoint]);
			expect([code, reached]).toEqual([2, {}]);
			expect(err).toContain(`Cannot use the S3 endpoint "${endpoint}": it is no address of a server`);
		},
	);

	test.each(['http://localhost:9000', 'https://s3.example.org'])('that is one is used: %s', async (endpoint) => {
		const { code, reached } = await callSync(['s3://bucket/x', '--s3-endpoint', endpoint]);
		expect([code, reached.address]).toEqual([0, { url: 's3://bucket/x/', endpoint }]);
	});
});

describe('limits and locks', () => {
	test('a rate at which nothing moves is refused, in a call and in the config file', async () => {
		const { code, err, reached } = await callSync(['/mnt/x', '--limit-rate', '0']);
		expect([code, reached]).toEqual([2, {}]);
		expect(err).toContain('Cannot use "--limit-rate 0": nothing would move (1 byte a second or more)');
		const config = join(folder, 'slow.toml');
		writeFileSync(config, '[targets.slow]\nurl = "/mnt/slow"\nlimit-rate = 0\n');
		const slow = await callSync(['--config', config, 'slow']);
		expect([slow.code, slow.reached]).toEqual([2, {}]);
		expect(slow.err).toContain('nothing would move');
		expect((await callSync(['/mnt/x', '--limit-rate', '1'])).reached.settings).toMatchObject({ limitRate: 1 });
	});

	test('the mode of a lock alone is refused', () => {
		for (const url of ['s3://bucket/x', '/mnt/x']) {
			expect(() => openStore({ url }, { url, objectLockMode: 'compliance' }, world())).toThrowError(
				expect.objectContaining({ code: 'usage', hint: 'give --object-lock DURATION too' }),
			);
		}
	});

	test('a lock is refused where no object store is to keep it', () => {
		for (const url of ['/mnt/x', 'sftp://user@host/x']) {
			expect(() => openStore({ url }, { url, objectLock: 24 * 3600 * 1000 }, world())).toThrowError(
				expect.objectContaining({ code: 'usage', message: expect.stringContaining(`"${url}": only an object store`) }),
			);
		}
	});
});

describe('a target', () => {
	test.each(['host:folder', 'user@host:folder/x', 'host:/srv/x'])('that looks like one of rsync is no folder here: %s', async (target) => {
		const { code, err, reached } = await callSync([target]);
		expect([code, reached]).toEqual([2, {}]);
		expect(err).toContain('it looks like HOST:FOLDER');
		expect(err).toContain('with ./ before it');
		expect((await callSync([`./${target}`])).reached.address).toEqual({ url: join(folder, target) });
	});

	test('that looks so in the config file is none there either', async () => {
		const config = join(folder, 'rsync.toml');
		writeFileSync(config, '[targets.nas]\nurl = "host:folder"\n');
		const { code, err, reached } = await callSync(['--config', config, 'nas']);
		expect([code, reached]).toEqual([2, {}]);
		expect(err).toContain('it looks like HOST:FOLDER');
	});

	test('of a name that the config file does not know is refused with those that it knows', async () => {
		const { code, err, reached } = await callSync(['ofsite']);
		expect([code, reached]).toEqual([2, {}]);
		expect(err).toContain('Cannot find the target "ofsite": the config file names offsite, cloud (a folder is written as ./ofsite)');
		expect((await callSync(['./ofsite'])).reached.address).toEqual({ url: join(folder, 'ofsite') });
		expect((await callSync(['cloud'])).reached).toMatchObject({ address: { url: 's3://bucket/mail/' }, request: { transfers: 7 } });
	});

	test.each(['/archives/mail', '/archives/mail/target', '/archives', '/', '/archives/mail/../mail/x'])(
		'in the archive or around it is refused: %s',
		async (target) => {
			const { code, err, reached } = await callSync([target]);
			expect([code, reached]).toEqual([2, {}]);
			expect(err).toContain('the archive "/archives/mail" is, or lies in, the same folder');
		},
	);

	test.each(['/archives/mail2', '/archives/mai', '/archives-of-others'])('beside the archive is none of these: %s', async (target) => {
		expect((await callSync([target])).reached.address).toEqual({ url: target });
	});
});
