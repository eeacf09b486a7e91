import { decideKept } from '../classifier/index.ts';
import { type BundleId, type BundleRef, type KeepDecision, MailsealError, type Retention, type SnapshotName } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import type { Chain } from './chain.ts';
import { bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';

/** All that a prune removes, and all that stays. */
export interface PrunePlan {
	/** Oldest first. */
	readonly kept: readonly KeepDecision[];
	readonly pruned: readonly KeepDecision[];
	/** SHA-256 of the file of each snapshot. */
	readonly hashes: ReadonlyMap<SnapshotName, string>;
	/** Bundles here that no kept snapshot names, with their sizes on disk. */
	readonly bundles: readonly BundleRef[];
	/** Bundles that a kept snapshot names. */
	readonly needed: ReadonlySet<BundleId>;
}

/** Plans what goes of a chain that is whole; changes nothing. Throws `archive-damaged` where the newest snapshot lacks bundles: older ones may have the same mail. */
export function planPrune(archive: Archive, { snapshots }: Chain, retention: Retention): PrunePlan {
	refuseMissing(archive, snapshots.at(-1)?.snapshot.bundles ?? []);
	const decisions = decideKept(
		snapshots.map(({ name, snapshot: { time, tags, history } }) => ({ name, time, tags: tags ?? [], isRecord: history !== undefined })),
		retention,
	);
	const kept = decisions.filter(({ keep }) => keep);
	const keptNames = new Set(kept.map(({ name }) => name));
	// The record that is to come has the state of the newest.
	const needing = snapshots.filter(({ name }, index) => keptNames.has(name) || index === snapshots.length - 1);
	const needed = new Set(needing.flatMap(({ snapshot }) => snapshot.bundles.map(({ id }) => id)));
	const gone = new Map<BundleId, BundleRef>();
	for (const { name, snapshot } of snapshots) {
		if (keptNames.has(name)) continue;
		for (const ref of snapshot.bundles) if (!needed.has(ref.id)) gone.set(ref.id, ref);
	}
	const bundles = [...gone.values()].flatMap((ref) => {
		const size = sizeOf(bundlePath(archive.dir, ref.kind, ref.id));
		return size === null ? [] : [{ ...ref, size }];
	});
	return {
		kept,
		pruned: decisions.filter(({ keep }) => !keep),
		hashes: new Map(snapshots.map(({ name, sha256 }) => [name, sha256])),
		bundles,
		needed,
	};
}

function refuseMissing(archive: Archive, bundles: readonly BundleRef[]): void {
	for (const { kind, id, size } of bundles) {
		const found = sizeOf(bundlePath(archive.dir, kind, id));
		if (found === size || (found === null && archive.offsite.has(id))) continue;
		const problem = found === null ? 'is missing' : `has ${found} bytes (${size} are right)`;
		throw new MailsealError('archive-damaged', `Cannot prune "${archive.dir}": its ${kind} bundle ${id} ${problem}`, {
			hint: 'put the bundle back with "mailseal repair --from TARGET": until then, what only older snapshots need may be its last copy',
		});
	}
}
