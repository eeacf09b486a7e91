import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { bundleBlob, snapshotBlob } from '../../../src/archive/target/names.ts';
import { parseBundleId, parseSnapshotName } from '../../../src/domain/index.ts';
import type { BlobStore } from '../../../src/remote/index.ts';
import { DAY } from '../../support/mail-store.ts';
import { bundleBlobs, copyOf, flawsOfTarget, folderStore, type Packed, packNights, quickFolder, syncOnce } from '../../support/target.ts';

let packed: Packed;
beforeAll(async () => {
	packed = await packNights(1);
});

const UNNAMED = 150;

function put(path: string, name: string): void {
	mkdirSync(dirname(join(path, name)), { recursive: true });
	writeFileSync(join(path, name), 'x');
}

/** A target with bundles that no snapshot names, and that are old. */
async function outgrown() {
	const archive = copyOf(packed.archive);
	const path = join(quickFolder(), 'target');
	await syncOnce(archive, path);
	const old = new Date(Date.now() - 30 * DAY);
	for (let index = 0; index < UNNAMED; index++) {
		const id = parseBundleId((index + 1).toString(16).padStart(64, '0'));
		const name = bundleBlob({ id, kind: 'sealed' }, null);
		put(path, name);
		utimesSync(join(path, name), old, old);
	}
	return { archive, path };
}

const PRUNE = { prune: { grace: DAY }, now: Date.now() + DAY };

/** A store at which another archive's snapshot arrives once so many blobs were removed. */
function interrupted(path: string, after: number): { readonly store: BlobStore; removed(): number } {
	const plain = folderStore(path);
	let removed = 0;
	const store: BlobStore = {
		...plain,
		async remove(...call) {
			await plain.remove(...call);
			if (++removed === after) put(path, snapshotBlob('ab'.repeat(16), parseSnapshotName('20261201T000000Z-0a1b2c3d'), null));
		},
	};
	return { store, removed: () => removed };
}

test('a prune looks for new snapshots before each hundred that it deletes, and ends as soon as one is there', async () => {
	const { archive, path } = await outgrown();
	const needed = bundleBlobs(archive).length;
	const { store, removed } = interrupted(path, 60);
	await expect(syncOnce(archive, path, { ...PRUNE, store })).rejects.toMatchObject({
		code: 'busy',
		message: expect.stringContaining('20261201T000000Z-0a1b2c3d'),
	});
	expect(removed()).toBe(100);
	expect(bundleBlobs(path)).toHaveLength(needed + UNNAMED - 100);
});

test('a prune that nothing comes between deletes every hundred', async () => {
	const { archive, path } = await outgrown();
	const { store, removed } = interrupted(path, UNNAMED + 1);
	const { result, findings } = await syncOnce(archive, path, { ...PRUNE, store });
	expect(findings).toEqual([]);
	expect(result.pruned).toMatchObject({ bundles: UNNAMED });
	expect(removed()).toBe(UNNAMED);
	expect(await flawsOfTarget(path, { trees: packed.trees })).toEqual([]);
});
