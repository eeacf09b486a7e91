import { type OpenBundle, openBundle } from '../bundle/index.ts';
import { type BundleRef, MailsealError } from '../domain/index.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { openRange, type RangeFile } from './range.ts';

/** Bytes that the first read of a bundle at a target takes from its end: most directories and manifests fit. */
const REMOTE_TAIL = 256 * 1024;

/** Opens a bundle, here or at a target, for what its directory and its manifest say. */
export async function openManifest(archive: Archive, ref: BundleRef, signal: AbortSignal): Promise<OpenBundle> {
	let range: RangeFile;
	try {
		range = openRange(bundlePath(archive.dir, ref.kind, ref.id));
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'not-found' || !archive.offsite.has(ref.id)) throw error;
		await archive.offsite.prove(ref, signal);
		return openBundle(await archive.offsite.open(ref, signal), { localHeaders: false, tail: REMOTE_TAIL });
	}
	try {
		return await openBundle(range, { localHeaders: false });
	} finally {
		range.close();
	}
}

/** How many bundles at a target are opened ahead of the one that is needed. */
const AHEAD = 8;

/** One of several bundles, in their order: what it says, or why it cannot be opened. */
export type OpenedManifest = { readonly ref: BundleRef } & ({ readonly bundle: OpenBundle } | { readonly error: unknown });

/** Opens bundles one after another; those at a target some ahead, since each takes several round trips. */
export async function* openManifests(
	archive: Archive,
	refs: readonly BundleRef[],
	signal: AbortSignal,
): AsyncGenerator<OpenedManifest, void, undefined> {
	const started: Promise<OpenedManifest>[] = [];
	const start = (ref: BundleRef): Promise<OpenedManifest> =>
		openManifest(archive, ref, signal).then(
			(bundle) => ({ ref, bundle }),
			(error: unknown) => ({ ref, error }),
		);
	for (const [index, ref] of refs.entries()) {
		started[index] ??= start(ref);
		for (let next = index + 1; next < Math.min(index + AHEAD, refs.length); next++) {
			const later = refs[next];
			if (later !== undefined && started[next] === undefined && archive.offsite.has(later.id)) started[next] = start(later);
		}
		yield await started[index];
		delete started[index];
	}
}
