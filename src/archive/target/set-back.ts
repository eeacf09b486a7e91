import type { Finding, Snapshot, SnapshotName } from '../../domain/index.ts';
import type { Chain } from '../pruned-here.ts';

/** What to do about an archive that was put back from an older copy of itself, or lost snapshots. */
export const SET_BACK_HINT = 'this archive was set back, or lost snapshots: bring them here with "mailseal repair --from" the target first';

/** Snapshots of an archive that lie at a target and not here. */
export interface Unknown {
	/** Those that the record here lists: they were removed here on purpose. */
	readonly pruned: readonly SnapshotName[];
	/** Those that the ones here follow: they were lost here, and what is here goes on from them. */
	readonly lost: readonly SnapshotName[];
	/** Those that nothing here follows: another copy of this archive wrote them, and went its own way. */
	readonly strange: readonly SnapshotName[];
}

/** Divides what lies at a target and not here; `parents`: those that the snapshots here name. Pure. */
export function unknownHere(
	{ names, kept, pruned }: Pick<Chain, 'names' | 'kept' | 'pruned'>,
	given: { readonly there: Iterable<SnapshotName>; readonly parents: ReadonlySet<SnapshotName> },
): Unknown {
	const here = new Set(names);
	const followed = new Set([...given.parents, ...kept]);
	// Of an archive that was set back and pruned since, the oldest snapshot here may be newer than what it never had.
	const oldest = [...names, ...kept, ...pruned].reduce<string>((first, name) => (first === '' || name < first ? name : first), '');
	const unknown = [...given.there].filter((name) => !here.has(name)).sort();
	const rest = unknown.filter((name) => !pruned.has(name));
	const isLost = (name: SnapshotName): boolean => followed.has(name) || name < oldest;
	return {
		pruned: unknown.filter((name) => pruned.has(name)),
		lost: rest.filter(isLost),
		strange: rest.filter((name) => !isLost(name)),
	};
}

/** The snapshots that one names as those before it. */
export function namedBefore({ parent, record }: Snapshot): SnapshotName[] {
	return [parent, record].flatMap((ref) => (ref == null ? [] : [ref.name]));
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

/** What was pruned here stays at a target until it is told to let it go. */
export function prunedThere(place: string, pruned: readonly SnapshotName[]): Finding {
	return {
		code: 'pruned-at-target',
		severity: 'note',
		subject: place,
		text: `${pruned.length} snapshots that were pruned here still lie at "${place}", the last is ${pruned.at(-1)}`,
		hint: '"mailseal sync --prune" removes them there, and the bundles that only they need',
	};
}
