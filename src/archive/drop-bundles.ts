import type { Catalog } from '../catalog/index.ts';
import type { BundleId, BundleRef, PlacedWord } from '../domain/index.ts';
import type { Archive } from './open-archive.ts';
import { openManifests } from './open-manifest.ts';

/**
 * Takes bundles out of the present state that the catalog has. What sealed ones speak of is read from their manifests; throws
 * `archive-damaged` or `not-found` where one cannot be read. Those with attachments go last: a copy of a message that leaves too needs none.
 */
export async function dropBundles(
	refs: readonly BundleRef[],
	{ archive, catalog, signal }: { readonly archive: Archive; readonly catalog: Catalog; readonly signal: AbortSignal },
): Promise<void> {
	for (const { id, kind } of refs) if (kind === 'volatile') catalog.drop(id);
	const last: { readonly id: BundleId; readonly words: readonly PlacedWord[] }[] = [];
	const sealed = refs.filter(({ kind }) => kind === 'sealed');
	for await (const opened of openManifests(archive, sealed, signal)) {
		if (!('bundle' in opened)) throw opened.error;
		const { lines } = opened.bundle;
		const words = lines.filter((line) => line.type === 'placed');
		if (lines.some(({ type }) => type === 'attachment')) last.push({ id: opened.ref.id, words });
		else catalog.drop(opened.ref.id, words);
	}
	for (const { id, words } of last) catalog.drop(id, words);
}
