import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/archive.ts';

const ROOT = join(import.meta.dirname, '..');

/** Runs a script as another program would, with the library that is published. */
function run(script: string): unknown {
	const env = {
		...process.env,
		LIBRARY: pathToFileURL(join(ROOT, 'dist', 'index.js')).href,
		FOLDER: temporaryFolder(),
		SOURCE: join(ROOT, 'fixtures', 'stores', 'vmail', '{domain}', '{user}', 'Maildir'),
	};
	return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' }));
}

test('the published library packs, ships and verifies when another program imports it', () => {
	const said = run(`
		const mailseal = await import(process.env.LIBRARY);
		const files = mailseal.openFiles();
		const archive = mailseal.openArchive({ dir: process.env.FOLDER + '/archive', files, create: true });
		const workers = mailseal.openWorkers({ jobs: 0, script: null, open: mailseal.openMaildirMessage });
		const run = { progress: mailseal.SILENT, signal: new AbortController().signal, now: Date.UTC(2027, 0, 1) };
		const packed = await mailseal.pack(archive, {
			...run, sources: [mailseal.openMaildirSource(process.env.SOURCE)], policy: mailseal.DEFAULT_POLICY,
			bundles: mailseal.DEFAULT_BUNDLES, rescan: false, allowMassRemoval: false, dryRun: false,
		}, workers);
		const verified = await mailseal.verify(archive, { ...run, mode: 'deep' }, workers);
		const address = { url: process.env.FOLDER + '/target' };
		const store = mailseal.openFolderStore({ path: address.url, files });
		const shipping = { ...run, address, store, keys: { recipients: null, identities: [] }, check: 1, prune: null, dropLocal: false, dryRun: false, transfers: 2 };
		const shipped = await mailseal.sync(archive, shipping);
		const findings = [...verified.findings, ...shipped.findings];
		console.log(JSON.stringify({ total: packed.result.messages.total, shipped: shipped.result.snapshots, findings }));
	`);
	expect(said).toEqual({ total: 14, shipped: 1, findings: [] });
});

test('the published library finds the packages of stores over a network beside it', () => {
	const said = run(`
		const mailseal = await import(process.env.LIBRARY);
		const { signal } = new AbortController();
		const port = await new Promise((done) => {
			const server = (globalThis.server = process.getBuiltinModule('node:net').createServer());
			server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
		});
		const s3 = mailseal.openS3Store({
			bucket: 'bucket', prefix: '', endpoint: 'http://127.0.0.1:' + port, place: 's3', now: Date.now,
			credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
		});
		const sftp = mailseal.openSftpStore({ host: '127.0.0.1', port, user: 'nobody', path: '/x', auth: { privateKeys: [], password: 'x' }, knownHosts: [], place: 'sftp' });
		const codes = [];
		for (const store of [s3, sftp]) codes.push(await store.top(1, signal).then(() => 'there', (error) => error.code));
		console.log(JSON.stringify(codes));
	`);
	expect(said).toEqual(['unreachable', 'unreachable']);
});
