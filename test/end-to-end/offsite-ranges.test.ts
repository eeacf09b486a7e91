import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRow, Listing, MessageRow, SyncResult } from '../../src/archive/index.ts';
import { fileBytes, mailWith } from '../support/attached-mail.ts';
import { builtFile } from '../support/build-program.ts';
import { type Ceph, lacksCeph, openCeph } from '../support/ceph.ts';
import { type CuttingProxy, openCuttingProxy } from '../support/cutting-proxy.ts';
import { fastFolder } from '../support/eventful-night.ts';
import { type FaultyHttp, openFaultyHttp } from '../support/faulty-http.ts';
import { lacks } from '../support/needs.ts';
import { type Host, openHost } from '../support/offsite-host.ts';
import { makeAgeKey, sha256 } from '../support/offsite-mail.ts';
import { type Place, s3Place, sftpPlace } from '../support/offsite-places.ts';
import { newBucket } from '../support/s3-bucket.ts';
import { lacksSshd, openSshd, type Sshd } from '../support/sshd.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const NOW = Date.UTC(2026, 8, 1);
/** Below the least size of a part that is stored apart, so that it stays with its message. */
const TEXT = 125 * KiB;
const FILE = 128 * KiB;
/** Texts alone fill a bundle of 64 MiB, and so do two files of each of the first ones. */
const MESSAGES = 540;
const WITH_FILES = 260;
/** Has two files of other messages, which lie far apart among theirs. */
const BORROWER = 300;
const BORROWED = [7, 399];

const program = builtFile('src/cli/bin.ts', { chunks: true });
const folder = fastFolder();

function textOf(number: number): string {
	return fileBytes(`t${number}`, (TEXT * 3) / 4)
		.toString('base64')
		.replace(/.{75}/g, '$&\n');
}

function fileOf(number: number): { name: string; bytes: Buffer } {
	return { name: `file-${number}.pdf`, bytes: fileBytes(`f${number}`, FILE) };
}

function subjectOf(number: number): string {
	return `text number ${number}`;
}

function writeStore(root: string): void {
	const maildir = join(root, 'anna@a.example', 'Maildir');
	for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, name), { recursive: true });
	for (let number = 0; number < MESSAGES; number++) {
		const files = number === BORROWER ? BORROWED : number < WITH_FILES ? [2 * number, 2 * number + 1] : [];
		const at = Date.UTC(2026, 0, 1) / 1000 + number;
		const path = join(maildir, 'cur', `${at}.M1P${number}.mx:2,S`);
		writeFileSync(path, mailWith(files.map(fileOf), { subject: subjectOf(number), text: textOf(number) }));
		utimesSync(path, at, at);
	}
}

/** A way to a place on which all bytes are counted, and requests where they can be told apart. */
interface Metered {
	readonly place: Place;
	readonly proxy: CuttingProxy;
	/** Null where they cannot be told apart. */
	readonly requests: readonly string[] | null;
	close(): Promise<void>;
}

async function meterSftp(sshd: Sshd, name: string): Promise<Metered> {
	const proxy = await openCuttingProxy({ target: sshd });
	return { place: sftpPlace(sshd, { folder: name, port: proxy.port }), proxy, requests: null, close: proxy.close };
}

async function meterS3(ceph: Ceph): Promise<Metered> {
	const way: FaultyHttp = await openFaultyHttp(ceph.endpoint);
	const { hostname, port } = new URL(way.endpoint);
	const proxy = await openCuttingProxy({ target: { host: hostname, port: Number(port) } });
	const place = s3Place(ceph, { bucket: await newBucket(ceph), endpoint: `http://${proxy.host}:${proxy.port}` });
	return {
		place,
		proxy,
		requests: way.requests,
		async close() {
			await proxy.close();
			await way.close();
		},
	};
}

let packed: Host;
let large: readonly string[];
let messages: readonly MessageRow[];
let key: { readonly recipient: string; readonly file: string };

beforeAll(async () => {
	packed = openHost(program, { within: folder });
	const root = join(packed.folder, 'store');
	writeStore(root);
	const sizes = ['--no-compress', '--linger', '0s', '--attachment-min', '128KiB'];
	await packed.result('pack', '--now', new Date(NOW).toISOString(), ...sizes, `maildir:${root}/{account}/Maildir`);
	const { rows } = await packed.result<Listing<BundleRow>>('ls', 'bundles');
	large = rows.filter(({ size, kind }) => kind === 'sealed' && size > 64_000_000).map(({ id }) => id);
	expect(large).toHaveLength(2);
	messages = (await packed.result<Listing<MessageRow>>('ls', 'messages')).rows;
	if (!lacks('age-keygen')) key = makeAgeKey(join(folder, 'keys'));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function idOf(number: number): string {
	const found = messages.find((row) => row.subject === subjectOf(number));
	if (found === undefined) throw new Error(`there is no message ${number}`);
	return found.id;
}

/** Syncs, has another machine learn the catalog, and gives what one extract moved. */
function describeExtracts(open: () => Promise<Metered>, { encrypted }: { readonly encrypted: boolean }): void {
	let metered: Metered;
	let host: Host;
	let reading: readonly string[];
	beforeAll(async () => {
		metered = await open();
		const { place } = metered;
		const sender = openHost(program, { within: folder, place, env: { MAILSEAL_ARCHIVE: packed.archive } });
		const synced = await sender.result<SyncResult>(
			'sync',
			place.url,
			...place.reach,
			...(encrypted ? ['--encrypt-to', key.recipient] : []),
		);
		expect(synced.shippedBytes).toBeGreaterThan(128 * MiB);
		host = openHost(program, { within: folder, place });
		reading = ['--target', place.url, ...place.reach, ...(encrypted ? ['--identity', key.file] : [])];
		await host.result('ls', 'accounts', ...reading);
	});
	afterAll(() => metered?.close());

	test.each([
		['a message', { number: 400, reads: 1, size: TEXT }],
		['a message with two files that lie far apart', { number: BORROWER, reads: 3, size: TEXT + 2 * FILE }],
	])('%s moves less than 1 MiB, and takes one ranged read for each of its parts', async (_what, { number, reads, size }) => {
		const { proxy, requests } = metered;
		const before = { bytes: proxy.up + proxy.down, requests: requests?.length };
		const id = idOf(number);
		expect(sha256(await host.bytes('extract', id, ...reading))).toBe(id);
		const moved = proxy.up + proxy.down - before.bytes;
		expect(moved).toBeGreaterThan(size);
		expect(moved).toBeLessThan(1 * MiB);
		// Each end of a read in an age file lies within a chunk of 64 KiB.
		expect(moved - size).toBeLessThan((encrypted ? reads * 2 * 64 * KiB : 0) + 32 * KiB);
		if (requests === null) return;
		const asked = requests.slice(before.requests);
		const read = asked.flatMap((one) => /^GET .*\/([0-9a-f]{64})\.[^/]*$/.exec(one)?.[1] ?? []);
		expect(read).toHaveLength(reads);
		expect(large).toEqual(expect.arrayContaining(read));
		expect(asked.filter((one) => one.includes('prefix=archives'))).toHaveLength(1);
		// Whether somebody else sealed the same bundle too is told by a listing of its folder.
		const folders = encrypted ? new Set(read).size : 0;
		const head = asked.filter((one) => one.includes('/mailseal-target.json')).length;
		expect(asked.length - head).toBe(reads + 1 + folders);
	});
}

describe.skipIf(lacksSshd())('from 64 MiB bundles at an SSH server', () => {
	let sshd: Sshd;
	beforeAll(async () => {
		sshd = await openSshd();
	});
	afterAll(() => sshd?.close());
	describeExtracts(() => meterSftp(sshd, 'plain'), { encrypted: false });
});

describe.skipIf(lacksSshd() || lacks('age-keygen'))('from encrypted 64 MiB bundles at an SSH server', () => {
	let sshd: Sshd;
	beforeAll(async () => {
		sshd = await openSshd();
	});
	afterAll(() => sshd?.close());
	describeExtracts(() => meterSftp(sshd, 'encrypted'), { encrypted: true });
});

describe.skipIf(lacksCeph())('from 64 MiB bundles in Ceph', () => {
	let ceph: Ceph;
	beforeAll(async () => {
		ceph = await openCeph();
	});
	afterAll(() => ceph?.close());
	describe('plain,', () => describeExtracts(() => meterS3(ceph), { encrypted: false }));
	describe.skipIf(lacks('age-keygen'))('encrypted,', () => describeExtracts(() => meterS3(ceph), { encrypted: true }));
});
