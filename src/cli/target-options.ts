import { type Command, Option } from 'commander';
import type { TargetSettings } from './target-settings.ts';
import { countValue, durationValue, gather, rateValue } from './values.ts';

/** Options that say how a target is reached, as commander gives them. */
export interface ReachOptions {
	readonly s3Endpoint?: string;
	readonly s3Region?: string;
	readonly sftpKey?: string;
	readonly knownHosts?: string;
	readonly identity?: string;
	readonly limitRate?: number;
	readonly transfers?: number;
	readonly retries?: number;
}

/** Options of commands that read a target in place of an archive here. */
export interface FromTargetOptions extends ReachOptions {
	readonly target?: string;
	readonly archiveId?: string;
}

export interface ShipOptions extends ReachOptions {
	readonly encryptTo?: readonly string[];
	readonly objectLock?: number;
	readonly objectLockMode?: 'governance' | 'compliance';
}

/** Bundles under way at once. */
export const TRANSFERS = 4;
export const MOST_TRANSFERS = 64;

const GROUP = 'Targets:';

function add(command: Command, flags: string, text: string, parse?: (text: string) => unknown): void {
	const option = new Option(flags, text).helpGroup(GROUP);
	command.addOption(parse === undefined ? option : option.argParser(parse));
}

/** Every command that reaches a target has these. */
export function addReach(command: Command): void {
	add(command, '--identity <file>', 'age identities, to open what is encrypted');
	add(command, '--s3-endpoint <url>', 'an S3-compatible server (else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL)');
	add(command, '--s3-region <region>', 'its region (else AWS_REGION, the AWS config file)');
	add(command, '--sftp-key <file>', 'private key for SFTP (else the SSH agent, and the keys in ~/.ssh)');
	add(command, '--known-hosts <file>', 'the SSH servers that are trusted (else ~/.ssh/known_hosts and that of the machine)');
	add(command, '--limit-rate <rate>', 'bytes a second, up and down together, e.g. 10MB', rateValue('--limit-rate'));
	add(
		command,
		'--transfers <count>',
		`bundles under way at once (default: ${TRANSFERS})`,
		countValue('--transfers', { least: 1, most: MOST_TRANSFERS }),
	);
	add(
		command,
		'--retries <count>',
		'tries again after trouble with the network or the server (default: 5)',
		countValue('--retries', { least: 0, most: 1000 }),
	);
}

/** For commands that read: what a target has, in place of an archive here. */
export function addFromTarget(command: Command): void {
	add(
		command,
		'--target <target>',
		'read what this target has, in place of an archive here: a folder, sftp://, s3://, or a name in the config file',
	);
	add(command, '--archive-id <id>', 'which archive, at a target that has several');
	addReach(command);
}

/** For sync: how what is shipped is stored. */
export function addShip(command: Command): void {
	add(command, '--encrypt-to <recipient>', 'encrypt to this age recipient (age1...); may be given several times', gather as never);
	add(
		command,
		'--object-lock <duration>',
		'S3: have the store keep each bundle for so long, e.g. 400d, and make sure that it does',
		durationValue('--object-lock'),
	);
	command.addOption(
		new Option('--object-lock-mode <mode>', 'S3: who may lift such a lock: some (governance) or nobody (compliance)')
			.choices(['governance', 'compliance'])
			.helpGroup(GROUP),
	);
	addReach(command);
}

/** Only what the call gave, so that the config file holds for the rest. */
export function given(options: ShipOptions): Partial<TargetSettings> {
	const { encryptTo, objectLock, objectLockMode, s3Endpoint, s3Region, sftpKey, knownHosts, identity, limitRate, transfers, retries } =
		options;
	const all = { encryptTo, objectLock, objectLockMode, s3Endpoint, s3Region, sftpKey, knownHosts, identity, limitRate, transfers, retries };
	return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
