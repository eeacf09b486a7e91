import type { Command } from 'commander';
import { type Answer, type Call, withWorkers } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawCompact } from '../human-compact.ts';
import { addJobs, jobsOf } from '../jobs.ts';
import type { Services } from '../services.ts';
import { formatExactSize } from '../text.ts';
import { fractionValue, instantValue, sizeValue } from '../values.ts';
import { bundleSettings } from './pack.ts';

interface CompactOptions {
	readonly below?: number;
	readonly budget?: number;
	readonly now?: number;
	readonly dryRun?: boolean;
	readonly jobs?: number;
}

export async function describe(command: Command, load: () => Promise<Services>): Promise<void> {
	const { below, budget } = (await load()).defaultCompaction;
	command
		.description(
			'Seals again what is alive of sealed bundles that are mostly dead, and commits a snapshot that names the new bundles in place of the ' +
				'old. No sealed file is changed or removed: older snapshots still need the old ones, and a prune removes them with those.',
		)
		.option(
			'--below <share>',
			`supersede bundles of which less than this share is alive, 0 to 1 (default: ${below}); 0: only what is wholly dead`,
			fractionValue('--below'),
		)
		.option('--budget <size>', `write at most so much in one run (default: ${formatExactSize(budget)})`, sizeValue('--budget'))
		.option('--now <instant>', 'the time of the snapshot (default: now)', instantValue('--now'))
		.option('--dry-run', 'write nothing, and show which bundles would be superseded');
	addJobs(command);
	addExamples(command, [
		['mailseal -a /backup/mail compact --dry-run', 'what a compaction would supersede'],
		['mailseal -a /backup/mail compact', 'after many old messages were deleted'],
		['mailseal compact --below 0.8 --budget 10GiB', 'more room for more writing'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<CompactOptions>();
	const { defaultCompaction } = call.services;
	const given = call.settings.compaction;
	const { result, findings } = await withWorkers(call, {
		jobs: jobsOf(call, options),
		work: (archive, workers) =>
			call.services.compact(
				archive,
				{
					below: options.below ?? given.below ?? defaultCompaction.below,
					budget: options.budget ?? given.budget ?? defaultCompaction.budget,
					bundles: bundleSettings(call, { compress: true }),
					now: options.now ?? call.io.now(),
					dryRun: options.dryRun === true,
					progress: call.progress,
					signal: call.io.signal,
				},
				workers,
			),
	});
	return { result, findings, lines: drawCompact(result) };
}
