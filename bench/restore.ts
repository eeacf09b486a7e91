import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RestoreResult } from '../src/archive/results.ts';
import { compareTreeStates, readTreeState } from '../test/support/tree-state.ts';
import { MEGA } from './run/bytes.ts';
import { pack, runMailseal } from './run/mailseal.ts';
import { type Cost, measureShell, medianCost } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace, type Workplace } from './run/workplace.ts';

const options = readOptions(['small', 'runs', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const runs = numberOption(options, 'runs', 3);
	const rows = [
		restore(workplace, { bytes: 'real-life', messages: small ? 1000 : 38_000, runs }),
		restore(workplace, { bytes: 'small', messages: small ? 4000 : 100_000, runs }),
	];
	report('restore', 'Restore of a whole tree', rows);
} finally {
	workplace.close();
}

function restore(
	workplace: Workplace,
	tree: { readonly bytes: 'real-life' | 'small'; readonly messages: number; readonly runs: number },
): Row {
	const { root, messages, bytes } = openTree(workplace, { ...tree, accounts: small ? 5 : 100 });
	const archive = join(workplace.scratch, 'archive');
	const copied = join(workplace.scratch, 'copied');
	const restored = join(workplace.scratch, 'restored');
	pack({ root, archive, now: NOW, messages });
	const floors: Cost[] = [];
	const restores: Cost[] = [];
	for (let run = 0; run < tree.runs; run++) {
		for (const folder of [copied, restored]) rmSync(folder, { recursive: true, force: true });
		floors.push(measureShell('cp -a "$1" "$2"', root, copied));
		const { result, cost } = runMailseal<RestoreResult>(['restore', '--to', restored, '-a', archive]);
		if (result.written !== messages) throw new Error(`Cannot go on: ${result.written} messages were written (${messages} were packed)`);
		restores.push(cost);
	}
	const differences = compareTreeStates(readTreeState(root), readTreeState(restored));
	for (const text of differences.slice(0, 20)) console.error(text);
	for (const folder of [copied, restored, archive]) rmSync(folder, { recursive: true, force: true });
	const cost = medianCost(restores);
	const floor = medianCost(floors);
	return {
		tree: tree.bytes,
		messages,
		'mail MB': bytes / MEGA,
		seconds: cost.wall,
		'CPU s': cost.user + cost.system,
		'messages/s': messages / cost.wall,
		'MB/s': bytes / MEGA / cost.wall,
		'peak MB': cost.peak / MEGA,
		'cp -a s': floor.wall,
		'times cp': cost.wall / floor.wall,
		differences: differences.length,
	};
}
