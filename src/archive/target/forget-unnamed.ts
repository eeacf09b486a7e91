import type { BundleId, SnapshotName } from '../../domain/index.ts';
import type { Chain } from '../pruned-here.ts';
import { isDamage } from '../read-stored.ts';
import { readSnapshot } from '../snapshots.ts';
import type { SyncState } from './sync-state.ts';

/**
 * Forgets of dropped bundles and of copies what no snapshot needs since a prune: a bundle on record would count as there when nothing keeps
 * it at the target. Only where no snapshot is missing here that might name them.
 */
export function forgetUnnamed(
	{ archive, refs, known, dropped }: SyncState,
	{ chain, isComplete, listed }: { readonly chain: Chain; readonly isComplete: boolean; readonly listed: ReadonlyMap<BundleId, unknown> },
): void {
	if (chain.record === null || !isComplete) return;
	const unnamed = [...dropped.keys()].filter((id) => !refs.has(id));
	if (unnamed.length > 0 && isWhole(archive.dir, chain)) for (const id of unnamed) dropped.delete(id);
	for (const id of [...known.keys()]) if (!refs.has(id) && !dropped.has(id) && !listed.has(id)) known.delete(id);
}

/** True where everything is here that must be: what the record lists as kept, and what the newest snapshot leads to down to the record. */
function isWhole(dir: string, { names, record, kept }: Chain): boolean {
	const here = new Set(names);
	if (!kept.every((name) => here.has(name))) return false;
	try {
		for (let name: SnapshotName | undefined = names.at(-1); name !== record; ) {
			if (name === undefined) return false;
			name = readSnapshot(dir, name).snapshot.parent?.name;
		}
		return true;
	} catch (error) {
		if (!isDamage(error)) throw error;
		return false;
	}
}
