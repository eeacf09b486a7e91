import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { archiveAt, packOnce, temporaryFolder } from '../support/archive.ts';

const STORE = join(import.meta.dirname, '..', '..', 'fixtures', 'stores', 'vmail', '{domain}', '{user}', 'Maildir');

describe('an archive in a folder that is open to others', () => {
	it('has nothing in it that others could read', async () => {
		const dir = temporaryFolder();
		const before = process.umask(0o022);
		try {
			await packOnce(dir, `maildir:${STORE}`);
			archiveAt(dir).lock().release();
		} finally {
			process.umask(before);
		}
		const open = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((path) => (statSync(join(dir, path)).mode & 0o077) !== 0);
		expect(readdirSync(dir)).toContain('catalog.sqlite');
		expect(open).toEqual([]);
	});
});
