import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { snapshotBlob } from '../../../src/archive/target/names.ts';
import { unknownHere } from '../../../src/archive/target/set-back.ts';
import { parseSnapshotName, type SnapshotName } from '../../../src/domain/index.ts';
import { archiveIdOf, blobsOf, flawsOfTarget, packNights, quickFolder, snapshotBlobs, syncOnce } from '../../support/target.ts';

function named(day: number): SnapshotName {
	return parseSnapshotName(`202611${String(day).padStart(2, '0')}T021500Z-0a1b2c3d`);
}

interface Fork {
	readonly what: string;
	readonly here: readonly number[];
	readonly there: readonly number[];
	readonly parents: readonly number[];
	/** What the record says. */
	readonly kept?: readonly number[];
	readonly taken?: readonly number[];
	readonly lost?: readonly number[];
	readonly strange?: readonly number[];
	readonly pruned?: readonly number[];
}

describe('a snapshot at a target and not here', () => {
	test.each<Fork>([
		{ what: 'that one here follows was lost', here: [1, 3], there: [1, 2, 3], parents: [1, 2], lost: [2] },
		{ what: 'that is older than all here was lost', here: [3, 4], there: [1, 2, 3], parents: [3], lost: [1, 2] },
		{ what: 'that is the parent of the oldest here was lost', here: [3], there: [2, 3], parents: [2], lost: [2] },
		{ what: 'that is newer than all here is strange', here: [1, 2], there: [1, 2, 3, 4], parents: [1], strange: [3, 4] },
		{ what: 'that lies between, and that nothing here follows, is strange', here: [1, 4], there: [2, 4], parents: [1], strange: [2] },
		{ what: 'is strange where nothing is here', here: [], there: [2], parents: [], strange: [2] },
		{ what: 'of each kind is told apart from the others', here: [2, 5], there: [6, 1, 4, 3], parents: [4], lost: [1, 4], strange: [3, 6] },
		{ what: 'there is none where all are here', here: [1, 2, 3], there: [1, 3], parents: [1, 2] },
		{ what: 'that the record lists as pruned was pruned', here: [5], there: [1, 2, 5], parents: [4], taken: [1, 2, 3, 4], pruned: [1, 2] },
		{ what: 'that was pruned is so although one here follows it', here: [3], there: [2], parents: [2], taken: [2], pruned: [2] },
		{ what: 'that the record lists as kept was lost', here: [5], there: [2, 5], parents: [4], kept: [2], taken: [1, 3, 4], lost: [2] },
		{
			what: 'that an archive never had which was set back, went on and pruned all that it had is strange, and not older than all',
			here: [7],
			there: [1, 2, 4, 5],
			parents: [6],
			taken: [1, 2, 3, 6],
			pruned: [1, 2],
			strange: [4, 5],
		},
		{
			what: 'that is older than all that was pruned was lost',
			here: [5],
			there: [1, 2],
			parents: [4],
			taken: [2, 3, 4],
			pruned: [2],
			lost: [1],
		},
	])('$what', ({ here, there, parents, kept = [], taken = [], lost = [], strange = [], pruned = [] }) => {
		const chain = { names: here.map(named), kept: kept.map(named), pruned: new Set(taken.map(named)) };
		const found = unknownHere(chain, { there: there.map(named), parents: new Set(parents.map(named)) });
		expect(found).toEqual({ lost: lost.map(named), strange: strange.map(named), pruned: pruned.map(named) });
	});
});

test('a file under the name of a snapshot to come is named as a stranger’s, and stops no shipping', async () => {
	const life = await packNights(1);
	const path = join(quickFolder(), 'target');
	await syncOnce(life.archive, path);
	const planted = parseSnapshotName('20991231T235959Z-0a1b2c3d');
	const blob = snapshotBlob(archiveIdOf(life.archive), planted, null);
	// Another snapshot's bytes are none of this name either.
	for (const bytes of [Buffer.from('{}'), readFileSync(join(path, snapshotBlobs(path)[0] ?? ''))]) {
		mkdirSync(dirname(join(path, blob)), { recursive: true });
		writeFileSync(join(path, blob), bytes);
		const night = await life.pack();
		const { findings, result } = await syncOnce(life.archive, path);
		expect(findings).toMatchObject([{ code: 'target-snapshot-foreign', severity: 'error', subject: planted }]);
		expect(findings[0]?.text).toContain(blob);
		expect(result).toMatchObject({ snapshots: 1, newest: night });
	}
	rmSync(join(path, blob));
	expect(await flawsOfTarget(path, { trees: life.trees })).toEqual([]);
	expect((await syncOnce(life.archive, path)).findings).toEqual([]);
});

test('a snapshot that was lost here in the middle is told, and the newer ones are shipped all the same', async () => {
	const life = await packNights(3);
	const path = join(quickFolder(), 'target');
	await syncOnce(life.archive, path);
	const [, middle = ''] = [...life.trees.keys()];
	const [file = ''] = blobsOf(life.archive, new RegExp(`^snapshots/.*${middle}`));
	rmSync(join(life.archive, file));
	const night = await life.pack();
	const { findings, result } = await syncOnce(life.archive, path);
	expect(findings).toMatchObject([
		{ code: 'snapshots-lost-here', severity: 'error', subject: middle, hint: expect.stringContaining('mailseal repair --from') },
	]);
	expect(result).toMatchObject({ snapshots: 1, newest: night });
	expect(await flawsOfTarget(path, { trees: life.trees })).toEqual([]);
});
