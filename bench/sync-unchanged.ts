import { join } from 'node:path';
import type { SyncResult } from '../src/archive/index.ts';
import { lacksCeph } from '../test/support/ceph.ts';
import { lacksSshd } from '../test/support/sshd.ts';
import { MEGA } from './run/bytes.ts';
import { pack, runMailseal } from './run/mailseal.ts';
import { type Cost, median, medianCost } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { openFolderPlace, openS3Place, openSftpPlace, type Place } from './run/servers.ts';
import { isInstalled, NOT_COPIED, RCLONE, runTool } from './run/tool.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

/** Bundles for each message of the tree, where a bundle is cut as soon as something is in it: some messages hold several. */
const BUNDLES_PER_MESSAGE = 0.92;

interface Way {
	readonly program: string;
	/** Gives what it cost, and how many bundles the far side proved where it tells. */
	run(): { readonly cost: Cost; readonly proved?: number };
}

const options = readOptions(['small', 'runs', 'bundles', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const runs = numberOption(options, 'runs', 5);
	const wanted = numberOption(options, 'bundles', small ? 300 : 10_000);
	const messages = Math.ceil(wanted / BUNDLES_PER_MESSAGE);
	const { root } = openTree(workplace, { bytes: 'small', messages, accounts: small ? 5 : 50 });
	const archive = join(workplace.scratch, 'archive');
	const { result } = pack({ root, archive, now: NOW, messages, options: ['--bundle-target', '1KiB'] });
	const bundles = result.sealed.new + result.volatile.bundles;

	function mailseal(program: string, words: readonly string[]): Way {
		return {
			program,
			run() {
				const { result: told, cost } = runMailseal<SyncResult>(['sync', '-a', archive, ...words]);
				if (told.confirmed !== bundles || told.shipped + told.snapshots + told.damaged.length > 0) {
					throw new Error(`Cannot go on: the target was not as it was left: ${JSON.stringify(told)}`);
				}
				return { cost, proved: told.proved };
			},
		};
	}

	/** `silent`: what the program says when it has found nothing to do. */
	function tool(program: string, words: readonly string[], silent: (said: string) => boolean): Way {
		return {
			program,
			run() {
				const ran = runTool(words);
				if (!silent(`${ran.stdout}${ran.stderr}`))
					throw new Error(`Cannot go on: ${program} found something to do: ${ran.stdout}${ran.stderr}`);
				return { cost: ran };
			},
		};
	}

	function waysTo(place: Place): Way[] {
		const at = place.mailseal('sealed');
		runMailseal(['sync', '-a', archive, ...at]);
		const ways = [mailseal('mailseal sync', at), mailseal('mailseal sync --no-check', [...at, '--no-check'])];
		const rsync = place.rsync('rsync');
		if (rsync.length > 0 && isInstalled('rsync')) {
			const words = ['rsync', '-ai', ...NOT_COPIED, `${archive}/`, ...rsync];
			runTool(words);
			// Lines of things that were shipped or made begin so; others tell of the times of folders.
			ways.push(tool('rsync -a', words, (said) => !/^[<>ch*]/m.test(said)));
		}
		if (isInstalled('rclone')) {
			const words = [...RCLONE, 'sync', '-v', ...NOT_COPIED, archive, ...place.rclone('rclone')];
			// It would have the server hash each file once more, in a process of its own.
			runTool([...words, '--ignore-checksum']);
			const isSilent = (said: string): boolean => said.includes('There was nothing to transfer');
			ways.push(tool('rclone sync', words, isSilent), tool('rclone sync --size-only', [...words, '--size-only'], isSilent));
		}
		return ways;
	}

	async function measureAt(place: Place): Promise<Row[]> {
		try {
			const ways = waysTo(place);
			const costs = new Map<Way, Cost[]>(ways.map((way) => [way, []]));
			const proved = new Map<Way, number>();
			// The ways take turns, so that a busy moment meets them all.
			for (let run = 0; run < runs; run++) {
				for (const way of ways) {
					const { cost, proved: count } = way.run();
					costs.get(way)?.push(cost);
					if (count !== undefined) proved.set(way, count);
				}
			}
			const usual = (ways[0] === undefined ? undefined : costs.get(ways[0])) ?? [];
			return ways.map((way) => {
				const own = costs.get(way) ?? [];
				const cost = medianCost(own);
				return {
					to: place.kind,
					program: way.program,
					bundles,
					proved: proved.get(way) ?? '',
					seconds: cost.wall,
					best: Math.min(...own.map(({ wall }) => wall)),
					'CPU s': cost.user + cost.system,
					'peak MB': cost.peak / MEGA,
					'times mailseal sync': median(own.map(({ wall }, run) => wall / (usual[run]?.wall ?? Number.NaN))),
				};
			});
		} finally {
			await place.close();
		}
	}

	const rows = await measureAt(openFolderPlace(join(workplace.scratch, 'disk')));
	if (!lacksSshd()) rows.push(...(await measureAt(await openSftpPlace(workplace.scratch))));
	if (!lacksCeph()) rows.push(...(await measureAt(await openS3Place())));
	report('sync-unchanged', `Sync when the target has all ${bundles.toLocaleString('en')} bundles (target: under 1 s for a folder)`, rows);
} finally {
	workplace.close();
}
