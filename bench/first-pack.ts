import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { countFiles, MEGA } from './run/bytes.ts';
import { pack } from './run/mailseal.ts';
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
		firstPack(workplace, { bytes: 'real-life', messages: small ? 1000 : 38_000, runs }),
		firstPack(workplace, { bytes: 'small', messages: small ? 4000 : 286_000, runs }),
	];
	report('first-pack', 'First pack of a whole tree', rows);
} finally {
	workplace.close();
}

function firstPack(
	workplace: Workplace,
	tree: { readonly bytes: 'real-life' | 'small'; readonly messages: number; readonly runs: number },
): Row {
	const { root, messages, bytes } = openTree(workplace, { ...tree, accounts: small ? 5 : 100 });
	const archive = join(workplace.scratch, 'archive');
	const floors: Cost[] = [];
	const packs: Cost[] = [];
	let stored = 0;
	let catalog = 0;
	for (let run = 0; run < tree.runs; run++) {
		// Side by side, so that both see the same machine: reading and hashing everything is the least that a backup can do.
		floors.push(measureShell('tar cf - "$1" | sha256sum', root));
		rmSync(archive, { recursive: true, force: true });
		packs.push(pack({ root, archive, now: NOW, messages }).cost);
		stored = countFiles(join(archive, 'bundles')).bytes + countFiles(join(archive, 'snapshots')).bytes;
		catalog = countFiles(archive).bytes - stored;
	}
	rmSync(archive, { recursive: true, force: true });
	const cost = medianCost(packs);
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
		'archive MB': stored / MEGA,
		'archive/mail': stored / bytes,
		'catalog MB': catalog / MEGA,
		'tar and hash s': floor.wall,
		'times tar': cost.wall / floor.wall,
	};
}
