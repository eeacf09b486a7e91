import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { extract, listAccounts, listMessages, reindex, search, status } from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import { archiveAt, filesBelow, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { snapshotsOf } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const REFUSED = { code: 'archive-damaged', details: { damage: 'snapshot-missing' } };
const NOW = DAY_ZERO + 9 * DAY;
const STRANGER = `volatile/ab/${'ab'.repeat(32)}.zip`;

interface Place {
	readonly store: MailStore;
	readonly archive: string;
	readonly snapshots: readonly string[];
	/** Where a file of the archive is put aside. */
	readonly away: string;
}

/** Three nights, each with a sealed and a volatile bundle of its own. */
async function makePlace(): Promise<Place> {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	for (const night of [0, 1, 2]) {
		store.put(`anna/INBOX/${night}.new:2,S`);
		store.put(`anna/INBOX/${night}.old:2,S`, { at: DAY_ZERO - 100 * DAY });
		await packOnce(archive, store.spec, { now: DAY_ZERO + night * DAY, bundles: { linger: 0 } });
	}
	return { store, archive, snapshots: snapshotsOf(archive), away: join(temporaryFolder(), 'away') };
}

function snapshotFile({ archive, snapshots }: Place, index: number): string {
	const name = String(snapshots.at(index));
	return join(archive, 'snapshots', name.slice(0, 4), `${name}.json`);
}

function bundlesIn({ archive }: Place): Map<string, string> {
	return filesBelow(join(archive, 'bundles'));
}

function pack({ archive, store }: Place) {
	return packOnce(archive, store.spec, { now: NOW });
}

async function expectWhole(place: Place): Promise<void> {
	expect((await verifyOnce(place.archive, 'deep')).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(place.archive, to)).findings).toEqual([]);
	expect(compareTreeStates(readTreeState(place.store.root), readTreeState(to))).toEqual([]);
}

function setVersion(path: string): void {
	const catalog = new Database(path);
	catalog.pragma('user_version = 1000');
	catalog.close();
}

const READING = [
	['ls accounts', ({ archive }: Place) => listAccounts(archiveAt(archive), { now: NOW })],
	['ls messages', ({ archive }: Place) => listMessages(archiveAt(archive), { now: NOW, at: 'latest' })],
	['search', ({ archive }: Place) => search(archiveAt(archive), { query: 'new', limit: 10, now: NOW })],
	['status', ({ archive }: Place) => status(archiveAt(archive), NOW)],
	['restore', ({ archive }: Place) => restoreOnce(archive, temporaryFolder())],
	[
		'extract',
		({ archive, store }: Place) => {
			const id = createHash('sha256').update(store.read('anna/INBOX/2.new:2,S')).digest('hex');
			return extract(archiveAt(archive), id, { now: NOW });
		},
	],
] as const;

describe.each([
	['all snapshots', (place: Place) => join(place.archive, 'snapshots')],
	['the newest snapshot', (place: Place) => snapshotFile(place, -1)],
])('an archive that lost %s', (_what, lost) => {
	it('is refused by a pack, keeps every bundle, and is packed on once they are back', async () => {
		const place = await makePlace();
		const bundles = bundlesIn(place);
		place.store.put('anna/INBOX/9.new:2,S');
		renameSync(lost(place), place.away);
		for (let tries = 0; tries < 2; tries++) await expect(pack(place)).rejects.toMatchObject(REFUSED);
		expect(bundlesIn(place)).toEqual(bundles);
		renameSync(place.away, lost(place));
		expect(await pack(place)).toMatchObject({ findings: [], result: { messages: { total: 7, added: 1, removed: 0 } } });
		for (const [path, stamp] of bundles) expect(bundlesIn(place).get(path)).toBe(stamp);
		await expectWhole(place);
	});

	it('is refused by what reads it, and read once they are back', async () => {
		const place = await makePlace();
		renameSync(lost(place), place.away);
		for (const [name, read] of READING) await expect(read(place), name).rejects.toMatchObject(REFUSED);
		renameSync(place.away, lost(place));
		for (const [name, read] of READING) await expect(read(place), name).resolves.toBeDefined();
		await expectWhole(place);
	});

	it('is a finding of every verification', async () => {
		const place = await makePlace();
		renameSync(lost(place), place.away);
		for (const mode of ['quick', 'full', 'deep'] as const) {
			const { findings, result } = await verifyOnce(place.archive, mode);
			expect(findings, mode).toMatchObject([{ code: 'snapshot-missing', severity: 'error', subject: place.snapshots.at(-1) }]);
			expect(result.missing, mode).toEqual([place.snapshots.at(-1)]);
		}
	});
});

it.each([
	['gone', (path: string) => rmSync(path)],
	['of another version', setVersion],
	['empty', (path: string) => truncateSync(path)],
])('an archive without snapshots whose catalog is %s is refused, and nothing is deleted', async (_what, harm) => {
	const place = await makePlace();
	const bundles = bundlesIn(place);
	renameSync(join(place.archive, 'snapshots'), place.away);
	harm(join(place.archive, 'catalog.sqlite'));
	for (let tries = 0; tries < 2; tries++) await expect(pack(place)).rejects.toMatchObject(REFUSED);
	for (const [name, read] of READING) await expect(read(place), name).rejects.toMatchObject(REFUSED);
	expect((await verifyOnce(place.archive)).findings).toMatchObject([{ code: 'snapshot-missing' }]);
	expect(bundlesIn(place)).toEqual(bundles);
	renameSync(place.away, join(place.archive, 'snapshots'));
	expect(await pack(place)).toMatchObject({ findings: [], result: { messages: { total: 6, removed: 0 } } });
	await expectWhole(place);
});

it('a reindex goes on from the newest snapshot that is left', async () => {
	const place = await makePlace();
	renameSync(snapshotFile(place, -1), place.away);
	await expect(pack(place)).rejects.toMatchObject(REFUSED);
	const { findings, result } = await reindex(archiveAt(place.archive), { progress: SILENT, signal: never });
	expect({ findings, ...result }).toMatchObject({ findings: [], snapshot: place.snapshots.at(-2), messages: 4 });
	expect((await listMessages(archiveAt(place.archive), { now: NOW })).result.rows).toHaveLength(4);
	expect(await pack(place)).toMatchObject({ findings: [], result: { parent: place.snapshots.at(-2), messages: { total: 6, added: 2 } } });
	await expectWhole(place);
});

it('a reindex without any snapshot is refused', async () => {
	const place = await makePlace();
	const bundles = bundlesIn(place);
	renameSync(join(place.archive, 'snapshots'), place.away);
	await expect(reindex(archiveAt(place.archive), { progress: SILENT, signal: never })).rejects.toMatchObject({ code: 'not-found' });
	expect(bundlesIn(place)).toEqual(bundles);
});

it('while a snapshot in the chain is missing, a bundle that no other names stays', async () => {
	const place = await makePlace();
	const bundles = bundlesIn(place);
	renameSync(snapshotFile(place, 1), place.away);
	// A catalog from the newest snapshot alone knows nothing of what only the missing one names.
	rmSync(join(place.archive, 'catalog.sqlite'));
	const stranger = join(place.archive, 'bundles', STRANGER);
	mkdirSync(dirname(stranger), { recursive: true });
	writeFileSync(stranger, 'named by the missing one, for all that anybody knows');
	await pack(place);
	for (const [path, stamp] of bundles) expect(bundlesIn(place).get(path)).toBe(stamp);
	expect(bundlesIn(place).has(STRANGER)).toBe(true);
	renameSync(place.away, snapshotFile(place, 1));
	await packOnce(place.archive, place.store.spec, { now: NOW + DAY });
	expect(bundlesIn(place).has(STRANGER)).toBe(false);
	await expectWhole(place);
});
