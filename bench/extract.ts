import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Listing, MessageRow } from '../src/archive/results.ts';
import { openPrng } from './mail/prng.ts';
import { MEGA } from './run/bytes.ts';
import { PROGRAM, pack, runMailseal } from './run/mailseal.ts';
import { measure, median, stopwatch } from './run/measure.ts';
import { hasOption, numberOption, readOptions } from './run/options.ts';
import { type Row, report } from './run/report.ts';
import { NOW, openTree, openWorkplace } from './run/workplace.ts';

const KILO = 1e3;
const LARGE = 100_000;

const options = readOptions(['small', 'runs', 'dir', 'keep']);
const small = hasOption(options, 'small');
const workplace = openWorkplace(options);
try {
	const runs = numberOption(options, 'runs', 20);
	const tree = openTree(workplace, { bytes: 'real-life', messages: small ? 1000 : 38_000, accounts: small ? 5 : 100 });
	const archive = join(workplace.scratch, 'archive');
	pack({ root: tree.root, archive, now: NOW, messages: tree.messages });
	const { result } = runMailseal<Listing<MessageRow>>(['ls', 'messages', '-a', archive, '--limit', String(tree.messages)]);
	// By id, so that the choice does not depend on the order of the list.
	const messages = [...result.rows].sort((left, right) => (left.id < right.id ? -1 : 1));

	function extract(what: string, candidates: readonly MessageRow[]): Row {
		const prng = openPrng('extract', what);
		const walls: number[] = [];
		const peaks: number[] = [];
		const sizes: number[] = [];
		for (let run = 0; run < runs; run++) {
			const { id, size } = prng.pick(candidates);
			const args = [PROGRAM, 'extract', id, '-a', archive];
			const { wall, stdout } = stopwatch(process.execPath, args);
			if (createHash('sha256').update(stdout).digest('hex') !== id)
				throw new Error(`Cannot go on: message ${id} came out with other bytes`);
			walls.push(wall);
			sizes.push(size);
			if (run < 3) peaks.push(measure(process.execPath, args).peak);
		}
		const start = median(Array.from({ length: runs }, () => stopwatch(process.execPath, ['-e', '0']).wall));
		walls.sort((left, right) => left - right);
		return {
			message: what,
			runs,
			'kB (median)': median(sizes) / KILO,
			'ms (median)': median(walls) * 1000,
			'ms (9 of 10)': (walls[Math.ceil(runs * 0.9) - 1] ?? Number.NaN) * 1000,
			'peak MB': Math.max(...peaks) / MEGA,
			'empty Node ms': start * 1000,
			'ms beyond Node': (median(walls) - start) * 1000,
		};
	}

	report('extract', `Extract one of ${tree.messages.toLocaleString('en')} messages, a new process each time`, [
		extract('any', messages),
		extract(
			'with attachments, above 100 kB',
			messages.filter((message) => message.size > LARGE),
		),
	]);
} finally {
	workplace.close();
}
