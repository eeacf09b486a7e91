import { join } from 'node:path';
import type { BundleId, BundleKind, SnapshotName } from '../domain/index.ts';

/** Where everything lies in an archive; docs/format.md shows the tree. */
export const HEAD_FILE = 'mailseal.json';
export const CATALOG_FILE = 'catalog.sqlite';
export const LOCK_FILE = '.lock';
/** Items and headers that were fetched from a target; may be deleted. */
export const CACHE_FOLDER = 'cache';

export function bundleFolder(dir: string, kind: BundleKind): string {
	return join(dir, 'bundles', kind);
}

export function bundlePath(dir: string, kind: BundleKind, id: BundleId): string {
	return join(bundleFolder(dir, kind), id.slice(0, 2), `${id}.zip`);
}

export function snapshotFolder(dir: string): string {
	return join(dir, 'snapshots');
}

export function snapshotPath(dir: string, name: SnapshotName): string {
	return join(snapshotFolder(dir), name.slice(0, 4), `${name}.json`);
}
