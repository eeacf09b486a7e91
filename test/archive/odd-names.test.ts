import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reindex } from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import { archiveAt, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';

const LINUX = process.platform === 'linux';
if (!LINUX) console.warn('skipped: needs Linux, where a file name may be any bytes');

describe.skipIf(!LINUX)('names on disk that are not UTF-8', () => {
	it('go through bundles, a new catalog and a restore', async () => {
		const top = temporaryFolder();
		const maildir = join(top, 'alice', 'Maildir');
		const dir = join(top, 'archive');
		const folder = Buffer.concat([Buffer.from(join(maildir, '.caf')), Buffer.from([0xe9])]);
		for (const place of ['/cur', '/new', '/tmp']) mkdirSync(Buffer.concat([folder, Buffer.from(place)]), { recursive: true });
		const key = Buffer.concat([Buffer.from('1.b'), Buffer.from([0xff]), Buffer.from('.host')]);
		writeFileSync(Buffer.concat([folder, Buffer.from('/cur/'), key, Buffer.from(':2,S')]), 'Subject: odd\n\nbytes\n');

		await packOnce(dir, `maildir:${maildir}`);
		expect((await verifyOnce(dir, 'deep')).findings).toEqual([]);
		rmSync(join(dir, 'catalog.sqlite'));
		const rebuilt = await reindex(archiveAt(dir), { progress: SILENT, signal: never });
		expect(rebuilt).toMatchObject({ findings: [], result: { messages: 1 } });

		const to = join(top, 'back');
		expect((await restoreOnce(dir, to)).result.written).toBe(1);
		const restored = Buffer.concat([Buffer.from(join(to, 'alice', '.caf&AOk-', 'cur/')), key, Buffer.from(':2,S')]);
		expect(readFileSync(restored, 'utf8')).toBe('Subject: odd\n\nbytes\n');
	});
});
