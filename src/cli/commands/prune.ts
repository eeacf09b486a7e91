import type { Command } from 'commander';
import { NO_RETENTION, type Retention } from '../../domain/index.ts';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawPrune } from '../human-prune.ts';
import { countValue, instantValue } from '../values.ts';

interface PruneOptions {
	readonly keepLast?: number;
	readonly keepHourly?: number;
	readonly keepDaily?: number;
	readonly keepWeekly?: number;
	readonly keepMonthly?: number;
	readonly keepYearly?: number;
	readonly now?: number;
	readonly dryRun?: boolean;
}

const MOST = { least: 0, most: 1_000_000 };

export function describe(command: Command): void {
	command.description(
		'Removes snapshots that the policy does not keep, and then every bundle that no kept snapshot names. A snapshot with a tag, and the newest, ' +
			'always stay. What was removed stands in a snapshot of its own, so that verify can tell it from loss. Counts that are not given come from ' +
			'[retention] in the config file.',
	);
	for (const [rule, what] of [
		['last', 'the last so many snapshots'],
		['hourly', 'the newest of each of the last so many hours that have one (UTC)'],
		['daily', 'the same for days'],
		['weekly', 'the same for weeks, which begin on Monday'],
		['monthly', 'the same for months'],
		['yearly', 'the same for years'],
	] as const) {
		command.option(`--keep-${rule} <count>`, `keep ${what}`, countValue(`--keep-${rule}`, MOST));
	}
	command
		.option(
			'--now <instant>',
			'the clock that dates the record, and that no snapshot should be ahead of (default: now)',
			instantValue('--now'),
		)
		.option('--dry-run', 'change nothing, and tell what would go');
	addExamples(command, [
		['mailseal prune --keep-daily 30 --keep-monthly 12 --dry-run', 'what a month of days and a year of months would leave'],
		['mailseal prune --keep-daily 30 --keep-monthly 12', 'the same, done'],
		['mailseal prune', 'every night after pack, with the counts of the config file'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<PruneOptions>();
	const { result, findings } = await withArchive(call, {
		work: (archive) =>
			call.services.prune(archive, {
				keep: keepOf(options, call.settings.retention),
				now: options.now ?? call.io.now(),
				dryRun: options.dryRun === true,
				progress: call.progress,
				signal: call.io.signal,
			}),
	});
	return { result, findings, lines: drawPrune(result, call.io.stdout) };
}

function keepOf(options: PruneOptions, settings: Partial<Retention>): Retention {
	const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = options;
	const all = { ...NO_RETENTION, ...settings };
	return {
		last: keepLast ?? all.last,
		hourly: keepHourly ?? all.hourly,
		daily: keepDaily ?? all.daily,
		weekly: keepWeekly ?? all.weekly,
		monthly: keepMonthly ?? all.monthly,
		yearly: keepYearly ?? all.yearly,
	};
}
