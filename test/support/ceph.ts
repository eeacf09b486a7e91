import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { answers, type Daemon, openDaemons } from './daemons.ts';
import { freePort } from './free-port.ts';
import { lacks } from './needs.ts';

/** An object store of this test's own: Ceph with its S3 gateway, all in memory. */
export interface Ceph {
	readonly endpoint: string;
	readonly accessKey: string;
	readonly secretKey: string;
	/** `lock`: with object lock, and so with versions. */
	createBucket(name: string, options?: { readonly lock?: boolean }): Promise<void>;
	/** Ends the gateway as a power failure would; what it has stored stays. */
	kill(): Promise<void>;
	/** Starts the gateway again, at the same endpoint. */
	restart(): Promise<void>;
	close(): Promise<void>;
}

/** True where Ceph cannot be started, which is said aloud. */
export function lacksCeph(): boolean {
	return lacks('ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin');
}

const NAMES = ['mon.', 'client.admin', 'osd.0', 'client.rgw'];

/** A secret in Ceph's form: type 1 (AES), seconds and nanoseconds of its making, length, 16 bytes; little-endian, base64. */
function makeKey(): string {
	const head = Buffer.alloc(12);
	head.writeUInt16LE(1, 0);
	head.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
	head.writeUInt16LE(16, 10);
	return Buffer.concat([head, randomBytes(16)]).toString('base64');
}

function keyring(): string {
	return NAMES.map((name) => `[${name}]\n\tkey = ${makeKey()}\n\tcaps mon = "allow *"\n\tcaps osd = "allow *"\n`).join('');
}

interface Layout {
	readonly dir: string;
	readonly id: string;
	/** Where the monitor listens. */
	readonly monitor: string;
	readonly port: number;
}

/**
 * One of each daemon, one copy of each object, and no manager. Without the two settings of paxos, each pool takes seconds to make;
 * without `tcp_nodelay`, each small read takes 40 ms; without the short watch, all wait half a minute for a gateway that was killed.
 */
function configOf({ dir, id, monitor, port }: Layout): string {
	return `
[global]
fsid = ${id}
mon_host = ${monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = ${dir}/keyring
run_dir = ${dir}
admin_socket =
log_file = ${dir}/$name.log
pid_file = ${dir}/$name.pid
crash_dir = ${dir}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
auth_allow_insecure_global_id_reclaim = false
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
[mon]
mon_data = ${dir}/mon
mon_data_avail_crit = 0
mon_data_avail_warn = 0
[osd]
osd_data = ${dir}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_client_watch_timeout = 1
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw_data = ${dir}/rgw
rgw_enable_usage_log = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_enable_quota_threads = false
rgw_run_sync_thread = false
rgw_override_bucket_index_max_shards = 1
`;
}

/** Starts monitor, storage and gateway on free ports, in about a second. */
export async function openCeph(): Promise<Ceph> {
	const port = await freePort();
	const monitor = `[v2:127.0.0.1:${await freePort()},v1:127.0.0.1:${await freePort()}]`;
	const daemons = openDaemons((dir) => ({ CEPH_CONF: join(dir, 'ceph.conf') }));
	const { dir } = daemons;
	const id = randomUUID();
	const endpoint = `http://127.0.0.1:${port}`;
	const accessKey = 'test';
	const secretKey = randomBytes(16).toString('hex');
	const configured = { endpoint, region: 'us-east-1', forcePathStyle: true };
	const client = new S3Client({ ...configured, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } });
	let gateway: Daemon | null = null;

	async function startGateway(): Promise<void> {
		gateway = daemons.start('radosgw', ['-n', 'client.rgw', '-f']);
		await daemons.wait(() => answers(endpoint));
	}

	async function start(): Promise<void> {
		for (const name of ['mon', 'osd', 'rgw']) mkdirSync(join(dir, name));
		writeFileSync(join(dir, 'ceph.conf'), configOf({ dir, id, monitor, port }));
		writeFileSync(join(dir, 'keyring'), keyring());
		const map = join(dir, 'monmap');
		await daemons.run('monmaptool', ['--create', '--fsid', id, '--addv', 'a', monitor, map]);
		await daemons.run('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', map, '--keyring', join(dir, 'keyring')]);
		daemons.start('ceph-mon', ['-i', 'a', '-f']);
		await daemons.run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', id]);
		await daemons.run('ceph', ['osd', 'new', id, '0']);
		daemons.start('ceph-osd', ['-i', '0', '-f']);
		// A gateway that starts before the storage is up waits for seconds.
		await daemons.wait(async () => (await daemons.run('ceph', ['osd', 'stat'])).includes(' 1 up'));
		await startGateway();
		const user = ['--uid=test', '--display-name=test', `--access-key=${accessKey}`, `--secret-key=${secretKey}`];
		await daemons.run('radosgw-admin', ['-n', 'client.rgw', 'user', 'create', ...user]);
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
		async createBucket(name, { lock = false } = {}) {
			await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock }));
		},
		async kill() {
			await gateway?.kill();
		},
		restart: startGateway,
		async close() {
			client.destroy();
			await daemons.close();
		},
	};
}
