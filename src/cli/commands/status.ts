import type { Command } from 'commander';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawStatus } from '../human.ts';

export function describe(command: Command): void {
	command.description(
		'Shows the newest snapshot, the bundles and their bytes, what storing equal messages and attachments once saves, and what to do next.',
	);
	addExamples(command, [
		['mailseal status', 'the default archive'],
		['mailseal -a /backup/mail status --json', 'another one, for monitoring'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const now = call.io.now();
	const { result, findings } = await withArchive(call, { work: (archive) => call.services.status(archive, now) });
	return { result, findings, lines: drawStatus(result, now) };
}
