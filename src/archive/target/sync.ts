import { join } from 'node:path';
import { type BundleId, type BundleRef, MailsealError, type SnapshotName } from '../../domain/index.ts';
import { acquireLock, isThere, monotonic, sizeOf } from '../../platform/index.ts';
import { bundlePath } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { chainHere, openPrunedHere } from '../pruned-here.ts';
import { isDamage } from '../read-stored.ts';
import type { Outcome } from '../results.ts';
import { readSnapshot } from '../snapshots.ts';
import { proveCopies } from './check.ts';
import { checkSnapshotCopies } from './check-snapshot-copies.ts';
import { sizeProblem, standingOf } from './compare.ts';
import { dropLocal, originOf, plannedDrop } from './drop-local.ts';
import { forgetUnnamed } from './forget-unnamed.ts';
import { knownBundles } from './known-bundles.ts';
import { type BundleCopy, type Listing, listBundles, listSnapshotCopies, type SnapshotCopy } from './listing.ts';
import { lookForOthers } from './look-for-others.ts';
import { openTarget, type Target } from './open-target.ts';
import { pruneTarget } from './prune.ts';
import { bundlesElsewhere, emptyRecord, readRecord, recordsFolder, type TargetRecord, targetKey, writeRecord } from './record.ts';
import { shipMissing } from './ship-missing.ts';
import { damagedCopy, type SyncRequest, type SyncResult, type SyncState } from './sync-state.ts';

/** Ships what the target lacks, bundles first, snapshots last, and has it prove what it has. */
export async function sync(archive: Archive, request: SyncRequest): Promise<Outcome<SyncResult>> {
	archive.files.makeFolder(recordsFolder(archive.dir));
	const lock = acquireLock(
		join(recordsFolder(archive.dir), `${targetKey(request.address)}.lock`),
		`the target "${request.store.place}" for this archive`,
	);
	try {
		return await syncLocked(archive, request);
	} finally {
		lock.release();
	}
}

async function syncLocked(archive: Archive, request: SyncRequest): Promise<Outcome<SyncResult>> {
	const started = monotonic();
	const { address, store, keys, signal, dryRun } = request;
	const before = readRecord(archive.dir, address);
	let record = before ?? emptyRecord(address);
	const target = await openTarget({ address, store, keys, create: true, known: before !== null, dryRun, signal });
	// From now on an empty place there is a disk that is not mounted.
	if (before === null && target !== null && !dryRun) writeRecord(archive.files, archive.dir, record);
	const chain = chainHere(archive.dir);
	const prunedHere = openPrunedHere(archive.dir, chain);
	const { names } = chain;
	const { refs, isComplete } = await knownBundles(archive, { chain, prunedHere, request });
	const listed = target === null ? NOTHING_LISTED : await list(target, archive.id, signal);
	const state: Omit<SyncState, 'target'> = {
		archive,
		request,
		refs,
		prunedHere,
		standing: new Map(),
		damaged: new Map(),
		known: new Map(record.copies),
		dropped: new Map(record.dropped),
		findings: [],
		tally: { shipped: 0, shippedBytes: 0, snapshots: 0, failed: new Set() },
		elsewhere: bundlesElsewhere(archive.dir, address),
		remember: () => {},
	};
	compareAll(state, listed.bundles, target?.encryption ?? 'none');
	if (target === null) {
		const dropped = request.dropLocal ? plannedDrop(state) : null;
		return { findings: [], result: { ...plannedResult(state, { names, started }), dropped } };
	}
	const all: SyncState = { ...state, target, remember: () => rememberNevertheless(all, record) };
	const replaced = await nameReplaced(all);
	await reconsider(all);
	const confirmed = state.standing.size;
	try {
		const proved = request.check === null ? 0 : await proveCopies(all, request.check);
		const copies = listed.snapshots.get(archive.id) ?? new Map<SnapshotName, readonly SnapshotCopy[]>();
		const head = listed.heads.get(archive.id);
		const snapshots = await checkSnapshotCopies(all, { names, copies, head }, request.check);
		const isForked = await lookForOthers(all, { chain, copies });
		forgetUnnamed(all, { chain, isComplete, listed: listed.bundles });
		const lacking = isForked ? [] : names.filter((name) => !snapshots.there.has(name));
		const prune = () => (request.prune === null ? null : pruneTarget(all, { chain, there: snapshots.there, grace: request.prune.grace }));
		if (dryRun) {
			const planned = plannedResult(state, { names: lacking, started });
			const dropped = request.dropLocal ? plannedDrop(state) : null;
			return { findings: state.findings, result: { ...planned, confirmed, proved, dropped, pruned: await prune() } };
		}
		await shipMissing(all, { names: lacking, snapshots });
		forgetLost(all, replaced);
		if (!request.dropLocal) nameMissingHere(all);
		const newest = newestWhole(
			all,
			names.filter((name) => snapshots.there.has(name)),
		);
		if (newest !== null) record = { ...record, synced: { time: new Date(request.now).toISOString(), snapshot: newest } };
		remember(all, record);
		const dropped = request.dropLocal ? await dropLocal(all) : null;
		const pruned = await prune();
		const { shipped, shippedBytes, snapshots: arrived } = all.tally;
		return {
			findings: state.findings,
			result: {
				target: store.place,
				confirmed,
				proved,
				shipped,
				shippedBytes,
				snapshots: arrived,
				damaged: [...state.damaged.keys()].sort(),
				newest,
				pruned,
				dropped,
				seconds: (monotonic() - started) / 1000,
				dryRun,
			},
		};
	} catch (error) {
		if (!dryRun) rememberNevertheless(all, record);
		throw error;
	}
}

function remember(state: SyncState, record: TargetRecord): void {
	writeRecord(state.archive.files, state.archive.dir, { ...record, copies: state.known, dropped: state.dropped });
}

/** What was shipped before the end is confirmed by its MD5 the next time. */
function rememberNevertheless(state: SyncState, record: TargetRecord): void {
	try {
		remember(state, record);
	} catch (error) {
		// What ended the sync is what is told.
		if (!(error instanceof MailsealError)) throw error;
	}
}

/** A bundle that was dropped here and is not whole there either is missing: a pack stores again what the mail store still has of it. */
function forgetLost({ dropped, refs, standing }: SyncState, replaced: ReadonlySet<BundleId>): void {
	for (const id of [...dropped.keys()]) if (refs.has(id) && !standing.has(id) && !replaced.has(id)) dropped.delete(id);
}

const NOTHING_LISTED: Listing = { bundles: new Map(), snapshots: new Map(), heads: new Map() };

async function list(target: Target, archive: string, signal: AbortSignal): Promise<Listing> {
	const [bundles, rest] = await Promise.all([listBundles(target.store, signal), listSnapshotCopies(target.store, { archive, signal })]);
	return { bundles, ...rest };
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

/**
 * The copy that this host shipped is gone, and another's stands in its place, in which anything may be. Where the bundle is here, its own is
 * shipped again; where it is not, the other one counts if it can be opened and is right, and else that is an alarm. Gives those of which
 * nothing is known: they are not missed for certain.
 */
async function nameReplaced(state: SyncState): Promise<ReadonlySet<BundleId>> {
	const { archive, standing, known, refs, target, findings, request, prunedHere } = state;
	const replaced = new Set<BundleId>();
	const others = [...standing].flatMap(([id, copy]) => {
		const own = known.get(id)?.sealedHash;
		const ref = refs.get(id);
		return own === undefined || ref === undefined || copy.sealedHash === own ? [] : [{ ref, copy }];
	});
	await eachParallel(others, {
		width: request.transfers,
		signal: request.signal,
		async work({ ref, copy }, signal) {
			if (sizeOf(bundlePath(archive.dir, ref.kind, ref.id)) === ref.size) {
				standing.delete(ref.id);
				return;
			}
			const origin = await originOf(state, { ref, copy, signal });
			if (origin === 'opened' && copy.sealedHash !== null) known.set(ref.id, { sealedHash: copy.sealedHash, size: copy.size });
			if (origin !== 'unknown' || !prunedHere.isNamed(ref.id)) return;
			standing.delete(ref.id);
			replaced.add(ref.id);
			findings.push({
				code: 'target-copy-replaced',
				severity: 'error',
				subject: ref.id,
				text: `The copy of the ${ref.kind} bundle ${ref.id} that this host shipped to "${target.store.place}" is gone, and another is there, of which this host cannot tell what is in it`,
				hint: 'find out who writes there; run the sync with --identity FILE, which opens the other copy and tells whether it is right, or bring the bundle back with "mailseal repair --from"',
			});
		},
	});
	return replaced;
}

/** Sealed bundles that are not here and on no record: lost here, or the record was, or the target was not whole for a night. */
function nameMissingHere({ archive, refs, standing, dropped, findings, target, prunedHere }: SyncState): void {
	const missing = [...refs.values()].filter(({ id, kind }) => {
		if (kind !== 'sealed' || !standing.has(id) || dropped.has(id)) return false;
		return !isThere(bundlePath(archive.dir, kind, id)) && !archive.offsite.has(id) && prunedHere.isNamed(id);
	});
	const [first] = missing;
	if (first === undefined) return;
	findings.push({
		code: 'bundles-missing-here',
		severity: 'error',
		subject: first.id,
		text: `${missing.length} sealed bundles are missing here and lie at "${target.store.place}", the first is ${first.id}`,
		hint: 'bring them back with "mailseal repair --from" the target, or leave them there for good with "mailseal sync --drop-local"',
	});
}

/** The newest of these snapshots of which every bundle stands at the target. */
function newestWhole({ archive, standing }: SyncState, names: readonly SnapshotName[]): SnapshotName | null {
	for (const name of [...names].reverse()) {
		const bundles = bundlesNamedBy(archive, name);
		if (bundles?.every(({ id }) => standing.has(id)) === true) return name;
	}
	return null;
}

/** Null where the snapshot cannot be read here, or was pruned since. */
function bundlesNamedBy({ dir }: Archive, name: SnapshotName): readonly BundleRef[] | null {
	try {
		return readSnapshot(dir, name).snapshot.bundles;
	} catch (error) {
		if (!isDamage(error)) throw error;
		return null;
	}
}

/** A copy whose MD5 is another may be whole: some stores change their entity tags when they encrypt anew. Its bytes decide. */
async function reconsider(state: SyncState): Promise<void> {
	const { damaged, standing, known, refs, request, findings } = state;
	const doubtful = [...damaged].flatMap(([id, copy]) => {
		const ref = refs.get(id);
		return ref !== undefined && sizeProblem(copy, ref.size) === null ? [{ ref, copy }] : [];
	});
	const whole = new Set<string>();
	await eachParallel(doubtful, {
		width: request.transfers,
		signal: request.signal,
		async work({ ref, copy }, signal) {
			const proof = await state.target.store.prove(copy.name, { size: copy.size, sha256: copy.sealedHash ?? ref.id, md5: null }, signal);
			if (proof.state !== 'intact') return;
			const { md5: _md5, ...rest } = known.get(ref.id) ?? {};
			known.set(ref.id, rest);
			damaged.delete(ref.id);
			standing.set(ref.id, copy);
			whole.add(ref.id);
		},
	});
	const told = findings.filter(({ subject }) => !whole.has(subject));
	findings.splice(0, findings.length, ...told);
}

function plannedResult(
	state: Omit<SyncState, 'target'>,
	{ names, started }: { readonly names: readonly SnapshotName[]; readonly started: number },
): SyncResult {
	const lacking = [...state.refs.values()].filter(({ id }) => !state.standing.has(id));
	return {
		target: state.request.store.place,
		confirmed: 0,
		proved: 0,
		shipped: lacking.length,
		shippedBytes: lacking.reduce((total, ref) => total + ref.size, 0),
		snapshots: names.length,
		damaged: [...state.damaged.keys()].sort(),
		newest: null,
		pruned: null,
		dropped: null,
		seconds: (monotonic() - started) / 1000,
		dryRun: true,
	};
}
