import type { SnapshotName } from '../../domain/index.ts';
import type { Chain } from '../pruned-here.ts';
import { readSnapshot } from '../snapshots.ts';
import type { SnapshotCopy } from './listing.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import { isPoorCopy } from './sealing.ts';
import { namedBefore, prunedThere, snapshotsLost, targetIsNewer, unknownHere } from './set-back.ts';
import type { SyncState } from './sync-state.ts';

/**
 * Tells of snapshots of this archive that lie at the target and not here; true where nothing here follows one of them, so that no other may be
 * shipped beside it. What no copy proves to be a snapshot is named, and does not count.
 */
export async function lookForOthers(
	state: SyncState,
	{ chain, copies }: { readonly chain: Chain; readonly copies: ReadonlyMap<SnapshotName, readonly SnapshotCopy[]> },
): Promise<boolean> {
	const { archive, target, findings, request } = state;
	const here = new Set(chain.names);
	if ([...copies.keys()].every((name) => here.has(name))) return false;
	// Where all was pruned, as after each prune at a target that keeps everything, nothing is read to tell it.
	const isAllKnown = [...copies.keys()].every((name) => here.has(name) || chain.pruned.has(name));
	const parents = new Set(isAllKnown ? [] : chain.names.flatMap((name) => before(archive.dir, name)));
	const { pruned, lost, strange } = unknownHere(chain, { there: copies.keys(), parents });
	if (pruned.length > 0 && request.prune === null) findings.push(prunedThere(target.store.place, pruned));
	const proved: SnapshotName[] = [];
	for (const name of strange) if (await isSnapshot(state, { name, copies: copies.get(name) ?? [] })) proved.push(name);
	if (lost.length > 0) findings.push(snapshotsLost(target.store.place, lost));
	if (proved.length > 0) findings.push(targetIsNewer(target.store.place, proved));
	return proved.length > 0;
}

function before(dir: string, name: SnapshotName): SnapshotName[] {
	try {
		return namedBefore(readSnapshot(dir, name).snapshot);
	} catch (error) {
		// It is told by whoever ships it.
		if (isPoorCopy(error)) return [];
		throw error;
	}
}

/** False, with a finding, for a file under a snapshot's name that is none. Where this host cannot open it, it counts as one. */
async function isSnapshot(
	{ target, request, findings }: SyncState,
	{ name, copies }: { readonly name: SnapshotName; readonly copies: readonly SnapshotCopy[] },
): Promise<boolean> {
	if (target.encryption === 'age' && target.keys.identities.length === 0) return true;
	try {
		await readSnapshotBlob(target, { name, copies, signal: request.signal });
		return true;
	} catch (error) {
		if (!isPoorCopy(error)) throw error;
		findings.push({
			code: 'target-snapshot-foreign',
			severity: 'error',
			subject: name,
			text: `What lies at "${target.store.place}" as ${copies[0]?.name} is no snapshot of this archive: ${error.message}`,
			hint: 'find out who put it there, and delete it',
		});
		return false;
	}
}
