import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { status } from '../../../src/archive/index.ts';
import { readRecord } from '../../../src/archive/target/record.ts';

import { faultyStore } from '../../support/faulty-store.ts';
import {
	blobsOf,
	bundleBlobs,
	copyOf,
	folderStore,
	makeKeys,
	type Packed,
	packNights,
	quickFolder,
	rewrite,
	syncOnce,
	thinArchive,
	timeOf,
	verifyHere,
} from '../../support/target.ts';

const KINDS = ['plain', 'encrypted'] as const;
type Kind = (typeof KINDS)[number];

let keys: Awaited<ReturnType<typeof makeKeys>>;
let packed: Packed;
beforeAll(async () => {
	keys = await makeKeys();
	packed = await packNights(3);
});

function keysOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.sealing };
}

function openingOf(kind: Kind) {
	return kind === 'plain' ? {} : { keys: keys.opening };
}

/** An archive whose sealed bundles lie at a target only. */
async function thinned(kind: Kind = 'plain') {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const { result, findings } = await syncOnce(archive, path, { ...keysOf(kind), dropLocal: true });
	expect(findings).toEqual([]);
	return { archive, path, result };
}

describe('whatever step of dropping fails', () => {
	test.each(['before', 'after', 'killed'] as const)('(%s) each bundle is here or on record, and packs miss none', async (how) => {
		const base = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(base, path);
		const there = copyOf(path);
		const struck = new Set<string>();
		for (let at = 0; ; at++) {
			const archive = copyOf(base);
			rmSync(path, { recursive: true });
			renameSync(copyOf(there), path);
			let seen = 0;
			let failed: string | null = null;
			const strike = (operation: string): void => {
				// Who is killed does not clean up: nothing is written from then on.
				if (how === 'killed' ? seen++ < at : seen++ !== at) return;
				failed ??= operation;
				throw Object.assign(new Error('EIO: made by the test'), { code: 'EIO' });
			};
			const hooks = { [how === 'after' ? 'after' : 'before']: strike };
			const end = await syncOnce(archive, path, { dropLocal: true, hooks }).then(
				() => null,
				(error: unknown) => error,
			);
			const place = `operation ${at}, ${failed}`;
			if (failed !== null) {
				expect(end, place).toMatchObject({ code: 'io' });
				struck.add(failed);
			}
			const dropped = readRecord(archive, { url: path })?.dropped ?? new Map();
			const here = new Set(bundleBlobs(archive).map((name) => name.slice(-68, -4)));
			for (const name of bundleBlobs(packed.archive)) {
				const id = name.slice(-68, -4);
				expect(here.has(id) || [...dropped.keys()].includes(id as never), `${place}: ${name}`).toBe(true);
			}
			const thin = thinArchive(archive);
			expect((await verifyHere(thin, 'full')).findings, place).toEqual([]);
			expect((await status(thin, timeOf(3))).findings, place).toEqual([]);
			const next = await syncOnce(archive, path, { dropLocal: true });
			expect(next.findings, place).toEqual([]);
			expect(bundleBlobs(archive, 'sealed'), place).toEqual([]);
			if (failed === null) break;
		}
		expect(struck).toContain('unlink');
		expect(struck).toContain('rename');
	});

	test('at the target, nothing goes here', async () => {
		const archive = copyOf(packed.archive);
		const path = join(quickFolder(), 'target');
		await syncOnce(archive, path);
		const sealed = bundleBlobs(archive, 'sealed');
		let proofs = 0;
		const { store } = faultyStore(folderStore(path), ({ operation }) => (operation === 'prove' && ++proofs === 4 ? 'unreachable' : null));
		await expect(syncOnce(archive, path, { store, dropLocal: true })).rejects.toMatchObject({ code: 'unreachable' });
		expect(bundleBlobs(archive, 'sealed')).toEqual(sealed);
		expect(readRecord(archive, { url: path })?.dropped.size).toBe(0);
	});
});

test('nothing goes here while a sync has something to complain of', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	const [victim = ''] = bundleBlobs(archive, 'volatile').slice(-1);
	rewrite(join(archive, victim), (bytes) => bytes.subarray(1));
	const sealed = bundleBlobs(archive, 'sealed');
	for (const dryRun of [false, true]) {
		const { findings, result } = await syncOnce(archive, path, { dropLocal: true, dryRun });
		if (!dryRun) expect(findings.some(({ severity }) => severity === 'error')).toBe(true);
		if (!dryRun) expect(result.dropped).toEqual({ bundles: 0, bytes: 0 });
	}
	expect(bundleBlobs(archive, 'sealed')).toEqual(sealed);
});

test('nothing goes here while a pack is under way, and what was shipped stays', async () => {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	const lock = thinArchive(archive).lock();
	try {
		await expect(syncOnce(archive, path, { dropLocal: true })).rejects.toMatchObject({ code: 'busy' });
	} finally {
		lock.release();
	}
	expect(bundleBlobs(archive, 'sealed')).toEqual(bundleBlobs(packed.archive, 'sealed'));
	expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
});

describe('copies of another host at an encrypted target', () => {
	/** Two hosts with the same mail; the second confirms what the first shipped. */
	async function shippedByAnother() {
		const path = join(quickFolder(), 'target');
		const twin = await packNights(3);
		await syncOnce(twin.archive, path, keysOf('encrypted'));
		const archive = copyOf(packed.archive);
		await syncOnce(archive, path, keysOf('encrypted'));
		return { path, archive };
	}

	test('are not believed without an identity: the bundles stay, and a note says why', async () => {
		const { path, archive } = await shippedByAnother();
		const { findings, result } = await syncOnce(archive, path, { ...keysOf('encrypted'), dropLocal: true });
		const sealed = bundleBlobs(archive, 'sealed').length;
		expect(findings).toMatchObject([{ code: 'copies-of-others', severity: 'note', hint: expect.stringContaining('--identity') }]);
		expect(findings[0]?.text).toMatch(new RegExp(`^${sealed} bundles stay here`));
		expect(result.dropped).toEqual({ bundles: 0, bytes: 0 });
		expect(sealed).toBe(bundleBlobs(packed.archive, 'sealed').length);
	});

	test('are opened and compared with an identity, and the bundles go', async () => {
		const { path, archive } = await shippedByAnother();
		const { findings } = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		expect(findings).toEqual([]);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
		expect((await verifyHere(thinArchive(archive, openingOf('encrypted')))).findings).toEqual([]);
	});

	test('of other content are found with an identity: the bundle stays, and a right copy takes their place', async () => {
		const { path, archive } = await shippedByAnother();
		// A whole age file of another bundle of about that size, under this one's name.
		const [one = '', two = ''] = bundleBlobs(path, 'sealed');
		const foreign = readFileSync(join(path, two));
		const hash = createHash('sha256').update(foreign).digest('hex');
		const id = /[0-9a-f]{64}/.exec(one)?.[0] ?? '';
		rmSync(join(path, one));
		writeFileSync(join(path, one.replace(/\.[0-9a-f]{64}\.zip\.age$/, `.${hash}.zip.age`)), foreign);
		const sizes = [one, two].map((name) => readFileSync(join(packed.archive, plainName(name))).length);
		const { findings, result } = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		// Where the sizes are too far apart the listing tells already.
		expect(Math.abs((sizes[0] ?? 0) - (sizes[1] ?? 0))).toBeLessThan(60_000);
		expect(findings).toMatchObject([{ code: 'target-bundle-damaged', subject: id }]);
		expect(result.damaged).toEqual([id]);
		const right = result.dropped?.bundles ?? 0;
		expect(bundleBlobs(archive, 'sealed').length + right).toBe(bundleBlobs(packed.archive, 'sealed').length);
		expect((await verifyHere(thinArchive(archive, openingOf('encrypted')))).findings).toEqual([]);
		expect(bundleBlobs(path, 'sealed').filter((name) => name.includes(id))).toHaveLength(1);
		const again = await syncOnce(archive, path, { ...openingOf('encrypted'), dropLocal: true });
		expect(again.findings).toEqual([]);
		expect(bundleBlobs(archive, 'sealed')).toEqual([]);
	});
});

/** The name of a bundle in an archive, by that of its encrypted copy. */
function plainName(name: string): string {
	return name.replace(/\.[0-9a-f]{64}\.zip\.age$/, '.zip');
}

test('a record of what was dropped that is lost is found out again from what the target proves', async () => {
	const { archive, path } = await thinned();
	const sealed = bundleBlobs(packed.archive, 'sealed').length;
	for (const name of blobsOf(archive, /^targets\/.*\.json$/)) rmSync(join(archive, name));
	expect((await verifyHere(thinArchive(archive), 'quick')).findings).toHaveLength(sealed);
	// By itself a sync does not take what is lost here for something that was to go, but it says what can be done.
	expect((await syncOnce(archive, path)).findings.map(({ code }) => code)).toEqual(['bundles-missing-here']);
	expect((await verifyHere(thinArchive(archive), 'quick')).findings).toHaveLength(sealed);
	const { result, findings } = await syncOnce(archive, path, { dropLocal: true });
	expect([findings, result.dropped]).toEqual([[], { bundles: 0, bytes: 0 }]);
	expect((await verifyHere(thinArchive(archive))).findings).toEqual([]);
	expect(existsSync(join(archive, 'targets'))).toBe(true);
});
