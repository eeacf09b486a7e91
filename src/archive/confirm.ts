import { join } from 'node:path';
import type { Catalog } from '../catalog/index.ts';
import { type BundleId, type Finding, MailsealError } from '../domain/index.ts';
import { isTemporaryName, listNames, sizeOf } from '../platform/index.ts';
import { noteSnapshots } from './current-catalog.ts';
import { bundleFolder, bundlePath, CATALOG_FILE, snapshotFolder } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { readSnapshot, snapshotNames } from './snapshots.ts';

/** Confirms by name and size that every bundle of the present state is there; gives how many sealed ones are, and those that are not. */
export function confirmBundles(
	archive: Archive,
	catalog: Catalog,
): { readonly sealed: number; readonly missing: ReadonlySet<BundleId>; readonly findings: Finding[] } {
	const findings: Finding[] = [];
	const missing = new Set<BundleId>();
	let sealed = 0;
	for (const { id, kind, size } of catalog.bundles()) {
		const found = sizeOf(bundlePath(archive.dir, kind, id));
		// What a target proved before it was dropped here counts as there.
		if (found === size || (found === null && archive.offsite.has(id))) {
			if (kind === 'sealed') sealed++;
			continue;
		}
		missing.add(id);
		findings.push({
			code: found === null ? 'bundle-missing' : 'bundle-size',
			severity: 'error',
			subject: id,
			text: found === null ? `The ${kind} bundle ${id} is missing` : `The ${kind} bundle ${id} has ${found} bytes (${size} are right)`,
			hint: 'put the bundle back with "mailseal repair --from TARGET"; "mailseal pack --rescan" stores again what the mail store still has',
		});
	}
	return { sealed, missing, findings };
}

/** Removes what a pack that was cut off left behind: temporary files, and bundles that no snapshot names. The caller holds the lock. */
export function removeLeftovers(archive: Archive, catalog: Catalog): Finding[] {
	const findings = noteSnapshots(archive, catalog);
	const { dir, files } = archive;
	const folders = [dir, ...listNames(snapshotFolder(dir)).map((year) => join(snapshotFolder(dir), year))];
	const unknown: { readonly id: BundleId; readonly path: string }[] = [];
	for (const kind of ['sealed', 'volatile'] as const) {
		const top = bundleFolder(dir, kind);
		folders.push(top);
		for (const prefix of listNames(top)) {
			if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
			for (const name of listNames(join(top, prefix))) {
				const id = /^([0-9a-f]{64})\.zip$/.exec(name)?.[1] as BundleId | undefined;
				if (id !== undefined && !catalog.knowsBundle(id)) unknown.push({ id, path: join(top, prefix, name) });
			}
		}
	}
	for (const folder of folders) {
		for (const name of listNames(folder)) if (isTemporaryName(name)) files.remove(join(folder, name));
	}
	for (const name of listNames(dir)) if (name.startsWith(`${CATALOG_FILE}.new`)) files.remove(join(dir, name));
	if (unknown.length === 0) return findings;
	// The catalog is a cache that may have forgotten something; only the snapshots themselves say which bundle none of them names.
	const named = namedBundles(dir);
	if (named !== null) for (const { id, path } of unknown) if (!named.has(id)) files.remove(path);
	return findings;
}

/** Every bundle that any snapshot names; null where a snapshot is missing or cannot be read, since it may name any bundle. */
function namedBundles(dir: string): ReadonlySet<BundleId> | null {
	const named = new Set<BundleId>();
	const names = new Set(snapshotNames(dir));
	for (const name of names) {
		try {
			const { bundles, parent } = readSnapshot(dir, name).snapshot;
			if (parent !== null && !names.has(parent.name)) return null;
			for (const { id } of bundles) named.add(id);
		} catch (error) {
			if (error instanceof MailsealError && error.code === 'archive-damaged') return null;
			throw error;
		}
	}
	return named;
}
