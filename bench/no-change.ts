import { join } from 'node:path';
import type { PackResult } from '../src/archive/results.ts';
import { MEGA } from './run/bytes.ts';
import { pack } from './run/mailseal.ts';
import { type Cost, measureShell, medianCost } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const options = readOptions(['small', 'runs', 'messages', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const runs = numberOption(options, 'runs', 5);
	const { root, messages } = openTree(workplace, {
		bytes: 'small',
		messages: numberOption(options, 'messages', small ? 3000 : 200_000),
		accounts: small ? 5 : 200,
	});
	const archive = join(workplace.scratch, 'archive');
	let now = NOW;
	pack({ root, archive, now, messages });

	/** A day later nothing has changed either, but some mail has become quiet. */
	function night(what: string, step: number): Row {
		const packs: Cost[] = [];
		const walks: Cost[] = [];
		const looks: Cost[] = [];
		let last: PackResult | undefined;
		for (let run = 0; run < runs; run++) {
			now += step;
			walks.push(measureShell('find "$1" -type f | wc -l', root));
			looks.push(measureShell('find "$1" -type f -printf "%s %T@\\n" | wc -l', root));
			const { result, cost } = pack({ root, archive, now, messages });
			packs.push(cost);
			last = result;
		}
		const cost = medianCost(packs);
		const walk = medianCost(walks);
		const look = medianCost(looks);
		return {
			night: what,
			messages,
			seconds: cost.wall,
			'CPU s': cost.user + cost.system,
			'messages/s': messages / cost.wall,
			'peak MB': cost.peak / MEGA,
			'folders read': last?.scan.foldersRead ?? Number.NaN,
			'files read': last?.scan.filesRead ?? Number.NaN,
			'new MB': ((last?.volatile.newBytes ?? 0) + (last?.sealed.newBytes ?? 0)) / MEGA,
			'find s': walk.wall,
			'find with stat s': look.wall,
			'times find': cost.wall / walk.wall,
			'times stat': cost.wall / look.wall,
		};
	}

	report('no-change', 'Pack when nothing has changed', [night('a minute later', MINUTE), night('a day later', DAY)]);
} finally {
	workplace.close();
}
