import type { BundleId, BundleKind, SnapshotName } from '../domain/index.ts';

/** Where everything lies in an archive; docs/format.md shows the tree. */
export const HEAD_FILE = 'mailseal.json';
export const CATALOG_FILE = 'catalog.sqlite';
export const LOCK_FILE = '.lock';
/** Items and headers that were fetched from a target; may be deleted. */
export const CACHE_FOLDER = 'cache';

/** `dir`: normalized. Not by join(), which takes longer than looking at the file does: a night asks for thousands of paths. */
function below(dir: string, rest: string): string {
	return `${dir}/${rest}`;
}

export function bundleFolder(dir: string, kind: BundleKind): string {
	return below(dir, `bundles/${kind}`);
}

export function bundlePath(dir: string, kind: BundleKind, id: BundleId): string {
	return below(dir, `bundles/${kind}/${id.slice(0, 2)}/${id}.zip`);
}

export function snapshotFolder(dir: string): string {
	return below(dir, 'snapshots');
}

export function snapshotPath(dir: string, name: SnapshotName): string {
	return below(dir, `snapshots/${name.slice(0, 4)}/${name}.json`);
}
