import { type Command, Option } from 'commander';
import type { Archive, BundleSettings, Outcome, PackResult, SyncResult, Workers } from '../../archive/index.ts';
import { type AccountName, ATTACHMENTS_WHEN, type AttachmentsWhen, type Finding, MailsealError } from '../../domain/index.ts';
import { type Answer, type Call, useWorkers, withArchive } from '../call.ts';
import { addExamples } from '../examples.ts';
import { exitOf } from '../exit-codes.ts';
import { drawPack } from '../human.ts';
import { drawSync } from '../human-targets.ts';
import { reasonOf } from '../interrupt.ts';
import { addJobs, jobsOf } from '../jobs.ts';
import { MOST_VOLATILE } from '../limits.ts';
import type { Services } from '../services.ts';
import { refuseArchive, shipTo, USUAL_SHARE } from '../ship-to.ts';
import { openSources } from '../sources.ts';
import { addressOf, type TargetSettings, targetSettings } from '../target-settings.ts';
import { formatExactSize } from '../text.ts';
import {
	accountValue,
	attachmentMinValue,
	countValue,
	durationValue,
	fractionValue,
	gather,
	gatherTags,
	instantValue,
	sizeValue,
} from '../values.ts';

type BundleOptions = Pick<PackOptions, 'bundleTarget' | 'compress' | 'foldBelow' | 'linger' | 'mostVolatile' | 'sealAttachments'>;

interface PackOptions {
	readonly account?: AccountName;
	readonly quietPeriod?: number;
	readonly unreadPeriod?: number;
	readonly never?: readonly string[];
	readonly bundleTarget?: number;
	readonly linger?: number;
	readonly sealAttachments?: AttachmentsWhen;
	readonly foldBelow?: number;
	readonly mostVolatile?: number;
	readonly attachmentMin?: number;
	/** False where --no-compress is given. */
	readonly compress: boolean;
	readonly rescan?: boolean;
	readonly tag?: readonly string[];
	readonly now?: number;
	readonly allowMassRemoval?: boolean;
	readonly dryRun?: boolean;
	/** A target, as sync takes it. */
	readonly sync?: string;
	readonly jobs?: number;
}

// A bundle is built in memory before it is written.
const LARGEST_BUNDLE = 1024 ** 3;

export async function describe(command: Command, load: () => Promise<Services>): Promise<void> {
	const { defaultAttachmentMin, defaultBundles } = await load();
	command
		.description(
			'Scans the sources, seals mail that has been quiet for a while into bundles that never change again, writes the rest ' +
				"into tonight's volatile bundle, and commits a snapshot. The archive is made on first use. Mail is only read, never changed.",
		)
		.argument('[source...]', '[TYPE:]PATH, where PATH may hold {account}, {user}, {domain}; none: those of the config file')
		.option('--account <name>', 'name of the account, for one SOURCE that is one mailbox', accountValue('--account'))
		.option('--quiet-period <duration>', 'seal mail unchanged for this long (default: 30d)', durationValue('--quiet-period'))
		.option('--unread-period <duration>', 'the same for mail that nobody read (default: 90d)', durationValue('--unread-period'))
		.option('--never <folder>', 'never seal this folder and those below it; repeatable, in place of Trash, Junk, Drafts', gather)
		.option('--bundle-target <size>', 'cut sealed bundles at this size (default: 64MiB)', sizeValue('--bundle-target'))
		.option('--linger <duration>', 'longest wait of quiet mail for a bundle to fill (default: 30d)', durationValue('--linger'))
		.addOption(
			new Option(
				'--seal-attachments <when>',
				`seal an attachment with the first quiet message that needs it, or when it comes (default: ${defaultBundles.attachments})`,
			).choices(ATTACHMENTS_WHEN),
		)
		.option(
			'--fold-below <share>',
			`fold a volatile bundle that is alive to less than this share (default: ${defaultBundles.foldBelow})`,
			fractionValue('--fold-below'),
		)
		.option(
			'--most-volatile <count>',
			`keep at most so many volatile bundles (default: ${defaultBundles.mostVolatile})`,
			countValue('--most-volatile', { least: 1, most: MOST_VOLATILE }),
		)
		.option(
			'--attachment-min <size>',
			`for a new archive: store parts of messages of at least this size apart, each once (default: ${formatExactSize(defaultAttachmentMin)})`,
			attachmentMinValue('--attachment-min'),
		)
		.option('--no-compress', 'store messages as they are')
		.option('--rescan', 'list every folder and read every message again, however unchanged it looks')
		.option('--tag <name>', 'name the snapshot, so that prune keeps it; repeatable', gatherTags('--tag'))
		.option('--now <instant>', 'the clock to judge by (default: now)', instantValue('--now'))
		.option('--allow-mass-removal', 'believe it when much of the mail is gone')
		.option('--sync <target>', 'then ship to this target what it lacks, as "mailseal sync" does')
		.option('--dry-run', 'write nothing (plan does the same where there is no archive yet)');
	addJobs(command);
	addExamples(command, [
		['mailseal pack ~/Maildir', 'one mailbox, into the default archive'],
		["mailseal -a /backup/mail pack 'maildir:/var/vmail/{domain}/{user}/Maildir'", 'a mail server, every night'],
		['mailseal pack --quiet-period 14d --never Trash --never Spam ~/Maildir', 'another policy'],
		['mailseal pack --attachment-min 64KiB ~/Maildir', 'a first pack, whose archive keeps smaller attachments inside their messages'],
		['mailseal pack --tag before-upgrade', 'a snapshot that prune keeps for ever'],
		['mailseal pack --sync offsite', 'the whole night: packs, then ships to a target of the config file'],
		['mailseal pack --json --progress=json', 'for a script, with the sources of the config file'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<PackOptions>();
	const { policy } = call.settings;
	const sources = openSources(call, options.account === undefined ? {} : { account: options.account });
	const bundles = bundleSettings(call, options);
	const target = targetOf(call, options);
	const attachmentMin = options.attachmentMin ?? call.settings.attachmentMin;
	const packIt = (archive: Archive, workers: Workers): Promise<Outcome<PackResult>> =>
		call.services.pack(
			archive,
			{
				sources,
				policy: {
					quietPeriod: options.quietPeriod ?? policy.quietPeriod,
					unreadPeriod: options.unreadPeriod ?? policy.unreadPeriod,
					never: options.never ?? policy.never,
				},
				bundles,
				now: options.now ?? call.io.now(),
				rescan: options.rescan === true,
				...(options.tag === undefined ? {} : { tags: options.tag }),
				allowMassRemoval: options.allowMassRemoval === true,
				dryRun: options.dryRun === true,
				progress: call.progress,
				signal: call.io.signal,
			},
			workers,
		);
	return await withArchive(call, {
		create: options.dryRun !== true,
		...(attachmentMin === undefined ? {} : { attachmentMin }),
		async work(archive) {
			const { result, findings } = await useWorkers(call, jobsOf(call, options), (workers) => packIt(archive, workers));
			const packed = { result, findings, lines: drawPack(result) };
			return target === null ? packed : shipPacked(packed, { call, archive, target });
		},
	});
}

/** Where the pack is shipped to; null where it is not. Throws `usage` before anything is read. */
function targetOf(call: Call, { sync, dryRun }: PackOptions): TargetSettings | null {
	if (sync === undefined) return null;
	if (dryRun === true) {
		throw new MailsealError('usage', 'Cannot rehearse --sync: a dry run makes no snapshot that could be shipped', {
			hint: 'run "mailseal sync TARGET --dry-run", which tells what the target lacks of the snapshots that are there',
		});
	}
	const settings = targetSettings(call, sync, {});
	refuseArchive(call, settings);
	return settings;
}

/** Ships after a pack. What ends the sync, an interruption too, undoes no pack: both are told, and the exit code is that of the sync. */
async function shipPacked(
	packed: Answer,
	{ call, archive, target }: { readonly call: Call; readonly archive: Archive; readonly target: TargetSettings },
): Promise<Answer> {
	try {
		const request = { check: USUAL_SHARE, prune: null, dropLocal: false, dryRun: false };
		const { result, findings } = await shipTo(target, { call, archive, ...request });
		return {
			result: { ...packed.result, sync: result satisfies SyncResult },
			findings: [...packed.findings, ...findings],
			lines: [...packed.lines, ...drawSync(result)],
		};
	} catch (error) {
		const reason = reasonOf(error, call.io.signal);
		if (!(reason instanceof MailsealError)) throw error;
		const failed: Finding = {
			code: 'sync-failed',
			severity: 'error',
			subject: addressOf(call, target).url,
			text: `The pack is done, and was not shipped: ${reason.message}`,
			// That of an interruption says to run all of it again.
			hint: (reason.code === 'interrupted' ? undefined : reason.hint) ?? 'run "mailseal sync TARGET"',
		};
		return { ...packed, result: { ...packed.result, sync: null }, findings: [...packed.findings, failed], exit: exitOf(reason.code) };
	}
}

/** Where bundles are cut: the options over the config file over the defaults. Throws `usage` or `config` for what makes no sense. */
export function bundleSettings(call: Call, options: BundleOptions): BundleSettings {
	const { defaultBundles } = call.services;
	const given = call.settings.bundles;
	const target = options.bundleTarget ?? given.target ?? defaultBundles.target;
	const most = given.max ?? LARGEST_BUNDLE;
	if (target < 1 || target > most) {
		const origin = given.max === undefined ? '' : ', the max of the config file';
		throw new MailsealError('usage', `Cannot cut bundles at ${target} bytes: it is not from 1 to ${most}${origin}`);
	}
	if (given.max !== undefined && given.max > LARGEST_BUNDLE) {
		throw new MailsealError(
			'config',
			`Cannot let bundles grow to ${given.max} bytes: "bundle.max" is above ${LARGEST_BUNDLE} (1GiB at most)`,
		);
	}
	return {
		target,
		max: given.max ?? Math.min(LARGEST_BUNDLE, Math.max(defaultBundles.max, Math.ceil(target * 1.5))),
		linger: options.linger ?? given.linger ?? defaultBundles.linger,
		compress: options.compress && (given.compress ?? defaultBundles.compress),
		attachments: options.sealAttachments ?? given.attachments ?? defaultBundles.attachments,
		foldBelow: options.foldBelow ?? given.foldBelow ?? defaultBundles.foldBelow,
		mostVolatile: options.mostVolatile ?? given.mostVolatile ?? defaultBundles.mostVolatile,
	};
}
