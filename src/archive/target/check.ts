import type { BundleRef } from '../../domain/index.ts';
import { isItsTurn } from '../its-turn.ts';
import { eachParallel } from '../parallel.ts';
import type { BundleCopy } from './listing.ts';
import { damagedCopy, type SyncState } from './sync-state.ts';

/** Has the target prove the copies whose turn it is; gives how many it found intact. Damaged and vanished ones count as absent from then on. */
export async function proveCopies(state: SyncState, days: number): Promise<number> {
	const { request, standing, refs } = state;
	const turn = [...standing].filter(([id]) => isItsTurn(id, { days, now: request.now }));
	request.progress.step('check', turn.length);
	let proved = 0;
	await eachParallel(turn, {
		width: request.transfers,
		signal: request.signal,
		async work([id, copy], signal) {
			if (await proveCopy(state, { ref: refs.get(id) as BundleRef, copy, signal })) proved++;
			request.progress.advance(1);
		},
	});
	return proved;
}

/** True for a copy that the target proved. */
export async function proveCopy(
	state: SyncState,
	{ ref, copy, signal }: { readonly ref: BundleRef; readonly copy: BundleCopy; readonly signal: AbortSignal },
): Promise<boolean> {
	const { target, standing, damaged, known, findings } = state;
	const fact = known.get(ref.id);
	const isOurs = copy.sealedHash === null || copy.sealedHash === fact?.sealedHash;
	const expected = { size: copy.size, sha256: copy.sealedHash ?? ref.id, md5: isOurs ? (fact?.md5 ?? null) : null };
	const proof = await target.store.prove(copy.name, expected, signal);
	if (proof.state === 'intact') {
		// What proved the bytes proves the MD5 that came with them in the listing, too.
		if (isOurs && copy.md5 !== null && fact?.md5 === undefined && proof.how !== 'checksum') known.set(ref.id, { ...fact, md5: copy.md5 });
		return true;
	}
	standing.delete(ref.id);
	if (proof.state === 'damaged') {
		damaged.set(ref.id, copy);
		findings.push(damagedCopy(ref, target.store.place, proof.text));
	}
	return false;
}
