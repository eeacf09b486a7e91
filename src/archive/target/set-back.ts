import type { Finding, Snapshot, SnapshotName } from '../../domain/index.ts';

/** What to do about an archive that was put back from an older copy of itself, or lost snapshots. */
export const SET_BACK_HINT = 'this archive was set back, or lost snapshots: bring them here with "mailseal repair --from" the target first';

/** Snapshots of an archive that lie at a target and not here. */
export interface Unknown {
	/** Those that the ones here follow: they were lost here, and what is here goes on from them. */
	readonly lost: readonly SnapshotName[];
	/** Those that nothing here follows: another copy of this archive wrote them, and went its own way. */
	readonly strange: readonly SnapshotName[];
}

/** Divides what lies at a target and not here; `parents`: those that the snapshots here name. Pure. */
export function unknownHere(
	here: ReadonlySet<SnapshotName>,
	given: { readonly there: Iterable<SnapshotName>; readonly parents: ReadonlySet<SnapshotName> },
): Unknown {
	const oldest = [...here].sort()[0] ?? '';
	const unknown = [...given.there].filter((name) => !here.has(name)).sort();
	const isLost = (name: SnapshotName): boolean => given.parents.has(name) || name < oldest;
	return { lost: unknown.filter(isLost), strange: unknown.filter((name) => !isLost(name)) };
}

/** The snapshots that others name as their parents. */
export function parentsOf(snapshots: readonly Snapshot[]): Set<SnapshotName> {
	return new Set(snapshots.flatMap(({ parent }) => (parent === null ? [] : [parent.name])));
}

/** To ship a snapshot beside one that it does not follow would make two archives of one. */
export function targetIsNewer(place: string, strange: readonly SnapshotName[]): Finding {
	return {
		code: 'target-is-newer',
		severity: 'error',
		subject: strange.at(-1) ?? '',
		text: `No snapshot was shipped to "${place}": it has ${strange.length} that no snapshot here follows, the last is ${strange.at(-1)}`,
		hint: SET_BACK_HINT,
	};
}

export function snapshotsLost(place: string, lost: readonly SnapshotName[]): Finding {
	return {
		code: 'snapshots-lost-here',
		severity: 'error',
		subject: lost.at(-1) ?? '',
		text: `${lost.length} snapshots of this archive lie at "${place}" and not here, the last is ${lost.at(-1)}`,
		hint: 'bring them back with "mailseal repair --from" the target',
	};
}
