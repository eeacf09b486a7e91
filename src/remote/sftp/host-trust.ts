import type { ServerHostKeyAlgorithm } from 'ssh2';
import { MailsealError } from '../../domain/index.ts';
import { fingerprint, type KnownHosts, keyType } from './known-hosts.ts';

/** A server, and what is known of its keys. */
export interface HostTrust {
	readonly host: string;
	readonly port: number;
	readonly knownHosts: KnownHosts;
	/** Where a new host key should be written, for hints. */
	readonly knownHostsPath: string;
	/** Names the store in texts. */
	readonly place: string;
}

/** Algorithms for each type of key, best first (RFC 8332 for RSA). */
const ALGORITHMS: readonly (readonly [type: string, algorithms: readonly ServerHostKeyAlgorithm[]])[] = [
	['ssh-ed25519', ['ssh-ed25519']],
	['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
	['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
	['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
	['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']],
];

/** Algorithms of the keys that are known come first: a server with several keys then shows one of those. */
export function algorithmsFor({ host, port, knownHosts }: HostTrust): ServerHostKeyAlgorithm[] {
	const types = knownHosts.typesOf({ host, port });
	const known = ALGORITHMS.filter(([type]) => types.includes(type));
	const others = ALGORITHMS.filter(([type]) => !types.includes(type));
	return [...known, ...others].flatMap(([, algorithms]) => algorithms);
}

/** The error for a host that does not show the key that it should, or null. */
export function judgeHost(key: Buffer, { host, port, place, knownHosts, knownHostsPath }: HostTrust): MailsealError | null {
	const verdict = knownHosts.judge({ host, port }, key);
	const shown = `a key of type ${keyType(key)} with the fingerprint ${fingerprint(key)}`;
	const name = port === 22 ? host : `[${host}]:${port}`;
	const scan = `ssh-keyscan -p ${port} -t ${keyType(key).replace(/^ssh-|-.*$/g, '')} ${host} >> ${knownHostsPath}`;
	switch (verdict.state) {
		case 'known':
			return null;
		case 'unknown':
			return new MailsealError('permission', `Cannot trust "${place}": its host key is unknown; it shows ${shown}`, {
				retryable: false,
				hint: `ask the server's administrator for the fingerprint; where it is the same, run "${scan}"`,
			});
		case 'revoked':
			return new MailsealError('permission', `Cannot trust "${place}": ITS HOST KEY WAS REVOKED (${verdict.where}); it shows ${shown}`, {
				retryable: false,
				hint: 'somebody who stole that key may be between you and the server; ask its administrator, and send nothing until then',
			});
		case 'changed':
			return new MailsealError(
				'permission',
				`Cannot trust "${place}": ITS HOST KEY IS NOT THE ONE THAT IS KNOWN (${verdict.where}); it shows ${shown}`,
				{
					retryable: false,
					hint: `somebody may be between you and the server; only where its administrator says that the key was changed, run "ssh-keygen -R '${name}' -f ${knownHostsPath}" and add the new one`,
				},
			);
	}
}
