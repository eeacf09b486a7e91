import { readFileSync } from 'node:fs';
import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleRef, type Finding, formatSize, MailsealError, type Snapshot, type SnapshotName } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import { snapshotPath } from '../layout.ts';
import { eachParallel } from '../parallel.ts';
import type { SnapshotStanding } from './check-snapshot-copies.ts';
import { listBundles } from './listing.ts';
import { bundleBlob, type StoredName } from './names.ts';
import { readRecords, targetKey } from './record.ts';
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
	const { refs, standing, request } = state;
	const { there, damaged } = snapshots;
	const waiting = readWaiting(
		state,
		names.filter((name) => !there.has(name)),
	);
	const later = new Set(waiting.flatMap(({ snapshot }) => snapshot.bundles.map(({ id }) => id)));
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
	const shipped: BundleRef[] = [];
	for (const { name, snapshot, bytes } of waiting) {
		await shipAll(
			state,
			snapshot.bundles.filter(({ id }) => !standing.has(id)),
		);
		if (snapshot.bundles.some(({ id }) => !standing.has(id))) {
			state.findings.push(incomplete(name, snapshot, state));
			continue;
		}
		await shipHead();
		const bad = damaged.get(name);
		const blob = await shipSnapshot(name, bytes, { ...context, replace: bad !== undefined });
		if (bad !== undefined && bad.name !== blob) await removeDamaged(state, bad, request.signal);
		there.add(name);
		state.tally.snapshots++;
		for (const ref of snapshot.bundles) shipped.push(ref);
	}
	if (shipped.length > 0) await confirmOnceMore(state, shipped);
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

/** Ships bundles, in place of copies that were found damaged; what this archive cannot give is named once. */
export async function shipAll(state: SyncState, refs: readonly BundleRef[]): Promise<void> {
	const { archive, target, request, standing, damaged, known, findings, tally } = state;
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
					isOnlyThere: isOnlyAt(state, ref),
				});
				if ('code' in shipped) {
					tally.failed.add(ref.id);
					findings.push(shipped);
					return;
				}
				if (shipped.bytes > 0) tally.shipped++;
				tally.shippedBytes += shipped.bytes;
				if (Object.keys(shipped.copy).length > 0) known.set(ref.id, shipped.copy);
				else known.delete(ref.id);
				const sealedHash = shipped.copy.sealedHash ?? null;
				const name = bundleBlob(ref, sealedHash);
				standing.set(ref.id, { ...ref, name, sealedHash, size: shipped.size, modified: null, md5: shipped.copy.md5 ?? null });
				if (bad !== undefined && bad.name !== name) await removeDamaged(state, bad, signal);
			},
		},
	);
}

/** True where this target is the one that has the bundle: it cannot be shipped there from itself. */
function isOnlyAt({ archive, dropped, request }: SyncState, { id }: BundleRef): boolean {
	if (!dropped.has(id)) return false;
	const here = targetKey(request.address);
	return readRecords(archive.dir).every((record) => targetKey(record.address) === here || !record.dropped.has(id));
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
