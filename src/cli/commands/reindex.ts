import type { Command } from 'commander';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawReindex } from '../human.ts';

export function describe(command: Command): void {
	command.description(
		'Rebuilds the catalog from the bundles and snapshots. The catalog is a cache: nothing is lost with it, and nothing but it is written.',
	);
	addExamples(command, [['mailseal -a /backup/mail reindex', 'after catalog.sqlite was lost or the archive was copied']]);
}

export async function run(call: Call): Promise<Answer> {
	const { result, findings } = await withArchive(call, {
		work: (archive) => call.services.reindex(archive, { progress: call.progress, signal: call.io.signal }),
	});
	return { result, findings, lines: drawReindex(result) };
}
