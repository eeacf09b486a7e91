import { type Command, Option } from 'commander';
import { type Answer, type Call, useWorkers } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawRestore } from '../human.ts';
import { addJobs, type JobsOption, jobsOf } from '../jobs.ts';
import { placePath } from '../paths.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { wantedFor, withReadable } from '../with-target.ts';

interface RestoreOptions extends JobsOption, FromTargetOptions {
	readonly to: string;
	readonly at?: string;
	readonly as: 'maildir' | 'mbox';
	readonly layout: 'maildir++' | 'fs';
	readonly dryRun?: boolean;
}

export function describe(command: Command): void {
	command
		.description(
			'Writes mailboxes as they were: messages, flags, keywords, dates, UIDs and subscriptions, one folder <account> each below DIR. ' +
				'It adds to what is there, without duplicates, and never overwrites.',
		)
		.argument('[selection...]', 'ACCOUNT or ACCOUNT/FOLDER; none: everything')
		.requiredOption('--to <dir>', 'the folder to write to; made where it is missing')
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)')
		.addOption(new Option('--as <format>', 'what to write').choices(['maildir', 'mbox']).default('maildir'))
		.addOption(
			new Option('--layout <layout>', 'where a Maildir keeps its subfolders: .Sub.Folder (maildir++) or Sub/Folder (fs)')
				.choices(['maildir++', 'fs'])
				.default('maildir++'),
		)
		.option('--dry-run', 'write nothing, and tell what would be written');
	addJobs(command);
	addFromTarget(command);
	addExamples(command, [
		['mailseal restore alice@example.org --to /var/tmp/restored', 'an account, as it is in the newest snapshot'],
		['mailseal restore alice@example.org/Projects/Alpha --at 2026-11-01 --to .', 'a folder, as it was on that day'],
		['mailseal restore --to /srv/all --as mbox', 'everything, as mbox files'],
		[
			'mailseal restore --to /srv/vmail --target offsite --identity key.txt',
			'everything, from an encrypted target, with nothing else left',
		],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<RestoreOptions>();
	const to = placePath(options.to, call.io);
	const { result, findings } = await withReadable(call, {
		options,
		wanted: wantedFor(call, options.at),
		work: (archive) =>
			useWorkers(call, jobsOf(call, options), (workers) =>
				call.services.restore(
					archive,
					{
						selections: call.arguments,
						to,
						...(options.at === undefined ? {} : { at: options.at }),
						as: options.as,
						layout: options.layout,
						dryRun: options.dryRun === true,
						now: call.io.now(),
						progress: call.progress,
						signal: call.io.signal,
					},
					workers,
				),
			),
	});
	return { result, findings, lines: drawRestore(result, to) };
}
