import { isIPv6 } from 'node:net';
import { posix } from 'node:path';
import { MailsealError } from '../domain/index.ts';
import { isBlobName } from './blob-name.ts';

export interface FolderSpec {
	readonly kind: 'folder';
	/** As it was said. */
	readonly path: string;
}

export interface SftpSpec {
	readonly kind: 'sftp';
	readonly user?: string;
	/** A name or an address, without brackets. */
	readonly host: string;
	readonly port?: number;
	/** In normal form; relative to the login folder where it has no slash in front. */
	readonly path: string;
}

export interface S3Spec {
	readonly kind: 's3';
	readonly bucket: string;
	/** Empty, or levels that each end in a slash. */
	readonly prefix: string;
}

/** Where a target is, without any secret. */
export type TargetSpec = FolderSpec | SftpSpec | S3Spec;

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//;
const SFTP_FORM = 'sftp://USER@HOST:PORT/FOLDER, or sftp://USER@HOST/~/FOLDER below the login folder';
const S3_FORM = 's3://BUCKET or s3://BUCKET/PREFIX/';
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9.])?$/;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a path with one ends early, or writes to the terminal when it is shown.
const CONTROL = /[\0-\x1f\x7f]/;

/** Reads what a user calls a target. Throws `usage`, with a text that repeats no password. */
export function parseTargetSpec(text: string): TargetSpec {
	const scheme = SCHEME.exec(text);
	if (scheme !== null) {
		const [start, name = ''] = scheme;
		const rest = text.slice(start.length);
		if (name.toLowerCase() === 'sftp') return parseSftp(text, rest);
		if (name.toLowerCase() === 's3') return parseS3(text, rest);
		throw refusal(text, `it begins with "${start}" (a folder, ${SFTP_FORM}, or ${S3_FORM})`);
	}
	if (text === '') throw refusal(text, `it is empty (a folder, ${SFTP_FORM}, or ${S3_FORM})`);
	if (CONTROL.test(text)) throw refusal(text, 'it has a control character');
	// What rsync and scp take for another machine must not become a folder on this one.
	if (/^[^/]*:/.test(text))
		throw refusal(text, `it looks like HOST:FOLDER (${SFTP_FORM}; a folder of such a name is written with ./ before it)`);
	return { kind: 'folder', path: text };
}

/** The text that reads back as the same target. */
export function formatTargetSpec(spec: TargetSpec): string {
	if (spec.kind === 'folder') return spec.path;
	if (spec.kind === 's3') return `s3://${spec.bucket}${spec.prefix === '' ? '' : `/${spec.prefix}`}`;
	const user = spec.user === undefined ? '' : `${encodeURIComponent(spec.user)}@`;
	const host = spec.host.includes(':') ? `[${encodeURIComponent(spec.host).replaceAll('%3A', ':')}]` : spec.host;
	const port = spec.port === undefined ? '' : `:${spec.port}`;
	return `sftp://${user}${host}${port}${formatPath(spec.path)}`;
}

function parseSftp(text: string, rest: string): SftpSpec {
	const slash = rest.indexOf('/');
	if (slash === -1) throw refusal(text, `it names no folder (${SFTP_FORM})`);
	const authority = rest.slice(0, slash);
	const at = authority.lastIndexOf('@');
	const login = authority.slice(0, Math.max(at, 0));
	if (login.includes(':')) {
		throw refusal(
			text,
			'it has a password in it',
			'leave the password out, and sign in with a key; others see what a command is called with',
		);
	}
	const user = decoded(text, login);
	if (at !== -1 && (user === '' || CONTROL.test(user))) throw refusal(text, `it has no user in front of the @ (${SFTP_FORM})`);
	return {
		kind: 'sftp',
		...(at === -1 ? {} : { user }),
		...parseHost(text, authority.slice(at + 1)),
		path: parsePath(text, rest.slice(slash)),
	};
}

function parseHost(text: string, place: string): { host: string; port?: number } {
	const [, inBrackets, plain = '', digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(place) ?? [];
	const host = decoded(text, inBrackets ?? plain);
	if (inBrackets === undefined ? !HOST.test(host) : !isIPv6(host)) {
		throw refusal(text, `it names no host (${SFTP_FORM}; an IPv6 address stands in brackets)`);
	}
	if (digits === undefined) return { host };
	const port = Number(digits);
	if (!/^[0-9]{1,5}$/.test(digits) || port < 1 || port > 65_535) throw refusal(text, 'its port is not a number from 1 to 65535');
	return { host, port };
}

/** `/~` stands for the login folder only as it is: `/%7E` is a folder of that name. */
function parsePath(text: string, raw: string): string {
	const relative = raw === '/~' || raw.startsWith('/~/');
	const path = decoded(text, relative ? raw.slice(2).replace(/^\/+/, '') : raw.replace(/^\/+/, '/'));
	if (CONTROL.test(path)) throw refusal(text, 'its folder has a control character');
	const normal = posix.normalize(relative ? `./${path}` : path);
	return normal === '/' ? normal : normal.replace(/\/$/, '');
}

function formatPath(path: string): string {
	if (path === '.') return '/~';
	const encoded = path
		.split('/')
		.map((level) => encodeURIComponent(level))
		.join('/');
	return path.startsWith('/') ? encoded.replace(/^\/~(?=\/|$)/, '/%7E') : `/~/${encoded}`;
}

function parseS3(text: string, rest: string): S3Spec {
	const [bucket = '', ...levels] = rest.split('/');
	if (!BUCKET.test(bucket)) {
		throw refusal(text, `it names no bucket (${S3_FORM})`, 'keys and the address of the server belong into the configuration');
	}
	const prefix = levels.join('/').replace(/\/$/, '');
	if (prefix === '') return { kind: 's3', bucket, prefix };
	if (!isBlobName(prefix)) throw refusal(text, 'its prefix is none (levels of A-Z a-z 0-9 . _ -, joined by /)');
	return { kind: 's3', bucket, prefix: `${prefix}/` };
}

function decoded(text: string, part: string): string {
	try {
		return decodeURIComponent(part);
	} catch (error) {
		if (!(error instanceof URIError)) throw error;
		throw refusal(text, 'it has a % that is not followed by two digits of UTF-8 (write %25 for a % itself)');
	}
}

/** Behind a colon or before an @ may stand a password, wherever it seems to end: nothing of such a text is repeated but its scheme. */
function refusal(text: string, what: string, hint = `a target is a folder, ${SFTP_FORM}, or ${S3_FORM}`): MailsealError {
	const [start = ''] = SCHEME.exec(text) ?? [];
	const isSecret = start === '' ? /:[^/]*@/.test(text) : /[:@]/.test(text.slice(start.length));
	const shown = isSecret ? `${start}...` : text;
	return new MailsealError('usage', `Cannot use ${JSON.stringify(shown)} as a target: ${what}`, { hint });
}
