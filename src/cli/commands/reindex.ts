import type { Command } from 'commander';
import type { Answer, Call } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawReindex } from '../human.ts';
import { addFromTarget, type FromTargetOptions } from '../target-options.ts';
import { withReadable } from '../with-target.ts';

export function describe(command: Command): void {
	command.description(
		'Rebuilds the catalog from the bundles and snapshots. The catalog is a cache: nothing is lost with it, and nothing but it is written.',
	);
	addFromTarget(command);
	addExamples(command, [
		['mailseal -a /backup/mail reindex', 'after catalog.sqlite was lost or the archive was copied'],
		['mailseal reindex --target s3://bucket/mail', 'the catalog that is kept here of a target, from directories and manifests alone'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const { result, findings } = await withReadable(call, {
		options: call.options<FromTargetOptions>(),
		wanted: { kind: 'newest' },
		work: (archive) => call.services.reindex(archive, { progress: call.progress, signal: call.io.signal }),
	});
	return { result, findings, lines: drawReindex(result) };
}
