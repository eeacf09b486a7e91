import { readFileSync } from 'node:fs';
import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleRef, type Finding, formatSize, MailsealError, type Snapshot, type SnapshotName } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { snapshotPath } from '../layout.ts';
import { eachParallel } from '../parallel.ts';
import { type BundleCopy, listBundles } from './listing.ts';
import { bundleBlob } from './names.ts';
import { shipArchiveHead, shipBundle, shipSnapshot } from './ship.ts';
import type { SyncState } from './sync-state.ts';

export interface ShipCounts {
	readonly shipped: number;
	readonly shippedBytes: number;
	readonly snapshots: number;
}

interface Tally {
	shipped: number;
	shippedBytes: number;
	snapshots: number;
	/** Bundles that this archive cannot give. */
	readonly failed: Set<string>;
}

/**
 * Ships every bundle that the target lacks, then each snapshot as soon as all that it names lies there, oldest first: whatever moment
 * this ends at, each snapshot at the target is complete. `there` gets the snapshots that arrived.
 */
export async function shipMissing(
	state: SyncState,
	options: { readonly names: readonly SnapshotName[]; readonly there: Set<SnapshotName>; readonly isKnownThere: boolean },
): Promise<ShipCounts> {
	const { names, there, isKnownThere } = options;
	const { refs, standing, request } = state;
	const tally: Tally = { shipped: 0, shippedBytes: 0, snapshots: 0, failed: new Set() };
	const waiting = readWaiting(
		state,
		names.filter((name) => !there.has(name)),
	);
	const later = new Set(waiting.flatMap(({ snapshot }) => snapshot.bundles.map(({ id }) => id)));
	const lacking = [...refs.values()].filter(({ id }) => !standing.has(id));
	request.progress.step('ship', sizeOfAll(lacking));
	// What snapshots that lie there already name, and lack: these are damaged as long as it is not there again.
	await shipAll(
		lacking.filter(({ id }) => !later.has(id)),
		{ state, tally },
	);
	for (const { name, snapshot, bytes } of waiting) {
		await shipAll(
			snapshot.bundles.filter(({ id }) => !standing.has(id)),
			{ state, tally },
		);
		if (snapshot.bundles.some(({ id }) => !standing.has(id))) {
			state.findings.push(incomplete(name, snapshot, state));
			continue;
		}
		if (!isKnownThere && tally.snapshots === 0) await shipArchiveHead({ ...request, archive: state.archive, target: state.target });
		await shipSnapshot(name, bytes, { ...request, archive: state.archive, target: state.target, replace: false });
		there.add(name);
		tally.snapshots++;
	}
	if (tally.snapshots > 0) await confirmOnceMore(state, waiting.at(-1)?.snapshot.bundles ?? [], tally);
	const { failed: _failed, ...counts } = tally;
	return counts;
}

interface Waiting {
	readonly name: SnapshotName;
	readonly snapshot: Snapshot;
	readonly bytes: Uint8Array;
}

function readWaiting({ archive, findings }: SyncState, names: readonly SnapshotName[]): Waiting[] {
	return names.flatMap((name) => {
		const path = snapshotPath(archive.dir, name);
		try {
			const bytes = readFileSync(path);
			return [{ name, bytes, snapshot: decodeSnapshot(name, bytes).snapshot }];
		} catch (error) {
			const known = asMailsealError(error, 'read', path);
			if (!(known instanceof MailsealError) || known.code !== 'archive-damaged') throw known;
			findings.push({
				code: 'snapshot-damaged',
				severity: 'error',
				subject: name,
				text: known.message,
				hint: 'put the file back with "mailseal repair --from" another target; it is not shipped',
			});
			return [];
		}
	});
}

async function shipAll(refs: readonly BundleRef[], { state, tally }: { readonly state: SyncState; readonly tally: Tally }): Promise<void> {
	const { archive, target, request, standing, damaged, known, findings } = state;
	await eachParallel(
		refs.filter(({ id }) => !tally.failed.has(id)),
		{
			width: request.transfers,
			signal: request.signal,
			async work(ref, signal) {
				const bad = damaged.get(ref.id);
				const shipped = await shipBundle(ref, { archive, target, progress: request.progress, signal, replace: bad !== undefined });
				if ('code' in shipped) {
					tally.failed.add(ref.id);
					findings.push(shipped);
					return;
				}
				tally.shipped++;
				tally.shippedBytes += shipped.bytes;
				if (Object.keys(shipped.copy).length > 0) known.set(ref.id, shipped.copy);
				else known.delete(ref.id);
				const sealedHash = shipped.copy.sealedHash ?? null;
				const name = bundleBlob(ref, sealedHash);
				standing.set(ref.id, { ...ref, name, sealedHash, size: shipped.bytes, modified: null, md5: shipped.copy.md5 ?? null });
				if (bad !== undefined && bad.name !== name) await removeDamaged(state, bad, signal);
			},
		},
	);
}

/** An age file that is damaged cannot be made again, only another one of the same bundle. Who may not delete leaves the damaged one. */
async function removeDamaged({ target, findings }: SyncState, copy: BundleCopy, signal: AbortSignal): Promise<void> {
	try {
		await target.store.remove(copy.name, signal);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'permission') throw error;
		findings.push({
			code: 'target-copy-left',
			severity: 'note',
			subject: copy.name,
			text: `The damaged copy stays beside the new one, since it may not be deleted: ${error.message}`,
		});
	}
}

/** Whoever pruned the target meanwhile may have taken a bundle that no snapshot named then. From now on one does. */
async function confirmOnceMore(state: SyncState, refs: readonly BundleRef[], tally: Tally): Promise<void> {
	const listed = await listBundles(state.target.store, state.request.signal);
	const gone = refs.filter(({ id }) => !listed.has(id));
	for (const { id } of gone) state.standing.delete(id);
	await shipAll(gone, { state, tally });
}

function incomplete(name: SnapshotName, snapshot: Snapshot, { standing, target }: SyncState): Finding {
	const lacking = snapshot.bundles.filter(({ id }) => !standing.has(id));
	return {
		code: 'snapshot-not-shipped',
		severity: 'error',
		subject: name,
		text: `Snapshot ${name} was not shipped to "${target.store.place}": ${lacking.length} of its bundles (${formatSize(sizeOfAll(lacking))}) are not there, the first is ${lacking[0]?.id}`,
		hint: 'bring these bundles back with "mailseal repair --from" another target, and sync again',
	};
}

function sizeOfAll(refs: readonly BundleRef[]): number {
	return refs.reduce((total, { size }) => total + size, 0);
}
