import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Answer, type Call, withWorkers } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawRepair } from '../human-targets.ts';
import { addJobs, type JobsOption, jobsOf } from '../jobs.ts';
import { reachWith } from '../reach.ts';
import { addReach, given, type ReachOptions, TRANSFERS } from '../target-options.ts';
import { targetSettings } from '../target-settings.ts';
import { withTarget } from '../with-target.ts';

interface RepairOptions extends ReachOptions, JobsOption {
	readonly from: string;
	readonly archiveId?: string;
	readonly quick?: boolean;
	readonly dryRun?: boolean;
}

export function describe(command: Command): void {
	command
		.description(
			'Finds bundles and snapshots that are damaged or missing here, and fetches them from a target; each is compared with its hash before it takes ' +
				'its place. Where there is no archive yet, it is made anew from the target. Bundles that were dropped here on purpose stay there.',
		)
		.requiredOption('--from <target>', 'a folder, sftp://, s3://, or a name in the config file')
		.option('--archive-id <id>', 'which archive to make anew, at a target that has several')
		.option('--quick', 'look at names and sizes only, to find what is harmed')
		.option('--dry-run', 'change nothing, and tell what would be fetched');
	addJobs(command);
	addReach(command);
	addExamples(command, [
		['mailseal repair --from offsite', 'after "mailseal verify" found something'],
		['mailseal -a /backup/mail repair --from s3://bucket/mail --identity key.txt', 'the whole archive, after its disk was lost'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<RepairOptions>();
	const { services, settings, io } = call;
	const chosen = targetSettings(call, options.from, given(options));
	const { result, findings } = await withTarget(call, chosen, async (target) => {
		if (!existsSync(join(settings.archive, services.headFile)) && options.dryRun !== true) {
			await services.adoptArchive(settings.archive, {
				target,
				archiveId: options.archiveId ?? null,
				files: services.files,
				signal: io.signal,
			});
		}
		return withWorkers(call, {
			jobs: jobsOf(call, options),
			reach: reachWith(call, options),
			work: (archive, workers) =>
				services.repair(
					archive,
					{
						target,
						quick: options.quick === true,
						dryRun: options.dryRun === true,
						transfers: chosen.transfers ?? TRANSFERS,
						progress: call.progress,
						signal: io.signal,
					},
					workers,
				),
		});
	});
	const left = result.damaged.length + result.missing.length - result.repaired;
	return { result, findings, lines: drawRepair(result), ...(left > 0 && !result.dryRun ? { exit: 5 } : {}) };
}
