import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TargetAddress } from '../archive/index.ts';
import { MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError, openFiles } from '../platform/index.ts';
import {
	type BlobStore,
	backoff,
	openFolderStore,
	openS3Store,
	openSftpStore,
	parseTargetSpec,
	sleep,
	withLimits,
	withRetries,
} from '../remote/index.ts';
import type { Io } from './io.ts';
import { placePath } from './paths.ts';
import type { TargetSettings } from './target-settings.ts';
import { printable } from './text.ts';

const RETRIES = 5;
/** Milliseconds before the second try, at most, and before any. */
const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;

/** Opens the store at an address: tried again where that may help, and held to the limits of the settings. Nothing is asked of it yet. */
export function openStore(address: TargetAddress, settings: TargetSettings, io: Io): BlobStore {
	const bare = openBare(address, settings, io);
	const patient = withRetries(bare, {
		tries: (settings.retries ?? RETRIES) + 1,
		delay: backoff({ base: FIRST_DELAY, most: LONGEST_DELAY, random: () => randomInt(1 << 30) / (1 << 30) }),
		sleep,
		onRetry({ text }) {
			// Only a remark: with standard error gone the work goes on.
			io.stderr.write(`mailseal: ${printable(text)}\n`).catch(() => {});
		},
	});
	const { limitRate, transfers } = settings;
	if (limitRate === undefined && transfers === undefined) return patient;
	return withLimits(patient, {
		...(limitRate === undefined ? {} : { bytesPerSecond: limitRate }),
		...(transfers === undefined ? {} : { concurrent: transfers }),
		now: () => performance.now(),
		sleep,
	});
}

function openBare(address: TargetAddress, settings: TargetSettings, io: Io): BlobStore {
	const spec = parseTargetSpec(address.url);
	if (settings.objectLockMode !== undefined && settings.objectLock === undefined) {
		throw new MailsealError('usage', `Cannot lock by "--object-lock-mode ${settings.objectLockMode}" alone: for how long is not said`, {
			hint: 'give --object-lock DURATION too',
		});
	}
	if (spec.kind !== 's3' && settings.objectLock !== undefined) {
		throw new MailsealError('usage', `Cannot lock what is shipped to "${address.url}": only an object store keeps such a lock`, {
			hint: 'leave --object-lock (object-lock in the config file) out for this target',
		});
	}
	if (spec.kind === 'folder') return openFolderStore({ path: spec.path, files: openFiles() });
	if (spec.kind === 's3') {
		const { s3Region, objectLock, objectLockMode } = settings;
		const region = s3Region ?? (io.env.AWS_REGION || undefined) ?? (io.env.AWS_DEFAULT_REGION || undefined);
		return openS3Store({
			bucket: spec.bucket,
			prefix: spec.prefix,
			place: address.url,
			...(address.endpoint === undefined ? {} : { endpoint: address.endpoint }),
			...(region === undefined ? {} : { region }),
			...(objectLock === undefined
				? {}
				: { objectLock: { mode: objectLockMode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', keep: objectLock } }),
			now: io.now,
		});
	}
	const { SSH_AUTH_SOCK: agent, MAILSEAL_SFTP_PASSWORD: password, MAILSEAL_SFTP_PASSPHRASE: passphrase } = io.env;
	const keys = settings.sftpKey === undefined ? standardKeys(io) : [readNeeded(placePath(settings.sftpKey, io), 'the private key')];
	return openSftpStore({
		host: spec.host,
		port: spec.port ?? 22,
		user: spec.user ?? io.env.USER ?? io.env.LOGNAME ?? 'root',
		path: spec.path,
		place: address.url,
		auth: {
			privateKeys: keys.map((key) => ({ ...key, ...(passphrase ? { passphrase } : {}) })),
			...(agent ? { agent } : {}),
			...(password ? { password } : {}),
		},
		knownHosts:
			settings.knownHosts === undefined ? standardKnownHosts(io) : [readNeeded(placePath(settings.knownHosts, io), 'the known hosts')],
	});
}

interface TextFile {
	readonly path: string;
	readonly text: string;
}

function standardKeys(io: Io): TextFile[] {
	return ['id_ed25519', 'id_ecdsa', 'id_rsa'].flatMap((name) => readIfThere(join(io.home, '.ssh', name)) ?? []);
}

function standardKnownHosts(io: Io): TextFile[] {
	const own = join(io.home, '.ssh', 'known_hosts');
	// The first is the one that a hint names, also where it is not there yet.
	return [readIfThere(own) ?? { path: own, text: '' }, ...[readIfThere(join(io.etc, 'ssh', 'ssh_known_hosts')) ?? []].flat()];
}

function readIfThere(path: string): TextFile | null {
	try {
		return { path, text: readFileSync(path, 'utf8') };
	} catch (error) {
		const code = systemCode(error);
		// A key that is another user's is none of ours.
		if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return null;
		throw asMailsealError(error, 'read', path);
	}
}

/** A file that the user named: it must be there. */
export function readNeeded(path: string, what: string): TextFile {
	try {
		return { path, text: readFileSync(path, 'utf8') };
	} catch (error) {
		const known = asMailsealError(error, `read ${what} of`, path);
		throw known instanceof MailsealError && known.code === 'not-found'
			? new MailsealError('usage', known.message, { hint: 'check the path', cause: error })
			: known;
	}
}
