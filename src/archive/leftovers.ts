import { join } from 'node:path';
import type { Catalog } from '../catalog/index.ts';
import type { BundleId, Finding } from '../domain/index.ts';
import { isTemporaryName, listNames } from '../platform/index.ts';
import { bundlesNamedBy, readChain, SNAPSHOT_CHAIN, SNAPSHOT_MISSING } from './chain.ts';
import { noteSnapshots } from './current-catalog.ts';
import { bundleFolder, CATALOG_FILE, snapshotFolder, snapshotPath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { chainHere } from './pruned-here.ts';
import { snapshotNames } from './snapshots.ts';

/**
 * Removes what a run that was cut off left behind: temporary files, snapshots that the last record lists as pruned, and bundles that no snapshot
 * names. The caller holds the lock, and commits the catalog or rolls it back.
 */
export function removeLeftovers(archive: Archive, catalog: Catalog): Finding[] {
	const { dir, files } = archive;
	const { pruned } = chainHere(dir);
	for (const name of snapshotNames(dir)) if (pruned.has(name)) files.remove(snapshotPath(dir, name));
	const findings = noteSnapshots(archive, catalog);
	const names = new Set(snapshotNames(dir));
	// It knows of bundles that only pruned snapshots name.
	const knowsTooMuch = [...catalog.knownSnapshots()].some((name) => !names.has(name));
	const known = new Set(knowsTooMuch ? [] : catalog.knownBundles().map(({ id }) => id));
	const unnamed = bundlesOnDisk(dir).filter(({ id }) => !known.has(id));
	removeTemporary(archive);
	if (unnamed.length === 0 && !knowsTooMuch) return findings;
	// The catalog is a cache that may have forgotten something; only the snapshots themselves say which bundle none of them names.
	const named = namedBundles(dir);
	if (named === null) return findings;
	if (knowsTooMuch) catalog.forgetAllBut({ snapshots: names, bundles: named });
	for (const { id, path } of unnamed) if (!named.has(id)) files.remove(path);
	return findings;
}

function bundlesOnDisk(dir: string): { readonly id: BundleId; readonly path: string }[] {
	return (['sealed', 'volatile'] as const).flatMap((kind) => {
		const top = bundleFolder(dir, kind);
		return listNames(top).flatMap((prefix) => {
			if (!/^[0-9a-f]{2}$/.test(prefix)) return [];
			return listNames(join(top, prefix)).flatMap((name) => {
				const id = /^([0-9a-f]{64})\.zip$/.exec(name)?.[1] as BundleId | undefined;
				return id === undefined ? [] : [{ id, path: join(top, prefix, name) }];
			});
		});
	});
}

function removeTemporary({ dir, files }: Archive): void {
	const years = listNames(snapshotFolder(dir)).map((year) => join(snapshotFolder(dir), year));
	for (const folder of [dir, bundleFolder(dir, 'sealed'), bundleFolder(dir, 'volatile'), ...years]) {
		for (const name of listNames(folder)) if (isTemporaryName(name)) files.remove(join(folder, name));
	}
	for (const name of listNames(dir)) if (name.startsWith(`${CATALOG_FILE}.new`)) files.remove(join(dir, name));
}

/** Every bundle that any snapshot names; null where a snapshot is missing or cannot be read, since it may name any bundle. */
function namedBundles(dir: string): ReadonlySet<BundleId> | null {
	const { snapshots, unreadable, faults } = readChain(dir);
	if (unreadable.size > 0 || faults.some(({ code }) => code === SNAPSHOT_MISSING || code === SNAPSHOT_CHAIN)) return null;
	return bundlesNamedBy(snapshots);
}
