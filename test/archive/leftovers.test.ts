import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { bundlesOf, leftovers } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

test('what a pack that was cut off left behind is removed, and nothing else', async () => {
	const store = makeMailStore();
	store.put('anna/INBOX/1.mail:2,S');
	const archive = join(temporaryFolder(), 'archive');
	await packOnce(archive, store.spec, { now: DAY_ZERO });
	const bundle = join(archive, 'bundles', 'sealed', 'ab', `${'ab'.repeat(32)}.zip`);
	mkdirSync(join(bundle, '..'), { recursive: true });
	writeFileSync(bundle, 'half of one');
	const temporary = `.tmp-${'0'.repeat(16)}`;
	for (const folder of ['.', 'bundles/sealed', 'bundles/volatile', 'snapshots/2026']) writeFileSync(join(archive, folder, temporary), '');
	for (const suffix of ['', '-wal', '-shm']) writeFileSync(join(archive, `catalog.sqlite.new${suffix}`), '');
	expect(leftovers(archive)).toHaveLength(8);
	const strange = join(archive, 'bundles', 'sealed', 'ab', 'notes.txt');
	writeFileSync(strange, 'not a bundle');
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
	expect(leftovers(archive)).toEqual(['left over: bundles/sealed/ab/notes.txt']);
	expect(readFileSync(strange, 'utf8')).toBe('not a bundle');
});

test('a bundle that a snapshot names is never removed, whatever the catalog has forgotten', async () => {
	const store = makeMailStore();
	store.put('anna/INBOX/1.mail:2,S');
	const archive = join(temporaryFolder(), 'archive');
	const first = await packOnce(archive, store.spec, { now: DAY_ZERO });
	const tree = readTreeState(store.root);
	// Sealed, and the rest folded away: only the first snapshot needs the first bundle from now on.
	await packOnce(archive, store.spec, { now: DAY_ZERO + 100 * DAY, bundles: { linger: 0, foldBelow: 1 } });
	const name = String(first.result.snapshot);
	const old = bundlesOf(archive, name).map((ref) => ref.id);
	const catalog = new Database(join(archive, 'catalog.sqlite'));
	const { changes } = catalog.prepare('DELETE FROM bundle WHERE position IS NULL').run();
	catalog.close();
	expect(changes).toBe(old.length);
	await packOnce(archive, store.spec, { now: DAY_ZERO + 101 * DAY });
	for (const id of old) expect(existsSync(join(archive, 'bundles', 'volatile', id.slice(0, 2), `${id}.zip`))).toBe(true);
	expect((await verifyOnce(archive, 'full')).findings).toEqual([]);
	const to = temporaryFolder();
	await restoreOnce(archive, to, { at: name });
	expect(compareTreeStates(tree, readTreeState(to))).toEqual([]);
});
