import { type Command, Option } from 'commander';
import type { BundleSettings } from '../../archive/index.ts';
import { type AccountName, ATTACHMENTS_WHEN, type AttachmentsWhen, MailsealError } from '../../domain/index.ts';
import { type Answer, type Call, withWorkers } from '../call.ts';
import { addExamples } from '../examples.ts';
import { drawPack } from '../human.ts';
import { addJobs, jobsOf } from '../jobs.ts';
import { MOST_VOLATILE } from '../limits.ts';
import type { Services } from '../services.ts';
import { openSources } from '../sources.ts';
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
		.option('--dry-run', 'write nothing (plan does the same where there is no archive yet)');
	addJobs(command);
	addExamples(command, [
		['mailseal pack ~/Maildir', 'one mailbox, into the default archive'],
		["mailseal -a /backup/mail pack 'maildir:/var/vmail/{domain}/{user}/Maildir'", 'a mail server, every night'],
		['mailseal pack --quiet-period 14d --never Trash --never Spam ~/Maildir', 'another policy'],
		['mailseal pack --attachment-min 64KiB ~/Maildir', 'a first pack, whose archive keeps smaller attachments inside their messages'],
		['mailseal pack --tag before-upgrade', 'a snapshot that prune keeps for ever'],
		['mailseal pack --json --progress=json', 'for a script, with the sources of the config file'],
	]);
}

export async function run(call: Call): Promise<Answer> {
	const options = call.options<PackOptions>();
	const { policy } = call.settings;
	const sources = openSources(call, options.account === undefined ? {} : { account: options.account });
	const bundles = bundleSettings(call, options);
	const attachmentMin = options.attachmentMin ?? call.settings.attachmentMin;
	const { result, findings } = await withWorkers(call, {
		create: options.dryRun !== true,
		...(attachmentMin === undefined ? {} : { attachmentMin }),
		jobs: jobsOf(call, options),
		work: (archive, workers) =>
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
			),
	});
	return { result, findings, lines: drawPack(result) };
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
