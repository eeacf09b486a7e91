import { sep } from 'node:path';
import { type Command, Option } from 'commander';
import type { SyncResult } from '../../archive/index.ts';
import { MailsealError } from '../../domain/index.ts';
import { type Answer, type Call, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawSync } from '../human-targets.ts';
import { reachWith } from '../reach.ts';
import { addShip, given, type ShipOptions, TRANSFERS } from '../target-options.ts';
import { addressOf, targetSettings } from '../target-settings.ts';
import { durationValue, shareValue } from '../values.ts';
import { withStore } from '../with-target.ts';

interface SyncOptions extends ShipOptions {
	/** True for all, a number for one in so many, false for none. */
	readonly check?: boolean | number;
	readonly prune?: boolean;
	readonly pruneGrace: number;
	readonly dropLocal?: boolean;
	readonly dryRun?: boolean;
}

/** A thirtieth each day: a month sees all. */
const USUAL_SHARE = 30;

export function describe(command: Command): void {
	command
		.description(
			'Ships what the target lacks, bundles first, snapshots last, and confirms the rest by name, size and hash. A run that is cut off goes on ' +
				'where it was. The target proves a thirtieth of its bundles each day, or with --check all of them; a damaged copy is shipped again.',
		)
		.argument('<target>', 'a folder, sftp://user@host/path, s3://bucket/prefix, or a name in the config file')
		.addOption(
			new Option('--check [share]', 'have the target prove all its bundles, or one in so many, e.g. 1/7').argParser(shareValue('--check')),
		)
		.option('--no-check', 'have it prove none')
		.option('--prune', 'delete there what was pruned here, and what no snapshot at the target needs any more')
		.addOption(
			new Option('--prune-grace <duration>', 'but nothing younger, which may belong to a sync that is under way')
				.argParser(durationValue('--prune-grace'))
				.default(7 * 24 * 3600 * 1000, '7d'),
		)
		.option('--drop-local', 'remove sealed bundles here, once the target has proved its copies')
		.option('--dry-run', 'change nothing, and tell what would be shipped, deleted and removed');
	addShip(command);
	addExamples(command, [
		['mailseal sync /mnt/backup/mail', 'to another disk'],
		['mailseal sync sftp://backup@nas.example.org/volume/mail', 'over SSH'],
		[
			'mailseal sync s3://bucket/mail --encrypt-to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
			'encrypted: this host cannot read it back',
		],
		['mailseal sync offsite --check', 'to a target of the config file, proving every copy'],
		['mailseal sync offsite --drop-local --dry-run', 'how much room a thin archive would save'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<SyncOptions>();
	const settings = targetSettings(call, call.arguments[0] ?? '', given(options));
	refuseArchive(call, addressOf(call, settings).url);
	const { result, findings } = await withStore(call, settings, ({ address, store, keys }) =>
		withArchive(call, {
			reach: reachWith(call, options),
			work: (archive) =>
				call.services.sync(archive, {
					address,
					store,
					keys,
					check: shareOf(options.check),
					prune: options.prune === true ? { grace: options.pruneGrace } : null,
					dropLocal: options.dropLocal === true,
					dryRun: options.dryRun === true,
					transfers: settings.transfers ?? TRANSFERS,
					now: call.io.now(),
					progress: call.progress,
					signal: call.io.signal,
				}),
		}),
	);
	return { result: result satisfies SyncResult, findings, lines: drawSync(result) };
}

/** A copy in the archive itself is none, and a target around it would be copied into itself. */
function refuseArchive({ settings }: Call, url: string): void {
	const [archive, target] = [settings.archive, url].map((path) => (path.endsWith(sep) ? path : `${path}${sep}`)) as [string, string];
	if (!archive.startsWith(target) && !target.startsWith(archive)) return;
	throw new MailsealError('usage', `Cannot ship to "${url}": the archive "${settings.archive}" is, or lies in, the same folder`, {
		hint: 'name a folder on another disk',
	});
}

function shareOf(check: SyncOptions['check']): number | null {
	if (check === false) return null;
	if (typeof check === 'number') return check;
	// Commander gives true for --check without a share.
	return check === undefined ? USUAL_SHARE : 1;
}
