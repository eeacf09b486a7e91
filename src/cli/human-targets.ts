import type { RepairResult, SyncResult } from '../archive/index.ts';
import { formatSize } from '../domain/index.ts';
import { countOf, formatCount, formatSeconds, printable } from './text.ts';

/** What a sync cost: its last line, in one fixed form. */
export function drawSyncContract(result: SyncResult): string {
	const shipped = `${formatCount(result.shipped)} shipped (${formatSize(result.shippedBytes)})`;
	return (
		`${countOf(result.confirmed, 'bundle')} confirmed (${formatCount(result.proved)} proved), ${shipped}, ${countOf(result.snapshots, 'snapshot')}, ` +
		`${countOf(result.damaged.length, 'damaged copy', 'damaged copies')}, ${formatSeconds(result.seconds)}`
	);
}

export function* drawSync(result: SyncResult): Generator<string> {
	if (result.dryRun) yield 'dry run: nothing was changed, this is what would be';
	yield `target    ${printable(result.target)}`;
	if (result.newest !== null) yield `newest    ${result.newest}`;
	if (result.pruned !== null) {
		const { snapshots, bundles, leftovers, bytes } = result.pruned;
		const what = `${countOf(snapshots, 'snapshot')}, ${countOf(bundles, 'bundle')}, ${countOf(leftovers, 'leftover')}`;
		yield `deleted   ${what} at the target (${formatSize(bytes)})`;
	}
	if (result.dropped !== null)
		yield `dropped   ${countOf(result.dropped.bundles, 'sealed bundle')} here (${formatSize(result.dropped.bytes)})`;
	yield drawSyncContract(result);
}

export function* drawRepair(result: RepairResult): Generator<string> {
	for (const id of result.damaged) yield `damaged  ${printable(id)}`;
	for (const id of result.missing) yield `missing  ${printable(id)}`;
	const verb = result.dryRun ? 'would be fetched' : 'fetched';
	const harmed = result.damaged.length + result.missing.length;
	yield `${countOf(result.checked, 'bundle')} checked, ${formatCount(harmed)} harmed, ${formatCount(result.repaired)} ${verb} (${formatSize(result.repairedBytes)}), ${formatSeconds(result.seconds)}`;
	if (result.dryRun) yield 'dry run: nothing was changed';
}
