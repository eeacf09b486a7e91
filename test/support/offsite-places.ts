import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { type Ceph, lacksCeph, openCeph } from './ceph.ts';
import { newBucket, openClient, type S3Server } from './s3-bucket.ts';
import { lacksSshd, openSshd, type Sshd } from './sshd.ts';
import { lacksSwift, openSwift } from './swift.ts';

/** A place that can become a target, and what somebody with another key sees and does there. */
export interface Place {
	/** As it is called on the command line. */
	readonly url: string;
	/** Options of every call that reaches it. */
	readonly reach: readonly string[];
	/** Those among them that say how to sign in, for an archive that remembers where it is. */
	readonly signIn: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	/** Sizes by name of everything that lies there. */
	list(): Promise<Map<string, number>>;
	read(name: string): Promise<Buffer>;
	/** Puts bytes there, behind the back of mailseal. */
	plant(name: string, bytes: Uint8Array): Promise<void>;
	remove(name: string): Promise<void>;
}

export interface PlaceServer {
	/** A place of its own, empty. */
	newPlace(): Promise<Place>;
	/** Ends the server as a power failure would; a folder cannot. */
	kill(): Promise<void>;
	restart(): Promise<void>;
	close(): Promise<void>;
}

export interface PlaceKind {
	readonly name: string;
	lacks(): boolean;
	open(): Promise<PlaceServer>;
}

async function nothing(): Promise<void> {}

/** A folder of this machine as its owner sees it. */
function folderPlace(path: string): Omit<Place, 'url' | 'reach' | 'signIn' | 'env'> {
	return {
		async list() {
			if (!existsSync(path)) return new Map();
			const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
			return new Map(files.map((entry) => join(entry.parentPath, entry.name)).map((file) => [relative(path, file), statSync(file).size]));
		},
		read: async (name) => readFileSync(join(path, name)),
		async plant(name, bytes) {
			const file = join(path, name);
			mkdirSync(dirname(file), { recursive: true });
			if (existsSync(file)) chmodSync(file, 0o600);
			writeFileSync(file, bytes);
		},
		remove: async (name) => rmSync(join(path, name)),
	};
}

async function openFolders(): Promise<PlaceServer> {
	const within = mkdtempSync(join(tmpdir(), 'mailseal-targets-'));
	return {
		async newPlace() {
			const path = join(mkdtempSync(join(within, 'place-')), 'target');
			return { url: path, reach: [], signIn: [], env: {}, ...folderPlace(path) };
		},
		kill: nothing,
		restart: nothing,
		close: async () => rmSync(within, { recursive: true, force: true }),
	};
}

/** A place in the folder of an SSH server; `port`: of another way that leads there. */
export function sftpPlace(sshd: Sshd, options: { readonly folder: string; readonly port?: number }): Place {
	const { host, user, root } = sshd;
	const port = options.port ?? sshd.port;
	const path = join(root, options.folder);
	const knownHosts = join(root, '..', `known-hosts-${port}`);
	writeFileSync(knownHosts, sshd.knownHosts.replace(`:${sshd.port} `, `:${port} `));
	const reach = ['--sftp-key', sshd.privateKey, '--known-hosts', knownHosts];
	return { url: `sftp://${user}@${host}:${port}${path}`, reach, signIn: reach, env: {}, ...folderPlace(path) };
}

async function openSftp(options: { readonly sftpOnly: boolean }): Promise<PlaceServer> {
	const sshd = await openSshd(options);
	let places = 0;
	return {
		newPlace: async () => sftpPlace(sshd, { folder: `target-${places++}` }),
		kill: sshd.kill,
		restart: sshd.restart,
		close: sshd.close,
	};
}

/** A prefix in a bucket; `endpoint`: of another way that leads there. */
export function s3Place(
	server: S3Server,
	options: { readonly bucket: string; readonly prefix?: string; readonly endpoint?: string },
): Place {
	const { bucket, prefix = '' } = options;
	async function withClient<Result>(work: (client: ReturnType<typeof openClient>) => Promise<Result>): Promise<Result> {
		const client = openClient(server);
		try {
			return await work(client);
		} finally {
			client.destroy();
		}
	}
	return {
		url: `s3://${bucket}${prefix === '' ? '' : `/${prefix.replace(/\/$/, '')}`}`,
		reach: ['--s3-endpoint', options.endpoint ?? server.endpoint],
		signIn: [],
		env: { AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey },
		list: () =>
			withClient(async (client) => {
				const sizes = new Map<string, number>();
				for (let token: string | undefined; ; ) {
					const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token }));
					for (const { Key = '', Size = 0 } of page.Contents ?? []) sizes.set(Key.slice(prefix.length), Size);
					token = page.NextContinuationToken;
					if (token === undefined) return sizes;
				}
			}),
		read: (name) =>
			withClient(async (client) => {
				const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + name }));
				return Buffer.from((await Body?.transformToByteArray()) ?? []);
			}),
		plant: (name, bytes) =>
			withClient(async (client) => {
				await client.send(new PutObjectCommand({ Bucket: bucket, Key: prefix + name, Body: bytes }));
			}),
		remove: (name) =>
			withClient(async (client) => {
				await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + name }));
			}),
	};
}

function s3Places(server: S3Server & Pick<Ceph, 'close'> & Partial<Ceph>): PlaceServer {
	return {
		newPlace: async () => s3Place(server, { bucket: await newBucket(server), prefix: 'mail/' }),
		kill: server.kill ?? nothing,
		restart: server.restart ?? nothing,
		close: server.close,
	};
}

export const FOLDER: PlaceKind = { name: 'a folder', lacks: () => false, open: openFolders };
export const SFTP: PlaceKind = { name: 'SFTP with a shell', lacks: lacksSshd, open: () => openSftp({ sftpOnly: false }) };
export const SFTP_ONLY: PlaceKind = { name: 'SFTP without a shell', lacks: lacksSshd, open: () => openSftp({ sftpOnly: true }) };
export const CEPH: PlaceKind = { name: 'Ceph', lacks: lacksCeph, open: async () => s3Places(await openCeph()) };
export const SWIFT: PlaceKind = { name: 'Swift', lacks: lacksSwift, open: async () => s3Places(await openSwift()) };
