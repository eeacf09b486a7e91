import { join } from 'node:path';
import type { Catalog } from '../catalog/index.ts';
import type { BundleId, Finding } from '../domain/index.ts';
import { isTemporaryName, listNames, sizeOf } from '../platform/index.ts';
import { noteSnapshots } from './current-catalog.ts';
import { bundleFolder, bundlePath, snapshotFolder } from './layout.ts';
import type { Archive } from './open-archive.ts';

/** Confirms by name and size that every bundle of the present state is there. */
export function confirmBundles(archive: Archive, catalog: Catalog): { readonly sealed: number; readonly findings: Finding[] } {
	const findings: Finding[] = [];
	let sealed = 0;
	for (const { id, kind, size } of catalog.bundles()) {
		const found = sizeOf(bundlePath(archive.dir, kind, id));
		if (found === size) {
			if (kind === 'sealed') sealed++;
			continue;
		}
		findings.push({
			code: found === null ? 'bundle-missing' : 'bundle-size',
			severity: 'error',
			subject: id,
			text: found === null ? `The ${kind} bundle ${id} is missing` : `The ${kind} bundle ${id} has ${found} bytes (${size} are right)`,
			hint: 'put the bundle back from a copy of the archive',
		});
	}
	return { sealed, findings };
}

/** Removes what a pack that was cut off left behind: temporary files, and bundles that no snapshot names. The caller holds the lock. */
export function removeLeftovers(archive: Archive, catalog: Catalog): Finding[] {
	const findings = noteSnapshots(archive, catalog);
	const { dir, files } = archive;
	const folders = [dir, ...listNames(snapshotFolder(dir)).map((year) => join(snapshotFolder(dir), year))];
	for (const kind of ['sealed', 'volatile'] as const) {
		const top = bundleFolder(dir, kind);
		for (const prefix of listNames(top)) {
			if (isTemporaryName(prefix)) files.remove(join(top, prefix));
			// A snapshot that cannot be read may name any bundle: nothing is removed until it is back.
			if (!/^[0-9a-f]{2}$/.test(prefix) || findings.length > 0) continue;
			for (const name of listNames(join(top, prefix))) {
				const id = /^([0-9a-f]{64})\.zip$/.exec(name)?.[1];
				if (id !== undefined && !catalog.knowsBundle(id as BundleId)) files.remove(join(top, prefix, name));
			}
		}
	}
	for (const folder of folders) {
		for (const name of listNames(folder)) if (isTemporaryName(name)) files.remove(join(folder, name));
	}
	return findings;
}
