import { join } from 'node:path';
import type { BundleId, BundleRef, SnapshotName } from '../../domain/index.ts';
import { acquireLock } from '../../platform/index.ts';
import { currentCatalog } from '../current-catalog.ts';
import type { Archive } from '../open-archive.ts';
import type { Outcome } from '../results.ts';
import { snapshotNames } from '../snapshots.ts';
import { proveCopies } from './check.ts';
import { standingOf } from './compare.ts';
import { dropLocal } from './drop-local.ts';
import { type BundleCopy, listBundles, listSnapshotCopies } from './listing.ts';
import { openTarget, type Target } from './open-target.ts';
import { pruneTarget } from './prune.ts';
import { emptyRecord, readRecord, type TargetRecord, targetKey, writeRecord } from './record.ts';
import { shipMissing } from './ship-missing.ts';
import { damagedCopy, type SyncRequest, type SyncResult, type SyncState } from './sync-state.ts';

/** Ships what the target lacks, bundles first, snapshots last, and has it prove what it has. */
export async function sync(archive: Archive, request: SyncRequest): Promise<Outcome<SyncResult>> {
	archive.files.makeFolder(join(archive.dir, 'targets'));
	const lock = acquireLock(
		join(archive.dir, 'targets', `${targetKey(request.address)}.lock`),
		`the target "${request.store.place}" for this archive`,
	);
	try {
		return await syncLocked(archive, request);
	} finally {
		lock.release();
	}
}

async function syncLocked(archive: Archive, request: SyncRequest): Promise<Outcome<SyncResult>> {
	const started = performance.now();
	const { address, store, keys, signal, dryRun } = request;
	const before = readRecord(archive.dir, address);
	const record = before ?? emptyRecord(address);
	const target = await openTarget({ address, store, keys, create: true, known: before?.synced != null, dryRun, signal });
	const names = snapshotNames(archive.dir);
	const refs = await knownBundles(archive, request);
	const listed =
		target === null
			? { bundles: new Map<BundleId, BundleCopy[]>(), snapshots: new Map(), archives: new Set<string>() }
			: await list(target, archive.id, signal);
	const state: Omit<SyncState, 'target'> = {
		archive,
		request,
		refs,
		standing: new Map(),
		damaged: new Map(),
		known: new Map(record.copies),
		dropped: new Map(record.dropped),
		findings: [],
	};
	compareAll(state, listed.bundles, target?.encryption ?? 'none');
	const confirmed = state.standing.size;
	const there = new Set<SnapshotName>(listed.snapshots.get(archive.id)?.keys() ?? []);
	if (target === null) return { findings: [], result: plannedResult(state, { names, started, confirmed, proved: 0 }) };
	const all: SyncState = { ...state, target };
	const proved = request.check === null ? 0 : await proveCopies(all, request.check);
	if (dryRun) {
		const planned = plannedResult(state, { names: names.filter((name) => !there.has(name)), started, confirmed, proved });
		const dropped = request.dropLocal ? await dropLocal(all) : null;
		const pruned = request.prune === null ? null : await pruneTarget(all, { names, grace: request.prune.grace });
		return { findings: state.findings, result: { ...planned, dropped, pruned } };
	}
	try {
		const shipped = await shipMissing(all, { names, there, isKnownThere: listed.archives.has(archive.id) });
		const newest = names.filter((name) => there.has(name)).at(-1) ?? null;
		const synced = newest === null ? record.synced : { time: new Date(request.now).toISOString(), snapshot: newest };
		remember(all, { ...record, synced });
		const dropped = request.dropLocal ? await dropLocal(all) : null;
		const pruned = request.prune === null ? null : await pruneTarget(all, { names, grace: request.prune.grace });
		return {
			findings: state.findings,
			result: {
				target: store.place,
				confirmed,
				proved,
				...shipped,
				damaged: [...state.damaged.keys()].sort(),
				newest,
				pruned,
				dropped,
				seconds: (performance.now() - started) / 1000,
				dryRun,
			},
		};
	} catch (error) {
		// What was shipped before the end is confirmed by its MD5 the next time.
		remember(all, record);
		throw error;
	}
}

function remember(state: SyncState, record: TargetRecord): void {
	writeRecord(state.archive.files, state.archive.dir, { ...record, copies: state.known, dropped: state.dropped });
}

async function list(target: Target, archive: string, signal: AbortSignal) {
	const [bundles, rest] = await Promise.all([listBundles(target.store, signal), listSnapshotCopies(target.store, { archive, signal })]);
	return { bundles, ...rest };
}

/** Every bundle that any snapshot of the archive names: the catalog knows them without opening the snapshots. */
async function knownBundles(archive: Archive, { progress, signal }: SyncRequest): Promise<Map<BundleId, BundleRef>> {
	const catalog = await currentCatalog(archive, { progress, signal });
	try {
		return new Map(catalog.knownBundles().map((ref) => [ref.id, ref]));
	} finally {
		catalog.close();
	}
}

function compareAll(
	state: Omit<SyncState, 'target'>,
	copies: ReadonlyMap<BundleId, readonly BundleCopy[]>,
	encryption: Target['encryption'],
): void {
	for (const ref of state.refs.values()) {
		const known = state.known.get(ref.id);
		const standing = standingOf(ref, { copies: copies.get(ref.id) ?? [], known, encryption });
		if (standing.state === 'confirmed') state.standing.set(ref.id, standing.copy);
		if (standing.state !== 'damaged') continue;
		state.damaged.set(ref.id, standing.copy);
		state.findings.push(damagedCopy(ref, state.request.store.place, standing.text));
	}
}

function plannedResult(
	state: Omit<SyncState, 'target'>,
	{
		names,
		started,
		confirmed,
		proved,
	}: { readonly names: readonly SnapshotName[]; readonly started: number; readonly confirmed: number; readonly proved: number },
): SyncResult {
	const lacking = [...state.refs.values()].filter(({ id }) => !state.standing.has(id));
	return {
		target: state.request.store.place,
		confirmed,
		proved,
		shipped: lacking.length,
		shippedBytes: lacking.reduce((total, ref) => total + ref.size, 0),
		snapshots: names.length,
		damaged: [...state.damaged.keys()].sort(),
		newest: null,
		pruned: null,
		dropped: null,
		seconds: (performance.now() - started) / 1000,
		dryRun: true,
	};
}
