import type { BundleId, BundleRef } from '../../domain/index.ts';
import { sizeOf } from '../../platform/index.ts';
import { bundlePath } from '../layout.ts';
import { eachParallel } from '../parallel.ts';
import { proveCopy } from './check.ts';
import { digestOf } from './content.ts';
import type { BundleCopy } from './listing.ts';
import { readRecord, writeRecord } from './record.ts';
import { readBlob } from './sealing.ts';
import type { Dropped, SyncState } from './sync-state.ts';

/** A bundle that may go here, and the copy that stays. */
interface Planned {
	readonly ref: BundleRef;
	readonly copy: BundleCopy;
}

/**
 * Removes sealed bundles here that the target has proved just now. First a plan; a dry run gives what it says, and proves nothing. What is
 * removed is on record before the first file goes: a pack takes a bundle on record for one that is there.
 */
export async function dropLocal(state: SyncState): Promise<Dropped> {
	const plan = planDrop(state);
	if (state.request.dryRun) return summaryOf(plan);
	const proved = await provePlan(state, plan);
	const { archive, dropped, known } = state;
	const lock = archive.lock();
	try {
		for (const { ref } of proved) dropped.set(ref.id, ref.size);
		const record = readRecord(archive.dir, state.request.address);
		if (record === null) throw new Error('a sync remembers its target before it drops anything');
		writeRecord(archive.files, archive.dir, { ...record, copies: known, dropped });
		for (const { ref } of proved) archive.files.remove(bundlePath(archive.dir, ref.kind, ref.id));
	} finally {
		lock.release();
	}
	return summaryOf(proved);
}

function summaryOf(plan: readonly Planned[]): Dropped {
	return { bundles: plan.length, bytes: plan.reduce((total, { ref }) => total + ref.size, 0) };
}

/** Sealed bundles that are here and that a snapshot at the target needs, so that no prune there takes them. Pure but for looking at sizes. */
function planDrop({ archive, refs, standing, findings }: SyncState): Planned[] {
	// With something wrong, two copies are better than one.
	if (findings.some(({ severity }) => severity === 'error')) return [];
	return [...refs.values()].flatMap((ref) => {
		const copy = standing.get(ref.id);
		if (ref.kind !== 'sealed' || copy === undefined) return [];
		return sizeOf(bundlePath(archive.dir, ref.kind, ref.id)) === ref.size ? [{ ref, copy }] : [];
	});
}

async function provePlan(state: SyncState, plan: readonly Planned[]): Promise<Planned[]> {
	const { request, findings } = state;
	const proved = new Set<BundleId>();
	let foreign = 0;
	request.progress.step('prove', plan.length);
	await eachParallel(plan, {
		width: request.transfers,
		signal: request.signal,
		async work({ ref, copy }, signal) {
			const whose = await originOf(state, { ref, copy, signal });
			if (whose === 'unknown') foreign++;
			else if (whose === 'damaged') state.standing.delete(ref.id);
			else if (await proveCopy(state, { ref, copy, signal })) proved.add(ref.id);
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
	return plan.filter(({ ref }) => proved.has(ref.id));
}

/** Anybody who may write there can put an age file of anything under a bundle's name: only an own one, or one that was opened, is believed. */
async function originOf(
	{ target, known }: SyncState,
	{ ref, copy, signal }: Planned & { readonly signal: AbortSignal },
): Promise<'own' | 'opened' | 'unknown' | 'damaged'> {
	if (copy.sealedHash === null || copy.sealedHash === known.get(ref.id)?.sealedHash) return 'own';
	if (target.keys.identities.length === 0) return 'unknown';
	const { sha256 } = await digestOf(readBlob(target, { name: copy.name, signal }), { signal });
	return sha256 === ref.id ? 'opened' : 'damaged';
}
