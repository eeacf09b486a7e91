import type { Command } from 'commander';
import type { Answer, Call } from '../call.ts';
import { addExamples } from '../examples.ts';
import { ALL_ROWS, limitOf, remarkMore } from '../limits.ts';
import { drawFound } from '../rows.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { countValue } from '../values.ts';
import { wantedFor, withReadable } from '../with-target.ts';

interface SearchOptions extends FromTargetOptions {
	readonly at?: string;
	readonly limit?: number;
}

export function describe(command: Command): void {
	command
		.description(
			'Finds messages by their headers and the names of attached files. All terms must fit: words, beginnings of words (invo*) and ' +
				'"phrases" anywhere or behind from:, to:, cc:, subject: or filename:, each with a "-" for what must be absent; has:attachment or ' +
				'-has:attachment, account:, folder:, before:DATE, after:DATE, larger:SIZE, smaller:SIZE, message-id:. Shows date, @ where files are ' +
				'attached, folder, sender, subject and the start of the id.',
		)
		.argument('<query...>', 'the terms; quote a phrase as subject:"annual report"')
		.option('--at <moment>', 'as of a snapshot, a date, an instant, or an age such as 3d (default: latest)')
		.option('--limit <count>', 'at most so many rows', countValue('--limit', { least: 1, most: ALL_ROWS }));
	addFromTarget(command);
	addExamples(command, [
		['mailseal search invoice from:billing@example.com after:2026-01-01', 'words and terms together'],
		['mailseal search \'subject:"annual report"\' larger:1MiB --at 2026-06-30', 'a phrase, as of a day'],
		['mailseal search --limit 20 -- invoice -draft', 'what must be absent stands behind --, so that it is not taken for an option'],
		['mailseal search has:attachment filename:invoice from:billing@example.com', 'by the name of a file that came with it'],
		['mailseal search --json account:alice@example.org folder:INBOX', 'for a script'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<SearchOptions>();
	const { at, limit } = options;
	const { result, findings } = await withReadable(call, {
		options,
		wanted: wantedFor(call, at),
		work: (archive) =>
			call.services.search(archive, {
				query: call.arguments.join(' '),
				...(at === undefined ? {} : { at }),
				limit: limitOf(call, limit) ?? ALL_ROWS,
				now: call.io.now(),
				progress: call.progress,
				signal: call.io.signal,
			}),
	});
	const answer = { result, findings, lines: drawFound(result.rows, call.io.stdout) };
	return result.more ? { ...answer, remark: remarkMore(result.rows.length, 'message') } : answer;
}
