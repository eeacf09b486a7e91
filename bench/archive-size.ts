import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { VerifyResult } from '../src/archive/results.ts';
import { catalogBytes } from './run/archive-facts.ts';
import { countFiles, MEGA } from './run/bytes.ts';
import { PROGRAM, pack, runMailseal } from './run/mailseal.ts';
import { type Cost, measureShell, stopwatch } from './run/measure.ts';
import { hasOption, readOptions } from './run/options.ts';
import { PEERS, storeWith } from './run/peers.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const TARGET = 0.75;

const options = readOptions(['small', 'dir', 'keep', 'logos']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const tree = openTree(workplace, {
		bytes: 'real-life',
		messages: small ? 1000 : 38_000,
		accounts: small ? 5 : 100,
		logos: hasOption(options, 'logos'),
	});
	const inTree = countFiles(tree.root);
	// First, so that all programs find the same files in memory.
	const floor = measureShell('tar cf - "$1" | sha256sum', tree.root);

	const peers = PEERS.map((peer) => {
		const result = storeWith(peer, { tree: tree.root, folder: workplace.scratch });
		if (result?.stored !== undefined && result.stored !== inTree.files) {
			throw new Error(`Cannot go on: ${peer} stored ${result.stored} files (the tree has ${inTree.files})`);
		}
		if (!hasOption(options, 'keep')) rmSync(join(workplace.scratch, peer), { recursive: true, force: true });
		return { peer, result };
	});
	const smallest = Math.min(...peers.flatMap(({ peer, result }) => (result && peer !== 'bup' ? [result.bytes] : [])));

	const archive = join(workplace.scratch, 'archive');
	const { cost } = pack({ root: tree.root, archive, now: NOW, messages: tree.messages });
	const whole = countFiles(archive);
	const catalog = catalogBytes(archive);
	const verified = runMailseal<VerifyResult>(['verify', '--deep', '-a', archive]);
	const faults = [...verified.result.damaged, ...verified.result.missing];
	if (faults.length > 0) throw new Error(`Cannot go on: the archive is damaged: ${faults.join(', ')}`);
	const version = stopwatch(process.execPath, [PROGRAM, '--version']).stdout.toString().trim();

	function row(
		tool: string,
		given: { readonly version: string; readonly files: number; readonly bytes: number; readonly cost?: Cost },
	): Row {
		return {
			tool,
			version: given.version,
			...(given.cost === undefined
				? {}
				: { seconds: given.cost.wall, 'CPU s': given.cost.user + given.cost.system, 'peak MB': given.cost.peak / MEGA }),
			files: given.files,
			MB: given.bytes / MEGA,
			'archive/mail': given.bytes / tree.bytes,
			...(Number.isFinite(smallest) ? { 'of the smaller of restic and borg': given.bytes / smallest } : {}),
		};
	}

	const mail = `${tree.messages.toLocaleString('en')} messages, ${(tree.bytes / MEGA).toFixed(0)} MB of mail`;
	report('archive-size', `Size of the archive: ${mail}, one run (target: ${TARGET} of the smaller of restic and borg)`, [
		row('the tree, read and hashed', { version: 'tar, sha256sum', ...inTree, cost: floor }),
		...peers.map(({ peer, result }) => (result ? row(peer, result) : { tool: peer, version: 'not installed' })),
		row('mailseal, without the catalog (a cache, can be rebuilt)', {
			version,
			files: whole.files - catalog.files,
			bytes: whole.bytes - catalog.bytes,
			cost,
		}),
		row('mailseal, with the catalog', { version, ...whole }),
	]);
} finally {
	workplace.close();
}
