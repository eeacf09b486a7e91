import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** One line of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
interface KnownHost {
	readonly revoked: boolean;
	/** Patterns with `*` and `?`, `!` before one that excludes; or one hashed name. */
	readonly hosts: readonly string[];
	/** The key as the server shows it, RFC 4253, section 6.6. */
	readonly key: Buffer;
	readonly path: string;
	readonly line: number;
}

export interface Host {
	readonly host: string;
	readonly port: number;
}

/** What the known_hosts files say of a key. */
export type Verdict =
	| { readonly state: 'known' | 'unknown' }
	| {
			/** `changed`: other keys are known for this host. */
			readonly state: 'changed' | 'revoked';
			/** Where the files speak of it: `PATH:LINE`. */
			readonly where: string;
	  };

export interface KnownHosts {
	/** Types of the keys that are known for the host: `ssh-ed25519`, `ssh-rsa`. */
	typesOf(host: Host): string[];
	judge(host: Host, key: Uint8Array): Verdict;
}

const SSH_PORT = 22;

/** Reads the texts of known_hosts files. Lines in no known form are passed over, as ssh does. */
export function parseKnownHosts(files: readonly { readonly path: string; readonly text: string }[]): KnownHosts {
	const known = files.flatMap(({ path, text }) =>
		text.split('\n').flatMap((line, index) => parseLine(line.trim(), { path, line: index + 1 }) ?? []),
	);

	function linesOf({ host, port }: Host): { readonly exact: KnownHost[]; readonly all: KnownHost[] } {
		const name = host.toLowerCase();
		if (port === SSH_PORT) {
			const exact = known.filter((entry) => matches(entry, name));
			return { exact, all: exact };
		}
		const exact = known.filter((entry) => matches(entry, `[${name}]:${port}`));
		// A line that names no port vouches for its key at every port, but another key at another port contradicts it not.
		return { exact, all: known.filter((entry) => exact.includes(entry) || matches(entry, name)) };
	}

	return {
		typesOf(host) {
			const { exact, all } = linesOf(host);
			return [...new Set([...exact, ...all].filter(({ revoked }) => !revoked).map(({ key }) => keyType(key)))];
		},
		judge(host, key) {
			const { exact, all } = linesOf(host);
			const same = all.filter((entry) => entry.key.equals(key));
			const revoked = same.find((entry) => entry.revoked);
			if (revoked !== undefined) return { state: 'revoked', where: placeOf(revoked) };
			if (same.length > 0) return { state: 'known' };
			const others = exact.filter((entry) => !entry.revoked);
			return others.length === 0 ? { state: 'unknown' } : { state: 'changed', where: others.map(placeOf).join(', ') };
		},
	};
}

function placeOf({ path, line }: KnownHost): string {
	return `${path}:${line}`;
}

function parseLine(text: string, at: { readonly path: string; readonly line: number }): KnownHost | null {
	if (text === '' || text.startsWith('#')) return null;
	const words = text.split(/[ \t]+/);
	const marker = text.startsWith('@') ? words.shift() : undefined;
	// Certificates of hosts are signed by an authority: the library that speaks SSH here takes none.
	if (marker !== undefined && marker !== '@revoked') return null;
	const [hosts, type, base64] = words;
	if (hosts === undefined || type === undefined || base64 === undefined) return null;
	const key = Buffer.from(base64, 'base64');
	if (keyType(key) !== type) return null;
	return { revoked: marker === '@revoked', hosts: hosts.split(','), key, ...at };
}

/** The type that stands at the start of a public key: a string with its length before it, RFC 4251, section 5. Empty where there is none. */
export function keyType(key: Uint8Array): string {
	const bytes = Buffer.from(key);
	if (bytes.length < 4) return '';
	const length = bytes.readUInt32BE(0);
	return length <= 64 && bytes.length >= 4 + length ? bytes.toString('latin1', 4, 4 + length) : '';
}

/** A key's fingerprint as ssh shows it. */
export function fingerprint(key: Uint8Array): string {
	return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function matches({ hosts }: KnownHost, name: string): boolean {
	let found = false;
	for (const host of hosts) {
		if (host.startsWith('|')) found ||= isHashOf(host, name);
		else if (host.startsWith('!')) {
			if (wildcard(host.slice(1)).test(name)) return false;
		} else found ||= wildcard(host).test(name);
	}
	return found;
}

/** `|1|SALT|HASH`, both base64: HMAC-SHA1 of the name with the salt as the key. */
function isHashOf(text: string, name: string): boolean {
	const [, version, salt, hashed] = text.split('|');
	if (version !== '1' || salt === undefined || hashed === undefined) return false;
	const right = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
	const told = Buffer.from(hashed, 'base64');
	return told.length === right.length && timingSafeEqual(told, right);
}

function wildcard(pattern: string): RegExp {
	const escaped = pattern.toLowerCase().replace(/[\\^$.|+()[\]{}/-]/g, '\\$&');
	return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
