import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCeph } from '../../test/support/ceph.ts';
import { openSshd } from '../../test/support/sshd.ts';

/** A place to ship to. Its functions give words for a program: first where `name` lies there, then the options that lead there. */
export interface Place {
	readonly kind: 'folder' | 'SFTP' | 'S3';
	mailseal(name: string): readonly string[];
	rclone(name: string): readonly string[];
	/** Empty where rsync cannot go. */
	rsync(name: string): readonly string[];
	close(): Promise<void>;
}

/** A place whose files lie on this machine, too. */
export interface FolderPlace extends Place {
	path(name: string): string;
	/** Removes what has a name there. */
	clear(name: string): void;
}

export interface SftpPlace extends FolderPlace {
	readonly host: string;
	readonly port: number;
	readonly login: string;
	/** Options of ssh, scp and sftp, without the port. */
	readonly options: readonly string[];
	/** The same server by another port, that of a proxy in front of it. Only the server itself is closed. */
	by(port: number): SftpPlace;
}

export interface S3Place extends Place {
	readonly port: number;
	readonly endpoint: string;
	readonly bucket: string;
	by(port: number): S3Place;
}

/** All programs use the same one, whatever each would like best. */
const CIPHER = 'aes128-gcm@openssh.com';

function onDisk(root: string): Pick<FolderPlace, 'path' | 'clear'> {
	return {
		path: (name) => join(root, name),
		clear: (name) => rmSync(join(root, name), { recursive: true, force: true }),
	};
}

/** A folder in `root`, which is made. */
export function openFolderPlace(root: string): FolderPlace {
	mkdirSync(root, { recursive: true });
	const words = (name: string) => [join(root, name)];
	return { kind: 'folder', ...onDisk(root), mailseal: words, rclone: words, rsync: words, async close() {} };
}

/** An SSH server with a shell and one cipher; `folder` takes the files that say whom to trust. */
export async function openSftpPlace(folder: string): Promise<SftpPlace> {
	const server = await openSshd({ config: [`Ciphers ${CIPHER}`] });
	const { host, user, privateKey, root } = server;
	const login = `${user}@${host}`;

	function at(port: number): Omit<SftpPlace, 'by' | 'close'> {
		const knownHosts = join(folder, `known-hosts-${port}`);
		writeFileSync(knownHosts, server.knownHosts.replace(`:${server.port} `, `:${port} `));
		const trust = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${knownHosts}`, 'GlobalKnownHostsFile=none'];
		const settings = [...trust, 'BatchMode=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'LogLevel=ERROR'];
		const options = ['-F', 'none', '-i', privateKey, ...settings.flatMap((setting) => ['-o', setting])];
		const { path, clear } = onDisk(root);
		return {
			kind: 'SFTP',
			host,
			port,
			login,
			options,
			path,
			clear,
			mailseal: (name) => [`sftp://${login}:${port}${path(name)}`, '--sftp-key', privateKey, '--known-hosts', knownHosts],
			rclone: (name) => [
				`:sftp:${path(name)}`,
				...['--sftp-host', host, '--sftp-port', String(port), '--sftp-user', user],
				...['--sftp-key-file', privateKey, '--sftp-known-hosts-file', knownHosts],
			],
			rsync: (name) => [`${login}:${path(name)}`, '-e', ['ssh', '-p', String(port), ...options].join(' ')],
		};
	}

	const by = (port: number): SftpPlace => ({ ...at(port), by, async close() {} });
	return { ...at(server.port), by, close: () => server.close() };
}

/** An empty object store in memory. Programs that are started later find its key in their environment. */
export async function openS3Place(): Promise<S3Place> {
	const server = await openCeph();
	const bucket = 'bench';
	await server.createBucket(bucket);
	// Settings for another store must not be found, and with AWS_CA_BUNDLE rclone does not start.
	for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
	process.env.AWS_ACCESS_KEY_ID = server.accessKey;
	process.env.AWS_SECRET_ACCESS_KEY = server.secretKey;

	function at(port: number): Omit<S3Place, 'by' | 'close'> {
		const endpoint = `http://127.0.0.1:${port}`;
		const options = ['--s3-provider', 'Ceph', '--s3-env-auth', '--s3-endpoint', endpoint, '--s3-region', 'us-east-1', '--fast-list'];
		return {
			kind: 'S3',
			port,
			endpoint,
			bucket,
			mailseal: (name) => [`s3://${bucket}/${name}`, '--s3-endpoint', endpoint],
			rclone: (name) => [`:s3:${bucket}/${name}`, ...options],
			rsync: () => [],
		};
	}

	const by = (port: number): S3Place => ({ ...at(port), by, async close() {} });
	return { ...at(Number(new URL(server.endpoint).port)), by, close: () => server.close() };
}
