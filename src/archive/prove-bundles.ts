import { type BundleRef, MailsealError } from '../domain/index.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import type { Workers } from './workers.ts';

/** Proofs of bundles that are read back by threads while the next are written. */
export interface Proofs {
	add(ref: BundleRef): void;
	/** Waits for all of them, as must be done before a snapshot names the bundles; throws `io` where one differs. */
	all(): Promise<void>;
}

export function openProofs(archive: Archive, workers: Workers): Proofs {
	const proofs: Promise<void>[] = [];
	return {
		add(ref) {
			const proof = prove(archive, ref, workers);
			// Awaited before the snapshot; until then a failure must not count as unhandled.
			proof.catch(() => {});
			proofs.push(proof);
		},
		async all() {
			await Promise.all(proofs);
		},
	};
}

/** Reads a bundle back from where it will live: what a snapshot names has been seen whole. */
async function prove(archive: Archive, ref: BundleRef, workers: Workers): Promise<void> {
	const path = bundlePath(archive.dir, ref.kind, ref.id);
	const { damages } = await workers.run({ type: 'check', path, id: ref.id, depth: 'manifest' });
	const damage = damages[0];
	if (damage === undefined) return;
	throw new MailsealError('io', `Cannot commit: bundle ${ref.id} reads back otherwise than it was written: ${damage.text}`, {
		hint: 'check the disk; the archive is as it was before this run, and no snapshot names the bundle',
	});
}
