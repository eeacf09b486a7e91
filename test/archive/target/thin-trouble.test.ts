import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { extract, listMessages, search, status } from '../../../src/archive/index.ts';
import { readRecord } from '../../../src/archive/target/record.ts';
import { MailsealError } from '../../../src/domain/index.ts';
import type { BlobStore } from '../../../src/remote/index.ts';
import { faultyStore } from '../../support/faulty-store.ts';
import {
	bundleBlobs,
	copyOf,
	DAMAGES,
	folderStore,
	type Packed,
	packNights,
	quickFolder,
	restoreFrom,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';
import { compareTreeStates } from '../../support/tree-state.ts';

let packed: Packed;
beforeAll(async () => {
	packed = await packNights(3);
});

/** An archive whose sealed bundles lie at a target only. */
async function thinned() {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const { findings } = await syncOnce(archive, path, { dropLocal: true });
	expect(findings).toEqual([]);
	return { archive, path };
}

describe('a bundle that was dropped, and that its target has lost,', () => {
	test.each(['missing', 'truncated', 'with one bit changed'])('(%s) is told, and counts as missing from then on', async (what) => {
		const { archive, path } = await thinned();
		const [victim = ''] = bundleBlobs(path, 'sealed');
		const id = victim.slice(-68, -4);
		DAMAGES[what]?.(join(path, victim));
		const { findings } = await syncOnce(archive, path, { check: 1 });
		expect(findings.map(({ code }) => code)).toContain('bundle-not-shipped');
		expect(readRecord(archive, { url: path })?.dropped.has(id as never)).toBe(false);
		const verified = await verifyHere(thinArchive(archive), 'quick');
		expect(verified.findings).toMatchObject([{ code: 'bundle-missing', subject: id }]);
		// The mail store has it still: the next pack stores it again.
		const shown = await status(thinArchive(archive), timeOf(3));
		expect(shown.findings).toMatchObject([{ code: 'bundle-missing', subject: id }]);
	});

	test('is told by whatever reads it, and the rest is read', async () => {
		const { archive, path } = await thinned();
		const [victim = ''] = bundleBlobs(path, 'sealed');
		rmSync(join(path, victim));
		const thin = thinArchive(archive);
		const { findings, result } = await restoreFrom(thin);
		expect(findings.length).toBeGreaterThan(1);
		expect(findings.map(({ code }) => code)).toContain('target-copy-unreadable');
		expect(findings.filter(({ code }) => code === 'target-copy-unreadable')).toMatchObject([{ text: expect.stringContaining(victim) }]);
		expect(result.written).toBeGreaterThan(5);
		const { result: rows } = await listMessages(thin, { now: timeOf(100) });
		const ends = await Promise.allSettled(rows.rows.map(({ id }) => extract(thin, id, { now: timeOf(100) })));
		const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
		expect(reasons.length).toBeGreaterThan(0);
		for (const reason of reasons) {
			expect(reason).toMatchObject({ code: 'archive-damaged', message: expect.stringContaining(victim) });
		}
	});
});

describe('where the target of a thin archive cannot be reached', () => {
	const gone: Readonly<Record<string, (path: string) => BlobStore>> = {
		'since the network is down': (path) => faultyStore(folderStore(path), () => 'unreachable').store,
		'since its disk is not mounted': (path) => {
			const empty = join(quickFolder(), 'empty');
			mkdirSync(empty);
			return { ...folderStore(empty), place: path };
		},
		'since its folder is gone': () => folderStore(join(quickFolder(), 'nowhere')),
	};
	test.each(Object.entries(gone))('%s, a message there gives a clear error, and all that is here is read', async (_what, openStore) => {
		const { archive, path } = await thinned();
		const thin = thinArchive(archive, { storeOf: () => openStore(path) });
		const { result } = await listMessages(thin, { now: timeOf(100) });
		const ends = await Promise.allSettled(result.rows.map(({ id }) => extract(thin, id, { now: timeOf(100) })));
		expect(ends.some(({ status: end }) => end === 'fulfilled')).toBe(true);
		const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
		expect(reasons.length).toBeGreaterThan(5);
		for (const reason of reasons) {
			expect(reason).toBeInstanceOf(MailsealError);
			expect(reason).toMatchObject({ code: 'unreachable', retryable: true });
		}
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		for (const mode of ['quick', 'full'] as const) expect((await verifyHere(thin, mode)).findings).toEqual([]);
		expect((await verifyHere(thin, 'deep')).findings).toMatchObject([{ code: 'target-unreachable', severity: 'warning' }]);
		expect((await search(thin, { query: 'subject:mail', limit: 3, now: timeOf(100) })).result.rows).toHaveLength(3);
		await thin.close();
		// And when it is back, the same archive reads it.
		const again = await restoreFrom(thinArchive(archive));
		expect(again.findings).toEqual([]);
	});

	test('for one call, the next one of the same archive reads it', async () => {
		const { archive, path } = await thinned();
		let calls = 0;
		const { store } = faultyStore(folderStore(path), () => (calls++ < 1 ? 'unreachable' : null));
		const thin = thinArchive(archive, { storeOf: () => store });
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		expect((await restoreFrom(thin)).findings).toEqual([]);
	});

	test('in the middle of a restore, the restore ends so, and the next one goes on', async () => {
		const { archive, path } = await thinned();
		let reads = 0;
		const { store } = faultyStore(folderStore(path), ({ operation }) =>
			operation === 'readRange' && ++reads === 6 ? 'unreachable' : null,
		);
		const thin = thinArchive(archive, { storeOf: () => store });
		await expect(restoreFrom(thin)).rejects.toMatchObject({ code: 'unreachable' });
		expect((await restoreFrom(thin)).findings).toEqual([]);
	});
});

test('what a target answered wrongly is asked for again', async () => {
	const { archive, path } = await thinned();
	let reads = 0;
	const { store } = faultyStore(folderStore(path), ({ operation }) =>
		operation === 'readRange' && ++reads > 1 && reads < 5 ? 'wrong' : null,
	);
	const restored = await restoreFrom(thinArchive(archive, { storeOf: () => store }));
	expect(reads).toBeGreaterThan(7);
	expect(restored.findings).toEqual([]);
	expect(compareTreeStates([...packed.trees.values()].at(-1) ?? new Map(), restored.tree)).toEqual([]);
});
