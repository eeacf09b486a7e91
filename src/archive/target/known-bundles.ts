import type { BundleId, BundleRef } from '../../domain/index.ts';
import { currentCatalog } from '../current-catalog.ts';
import type { Archive } from '../open-archive.ts';
import type { Chain, PrunedHere } from '../pruned-here.ts';
import { isDamage } from '../read-stored.ts';
import type { Run } from '../requests.ts';
import { readSnapshot } from '../snapshots.ts';

export interface KnownBundles {
	/** Every bundle that any snapshot of the archive names, but for pruned ones. */
	readonly refs: Map<BundleId, BundleRef>;
	/** False where a snapshot cannot be read: it may name others. */
	readonly isComplete: boolean;
}

/** What an archive needs: the catalog knows the bundles of every snapshot, but for those of snapshots that it has not seen. */
export async function knownBundles(
	archive: Archive,
	{ chain, prunedHere, request }: { readonly chain: Chain; readonly prunedHere: PrunedHere; readonly request: Run },
): Promise<KnownBundles> {
	const { names, pruned } = chain;
	const catalog = await currentCatalog(archive, { progress: request.progress, signal: request.signal });
	try {
		const seen = catalog.knownSnapshots();
		// Of which of its bundles only a pruned snapshot needs, a catalog that still knows that one cannot tell.
		const isOutgrown = [...seen].some((name) => pruned.has(name));
		const refs = new Map(isOutgrown ? [] : catalog.knownBundles().map((ref) => [ref.id, ref]));
		let isComplete = true;
		for (const name of names) {
			if (!isOutgrown && seen.has(name)) continue;
			try {
				for (const ref of readSnapshot(archive.dir, name).snapshot.bundles) refs.set(ref.id, ref);
			} catch (error) {
				if (!isDamage(error)) throw error;
				if (error.code === 'not-found' && !prunedHere.isPruned(name)) throw error;
				// A damaged one is told, and not shipped.
				if (error.code !== 'not-found') isComplete = false;
			}
		}
		return { refs, isComplete };
	} finally {
		catalog.close();
	}
}
