import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { currentCatalog } from '../../../src/archive/current-catalog.ts';
import { reindex } from '../../../src/archive/index.ts';
import { SILENT } from '../../../src/domain/index.ts';
import { archiveAt, filesBelow, never, packOnce } from '../../support/archive.ts';
import { openDice, openRandomLife } from '../../support/random-life.ts';
import { ATTACHMENT_MIN, copyOf, quickFolder, SMALL_BUNDLES, thinArchive, timeOf } from '../../support/target.ts';

const CATALOG = 'catalog.sqlite';
const NIGHTS = 14;

/** An archive after some nights, with the catalog of each. */
let archive: string;
let catalogs: string[];

beforeAll(async () => {
	archive = join(quickFolder(), 'archive');
	catalogs = [];
	const dice = openDice(2);
	const life = openRandomLife(quickFolder(), { dice, note() {} });
	for (let day = 0; day < NIGHTS; day++) {
		life.liveOneDay(timeOf(day));
		const bundles = { ...SMALL_BUNDLES, target: 6 * 1024, max: 10 * 1024 };
		await packOnce(archive, life.store.spec, { now: timeOf(day), bundles, attachmentMin: ATTACHMENT_MIN, allowMassRemoval: true });
		const kept = join(quickFolder(), CATALOG);
		cpSync(join(archive, CATALOG), kept);
		catalogs.push(kept);
	}
});

/** A copy of the archive with the catalog of an earlier night. */
function withCatalogOf(night: number): string {
	const copy = copyOf(archive);
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(copy, CATALOG + suffix), { force: true });
	cpSync(catalogs[night] ?? '', join(copy, CATALOG));
	return copy;
}

/** What a catalog says that was opened, and what mailseal said while it opened it. */
async function opened(
	dir: string,
): Promise<{ readonly says: string; readonly warnings: readonly string[]; readonly bundles: readonly string[] }> {
	const warnings: string[] = [];
	const catalog = await currentCatalog({ ...thinArchive(dir), warn: (text) => warnings.push(text) });
	try {
		return {
			says: catalog.fingerprint(),
			warnings,
			bundles: catalog
				.knownBundles()
				.map(({ id }) => id)
				.sort(),
		};
	} finally {
		catalog.close();
	}
}

async function rebuilt(dir: string): Promise<string> {
	await reindex(archiveAt(dir), { progress: SILENT, signal: never });
	return (await opened(dir)).says;
}

function snapshotsOf(dir: string): string[] {
	return [...filesBelow(join(dir, 'snapshots')).keys()].sort().map((name) => join(dir, 'snapshots', name));
}

describe('a catalog that is some nights old', () => {
	test('follows the snapshots one by one, and then says what one says that is built from the bundles', async () => {
		const right = await rebuilt(copyOf(archive));
		const { bundles } = await opened(archive);
		const seen = new Set<string>();
		for (let night = 0; night < NIGHTS - 1; night++) {
			const dir = withCatalogOf(night);
			const { says, warnings, bundles: known } = await opened(dir);
			expect(says, `from night ${night}`).toBe(right);
			expect(warnings).toEqual([]);
			expect(known).toEqual(bundles);
			// And stays so.
			expect((await opened(dir)).says).toBe(right);
			seen.add(says);
		}
		expect(seen.size).toBe(1);
	});

	test('is rebuilt where a snapshot between is missing or damaged, or a bundle that only such a one named is gone', async () => {
		const right = await rebuilt(copyOf(archive));
		const newest = new Set(bundlesOf(snapshotsOf(archive).at(-1) ?? ''));
		const first = new Set(bundlesOf(snapshotsOf(archive)[0] ?? ''));
		const between = snapshotsOf(archive)
			.slice(1, -1)
			.flatMap(bundlesOf)
			.filter((id) => !newest.has(id) && !first.has(id));
		expect(between.length).toBeGreaterThan(2);
		const harms: Readonly<Record<string, (dir: string) => void>> = {
			'a snapshot is missing': (dir) => renameSync(snapshotsOf(dir)[4] ?? '', join(quickFolder(), 'aside')),
			'a snapshot is damaged': (dir) => {
				const file = snapshotsOf(dir)[4] ?? '';
				rmSync(file);
				cpSync(snapshotsOf(dir)[3] ?? '', file);
			},
			'a bundle is gone': (dir) => {
				const id = between[between.length >> 1] ?? '';
				for (const kind of ['sealed', 'volatile']) rmSync(join(dir, 'bundles', kind, id.slice(0, 2), `${id}.zip`), { force: true });
			},
		};
		for (const [what, harm] of Object.entries(harms)) {
			const dir = withCatalogOf(0);
			harm(dir);
			const { says, warnings } = await opened(dir);
			expect(says, what).toBe(right);
			expect(warnings, what).toEqual(['rebuilding the catalog from the bundles']);
		}
	});

	test('and of another line of snapshots is rebuilt', async () => {
		const right = await rebuilt(copyOf(archive));
		// Put back to night 3, and gone on otherwise.
		const other = withCatalogOf(3);
		for (const file of snapshotsOf(other).slice(4)) rmSync(file);
		const life = openRandomLife(quickFolder(), { dice: openDice(99), note() {} });
		life.liveOneDay(timeOf(4));
		await packOnce(other, life.store.spec, { now: timeOf(4) + 5000, attachmentMin: ATTACHMENT_MIN, allowMassRemoval: true });
		const dir = copyOf(archive);
		for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG + suffix), { force: true });
		cpSync(join(other, CATALOG), join(dir, CATALOG));
		// The snapshot that it stands at lies there, or it would be refused as lost.
		const stray = snapshotsOf(other).at(-1) ?? '';
		cpSync(stray, join(dir, stray.slice(other.length + 1)));
		const { says, warnings } = await opened(dir);
		expect(says).toBe(right);
		expect(warnings).toEqual(['rebuilding the catalog from the bundles']);
	});
});

function bundlesOf(file: string): string[] {
	return (JSON.parse(readFileSync(file, 'utf8')) as { bundles: { id: string }[] }).bundles.map(({ id }) => id);
}
