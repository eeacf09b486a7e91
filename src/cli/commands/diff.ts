import type { Command } from 'commander';
import type { AccountName, FolderName } from '../../domain/index.ts';
import type { Answer, Call } from '../call.ts';
import { drawChanges } from '../change-rows.ts';
import { addExamples } from '../examples.ts';
import { ALL_ROWS, limitOf, remarkMore } from '../limits.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { accountValue, countValue, folderValue } from '../values.ts';
import { withReadable } from '../with-target.ts';

interface DiffOptions extends FromTargetOptions {
	readonly account?: AccountName;
	readonly folder?: FolderName;
	readonly limit?: number;
}

export function describe(command: Command): void {
	command
		.description(
			'Tells what changed between two moments: + came (copy: the account has it elsewhere too), - went, > moved (to < from), ~ got or lost flags or ' +
				'keywords, one line each, and what that comes to. Each moment is a snapshot, a date, an instant, or an age such as 3d; the ' +
				'first may be the later one, which tells the way back.',
		)
		.argument('<before>', 'the moment to start from')
		.argument('[after]', 'the moment to compare it with', 'latest')
		.option('--account <name>', 'only this account', accountValue('--account'))
		.option('--folder <folder>', 'only this folder, and what came into it and left it', folderValue('--folder'))
		.option('--limit <count>', 'at most so many lines; what they come to counts all', countValue('--limit', { least: 1, most: ALL_ROWS }));
	addFromTarget(command);
	addExamples(command, [
		['mailseal diff 1d', 'what happened since yesterday'],
		['mailseal diff 2026-11-01 2026-11-08 --account alice@example.org', 'a week of one account'],
		['mailseal diff 3d --account alice@example.org --folder INBOX', 'where the mail of an inbox went'],
		['mailseal diff 20261122T021500Z-9f8e7d6c 20261123T021500Z-0a1b2c3d --json', 'one night, for a script'],
		['mailseal diff 30d --target s3://bucket/mail --limit 1', 'what a month came to, by a target alone'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const { account, folder, limit, ...options } = call.options<DiffOptions>();
	const [before = '', after = 'latest'] = call.arguments;
	const most = limitOf(call, limit);
	const now = call.io.now();
	const { result, findings } = await withReadable(call, {
		options,
		wanted: { kind: 'moments', at: [before, after], now },
		work: (archive) =>
			call.services.diff(archive, {
				before,
				after,
				...(account === undefined ? {} : { account }),
				...(folder === undefined ? {} : { folder }),
				...(most === undefined ? {} : { limit: most }),
				now,
				progress: call.progress,
				signal: call.io.signal,
			}),
	});
	const answer = { result, findings, lines: drawChanges(result, { out: call.io.stdout, ...(account === undefined ? {} : { account }) }) };
	return result.more ? { ...answer, remark: remarkMore(result.rows.length, 'change') } : answer;
}
