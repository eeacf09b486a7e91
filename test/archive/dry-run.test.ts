import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, packOnce, temporaryFolder } from '../support/archive.ts';

const STORE = join(import.meta.dirname, '..', '..', 'fixtures', 'stores', 'vmail', '{domain}', '{user}', 'Maildir');
const LATER = Date.now() + 400 * 24 * 3600 * 1000;

describe('a dry run of pack', () => {
	it('counts the mail that waits in volatile bundles among what would be sealed, one bundle a tenant and one for attachments', async () => {
		const dir = join(temporaryFolder(), 'archive');
		await packOnce(dir, `maildir:${STORE}`);
		const rehearsed = await packOnce(dir, `maildir:${STORE}`, { now: LATER, dryRun: true });
		const { result } = await packOnce(dir, `maildir:${STORE}`, { now: LATER });
		expect(result.sealed.new).toBe(3);
		expect(rehearsed.result.sealed.new).toBe(3);
		// Headers, directory and manifest come on top.
		expect(rehearsed.result.sealed.newBytes).toBeGreaterThan(result.sealed.newBytes * 0.8);
		expect(rehearsed.result.sealed.newBytes).toBeLessThanOrEqual(result.sealed.newBytes);
	});

	it('writes nothing', async () => {
		const dir = join(temporaryFolder(), 'archive');
		await packOnce(dir, `maildir:${STORE}`);
		const before = filesBelow(dir);
		const { result } = await packOnce(dir, `maildir:${STORE}`, { now: LATER, dryRun: true });
		expect(result.snapshot).toBeNull();
		const kept = (files: Map<string, string>) => [...files].filter(([path]) => !path.startsWith('catalog.sqlite'));
		expect(kept(filesBelow(dir))).toEqual(kept(before));
	});
});
