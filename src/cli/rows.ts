import type { AccountRow, BundleRow, FolderRow, MessageRow, SnapshotRow } from '../archive/index.ts';
import { type Flag, formatSize } from '../domain/index.ts';
import type { Sink } from './io.ts';
import { type Column, drawTable } from './table.ts';
import { formatCount, formatMinute } from './text.ts';

type Cells = readonly string[];

/** How one kind of row is drawn. */
export interface Drawing<Row> {
	readonly columns: readonly Column[];
	cells(row: Row): Cells;
}

/** On a terminal with titles and cut to its width; elsewhere every row in full and nothing else. */
export function drawRows<Row>(drawing: Drawing<Row>, rows: readonly Row[], out: Sink): Iterable<string> {
	return drawTable({
		columns: drawing.columns,
		rows: rows.map(drawing.cells),
		titles: out.terminal,
		...(out.terminal ? { width: out.columns } : {}),
	});
}

/** Digits of an id: unique by far in any archive, and `extract` takes 8 or more. */
export const SHORT_ID = 12;

/** How flags are shown: one letter each. */
export const LETTERS: Readonly<Record<Flag, string>> = { answered: 'A', deleted: 'D', draft: 'd', flagged: 'F', passed: 'P', seen: 'S' };

/** Beside a message that files came with. */
const FILES = '@';

function markOf(row: MessageRow): string {
	return (row.files ?? 0) > 0 ? FILES : '';
}

export function drawAccounts(rows: readonly AccountRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'ACCOUNT' },
				{ title: 'FOLDERS', align: 'right' },
				{ title: 'MESSAGES', align: 'right' },
				{ title: 'SIZE', align: 'right' },
			],
			cells: (row: AccountRow) => [row.account, formatCount(row.folders), formatCount(row.messages), formatSize(row.bytes)],
		},
		rows,
		out,
	);
}

export function drawFolders(rows: readonly FolderRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'MESSAGES', align: 'right' },
				{ title: 'UNREAD', align: 'right' },
				{ title: 'SIZE', align: 'right' },
				{ title: 'FOLDER' },
			],
			cells: (row: FolderRow) => [
				formatCount(row.messages),
				formatCount(row.unseen),
				formatSize(row.bytes),
				`${row.account}/${row.folder}`,
			],
		},
		rows,
		out,
	);
}

export function drawMessages(rows: readonly MessageRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'DATE' },
				{ title: 'SIZE', align: 'right' },
				{ title: 'FLAGS' },
				{ title: 'FOLDER', flexible: true },
				{ title: 'FROM', flexible: true },
				{ title: 'SUBJECT', flexible: true },
				{ title: 'ID' },
			],
			cells: (row: MessageRow) => [
				formatMinute(row.date),
				formatSize(row.size),
				row.flags.map((flag) => LETTERS[flag]).join('') + markOf(row),
				`${row.account}/${row.folder}`,
				row.from ?? '',
				row.subject ?? '',
				row.id.slice(0, SHORT_ID),
			],
		},
		rows,
		out,
	);
}

/** What a search found: date, a mark where files came with it, folder, sender, subject and the start of the id. */
export function drawFound(rows: readonly MessageRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'DATE' },
				{ title: FILES },
				{ title: 'FOLDER', flexible: true },
				{ title: 'FROM', flexible: true },
				{ title: 'SUBJECT', flexible: true },
				{ title: 'ID' },
			],
			cells: (row: MessageRow) => [
				formatMinute(row.date),
				markOf(row),
				`${row.account}/${row.folder}`,
				row.from ?? '',
				row.subject ?? '',
				row.id.slice(0, SHORT_ID),
			],
		},
		rows,
		out,
	);
}

export function drawBundles(rows: readonly BundleRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'KIND' },
				{ title: 'SIZE', align: 'right' },
				{ title: 'MESSAGES', align: 'right' },
				{ title: 'ATTACHED', align: 'right' },
				{ title: 'LIVE', align: 'right' },
				{ title: 'TENANT', flexible: true },
				{ title: 'ID' },
			],
			cells: (row: BundleRow) => [
				row.kind,
				formatSize(row.size),
				formatCount(row.messages),
				formatCount(row.attachments),
				formatCount(row.live),
				row.tenant ?? '',
				row.id,
			],
		},
		rows,
		out,
	);
}

export function drawSnapshots(rows: readonly SnapshotRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'SNAPSHOT' },
				{ title: 'MESSAGES', align: 'right' },
				{ title: 'SIZE', align: 'right' },
				{ title: 'ADDED', align: 'right' },
				{ title: 'CHANGED', align: 'right' },
				{ title: 'REMOVED', align: 'right' },
				{ title: 'SKIPPED', align: 'right' },
				{ title: 'NOTES', flexible: true },
			],
			cells: ({ changes, ...row }: SnapshotRow) => [
				row.name,
				formatCount(row.messages),
				formatSize(row.bytes),
				...[changes?.added, changes?.changed, changes?.removed].map((count) => (count === undefined ? '' : formatCount(count))),
				formatCount(row.skipped),
				[...(row.record === true ? ['prune'] : []), ...(row.tags ?? [])].join(', '),
			],
		},
		rows,
		out,
	);
}
