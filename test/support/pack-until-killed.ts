/**
 * A program for the crash tests: packs or compacts, and is killed as soon as operation `killAt` is done; it leaves no time for any cleaning up.
 * Prints the operations otherwise.
 */
import { compact, DEFAULT_BUNDLES, DEFAULT_COMPACTION, openArchive, openWorkers, pack } from '../../src/archive/index.ts';
import { DEFAULT_POLICY, SILENT } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import { openMaildirMessage, openMaildirSource } from '../../src/sources/index.ts';
import type { KillOrder } from './kill-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as KillOrder;
const operations: string[] = [];

function die(): void {
	process.kill(process.pid, 'SIGKILL');
}

if (order.killAt < 0) die();
const files = openFiles({
	after(operation, path) {
		operations.push(`${operation} ${path}`);
		if (operations.length > order.killAt) die();
	},
});
const archive = openArchive({ dir: order.archive, files, create: true });
const bundles = { ...DEFAULT_BUNDLES, ...order.bundles };
const workers = openWorkers({ jobs: 0, script: null, open: openMaildirMessage });
const run = { now: order.now, bundles, dryRun: false, progress: SILENT, signal: new AbortController().signal };

function work(): Promise<unknown> {
	if (order.compactBelow !== undefined) return compact(archive, { ...DEFAULT_COMPACTION, ...run, below: order.compactBelow }, workers);
	const sources = [openMaildirSource(order.spec)];
	return pack(archive, { ...run, sources, policy: DEFAULT_POLICY, rescan: false, allowMassRemoval: false }, workers);
}

work().then(() => process.stdout.write(JSON.stringify(operations)));
