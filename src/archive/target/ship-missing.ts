import { readFileSync } from 'node:fs';
import { decodeSnapshot } from '../../bundle/index.ts';
import {
	type BundleId,
	type BundleRef,
	type Finding,
	formatSize,
	MailsealError,
	type Snapshot,
	type SnapshotName,
} from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { snapshotPath } from '../layout.ts';
import { eachParallel } from '../parallel.ts';
import { isDamage } from '../read-stored.ts';
import type { SnapshotStanding } from './check-snapshot-copies.ts';
import { listBundles } from './listing.ts';
import { bundleBlob, type StoredName } from './names.ts';
import { shipArchiveHead, shipBundle, shipSnapshot } from './ship.ts';
import type { SyncState } from './sync-state.ts';

/**
 * Ships every bundle that the target lacks, then each snapshot as soon as all that it names lies there, oldest first: whatever moment
 * this ends at, each snapshot at the target is complete. `snapshots.there` gets those that arrived.
 */
export async function shipMissing(
	state: SyncState,
	{ names, snapshots }: { readonly names: readonly SnapshotName[]; readonly snapshots: SnapshotStanding },
): Promise<void> {
	const { refs, standing, request, prunedHere } = state;
	const { there, damaged } = snapshots;
	const waiting: SnapshotName[] = [];
	const later = new Set<BundleId>();
	// One after another: a year of snapshots of a hundred thousand bundles does not fit into memory.
	for (const name of names.filter((one) => !there.has(one))) {
		const read = readWaiting(state, name);
		if (read === null) continue;
		waiting.push(name);
		for (const { id } of read.snapshot.bundles) later.add(id);
	}
	const lacking = [...refs.values()].filter(({ id }) => !standing.has(id));
	request.progress.step('ship', sizeOfAll(lacking));
	// What snapshots that lie there already name, and lack: these are damaged as long as it is not there again.
	await shipAll(
		state,
		lacking.filter(({ id }) => !later.has(id)),
	);
	const context = { ...request, archive: state.archive, target: state.target };
	let isHeadThere = snapshots.head === 'there';
	async function shipHead(): Promise<void> {
		if (!isHeadThere) await shipArchiveHead(context, { replace: snapshots.head === 'damaged' });
		isHeadThere = true;
	}
	if (there.size > 0) await shipHead();
	const shipped = new Map<BundleId, BundleRef>();
	for (const name of waiting) {
		const read = readWaiting(state, name);
		if (read === null) continue;
		const { snapshot, bytes } = read;
		await shipAll(
			state,
			snapshot.bundles.filter(({ id }) => !standing.has(id)),
		);
		if (snapshot.bundles.some(({ id }) => !standing.has(id))) {
			if (!prunedHere.isPruned(name)) state.findings.push(incomplete(name, snapshot, state));
			continue;
		}
		await shipHead();
		const bad = damaged.get(name);
		const blob = await shipSnapshot(name, bytes, { ...context, replace: bad !== undefined });
		if (bad !== undefined && bad.name !== blob) await removeDamaged(state, bad, request.signal);
		there.add(name);
		state.tally.snapshots++;
		for (const ref of snapshot.bundles) shipped.set(ref.id, ref);
	}
	if (shipped.size > 0) await confirmOnceMore(state, [...shipped.values()]);
}

/** Bundles shipped between two times that what is known is written down. */
const REMEMBER_EVERY = 64;

/** A snapshot as it lies here; null where it was pruned since, and with a finding where it is damaged. */
function readWaiting(
	{ archive, findings, prunedHere }: SyncState,
	name: SnapshotName,
): { readonly snapshot: Snapshot; readonly bytes: Uint8Array } | null {
	const path = snapshotPath(archive.dir, name);
	try {
		const bytes = readFileSync(path);
		return { bytes, snapshot: decodeSnapshot(name, bytes).snapshot };
	} catch (error) {
		const known = asMailsealError(error, 'read', path);
		if (!isDamage(known)) throw known;
		if (known.code === 'not-found') {
			if (prunedHere.isPruned(name)) return null;
			throw known;
		}
		findings.push({
			code: 'snapshot-damaged',
			severity: 'error',
			subject: name,
			text: known.message,
			hint: 'put the file back with "mailseal repair --from" another target; it is not shipped',
		});
		return null;
	}
}

/** Ships bundles, in place of copies that were found damaged; what this archive cannot give is named once. */
export async function shipAll(state: SyncState, refs: readonly BundleRef[]): Promise<void> {
	const { archive, target, request, standing, damaged, known, findings, tally, elsewhere, prunedHere } = state;
	await eachParallel(
		refs.filter(({ id }) => !tally.failed.has(id)),
		{
			width: request.transfers,
			signal: request.signal,
			async work(ref, signal) {
				const bad = damaged.get(ref.id);
				const shipped = await shipBundle(ref, {
					archive,
					target,
					progress: request.progress,
					signal,
					replace: bad !== undefined,
					isOnlyThere: !elsewhere.has(ref.id),
				});
				if ('code' in shipped) {
					tally.failed.add(ref.id);
					if (prunedHere.isNamed(ref.id)) findings.push(shipped);
					return;
				}
				if (shipped.bytes > 0) tally.shipped++;
				tally.shippedBytes += shipped.bytes;
				if (Object.keys(shipped.copy).length > 0) known.set(ref.id, shipped.copy);
				else known.delete(ref.id);
				// What an age file holds that this host shipped, nobody can tell it afterwards.
				if (tally.shipped % REMEMBER_EVERY === 0) state.remember();
				const sealedHash = shipped.copy.sealedHash ?? null;
				const name = bundleBlob(ref, sealedHash);
				standing.set(ref.id, { ...ref, name, sealedHash, size: shipped.size, modified: null, md5: shipped.copy.md5 ?? null });
				if (bad !== undefined && bad.name !== name) await removeDamaged(state, bad, signal);
			},
		},
	);
}

/** An age file that is damaged cannot be made again, only another one of the same bundle. Who may not delete leaves the damaged one. */
async function removeDamaged({ target, findings }: SyncState, copy: StoredName, signal: AbortSignal): Promise<void> {
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
async function confirmOnceMore(state: SyncState, refs: readonly BundleRef[]): Promise<void> {
	const listed = await listBundles(state.target.store, state.request.signal);
	const gone = new Map(refs.filter(({ id }) => !listed.has(id)).map((ref) => [ref.id, ref]));
	for (const id of gone.keys()) state.standing.delete(id);
	await shipAll(state, [...gone.values()]);
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
