import { join } from 'node:path';
import { type Catalog, type CatalogState, catalogDamage } from '../catalog/index.ts';
import { MailsealError } from '../domain/index.ts';
import { listNames } from '../platform/index.ts';
import { bundleFolder } from './layout.ts';
import { chainHere } from './pruned-here.ts';
import { snapshotNames } from './snapshots.ts';

/** Snapshots that an archive must have had and has no more. */
export interface LostSnapshots {
	/** The snapshot's name, or where all are gone and none is known, the archive's folder. */
	readonly subject: string;
	/** What is the case, without a full stop. */
	readonly text: string;
	readonly hint: string;
}

/** What shows that snapshots are gone, or null. `opened`: the catalog as it lies on disk, null where none can be read. */
export function lostSnapshots(dir: string, opened: Catalog | null): LostSnapshots | null {
	const stood = opened === null ? undefined : stateOf(opened);
	// Listed after the catalog was opened: a pack that is committing writes its snapshot first.
	const names = snapshotNames(dir);
	if (stood != null && !names.includes(stood.name) && !chainHere(dir).pruned.has(stood.name)) {
		return {
			subject: stood.name,
			text: `its snapshot ${stood.name} is missing`,
			hint: 'put its snapshots back from a copy; to go on from the newest that is left, run "mailseal reindex"',
		};
	}
	if (stood === undefined && names.length === 0 && hasBundles(dir)) {
		return {
			subject: dir,
			text: 'it has bundles, but no snapshot, and no catalog that knows of one',
			hint: 'put its snapshots back from a copy; to begin anew, name another archive',
		};
	}
	return null;
}

/** Without the snapshots that it had, an archive would take its own bundles for left over. */
export function refuseLostSnapshots(dir: string, opened: Catalog | null): void {
	const lost = lostSnapshots(dir, opened);
	if (lost === null) return;
	throw new MailsealError('archive-damaged', `Cannot use the archive "${dir}": ${lost.text}`, {
		hint: lost.hint,
		details: { damage: 'snapshot-missing' },
	});
}

/** Undefined where the catalog cannot tell. */
function stateOf(catalog: Catalog): CatalogState | null | undefined {
	if (!catalog.usable) return undefined;
	try {
		return catalog.state();
	} catch (error) {
		if (catalogDamage(error)) return undefined;
		throw error;
	}
}

function hasBundles(dir: string): boolean {
	return (['sealed', 'volatile'] as const).some((kind) => {
		const top = bundleFolder(dir, kind);
		return listNames(top).some((prefix) => /^[0-9a-f]{2}$/.test(prefix) && listNames(join(top, prefix)).length > 0);
	});
}
