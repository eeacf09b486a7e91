import { cpSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reindex } from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import type { FileHooks } from '../../src/platform/index.ts';
import { archiveAt, bundleNames, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { makeMaildir, settle } from '../support/maildir.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 8, 1, 2);
const CATALOG = 'catalog.sqlite';

function makeStore(): { readonly root: string; readonly spec: string } {
	const root = temporaryFolder();
	return { root, spec: `maildir:${root}/{account}/Maildir` };
}

function deliver(root: string, numbers: readonly number[], date: number): void {
	makeMaildir(join(root, 'anna', 'Maildir'), {
		'': {
			messages: numbers.map((number) => ({
				name: `${number}.M1.host:2,S`,
				content: `Subject: ${number}\n\nmail ${number}\n`,
				date: new Date(date),
			})),
		},
	});
	touch(root, date);
}

function expunge(root: string, number: number, date: number): void {
	unlinkSync(join(root, 'anna', 'Maildir', 'cur', `${number}.M1.host:2,S`));
	touch(root, date);
}

/** The folder's mtime tells one night's change from the other's. */
function touch(root: string, date: number): void {
	const top = join(root, 'anna', 'Maildir');
	settle(top);
	utimesSync(join(top, 'cur'), new Date(date), new Date(date));
}

/** Packs, but the catalog's commit never comes: the snapshot is the last thing that is written. */
async function packWithoutCatalog(archive: string, spec: string, now: number): Promise<void> {
	const hooks: FileHooks = {
		after(operation, path) {
			if (operation === 'fsync-folder' && /\/snapshots\/[0-9]{4}$/.test(path)) throw Object.assign(new Error('EIO'), { code: 'EIO' });
		},
	};
	await expect(packOnce(archive, spec, { now, hooks })).rejects.toMatchObject({ code: 'io' });
}

async function expectWhole(archive: string, root: string): Promise<void> {
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(archive, to)).findings).toEqual([]);
	expect(compareTreeStates(readTreeState(root), readTreeState(to))).toEqual([]);
}

test('a catalog that missed a commit seals later what one that saw it would have sealed', async () => {
	const { root, spec } = makeStore();
	deliver(root, [1, 2], NOW - DAY);
	const cut = join(temporaryFolder(), 'archive');
	const whole = join(temporaryFolder(), 'archive');
	for (const archive of [cut, whole]) await packOnce(archive, spec, { now: NOW });
	deliver(root, [3, 4], NOW);
	await packWithoutCatalog(cut, spec, NOW + DAY);
	await packOnce(whole, spec, { now: NOW + DAY });
	for (const archive of [cut, whole]) {
		await packOnce(archive, spec, { now: NOW + 100 * DAY });
		await expectWhole(archive, root);
	}
	expect(bundleNames(whole, 'sealed')).toHaveLength(1);
	expect(bundleNames(cut, 'sealed')).toEqual(bundleNames(whole, 'sealed'));
});

test('an archive goes on from an older snapshot when the newest was moved out of it and a reindex was asked for', async () => {
	const { root, spec } = makeStore();
	const archive = join(temporaryFolder(), 'archive');
	deliver(root, [1, 2], NOW - DAY);
	await packOnce(archive, spec, { now: NOW });
	const before = readTreeState(root);
	deliver(root, [3], NOW);
	expunge(root, 1, NOW);
	const { result } = await packOnce(archive, spec, { now: NOW + DAY });
	const name = String(result.snapshot);
	renameSync(join(archive, 'snapshots', '2026', `${name}.json`), join(temporaryFolder(), 'moved'));
	await reindex(archiveAt(archive), { progress: SILENT, signal: never });
	const to = temporaryFolder();
	await restoreOnce(archive, to);
	expect(compareTreeStates(before, readTreeState(to))).toEqual([]);
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const again = await packOnce(archive, spec, { now: NOW + 2 * DAY });
	expect(again.result.messages).toMatchObject({ added: 1, removed: 1 });
	await expectWhole(archive, root);
});

test('a catalog put back from several snapshots ago is rebuilt, not patched', async () => {
	const { root, spec } = makeStore();
	const archive = join(temporaryFolder(), 'archive');
	deliver(root, [1, 2], NOW - DAY);
	await packOnce(archive, spec, { now: NOW });
	const old = join(temporaryFolder(), CATALOG);
	cpSync(join(archive, CATALOG), old);
	// Removed, and then folded: no listed bundle says any more that message 1 is gone.
	expunge(root, 1, NOW);
	await packOnce(archive, spec, { now: NOW + DAY });
	for (let night = 2; night < 5; night++) {
		expunge(root, night === 2 ? 2 : night + 8, NOW + night * DAY);
		deliver(root, [night + 9], NOW + night * DAY);
		await packOnce(archive, spec, { now: NOW + night * DAY, allowMassRemoval: true });
	}
	cpSync(old, join(archive, CATALOG));
	for (const suffix of ['-wal', '-shm']) rmSync(join(archive, CATALOG + suffix), { force: true });
	await expectWhole(archive, root);
	const { result } = await packOnce(archive, spec, { now: NOW + 9 * DAY });
	expect(result.messages).toMatchObject({ added: 0, changed: 0, removed: 0 });
	await expectWhole(archive, root);
});

test('a catalog without any tables is filled from the bundles', async () => {
	const { root, spec } = makeStore();
	const archive = join(temporaryFolder(), 'archive');
	deliver(root, [1, 2], NOW - DAY);
	await packOnce(archive, spec, { now: NOW });
	writeFileSync(join(archive, CATALOG), '');
	await expectWhole(archive, root);
	const { result } = await packOnce(archive, spec, { now: NOW + 100 * DAY });
	expect(result.sealed.new).toBe(1);
	await expectWhole(archive, root);
});
