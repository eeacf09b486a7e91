import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { extract, listMessages, search, status } from '../../../src/archive/index.ts';
import { type BundleId, parseBundleId } from '../../../src/domain/index.ts';
import { bundlesOf } from '../../support/eventful-night.ts';
import {
	blobsOf,
	bundleBlobs,
	copyOf,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	syncOnce,
	thinArchive,
	timeOf,
} from '../../support/target.ts';
import { compareTreeStates } from '../../support/tree-state.ts';

const NOW = { now: timeOf(100) };

/** An archive before and after its last night. */
let before: string;
let packed: Packed;
beforeAll(async () => {
	// The seventh night is the first that folds volatile bundles away.
	packed = await packNights(6);
	before = copyOf(packed.archive);
	await packed.pack();
});

function idOf(name: string): BundleId {
	return parseBundleId(name.slice(-68, -4));
}

/** Takes bundles out of an archive, and has the catalog built without them. */
async function without(source: string, victims: readonly string[]) {
	const archive = copyOf(source);
	const aside = quickFolder();
	for (const victim of victims) renameSync(join(archive, victim), join(aside, idOf(victim)));
	rmSync(join(archive, 'catalog.sqlite'));
	const { findings } = await listMessages(thinArchive(archive), NOW);
	expect(findings.map(({ subject }) => subject).sort()).toEqual(victims.map(idOf).sort());
	return {
		archive,
		putBack() {
			for (const victim of victims) renameSync(join(aside, idOf(victim)), join(archive, victim));
		},
	};
}

/** What a later night wrote, as another host that packs into the same files leaves it; no catalog. */
function bringLastNight(archive: string, except: ReadonlySet<string>): void {
	for (const name of blobsOf(packed.archive, /^(bundles|snapshots)\//)) {
		if (except.has(name)) continue;
		mkdirSync(dirname(join(archive, name)), { recursive: true });
		copyFileSync(join(packed.archive, name), join(archive, name));
	}
}

describe('a catalog that was built while bundles were missing', () => {
	test('has every reader say so, each time', async () => {
		const victims = bundleBlobs(packed.archive, 'sealed');
		const { archive } = await without(packed.archive, victims);
		const lack = { code: 'bundle-missing', severity: 'error', subject: expect.any(String), hint: expect.any(String) };
		for (let round = 0; round < 2; round++) {
			const thin = thinArchive(archive);
			const all = [await listMessages(thin, NOW), await search(thin, { query: 'subject:mail', limit: 3, ...NOW }), await restoreFrom(thin)];
			for (const { findings } of all) {
				expect(findings.map(({ subject }) => subject)).toEqual(expect.arrayContaining(victims.map(idOf)));
				expect(findings[0]).toMatchObject(lack);
			}
			expect((await status(thin, timeOf(3))).findings[0]).toMatchObject(lack);
		}
	});

	test('does not say of a message that it is not there, but that it cannot tell', async () => {
		const rows = (await listMessages(thinArchive(packed.archive), NOW)).result.rows;
		const victims = bundleBlobs(packed.archive, 'sealed');
		const { archive, putBack } = await without(packed.archive, victims);
		const thin = thinArchive(archive);
		const left = new Set((await listMessages(thin, NOW)).result.rows.map(({ id }) => id));
		const gone = rows.find(({ id }) => !left.has(id))?.id ?? '';
		expect(gone).not.toBe('');
		for (const reference of [gone, 'f'.repeat(64)]) {
			await expect(extract(thin, reference, NOW)).rejects.toMatchObject({
				code: 'archive-damaged',
				message: expect.stringMatching(/^Cannot tell whether message .* is missing, and [0-9]+ more bundles$/),
			});
		}
		putBack();
		expect((await extract(thin, gone, NOW)).id).toBe(gone);
		await expect(extract(thin, 'f'.repeat(64), NOW)).rejects.toMatchObject({ code: 'not-found' });
	});

	test('is whole again as soon as they are back, without a reindex', async () => {
		const { archive, putBack } = await without(packed.archive, bundleBlobs(packed.archive).slice(0, 3));
		putBack();
		const { findings, result } = await listMessages(thinArchive(archive), NOW);
		expect(findings).toEqual([]);
		expect(result).toEqual((await listMessages(thinArchive(packed.archive), NOW)).result);
		const restored = await restoreFrom(thinArchive(archive));
		expect(restored.findings).toEqual([]);
		expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), restored.tree)).toEqual([]);
	});

	test('forgets those that the next night folded away', async () => {
		const [then, later] = [...packed.trees.keys()].slice(-2).map((name) => bundlesOf(packed.archive, name).map(({ id }) => id));
		const folded = bundleBlobs(before, 'volatile').filter((name) => then?.includes(idOf(name)) && !later?.includes(idOf(name)));
		expect(folded.length).toBeGreaterThan(0);
		const { archive } = await without(before, folded);
		bringLastNight(archive, new Set(folded));
		const { findings, result } = await listMessages(thinArchive(archive), NOW);
		expect(findings).toEqual([]);
		expect(result).toEqual((await listMessages(thinArchive(packed.archive), NOW)).result);
	});

	test('goes on lacking those that the next night still names', async () => {
		const [kept = ''] = bundleBlobs(before, 'sealed');
		const { archive, putBack } = await without(before, [kept]);
		bringLastNight(archive, new Set([kept]));
		for (let round = 0; round < 2; round++) {
			const { findings } = await listMessages(thinArchive(archive), NOW);
			expect(findings).toMatchObject([{ code: 'bundle-missing', subject: idOf(kept) }]);
		}
		putBack();
		expect((await listMessages(thinArchive(archive), NOW)).findings).toEqual([]);
	});

	test('is built too where the newest night alone lacks one, and everything else is read', async () => {
		const earlier = new Set(bundleBlobs(before));
		const [victim = ''] = bundleBlobs(packed.archive, 'sealed').filter((name) => !earlier.has(name));
		const archive = copyOf(before);
		const old = await listMessages(thinArchive(archive), NOW);
		bringLastNight(archive, new Set([victim]));
		const { findings, result } = await listMessages(thinArchive(archive), NOW);
		expect(findings).toMatchObject([{ code: 'bundle-missing', subject: idOf(victim) }]);
		expect(result.rows.length).toBeGreaterThan(old.result.rows.length / 2);
	});

	test('knows them as bundles of the archive: a sync that cannot ship them says so', async () => {
		const path = join(quickFolder(), 'target');
		await syncOnce(copyOf(packed.archive), path);
		// None but the newest snapshot names it.
		const earlier = new Set(bundleBlobs(before));
		const [victim = ''] = bundleBlobs(packed.archive, 'sealed').filter((name) => !earlier.has(name));
		const { archive } = await without(packed.archive, [victim]);
		rmSync(join(path, victim));
		const { findings } = await syncOnce(archive, path);
		expect(findings).toMatchObject([{ code: 'bundle-not-shipped', severity: 'error', subject: idOf(victim) }]);
	});
});
