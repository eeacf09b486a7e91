import type { ChangeRow, DiffResult, Marks, PlacementRow } from '../archive/index.ts';
import { type AccountName, formatSize } from '../domain/index.ts';
import type { Sink } from './io.ts';
import { drawRows, LETTERS, SHORT_ID } from './rows.ts';
import { countOf, formatCount } from './text.ts';

const SIGNS: Readonly<Record<ChangeRow['change'], string>> = {
	'account-made': '+',
	'account-removed': '-',
	'folder-made': '+',
	'folder-removed': '-',
	added: '+',
	copied: '+',
	moved: '>',
	flagged: '~',
	removed: '-',
};

/** One line for each change, and one for what all of them come to. `account`: the only one, whose name then need not stand in each line. */
export function* drawChanges(
	result: DiffResult,
	{ out, account }: { readonly out: Sink; readonly account?: AccountName },
): Generator<string> {
	yield* drawRows(
		{
			columns: [
				{ title: '' },
				{ title: 'CHANGE', flexible: true },
				{ title: 'FOLDER', flexible: true },
				{ title: 'FROM', flexible: true },
				{ title: 'SUBJECT', flexible: true },
				{ title: 'ID' },
			],
			cells: (row: ChangeRow) => cellsOf(row, account === undefined),
		},
		result.rows,
		out,
	);
	yield `${result.before.snapshot} to ${result.after.snapshot}: ${sumOf(result)}`;
}

function cellsOf(row: ChangeRow, withAccount: boolean): readonly string[] {
	const sign = SIGNS[row.change];
	if (!('folder' in row)) return [sign, 'account', row.account, '', '', ''];
	const place = withAccount ? `${row.account}/${row.folder}` : row.folder;
	if (!('key' in row)) return [sign, 'folder', place, '', '', ''];
	const { was, from = '', subject = '' } = row;
	// Some mail programs rename a file where it is.
	const isElsewhere = was !== undefined && was.folder !== row.folder;
	return [sign, detailOf(row), isElsewhere ? `${place} < ${was.folder}` : place, from, subject, row.id.slice(0, SHORT_ID)];
}

/** `+F -S +urgent`: what was set and unset, flags by their letters. */
function detailOf({ change, set, unset }: PlacementRow): string {
	return [...(change === 'copied' ? ['copy'] : []), ...marksOf('+', set), ...marksOf('-', unset)].join(' ');
}

function marksOf(sign: string, marks: Marks | undefined): string[] {
	if (marks === undefined) return [];
	const flags = marks.flags.map((flag) => LETTERS[flag]).join('');
	return [...(flags === '' ? [] : [sign + flags]), ...marks.keywords.map((keyword) => sign + keyword)];
}

function sumOf({ counts }: DiffResult): string {
	const { accounts, folders, messages, bytes } = counts;
	const parts = [
		`${formatCount(messages.added)} added`,
		`${formatCount(messages.copied)} copied (${formatSize(bytes.added)})`,
		`${formatCount(messages.removed)} removed (${formatSize(bytes.removed)})`,
		`${formatCount(messages.moved)} moved`,
		`${formatCount(messages.flagged)} flagged`,
	];
	for (const [{ made, removed }, noun] of [
		[folders, 'folder'],
		[accounts, 'account'],
	] as const) {
		if (made > 0) parts.push(`${countOf(made, noun)} made`);
		if (removed > 0) parts.push(`${countOf(removed, noun)} removed`);
	}
	return parts.join(', ');
}
