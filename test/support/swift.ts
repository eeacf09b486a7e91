import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { answers, openDaemons } from './daemons.ts';
import { freePort } from './free-port.ts';
import { lacks } from './needs.ts';

/** An object store that can little: OpenStack Swift with its S3 layer, which has neither conditional writes nor object lock. */
export interface Swift {
	readonly endpoint: string;
	readonly accessKey: string;
	readonly secretKey: string;
	createBucket(name: string): Promise<void>;
	close(): Promise<void>;
}

/** True where Swift cannot be started, which is said aloud. */
export function lacksSwift(): boolean {
	return lacks('/usr/bin/python3', 'swift-proxy-server', 'swift-account-server', 'swift-container-server', 'swift-object-server');
}

const SERVERS = ['account', 'container', 'object'] as const;

type Server = (typeof SERVERS)[number];

/** Writes the three rings, each of one device, in one process: the program for it takes a second a ring. Run by the Python that Debian packages are for. */
const MAKE_RINGS = `
import sys
from swift.common.ring import RingBuilder
for argument in sys.argv[1:]:
    name, port = argument.split(':')
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'disk', 'weight': 1, 'meta': '',
                     'replication_ip': '127.0.0.1', 'replication_port': int(port)})
    builder.rebalance()
    builder.get_ring().save(name + '.ring.gz')
`;

function defaultsOf(dir: string, port: number): string {
	return `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${userInfo().username}
swift_dir = ${dir}
devices = ${dir}/devices
mount_check = false
workers = 0
disable_fallocate = true
log_level = ERROR
`;
}

function serverConfig(dir: string, server: Server, port: number): string {
	return `${defaultsOf(dir, port)}
[pipeline:main]
pipeline = ${server}-server
[app:${server}-server]
use = egg:swift#${server}
`;
}

const FILTERS: Readonly<Record<string, readonly string[]>> = {
	catch_errors: [],
	gatekeeper: [],
	cache: [],
	listing_formats: [],
	bulk: [],
	s3api: ['location = us-east-1', 's3_acl = false', 'allow_multipart_uploads = true'],
	tempauth: [],
	copy: [],
	slo: [],
	dlo: [],
	versioned_writes: ['allow_versioned_writes = true', 'allow_object_versioning = true'],
	symlink: [],
};

function proxyConfig(options: { readonly dir: string; readonly port: number; readonly cache: number; readonly secretKey: string }): string {
	const { dir, port, cache, secretKey } = options;
	const own: Readonly<Record<string, readonly string[]>> = {
		cache: [`memcache_servers = 127.0.0.1:${cache}`],
		tempauth: [`user_test_tester = ${secretKey} .admin`],
	};
	const filters = Object.entries(FILTERS).map(([name, lines]) => {
		const factory = name === 'cache' ? 'memcache' : name;
		return [`[filter:${name}]`, `use = egg:swift#${factory}`, ...lines, ...(own[name] ?? []), ''].join('\n');
	});
	return `${defaultsOf(dir, port)}
[pipeline:main]
pipeline = ${Object.keys(FILTERS).join(' ')} proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
${filters.join('')}`;
}

/** Starts the four servers on free ports, in a few seconds. */
export async function openSwift(): Promise<Swift> {
	const port = await freePort();
	const daemons = openDaemons(() => ({ PYTHONWARNINGS: 'ignore' }));
	const { dir } = daemons;
	const endpoint = `http://127.0.0.1:${port}`;
	const accessKey = 'test:tester';
	const secretKey = randomBytes(16).toString('hex');
	const configured = { endpoint, region: 'us-east-1', forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' as const };
	const client = new S3Client({ ...configured, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } });

	async function start(): Promise<void> {
		mkdirSync(join(dir, 'devices', 'disk'), { recursive: true });
		const hash = `[swift-hash]\nswift_hash_path_suffix = suffix\nswift_hash_path_prefix = prefix\n`;
		writeFileSync(join(dir, 'swift.conf'), `${hash}[storage-policy:0]\nname = gold\ndefault = yes\n`);
		const rings: string[] = [];
		for (const server of SERVERS) {
			const own = await freePort();
			rings.push(`${server}:${own}`);
			writeFileSync(join(dir, `${server}.conf`), serverConfig(dir, server, own));
		}
		writeFileSync(join(dir, 'proxy.conf'), proxyConfig({ dir, port, cache: await freePort(), secretKey }));
		await daemons.run('/usr/bin/python3', ['-c', MAKE_RINGS, ...rings]);
		for (const server of [...SERVERS, 'proxy']) daemons.start(`swift-${server}-server`, [join(dir, `${server}.conf`)]);
		// The gateway answers before what is behind it does: only a request that reaches the disk tells.
		await daemons.wait(() => answers(`${endpoint}/`));
		for (const ring of rings) await daemons.wait(() => answers(`http://127.0.0.1:${ring.split(':')[1]}/`));
	}

	try {
		await start();
	} catch (error) {
		await daemons.close();
		throw error;
	}
	return {
		endpoint,
		accessKey,
		secretKey,
		async createBucket(name) {
			await client.send(new CreateBucketCommand({ Bucket: name }));
		},
		async close() {
			client.destroy();
			await daemons.close();
		},
	};
}
