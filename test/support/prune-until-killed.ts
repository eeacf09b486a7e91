/**
 * A program for the crash tests: prunes, and is killed as soon as operation `killAt` is done; it leaves no time for any cleaning up.
 * Prints the operations otherwise.
 */
import { openArchive, prune } from '../../src/archive/index.ts';
import { NO_RETENTION, SILENT } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import type { PruneOrder } from './kill-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as PruneOrder;
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
prune(openArchive({ dir: order.archive, files }), {
	keep: { ...NO_RETENTION, ...order.keep },
	now: order.now,
	dryRun: false,
	progress: SILENT,
	signal: new AbortController().signal,
}).then(() => process.stdout.write(JSON.stringify(operations)));
