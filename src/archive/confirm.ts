import type { Catalog } from '../catalog/index.ts';
import type { BundleId, Finding } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';

/** Confirms by name and size that every bundle of the present state is there; gives how many sealed ones are, and those that are not. */
export function confirmBundles(
	archive: Archive,
	catalog: Pick<Catalog, 'bundles'>,
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
