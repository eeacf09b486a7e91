import type { Finding, SnapshotName } from '../../domain/index.ts';

/** What to do about an archive that was put back from an older copy of itself. */
export const SET_BACK_HINT = 'this archive was set back: bring it up to date with "mailseal repair --from" the target first';

/** Snapshots of an archive at a target that are newer than any here, oldest first: pure. */
export function newerThan(names: readonly SnapshotName[], there: Iterable<SnapshotName>): SnapshotName[] {
	const last = names.at(-1) ?? '';
	return [...there].filter((name) => name > last).sort();
}

/** To ship a snapshot that does not follow what is there would make two archives of one. */
export function targetIsNewer(place: string, newer: readonly SnapshotName[]): Finding {
	return {
		code: 'target-is-newer',
		severity: 'error',
		subject: newer.at(-1) ?? '',
		text: `No snapshot was shipped to "${place}": it has ${newer.length} that are newer than any here, the last is ${newer.at(-1)}`,
		hint: SET_BACK_HINT,
	};
}
