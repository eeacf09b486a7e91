import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBuilder } from '../../src/archive/bundle-builder.ts';
import { stageBundle } from '../../src/archive/bundle-writer.ts';
import { reindex } from '../../src/archive/index.ts';
import { bundlePath } from '../../src/archive/layout.ts';
import { type BundleRef, SILENT } from '../../src/domain/index.ts';
import { openMaildirSource } from '../../src/sources/index.ts';
import { archiveAt, filesBelow, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { changedSource } from '../support/changed-source.ts';
import { bundlesOf, snapshotsOf } from '../support/eventful-night.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';
import { messageOf } from '../support/words.ts';

/** Damages a file where its directory is, so that it cannot be opened as a bundle. */
function damage(path: string): void {
	const bytes = readFileSync(path);
	chmodSync(path, 0o600);
	writeFileSync(path, bytes.subarray(0, bytes.length - 30));
	chmodSync(path, 0o400);
}

/** Two accounts from two sources: the packs to come look at anna alone. */
async function makePlace() {
	const anna = makeMailStore();
	const bert = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	for (const night of [0, 1]) {
		for (const [store, account] of [
			[anna, 'anna'],
			[bert, 'bert'],
		] as const) {
			store.put(`${account}/INBOX/${night}.new:2,S`);
			store.put(`${account}/INBOX/${night}.old:2,S`, { at: DAY_ZERO - 100 * DAY });
		}
		const sources = [anna, bert].map((store) => openMaildirSource(store.spec));
		await packOnce(archive, anna.spec, { sources, now: DAY_ZERO + night * DAY, bundles: { linger: 0 } });
	}
	const named = bundlesOf(archive, String(snapshotsOf(archive).at(-1)));
	const path = (ref: { kind: string; id: string }): string => join(archive, 'bundles', ref.kind, ref.id.slice(0, 2), `${ref.id}.zip`);
	const tree = new Map([...readTreeState(anna.root), ...readTreeState(bert.root)]);
	const pack = () => packOnce(archive, anna.spec, { now: DAY_ZERO + 9 * DAY, bundles: { linger: 0 } });
	async function expectWhole(): Promise<void> {
		expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
		const to = temporaryFolder();
		expect((await restoreOnce(archive, to)).findings).toEqual([]);
		expect(compareTreeStates(tree, readTreeState(to))).toEqual([]);
	}
	return { archive, catalog: join(archive, 'catalog.sqlite'), bundles: named.map(path), pack, expectWhole };
}

const HARMS = [
	['missing', 'bundle-missing', (path: string) => rmSync(path)],
	['damaged', 'bundle-damaged', damage],
] as const;

test.each(HARMS)('without a catalog and with any one bundle %s, a pack is refused and writes no snapshot', async (_what, _code, harm) => {
	const place = await makePlace();
	expect(place.bundles.length).toBeGreaterThan(3);
	const snapshots = snapshotsOf(place.archive);
	for (const bundle of place.bundles) {
		rmSync(place.catalog);
		const copy = join(temporaryFolder(), 'copy');
		writeFileSync(copy, readFileSync(bundle));
		harm(bundle);
		const others = filesBelow(join(place.archive, 'bundles'));
		for (let tries = 0; tries < 2; tries++) await expect(place.pack()).rejects.toMatchObject({ code: 'archive-damaged' });
		expect(snapshotsOf(place.archive)).toEqual(snapshots);
		expect(filesBelow(join(place.archive, 'bundles'))).toEqual(others);
		expect(existsSync(`${place.catalog}.new`)).toBe(false);
		rmSync(bundle, { force: true });
		renameSync(copy, bundle);
		await reindex(archiveAt(place.archive), { progress: SILENT, signal: never });
	}
	expect(await place.pack()).toMatchObject({ findings: [], result: { accounts: 2, messages: { total: 8, added: 0, removed: 0 } } });
	await place.expectWhole();
});

test.each(HARMS)(
	'a reindex with a bundle %s gives a finding and goes on; packs are refused until it is back',
	async (_what, code, harm) => {
		const place = await makePlace();
		for (const bundle of [place.bundles[0], place.bundles.at(-1)]) {
			const path = String(bundle);
			const copy = join(temporaryFolder(), 'copy');
			writeFileSync(copy, readFileSync(path));
			const snapshots = snapshotsOf(place.archive);
			harm(path);
			const { findings, result } = await reindex(archiveAt(place.archive), { progress: SILENT, signal: never });
			expect(findings).toMatchObject([{ code, severity: 'error', subject: path.slice(-68, -4) }]);
			expect(result.messages).toBeLessThan(8);
			// What is left can be read.
			expect((await restoreOnce(place.archive, temporaryFolder())).result.written).toBe(result.messages);
			for (let tries = 0; tries < 2; tries++) await expect(place.pack()).rejects.toMatchObject({ code: 'archive-damaged' });
			expect(snapshotsOf(place.archive)).toEqual(snapshots);
			rmSync(path, { force: true });
			renameSync(copy, path);
			expect(await place.pack()).toMatchObject({ findings: [], result: { accounts: 2, messages: { total: 8, added: 0, removed: 0 } } });
			await place.expectWhole();
		}
	},
);

test('stageBundle() replaces a damaged file under its name, and leaves a whole one alone', async () => {
	const archive = archiveAt(join(temporaryFolder(), 'archive'));
	const stored = Buffer.from('Subject: one\n\nbytes\n');
	async function write(): Promise<BundleRef> {
		const builder = openBuilder();
		builder.add({ line: messageOf('one', { size: stored.length }), stored });
		const { ref, durable } = await stageBundle(archive, { kind: 'sealed', contents: builder.take(), signal: never });
		await durable;
		return ref;
	}
	const { id, size } = await write();
	const path = bundlePath(archive.dir, 'sealed', id);
	const right = readFileSync(path);
	expect(right).toHaveLength(size);
	const before = filesBelow(archive.dir);
	await write();
	expect(filesBelow(archive.dir)).toEqual(before);

	const flipped = Buffer.from(right);
	flipped[40] = (flipped[40] ?? 0) ^ 1;
	for (const wrong of [flipped, right.subarray(0, 50), Buffer.alloc(0), Buffer.concat([right, right])]) {
		chmodSync(path, 0o600);
		writeFileSync(path, wrong);
		expect((await write()).id).toBe(id);
		expect(readFileSync(path)).toEqual(right);
	}
	expect(filesBelow(archive.dir).size).toBe(before.size);
});

test('a pack whose bundle lies there already, damaged, puts the right one in its place', async () => {
	const store = makeMailStore();
	for (const key of ['1', '2', '3']) store.put(`anna/INBOX/${key}.old:2,S`, { at: DAY_ZERO - 100 * DAY });
	const first = join(temporaryFolder(), 'archive');
	await packOnce(first, store.spec, { now: DAY_ZERO });
	const bundles = [...filesBelow(join(first, 'bundles')).keys()];
	const second = join(temporaryFolder(), 'archive');
	// After the pack has looked for what is left over, before it writes.
	const source = openMaildirSource(store.spec);
	const planted = changedSource(source, {
		async accounts(signal) {
			for (const path of bundles) {
				archiveAt(second).files.writeFile(join(second, 'bundles', path), Buffer.from('half of it'), { mode: 0o400 });
			}
			return source.accounts(signal);
		},
	});
	expect(await packOnce(second, store.spec, { sources: [planted], now: DAY_ZERO })).toMatchObject({ findings: [] });
	for (const path of bundles) {
		expect(existsSync(join(second, 'bundles', path)), path).toBe(true);
		expect(readFileSync(join(second, 'bundles', path))).toEqual(readFileSync(join(first, 'bundles', path)));
	}
	expect((await verifyOnce(second, 'deep')).findings).toEqual([]);
});
