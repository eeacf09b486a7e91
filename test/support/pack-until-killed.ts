/**
 * A program for the crash tests: packs, and is killed as soon as operation `killAt` is done; it leaves no time for any cleaning up.
 * Prints the operations otherwise.
 */
import { DEFAULT_BUNDLES, openArchive, openWorkers, pack } from '../../src/archive/index.ts';
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
pack(
	openArchive({ dir: order.archive, files, create: true }),
	{
		sources: [openMaildirSource(order.spec)],
		policy: DEFAULT_POLICY,
		bundles: { ...DEFAULT_BUNDLES, ...order.bundles },
		now: order.now,
		rescan: false,
		allowMassRemoval: false,
		dryRun: false,
		progress: SILENT,
		signal: new AbortController().signal,
	},
	openWorkers({ jobs: 0, script: null, open: openMaildirMessage }),
).then(() => process.stdout.write(JSON.stringify(operations)));
