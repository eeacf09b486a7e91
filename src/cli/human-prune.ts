import type { PruneResult } from '../archive/index.ts';
import { formatSize } from '../domain/index.ts';
import type { Sink } from './io.ts';
import { drawRows } from './rows.ts';
import { countOf, formatMinute, formatSeconds } from './text.ts';

/** Every snapshot, oldest first, with why it stays or that it goes, and one line of what that comes to. */
export function* drawPrune(result: PruneResult, out: Sink): Generator<string> {
	const { kept, pruned, dryRun } = result;
	const rows = [
		...kept.map(({ name, time, reasons }) => ({ name, time, fate: 'keep', why: reasons.join(', ') })),
		...pruned.map(({ name, time }) => ({ name, time, fate: 'prune', why: '' })),
	].sort((a, b) => (a.name < b.name ? -1 : 1));
	yield* drawRows(
		{
			columns: [{ title: 'SNAPSHOT' }, { title: 'TIME' }, { title: '' }, { title: 'BECAUSE OF', flexible: true }],
			cells: (row: (typeof rows)[number]) => [row.name, formatMinute(row.time), row.fate, row.why],
		},
		rows,
		out,
	);
	if (result.record !== null) yield `record    ${result.record}`;
	const gone = `${countOf(pruned.length, 'snapshot')} and ${countOf(result.bundles, 'bundle')} (${formatSize(result.bytes)})`;
	yield `${gone} ${dryRun ? 'would be removed' : 'removed'}, ${countOf(kept.length, 'snapshot')} kept, ${formatSeconds(result.seconds)}`;
	if (dryRun) yield 'dry run: nothing was changed';
}
