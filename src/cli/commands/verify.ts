import { type Command, Option } from 'commander';
import type { VerifyMode, VerifyRequest } from '../../archive/index.ts';
import { type Answer, type Call, useWorkers } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawVerify } from '../human.ts';
import { addJobs, type JobsOption, jobsOf } from '../jobs.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { shareValue } from '../values.ts';
import { withReadable } from '../with-target.ts';

interface VerifyOptions extends JobsOption, FromTargetOptions {
	readonly quick?: boolean;
	readonly full?: boolean;
	readonly deep?: boolean;
	readonly sample?: number;
}

export function describe(command: Command): void {
	command
		.description(
			'Reads the archive, or with --target what a target has of one, and tells what is damaged or missing; it never changes anything. Ends with 5 where something is ' +
				'damaged or missing, with 1 where something else needs attention.',
		)
		.addOption(new Option('--quick', 'look at names and sizes only').conflicts(['full', 'deep', 'sample']))
		.addOption(new Option('--full', 'read every bundle and compare its hash (default)').conflicts(['deep', 'sample']))
		.addOption(new Option('--deep', 'rebuild every message too, and compare its hash').conflicts(['sample']))
		.addOption(
			new Option('--sample <share>', 'one bundle in so many, another share each day, e.g. 1/30').argParser(shareValue('--sample')),
		);
	addJobs(command);
	addFromTarget(command);
	addExamples(command, [
		['mailseal verify', 'every hash'],
		['mailseal verify --sample 1/30', 'every night a thirtieth, so that a month sees all'],
		['mailseal verify --deep --json', 'every message, for a script'],
		['mailseal verify --target offsite', 'what a target has: it proves every bundle, where it can without sending it'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<VerifyOptions>();
	const request: VerifyRequest = {
		mode: modeOf(options),
		...(options.sample === undefined ? {} : { sample: options.sample }),
		now: call.io.now(),
		progress: call.progress,
		signal: call.io.signal,
	};
	const { result, findings } = await withReadable(call, {
		options,
		wanted: { kind: 'all' },
		work: (archive, { target, opening, transfers }) =>
			useWorkers(call, jobsOf(call, options), (workers) =>
				target === null
					? call.services.verify(archive, request, workers)
					: call.services.verifyTarget(archive, { ...request, target, opening, transfers }, workers),
			),
	});
	const harmed = result.damaged.length > 0 || result.missing.length > 0;
	return { result, findings, lines: drawVerify(result), findingsAreResult: true, ...(harmed ? { exit: 5 } : {}) };
}

function modeOf(options: VerifyOptions): VerifyMode {
	if (options.quick === true) return 'quick';
	if (options.deep === true) return 'deep';
	return options.sample === undefined ? 'full' : 'sample';
}
