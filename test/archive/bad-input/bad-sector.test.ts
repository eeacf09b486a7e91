import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { filesBelow, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';

/** A byte that the disk cannot read. */
const disk = vi.hoisted(() => ({ path: '', at: -1 }));

vi.mock('node:fs', async (original) => {
	const fs = await original<typeof import('node:fs')>();
	const paths = new Map<number, string>();
	function openSync(...args: Parameters<typeof fs.openSync>): number {
		const descriptor = fs.openSync(...args);
		paths.set(descriptor, String(args[0]));
		return descriptor;
	}
	function readSync(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number): number {
		if (paths.get(descriptor) === disk.path && position <= disk.at && disk.at < position + length) {
			throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
		}
		return fs.readSync(descriptor, buffer, offset, length, position);
	}
	return { ...fs, openSync, readSync };
});
beforeEach(() => {
	disk.path = '';
});

async function packedBundle() {
	const store = makeMailStore();
	for (const number of [1, 2, 3]) store.put(`anna/INBOX/${number}:2,S`, { at: DAY_ZERO });
	const dir = join(temporaryFolder(), 'archive');
	await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	const [name] = [...filesBelow(dir).keys()].filter((path) => path.endsWith('.zip'));
	return { dir, path: join(dir, String(name)) };
}

test('a restore brings back all but the message that lies on a bad sector', async () => {
	const { dir, path } = await packedBundle();
	disk.at = readFileSync(path).indexOf('.eml') + 8;
	disk.path = path;
	const { result, findings } = await restoreOnce(dir, temporaryFolder());
	expect(result).toMatchObject({ written: 2, present: 0 });
	expect(findings).toMatchObject([{ code: 'message-not-restored', text: expect.stringContaining('read error') }]);
});

test('verify tells of a bundle with a bad sector as of any other damage', async () => {
	const { dir, path } = await packedBundle();
	disk.at = 100;
	disk.path = path;
	const { findings } = await verifyOnce(dir, 'full');
	expect(findings).toMatchObject([{ code: 'bundle-damaged', text: expect.stringContaining('read error') }]);
});
