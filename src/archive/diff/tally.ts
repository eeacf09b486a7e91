import type { ChangeRow, DiffResult, PlacementRow } from './results.ts';

/** Counts changes, and keeps the first of them. */
export interface Tally {
	add(row: ChangeRow): void;
	result(): Pick<DiffResult, 'counts' | 'rows' | 'more'>;
}

/** `limit`: so many rows are kept; all where left out. */
export function openTally(limit = Number.POSITIVE_INFINITY): Tally {
	const rows: ChangeRow[] = [];
	let seen = 0;
	const accounts = { made: 0, removed: 0 };
	const folders = { made: 0, removed: 0 };
	const messages = { added: 0, copied: 0, moved: 0, flagged: 0, removed: 0 };
	const bytes = { added: 0, removed: 0 };

	function countPlacement({ change, size }: PlacementRow): void {
		messages[change]++;
		if (change === 'added' || change === 'copied') bytes.added += size;
		else if (change === 'removed') bytes.removed += size;
	}

	function count(row: ChangeRow): void {
		switch (row.change) {
			case 'account-made':
				accounts.made++;
				break;
			case 'account-removed':
				accounts.removed++;
				break;
			case 'folder-made':
				folders.made++;
				break;
			case 'folder-removed':
				folders.removed++;
				break;
			default:
				countPlacement(row);
		}
	}

	return {
		add(row) {
			seen++;
			count(row);
			if (rows.length < limit) rows.push(row);
		},
		result: () => ({ counts: { accounts, folders, messages, bytes }, rows, more: seen > rows.length }),
	};
}
