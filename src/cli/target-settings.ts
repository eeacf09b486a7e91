import type { TargetAddress } from '../archive/index.ts';
import { MailsealError } from '../domain/index.ts';
import type { Call } from './call.ts';
import { placePath } from './paths.ts';

/** How a target is reached and used: what the config file says of it, and over that the options of a call. */
export interface TargetSettings {
	/** A folder, `sftp://...` or `s3://...`. */
	readonly url: string;
	readonly s3Endpoint?: string;
	readonly s3Region?: string;
	/** File with the private key. */
	readonly sftpKey?: string;
	readonly knownHosts?: string;
	/** age recipients. */
	readonly encryptTo?: readonly string[];
	/** File with age identities. */
	readonly identity?: string;
	/** Bytes a second, up and down together. */
	readonly limitRate?: number;
	readonly transfers?: number;
	readonly retries?: number;
	/** How long the store must keep what is written, milliseconds. */
	readonly objectLock?: number;
	readonly objectLockMode?: 'governance' | 'compliance';
}

/** A target of the config file by its name, or any other by its address; the options of the call hold over the file. */
export function targetSettings(call: Call, name: string, options: Partial<TargetSettings>): TargetSettings {
	const configured = call.settings.targets.get(name);
	if (configured === undefined && /^[\w.-]+$/.test(name) && call.settings.targets.size > 0 && !name.startsWith('.')) {
		const names = [...call.settings.targets.keys()].join(', ');
		throw new MailsealError('usage', `Cannot find the target "${name}": the config file names ${names} (a folder is written as ./${name})`);
	}
	return { ...(configured ?? { url: name }), ...options };
}

/** What an archive remembers of where a target is. */
export function addressOf(call: Call, { url, s3Endpoint }: TargetSettings): TargetAddress {
	const { io, services } = call;
	const spec = services.parseTargetSpec(url);
	if (spec.kind === 'folder') return { url: placePath(spec.path, io) };
	const plain = services.formatTargetSpec(spec);
	if (spec.kind === 'sftp') return { url: plain };
	const endpoint = s3Endpoint ?? (io.env.AWS_ENDPOINT_URL_S3 || undefined) ?? (io.env.AWS_ENDPOINT_URL || undefined);
	return { url: plain, ...(endpoint === undefined ? {} : { endpoint: checkEndpoint(endpoint) }) };
}

/** The address of a server is written down between runs: it holds no secret. */
function checkEndpoint(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : null;
	// Before an @, and behind a question mark, may stand a password: such a text is not repeated, whatever it is.
	if (/[@?#]/.test(text)) {
		throw new MailsealError(
			'usage',
			'Cannot use the S3 endpoint: it has more than the address of a server in it (a user, a password, a query)',
			{
				hint: 'credentials are given by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS credentials file',
			},
		);
	}
	if (url?.protocol === 'http:' || url?.protocol === 'https:') return text;
	throw new MailsealError(
		'usage',
		`Cannot use the S3 endpoint "${text}": it is no address of a server (such as https://s3.example.org:9000)`,
	);
}

/** The settings for an address that an archive remembers: those of the config file for it, or none. */
export function settingsFor(call: Call, address: TargetAddress): TargetSettings {
	for (const settings of call.settings.targets.values()) {
		const { url, endpoint } = addressOf(call, settings);
		if (url === address.url && endpoint === address.endpoint) return settings;
	}
	return { url: address.url, ...(address.endpoint === undefined ? {} : { s3Endpoint: address.endpoint }) };
}
