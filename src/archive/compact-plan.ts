import type { Catalog, SealedLiveness } from '../catalog/index.ts';
import type { BundleId } from '../domain/index.ts';
import { fullSize, liveSize } from './fold.ts';

/** A bundle is not written anew to win less than this share of it: what stays the same costs nothing. */
const LEAST_GAIN = 0.05;

export interface Bound {
	readonly below: number;
	/** Bytes. */
	readonly budget: number;
}

/** Which sealed bundles are superseded, oldest first, and which are not although they are below the bound. */
export interface CompactPlan {
	readonly messages: readonly SealedLiveness[];
	readonly attachments: readonly SealedLiveness[];
	/** What it would take to write them does not fit into the budget. */
	readonly overBudget: readonly SealedLiveness[];
	/** They lie at a target only. */
	readonly elsewhere: readonly SealedLiveness[];
}

/** The share of a bundle that is alive, by bytes, entries and words. */
export function liveShare(one: SealedLiveness): number {
	const full = fullSize(one);
	return full === 0 ? 0 : liveSize(one) / full;
}

function isBelow(one: SealedLiveness, below: number): boolean {
	const share = liveShare(one);
	return share === 0 || (share < below && share <= 1 - LEAST_GAIN);
}

/** The emptiest first, as long as what is to be written fits into the budget; what has nothing alive costs nothing. */
export function chooseBundles(
	liveness: readonly SealedLiveness[],
	{ below, budget }: Bound,
): { readonly chosen: readonly SealedLiveness[]; readonly overBudget: readonly SealedLiveness[]; readonly bytes: number } {
	const chosen = new Set<SealedLiveness>();
	const candidates = liveness.filter((one) => isBelow(one, below));
	let bytes = 0;
	for (const one of [...candidates].sort((a, b) => liveShare(a) - liveShare(b))) {
		const cost = liveSize(one);
		if (cost > 0 && bytes + cost > budget) continue;
		bytes += cost;
		chosen.add(one);
	}
	return { chosen: candidates.filter((one) => chosen.has(one)), overBudget: candidates.filter((one) => !chosen.has(one)), bytes };
}

/**
 * Plans a compaction and tells the catalog which bundles leave. Messages first: which attachments are needed follows from the copies of
 * messages that are left.
 */
export function planCompaction(
	catalog: Catalog,
	{ isHere, ...bound }: Bound & { readonly isHere: (bundle: BundleId) => boolean },
): CompactPlan {
	const elsewhere: SealedLiveness[] = [];
	function choose(kind: SealedLiveness['kind'], budget: number): ReturnType<typeof chooseBundles> {
		const liveness = catalog.compact.liveness().filter((one) => one.kind === kind);
		elsewhere.push(...liveness.filter((one) => isBelow(one, bound.below) && !isHere(one.bundle)));
		return chooseBundles(
			liveness.filter(({ bundle }) => isHere(bundle)),
			{ below: bound.below, budget },
		);
	}
	catalog.compact.setLeaving([]);
	const messages = choose('messages', bound.budget);
	catalog.compact.setLeaving(messages.chosen.map(({ bundle }) => bundle));
	const attachments = choose('attachments', bound.budget - messages.bytes);
	catalog.compact.setLeaving([...messages.chosen, ...attachments.chosen].map(({ bundle }) => bundle));
	return {
		messages: messages.chosen,
		attachments: attachments.chosen,
		overBudget: [...messages.overBudget, ...attachments.overBudget],
		elsewhere,
	};
}
