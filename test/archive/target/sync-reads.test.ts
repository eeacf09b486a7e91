import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { pruneOnce } from '../../support/archive.ts';
import { packNights, quickFolder, syncOnce, timeOf } from '../../support/target.ts';

const read: string[] = [];

vi.mock('../../../src/archive/snapshots.ts', async (importOriginal) => {
	const real = await importOriginal<typeof import('../../../src/archive/snapshots.ts')>();
	return {
		...real,
		readSnapshot(...call: Parameters<typeof real.readSnapshot>) {
			read.push(call[1]);
			return real.readSnapshot(...call);
		},
	};
});

test('a night’s sync reads no snapshot but the newest and the record, also while what was pruned here still lies there', async () => {
	const life = await packNights(4);
	const path = join(quickFolder(), 'target');
	await syncOnce(life.archive, path);
	const { record } = (await pruneOnce(life.archive, { last: 3 }, { now: timeOf(60) })).result;
	expect((await syncOnce(life.archive, path)).result.snapshots).toBe(1);
	read.length = 0;
	expect((await syncOnce(life.archive, path)).findings).toMatchObject([{ code: 'pruned-at-target' }]);
	expect(new Set(read)).toEqual(new Set([record]));
});

test('nor does one that drops what it ships, which it does under the archive’s lock', async () => {
	const life = await packNights(4);
	const path = join(quickFolder(), 'target');
	await pruneOnce(life.archive, { last: 3 }, { now: timeOf(60) });
	await syncOnce(life.archive, path);
	const [oldest] = [...life.trees.keys()].slice(-3);
	read.length = 0;
	expect((await syncOnce(life.archive, path, { dropLocal: true })).result.dropped?.bundles).toBeGreaterThan(1);
	expect(read).not.toContain(oldest);
});
