import type { Command } from 'commander';
import type { AccountName } from '../../domain/index.ts';
import type { Answer, Call } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawPlan } from '../human.ts';
import { openSources } from '../sources.ts';
import { accountValue, instantValue } from '../values.ts';

interface PlanOptions {
	readonly account?: AccountName;
	readonly now?: number;
}

export function describe(command: Command): void {
	command
		.description(
			'Looks at the sources and shows what a first pack would seal under quiet periods of 7, 14, 30, 60 and 90 days, and for ' +
				'the policy in force how much mail each reason decides. Needs no archive and writes nothing.',
		)
		.argument('[source...]', '[TYPE:]PATH, as for pack; none: those of the config file')
		.option('--account <name>', 'name of the account, for one SOURCE that is one mailbox', accountValue('--account'))
		.option('--now <instant>', 'the clock to judge by (default: now)', instantValue('--now'));
	addExamples(command, [
		['mailseal plan ~/Maildir', 'which quiet period suits this mailbox'],
		["mailseal plan --now 2026-12-24 'maildir:/var/vmail/{domain}/{user}/Maildir'", 'what a pack on that day would seal'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<PlanOptions>();
	const { result, findings } = await call.services.plan({
		sources: openSources(call, options.account === undefined ? {} : { account: options.account }),
		policy: call.settings.policy,
		now: options.now ?? call.io.now(),
		progress: call.progress,
		signal: call.io.signal,
	});
	return { result, findings, lines: drawPlan(result) };
}
