import type { AttachmentListing, AttachmentRow, NeededBundle } from '../archive/index.ts';
import { type AccountName, formatSize } from '../domain/index.ts';
import type { Sink } from './io.ts';
import { drawRows, SHORT_ID } from './rows.ts';
import { countOf, formatCount, printable } from './text.ts';

/** On a terminal; a list of rows is not to scroll away above that of its bundles. */
const BUNDLES_SHOWN = 10;

/** Attachments, and on a terminal below them the bundles that all of them need. */
export function* drawAttachments(
	listing: AttachmentListing,
	options: { readonly out: Sink; readonly account?: AccountName },
): Generator<string> {
	const { out, account } = options;
	yield* drawAttachmentRows(listing.rows, out);
	if (!out.terminal || listing.bundles.length === 0) return;
	const size = listing.bundles.reduce((total, bundle) => total + bundle.size, 0);
	const whose = account === undefined ? 'all attachments' : `all attachments of ${printable(account)}`;
	yield '';
	yield `To read ${whose}, ${countOf(listing.bundles.length, 'bundle')} (${formatSize(size)}) must be there; --bundles prints the paths:`;
	yield* drawNeededBundles(listing.bundles.slice(0, BUNDLES_SHOWN), out);
	const more = listing.bundles.length - BUNDLES_SHOWN;
	if (more > 0) yield `and ${formatCount(more)} more`;
}

function drawAttachmentRows(rows: readonly AttachmentRow[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [
				{ title: 'SIZE', align: 'right' },
				{ title: 'TYPE', flexible: true },
				{ title: 'MESSAGES', align: 'right' },
				{ title: 'ACCOUNTS', align: 'right' },
				{ title: 'SAVED', align: 'right' },
				{ title: 'NAMES', flexible: true },
				{ title: 'ID' },
			],
			cells: (row: AttachmentRow) => [
				formatSize(row.size),
				row.type,
				formatCount(row.messages),
				formatCount(row.accounts),
				formatSize(row.savedBytes),
				row.names.join(', '),
				shorten(row.id, out),
			],
		},
		rows,
		out,
	);
}

function drawNeededBundles(rows: readonly NeededBundle[], out: Sink): Iterable<string> {
	return drawRows(
		{
			columns: [{ title: 'KIND' }, { title: 'SIZE', align: 'right' }, { title: 'ATTACHMENTS', align: 'right' }, { title: 'ID' }],
			cells: (row: NeededBundle) => [row.kind, formatSize(row.size), formatCount(row.attachments), shorten(row.id, out)],
		},
		rows,
		out,
	);
}

/** No command takes the id of an attachment or a bundle, so a terminal's room goes to the names; a program gets what entries are named by. */
function shorten(id: string, out: Sink): string {
	return out.terminal ? id.slice(0, SHORT_ID) : id;
}

/** The path of each bundle from the top of the archive (docs/format.md, "The tree"), for tools that copy lists of files. */
export function* drawBundlePaths(bundles: readonly NeededBundle[]): Generator<string> {
	for (const { kind, id } of bundles) yield `bundles/${kind}/${id.slice(0, 2)}/${id}.zip`;
}
