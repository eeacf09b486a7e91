import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRandomMail } from '../../bench/run/random-mail.ts';
import type { Row } from '../../bench/run/report.ts';
import { NOW } from '../../bench/run/workplace.ts';
import { sync } from '../../src/archive/index.ts';
import { SILENT } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import { type BlobStore, counted, openFolderStore, type StoreCounts } from '../../src/remote/index.ts';
import { archiveAt, never, packOnce } from '../support/archive.ts';
import { lacksCeph } from '../support/ceph.ts';
import { lacks } from '../support/needs.ts';
import { lacksSshd } from '../support/sshd.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const missing = [lacksSshd(), lacksCeph(), lacks('rsync', 'rclone', 'restic', 'openssl')].includes(true);

let folder: string;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-offsite-'));
	// A project of its own, so that rows of a real run are not overwritten.
	for (const name of ['bench', 'src', 'scripts', 'test/support']) {
		cpSync(join(ROOT, name), join(folder, name), { recursive: true, filter: (path) => path !== join(ROOT, 'bench', 'out') });
	}
	for (const name of ['node_modules', 'dist']) symlinkSync(join(ROOT, name), join(folder, name));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a bench and gives the rows that it wrote; it must leave nothing but its trees. */
function rowsOf(bench: string, ...options: readonly string[]): readonly Row[] {
	const dir = join(folder, `trees-${bench}`);
	const { status, stderr } = spawnSync(
		process.execPath,
		[join(folder, 'scripts', 'run-bench.mjs'), bench, '--small', '--dir', dir, ...options],
		{ encoding: 'utf8' },
	);
	expect(status, stderr).toBe(0);
	expect(readdirSync(dir).filter((name) => name.startsWith('run-'))).toEqual([]);
	const { rows } = JSON.parse(readFileSync(join(folder, 'bench', 'out', `${bench}.json`), 'utf8')) as { readonly rows: readonly Row[] };
	return rows;
}

function namesOf(rows: readonly Row[], ...columns: readonly string[]): string[] {
	return rows.map((row) => columns.map((column) => row[column]).join(': '));
}

// Ten thousand files are not needed, but some servers are, one after another.
describe.skipIf(missing)('benches of targets', { timeout: 180_000 }, () => {
	test('sync-unchanged compares each place with what else goes there', () => {
		const rows = rowsOf('sync-unchanged', '--bundles', '20', '--runs', '1');
		const rclone = ['rclone sync', 'rclone sync --size-only'];
		const own = ['mailseal sync', 'mailseal sync --no-check'];
		expect(namesOf(rows, 'to', 'program')).toEqual([
			...[...own, 'rsync -a', ...rclone].map((program) => `folder: ${program}`),
			...[...own, 'rsync -a', ...rclone].map((program) => `SFTP: ${program}`),
			...[...own, ...rclone].map((program) => `S3: ${program}`),
		]);
		for (const row of rows) {
			expect(row.bundles).toBeGreaterThan(9);
			expect(row.seconds).toBeGreaterThan(0);
			if (String(row.program).endsWith('--no-check')) expect(row.proved).toBe(0);
		}
	});

	test('transfer moves the same bytes with every program, there and back', () => {
		const rows = rowsOf('transfer', '--bundles', '1');
		const own = ['mailseal', 'mailseal, encrypted'];
		const sdk = ['SDK: PutObject, GetObject', 'SDK: multipart, GetObject'];
		const expected = [
			['folder', [...own, 'cp -r, sync -f', 'openssl dgst, cp -r, sync -f']],
			['SFTP', [...own, 'scp -r, sync -f', 'sftp -b, sync -f']],
			['S3', [...own, ...sdk, 'rclone copy, sync -f']],
		] as const;
		expect(namesOf(rows, 'to', 'way', 'program')).toEqual(
			expected.flatMap(([to, programs]) => ['up', 'down'].flatMap((way) => programs.map((program) => `${to}: ${way}: ${program}`))),
		);
		for (const row of rows) {
			const reached = own.includes(String(row.program)) ? '' : expect.any(Number);
			expect([row['MB/s'], row['mailseal reaches'], row['encrypted reaches']]).toEqual([expect.any(Number), reached, reached]);
		}
	});

	test('offsite-nights counts what goes over the line, which is little where nothing has changed', () => {
		// restic takes seconds for each call, whatever there is to do.
		const fast = process.env.SLOW === undefined ? ['--without', 'restic'] : [];
		const rows = rowsOf('offsite-nights', '--megabytes', '2', '--nights', '1', ...fast);
		const programs = [
			'mailseal pack, sync to a folder',
			'mailseal pack, sync',
			'mailseal pack, sync --encrypt-to',
			'mailseal pack, rclone sync of the archive',
			'rsync -a --delete of the Maildirs',
			...(fast.length === 0 ? ['restic backup, copy'] : []),
		];
		const nights = ['first', 'unchanged', '1 % churn'];
		expect(namesOf(rows, 'night', 'program')).toEqual(nights.flatMap((night) => programs.map((program) => `${night}: ${program}`)));
		const out = (night: string, program: string): number =>
			Number(rows.find((row) => row.night === night && row.program === program)?.['MB out']);
		for (const program of programs) {
			expect(out('first', program)).toBeGreaterThan(0.1);
			expect(out('unchanged', program)).toBeLessThan(out('first', program) / 5);
		}
		// What lies at the far side went over the line.
		for (const row of rows) if (row.night === 'first') expect(row['MB out']).toBeGreaterThanOrEqual(Number(row['MB at the far side']));
	});
});

describe('sync()', () => {
	test('asks a target that has everything for one listing of bundles and one of snapshots, and writes nothing', async () => {
		const archive = archiveAt(join(folder, 'archive'));
		const root = join(folder, 'mail');
		makeRandomMail(root, { bytes: 100_000, each: 10_000 });
		await packOnce(archive.dir, `${root}/{account}/Maildir`, { now: NOW, bundles: { target: 10_000, max: 20_000 } });
		const path = join(folder, 'target');
		const asked: string[] = [];

		async function shipOnce(): Promise<StoreCounts> {
			const { store, counts } = counted(openFolderStore({ path, files: openFiles() }));
			const told: BlobStore = {
				...store,
				list(below, signal) {
					asked.push(below);
					return store.list(below, signal);
				},
			};
			const request = { check: 1, prune: null, dropLocal: false, dryRun: false, transfers: 4, now: NOW, progress: SILENT, signal: never };
			const { result } = await sync(archive, {
				...request,
				address: { url: path },
				store: told,
				keys: { recipients: null, identities: [] },
			});
			expect(result.confirmed + result.shipped).toBeGreaterThan(9);
			return { ...counts };
		}

		await shipOnce();
		asked.splice(0);
		const { creates, bytesWritten, removes, proofs } = await shipOnce();
		expect(asked).toEqual(['bundles/', `archives/${archive.id}/`]);
		expect({ creates, bytesWritten, removes }).toEqual({ creates: 0, bytesWritten: 0, removes: 0 });
		expect(proofs).toBeGreaterThan(9);
	});
});

describe('makeRandomMail()', () => {
	test('makes messages of the wanted size that nothing compresses, no two alike, and the same each time', () => {
		function made(name: string): Buffer[] {
			const root = join(folder, name);
			expect(makeRandomMail(root, { bytes: 100_000, each: 30_000 })).toBe(4);
			const cur = join(root, 'mail@example.org', 'Maildir', 'cur');
			return readdirSync(cur).map((file) => readFileSync(join(cur, file)));
		}
		const messages = made('random');
		expect(made('again')).toEqual(messages);
		const bodies = messages.map((message) => Buffer.from(message.toString('latin1').split('\n\n')[3]?.split('\n--')[0] ?? '', 'base64'));
		expect(bodies.map((body) => body.length)).toEqual([30_000, 30_000, 30_000, 30_000]);
		expect(gzipSync(Buffer.concat(bodies)).length).toBeGreaterThan(120_000);
	});
});
