import { type BundleId, type BundleRef, MailsealError } from '../../domain/index.ts';
import { isThere, sizeOf } from '../../platform/index.ts';
import { bundlePath } from '../layout.ts';
import { eachParallel } from '../parallel.ts';
import { proveCopy } from './check.ts';
import { digestOf } from './content.ts';
import { type BundleCopy, listBundles } from './listing.ts';
import { readRecord, writeRecord } from './record.ts';
import { isPoorCopy, readBlob } from './sealing.ts';
import { shipAll } from './ship-missing.ts';
import { type Dropped, damagedCopy, type SyncState } from './sync-state.ts';

/** A bundle that may go here, and the copy that stays. */
interface Planned {
	readonly ref: BundleRef;
	readonly copy: BundleCopy;
	/** False for one that is gone already, and on no record: as after the record was lost. */
	readonly isHere: boolean;
}

/**
 * Removes sealed bundles here that the target has proved just now. What is removed is on record before the first file goes: a pack takes
 * a bundle on record for one that is there. A copy that turns out to be damaged is shipped again, and its bundle stays here.
 */
export async function dropLocal(state: SyncState): Promise<Dropped> {
	const removed: Planned[] = [];
	const plan = planDrop(state);
	state.request.progress.step('prove', plan.length);
	// Proving takes its time: what was proved is let go before the rest, so that a run which is cut off did something.
	for (let start = 0; start < plan.length; start += BATCH) {
		const { proved, damaged } = await provePlan(state, plan.slice(start, start + BATCH));
		await shipAll(state, damaged);
		removed.push(...(await remove(state, proved)));
	}
	return summaryOf(removed.filter(({ isHere }) => isHere));
}

/** Bundles proved before the first of them is removed. */
const BATCH = 256;

async function remove(state: SyncState, proved: readonly Planned[]): Promise<readonly Planned[]> {
	const { archive, dropped, known, request, target, prunedHere } = state;
	if (proved.length === 0) return [];
	// Whoever pruned the target meanwhile may have planned that before this archive's snapshot was there.
	const listed = await listBundles(target.store, request.signal);
	const lock = archive.lock();
	try {
		// A prune of the archive may have come between: what nothing needs any more must not be on record, since nothing keeps it there.
		const there = proved.filter(({ ref }) => listed.has(ref.id) && prunedHere.isNamed(ref.id));
		for (const { ref } of there) dropped.set(ref.id, ref.size);
		const record = readRecord(archive.dir, request.address);
		if (record === null) throw new Error('a sync remembers its target before it drops anything');
		writeRecord(archive.files, archive.dir, { ...record, copies: known, dropped });
		for (const { ref } of there) archive.files.remove(bundlePath(archive.dir, ref.kind, ref.id));
		return there;
	} finally {
		lock.release();
	}
}

/** What dropLocal() would remove once all that is lacking was shipped: proves nothing. */
export function plannedDrop(state: Pick<SyncState, 'archive' | 'refs' | 'findings'>): Dropped {
	if (isSomethingWrong(state)) return summaryOf([]);
	return summaryOf([...state.refs.values()].flatMap((ref) => (ref.kind === 'sealed' && isWholeHere(state, ref) ? [{ ref }] : [])));
}

function summaryOf(plan: readonly Pick<Planned, 'ref'>[]): Dropped {
	return { bundles: plan.length, bytes: plan.reduce((total, { ref }) => total + ref.size, 0) };
}

/** With something wrong, two copies are better than one. */
function isSomethingWrong({ findings }: Pick<SyncState, 'findings'>): boolean {
	return findings.some(({ severity }) => severity === 'error');
}

function isWholeHere({ archive }: Pick<SyncState, 'archive'>, ref: BundleRef): boolean {
	return sizeOf(bundlePath(archive.dir, ref.kind, ref.id)) === ref.size;
}

/** Sealed bundles that a snapshot at the target needs, so that no prune there takes them. */
function planDrop(state: SyncState): Planned[] {
	const { archive, refs, standing, dropped } = state;
	if (isSomethingWrong(state)) return [];
	return [...refs.values()].flatMap((ref): Planned[] => {
		const copy = standing.get(ref.id);
		if (ref.kind !== 'sealed' || copy === undefined) return [];
		if (isWholeHere(state, ref)) return [{ ref, copy, isHere: true }];
		const isUnknown = !dropped.has(ref.id) && !isThere(bundlePath(archive.dir, ref.kind, ref.id));
		return isUnknown ? [{ ref, copy, isHere: false }] : [];
	});
}

async function provePlan(
	state: SyncState,
	plan: readonly Planned[],
): Promise<{ readonly proved: readonly Planned[]; readonly damaged: readonly BundleRef[] }> {
	const { request, findings, standing } = state;
	const proved = new Set<BundleId>();
	let foreign = 0;
	await eachParallel(plan, {
		width: request.transfers,
		signal: request.signal,
		async work({ ref, copy }, signal) {
			const whose = await originOf(state, { ref, copy, signal });
			if (whose === 'unknown') foreign++;
			else if (whose !== 'damaged' && (await proveCopy(state, { ref, copy, signal }))) proved.add(ref.id);
			request.progress.advance(1);
		},
	});
	if (foreign > 0) {
		findings.push({
			code: 'copies-of-others',
			severity: 'note',
			subject: state.target.store.place,
			text: `${foreign} bundles stay here: their encrypted copies were not shipped by this host, which cannot tell what is in them`,
			hint: 'give --identity FILE, so that they can be opened and compared',
		});
	}
	return {
		proved: plan.filter(({ ref }) => proved.has(ref.id)),
		damaged: plan.flatMap(({ ref }) => (standing.has(ref.id) ? [] : [ref])),
	};
}

/** Anybody who may write there can put an age file of anything under a bundle's name: only an own one, or one that was opened, is believed. */
export async function originOf(
	state: SyncState,
	{ ref, copy, signal }: Omit<Planned, 'isHere'> & { readonly signal: AbortSignal },
): Promise<'own' | 'opened' | 'unknown' | 'damaged'> {
	const { target, known } = state;
	if (copy.sealedHash === null || copy.sealedHash === known.get(ref.id)?.sealedHash) return 'own';
	if (target.keys.identities.length === 0) return 'unknown';
	let problem: string | null;
	try {
		problem = await contentProblem(state, { ref, copy, signal });
	} catch (error) {
		// Encrypted for others than the identities that were given: whether that is right, this host cannot know.
		if (isPoorCopy(error)) return 'unknown';
		throw error;
	}
	if (problem === null) return 'opened';
	state.standing.delete(ref.id);
	state.damaged.set(ref.id, copy);
	state.findings.push(damagedCopy(ref, target.store.place, problem));
	return 'damaged';
}

/** What is wrong with the content of an encrypted copy; null where it is the bundle. */
async function contentProblem(
	{ target }: SyncState,
	{ ref, copy, signal }: Omit<Planned, 'isHere'> & { readonly signal: AbortSignal },
): Promise<string | null> {
	try {
		const { sha256 } = await digestOf(readBlob(target, { name: copy.name, signal }), { signal });
		return sha256 === ref.id ? null : `its content has the SHA-256 ${sha256}`;
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'archive-damaged') return error.message;
		throw error;
	}
}
