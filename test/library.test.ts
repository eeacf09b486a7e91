import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/archive.ts';

const ROOT = join(import.meta.dirname, '..');

test('the published library packs and verifies when another program imports it', () => {
	const script = `
		const mailseal = await import(process.env.LIBRARY);
		const files = mailseal.openFiles();
		const archive = mailseal.openArchive({ dir: process.env.ARCHIVE, files, create: true });
		const workers = mailseal.openWorkers({ jobs: 0, script: null, open: mailseal.openMaildirMessage });
		const run = { progress: mailseal.SILENT, signal: new AbortController().signal, now: Date.UTC(2027, 0, 1) };
		const packed = await mailseal.pack(archive, {
			...run, sources: [mailseal.openMaildirSource(process.env.SOURCE)], policy: mailseal.DEFAULT_POLICY,
			bundles: mailseal.DEFAULT_BUNDLES, rescan: false, allowMassRemoval: false, dryRun: false,
		}, workers);
		const verified = await mailseal.verify(archive, { ...run, mode: 'deep' }, workers);
		console.log(JSON.stringify({ total: packed.result.messages.total, findings: verified.findings }));
	`;
	const env = {
		...process.env,
		LIBRARY: pathToFileURL(join(ROOT, 'dist', 'index.js')).href,
		ARCHIVE: join(temporaryFolder(), 'archive'),
		SOURCE: join(ROOT, 'fixtures', 'stores', 'vmail', '{domain}', '{user}', 'Maildir'),
	};
	const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
	expect(JSON.parse(said)).toEqual({ total: 14, findings: [] });
});
