import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../dist/mailseal.cjs', import.meta.url));
if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run "npm run build" first`);

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-program-'));
const archive = join(scratch, 'archive');
const maildir = join(scratch, 'alice@example.org', 'Maildir');
const OLD = new Date('2026-01-02T03:04:05Z');
const NOW = '2026-11-23T02:15:00Z';

// Escape sequences in a subject, bytes that are no UTF-8, NUL, and no line feed at the end.
const first = Buffer.concat([
	Buffer.from(
		'From: Bob <bob@example.com>\r\nTo: alice@example.org\r\nSubject: Invoice \u001b[2J 4711\r\nMessage-ID: <1@example.com>\r\n\r\n',
	),
	Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x41]),
]);
const second = Buffer.from('From: Carol <carol@example.com>\nSubject: Lunch\nMessage-ID: <2@example.com>\n\nNoon?\n');

function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

// No config file or archive of the machine that runs the tests may reach in. Node 20 reads NODE_EXTRA_CA_CERTS at
// every start, which takes longer than the program itself.
const env = { PATH: process.env.PATH, HOME: scratch, XDG_CONFIG_HOME: join(scratch, 'config'), TZ: 'Asia/Kolkata' };

function run(...args: readonly string[]) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { env, cwd: scratch, maxBuffer: 64 * 1024 ** 2 });
	return { code: status, out: stdout.toString('utf8'), bytes: stdout, err: stderr.toString('utf8') };
}

function start(args: readonly string[]): ChildProcess {
	return spawn(process.execPath, [PROGRAM, ...args], { env, cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'] });
}

function deliver(folder: string, name: string, bytes: Uint8Array): void {
	for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, folder, part), { recursive: true });
	const path = join(maildir, folder, 'cur', name);
	writeFileSync(path, bytes);
	utimesSync(path, OLD, OLD);
}

beforeAll(() => {
	deliver('', '1767323045.M1P1.host:2,S', first);
	deliver('.Projects.Alpha', '1767323045.M2P1.host:2,FS', second);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the program', () => {
	it('packs, tells the cost in its last line, and confirms the next night', () => {
		const night = run('-a', archive, 'pack', '--now', NOW, '--linger', '0s', maildir);
		expect(night.err).toBe('');
		expect(night.code).toBe(0);
		const contract =
			/^[\d,]+ sealed bundles confirmed, [\d,]+ new \([\d.]+ \w+\), volatile [\d.]+ \w+, 0 sealed bytes rewritten, [\d.]+ s$/;
		expect(night.out.trimEnd().split('\n').at(-1)).toMatch(contract);
		const next = run('-a', archive, 'pack', '--now', '2026-11-24T02:15:00Z', '--json', maildir);
		expect(JSON.parse(next.out)).toMatchObject({
			mailseal: 1,
			command: 'pack',
			result: { accounts: 1, messages: { total: 2, added: 0, changed: 0, removed: 0 }, sealed: { new: 0, rewrittenBytes: 0 } },
			findings: [],
		});
	});

	it('lists, searches and extracts', () => {
		expect(run('-a', archive, 'ls', 'folders').out).toMatch(/alice@example\.org\/INBOX[\s\S]*alice@example\.org\/Projects\/Alpha/);
		const found = run('-a', archive, 'search', 'invoice', 'from:bob');
		expect(found.out).toContain('alice@example.org/INBOX');
		expect(found.out).toContain(sha256(first).slice(0, 12));
		expect(found.out).not.toContain('\u001b');
		for (const reference of [sha256(first), sha256(first).slice(0, 8), '<1@example.com>', 'alice@example.org/INBOX/1767323045.M1P1.host']) {
			const { code, bytes, err } = run('-a', archive, 'extract', reference);
			expect({ code, err }).toEqual({ code: 0, err: '' });
			expect(bytes.equals(first)).toBe(true);
		}
	});

	it('extracts several messages into a folder', () => {
		expect(run('-a', archive, 'extract', '-o', 'out', '<1@example.com>', '<2@example.com>').code).toBe(0);
		expect(readdirSync(join(scratch, 'out')).sort()).toEqual([`${sha256(first)}.eml`, `${sha256(second)}.eml`].sort());
		expect(readFileSync(join(scratch, 'out', `${sha256(second)}.eml`)).equals(second)).toBe(true);
	});

	it('restores names, bytes and dates', () => {
		expect(run('-a', archive, 'restore', '--to', 'back', 'alice@example.org').code).toBe(0);
		const folder = join(scratch, 'back', 'alice@example.org', '.Projects.Alpha', 'cur');
		expect(readdirSync(folder)).toEqual(['1767323045.M2P1.host:2,FS']);
		expect(readFileSync(join(folder, '1767323045.M2P1.host:2,FS')).equals(second)).toBe(true);
	});

	it('works through a symbolic link, worker threads included', () => {
		const link = join(scratch, 'mailseal');
		symlinkSync(PROGRAM, link);
		const { status, stdout } = spawnSync(process.execPath, [link, '-a', archive, 'verify', '--deep', '--jobs', '2'], { env, cwd: scratch });
		expect(status).toBe(0);
		expect(stdout.toString()).toMatch(/^deep: 2 snapshots, .* 0 damaged, 0 missing/m);
	});

	it('rebuilds the catalog', () => {
		rmSync(join(archive, 'catalog.sqlite'), { force: true });
		expect(run('-a', archive, 'reindex').code).toBe(0);
		expect(JSON.parse(run('-a', archive, 'status', '--json').out).result).toMatchObject({ accounts: 1, messages: 2, snapshots: 2 });
	});

	it('ends with 3 where there is no archive or message', () => {
		expect(run('-a', 'nowhere', 'status').code).toBe(3);
		expect(run('-a', archive, 'extract', 'ffffffffffff').code).toBe(3);
		expect(JSON.parse(run('-a', 'nowhere', 'status', '--json').out)).toMatchObject({
			mailseal: 1,
			command: 'status',
			error: { code: 'not-found' },
		});
	});

	it('ends with 4 where the source is gone', () => {
		expect(run('-a', archive, 'pack', join(scratch, 'unmounted')).code).toBe(4);
	});

	it('ends with 5 where a bundle is damaged, and changes nothing', () => {
		const copy = join(scratch, 'copy');
		spawnSync('cp', ['-a', archive, copy]);
		const bundles = join(copy, 'bundles');
		const [kind = ''] = readdirSync(bundles);
		const [shard = ''] = readdirSync(join(bundles, kind));
		const [name = ''] = readdirSync(join(bundles, kind, shard));
		const path = join(bundles, kind, shard, name);
		const bytes = readFileSync(path);
		const at = bytes.length >> 1;
		bytes[at] = (bytes[at] ?? 0) ^ 1;
		chmodSync(path, 0o600);
		writeFileSync(path, bytes);
		const { code, out } = run('-a', copy, 'verify');
		expect(code).toBe(5);
		expect(out).toContain(name.replace('.zip', ''));
		expect(readFileSync(path).equals(bytes)).toBe(true);
	});

	it('stores a file of two mailboxes once, names the bundle that it needs, and gives it back', () => {
		const mail = join(scratch, 'attached');
		const file = Buffer.alloc(5000, 'Offer 4711 \u001b[2J\r\n');
		for (const account of ['alice', 'bob']) {
			for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(mail, account, 'Maildir', part), { recursive: true });
			const text = [
				`To: ${account}@example.org\nMessage-ID: <${account}@example.com>\nSubject: Offer\nContent-Type: multipart/mixed; boundary=b\n\n--b\n`,
				'Content-Type: application/pdf\nContent-Disposition: attachment; filename="../Offer 4711.pdf"\n',
				`Content-Transfer-Encoding: base64\n\n${file.toString('base64').replace(/.{76}/g, '$&\n')}\n--b--\n`,
			].join('');
			const path = join(mail, account, 'Maildir', 'cur', `1767323045.M1${account}.host:2,S`);
			writeFileSync(path, text);
			utimesSync(path, OLD, OLD);
		}
		const shared = join(scratch, 'shared');
		const packed = run('-a', shared, 'pack', '--now', NOW, '--linger', '0s', '--attachment-min', '1KiB', mail);
		expect(packed.out).toMatch(/^attached {2}1 stored apart, 1 new, 5\.0 kB saved by sharing$/m);
		expect(JSON.parse(readFileSync(join(shared, 'mailseal.json'), 'utf8'))).toMatchObject({ attachmentMin: 1024 });
		expect(run('-a', shared, 'ls', 'attachments').out).toMatch(
			new RegExp(`^5\\.0 kB {2}application/pdf {2}2 {2}2 {2}5\\.0 kB {2}Offer 4711\\.pdf {2}${sha256(file)}\n$`),
		);
		const paths = run('-a', shared, 'ls', 'attachments', '--account', 'bob', '--bundles').out.trimEnd().split('\n');
		expect(paths).toHaveLength(1);
		for (const path of paths) expect(existsSync(join(shared, path)), path).toBe(true);
		expect(run('-a', shared, 'search', 'has:attachment', 'filename:offer').out.match(/ {2}@ {2}/g)).toHaveLength(2);
		expect(run('-a', shared, 'extract', '<bob@example.com>', '--attachment', 'OFFER*').bytes.equals(file)).toBe(true);
		expect(run('-a', shared, 'extract', '<bob@example.com>', '--attachment', 'part-1').bytes.equals(file)).toBe(true);
		expect(run('-a', shared, 'extract', '<bob@example.com>', '--attachment', '')).toMatchObject({ code: 2, out: '' });
		expect(run('-a', shared, 'extract', '<bob@example.com>', '--attachment', 'x').err).toContain('part-1 "Offer 4711.pdf"');
		expect(run('-a', shared, 'ls', 'messages', '--account', 'carol')).toMatchObject({ code: 3, out: '' });
		const into = run('-a', shared, 'extract', '-o', 'offers', '--attachment', '*.pdf', '<alice@example.com>', '<bob@example.com>');
		const path = join(scratch, 'offers', 'Offer 4711.pdf');
		expect(into).toMatchObject({ code: 0, out: `${path}\n${path} (there already)\n`, err: '' });
		for (const path of paths) renameSync(join(shared, path), join(scratch, 'away.zip'));
		const harmed = run('-a', shared, 'status');
		expect(harmed).toMatchObject({ code: 1, err: expect.stringMatching(/^error: [0-9a-f]{64}: .* is missing; .* \[bundle-missing\]\n$/) });
		for (const path of paths) renameSync(join(scratch, 'away.zip'), join(shared, path));
		expect(run('-a', shared, 'status').code).toBe(0);
		const again = run('-a', shared, 'pack', '--now', NOW, '--attachment-min', '2KiB', mail);
		expect(again).toMatchObject({ code: 0, err: expect.stringContaining('stays at 1KiB (not 2KiB)') });
	});

	it('goes by a config file', () => {
		mkdirSync(join(env.XDG_CONFIG_HOME, 'mailseal'), { recursive: true });
		const config = join(env.XDG_CONFIG_HOME, 'mailseal', 'mailseal.toml');
		writeFileSync(config, `archive = "../../by-config"\nsources = ["~/alice@example.org/Maildir"]\n`);
		expect(run('pack', '--now', NOW).code).toBe(0);
		expect(existsSync(join(scratch, 'by-config', 'mailseal.json'))).toBe(true);
		writeFileSync(config, 'archive = "x"\n\nsorces = []\n');
		const { code, err } = run('status');
		expect(code).toBe(2);
		expect(err).toContain(`Cannot use "sorces" in "${config}", line 3: there is no such key`);
		rmSync(config);
	});

	it('ends quietly when the reader of its output goes', async () => {
		const child = start(['--help']);
		child.stdout?.destroy();
		let err = '';
		child.stderr?.on('data', (piece: Buffer) => {
			err += piece.toString();
		});
		const [code] = await once(child, 'close');
		expect({ code, err }).toEqual({ code: 0, err: '' });
	});

	it.skipIf(!existsSync('/dev/full'))('ends with 4 when its output cannot be written (skipped: needs /dev/full)', () => {
		const { status, stderr } = spawnSync(
			'sh',
			['-c', '"$0" "$@" > /dev/full', process.execPath, PROGRAM, '-a', archive, 'extract', '<1@example.com>'],
			{
				env,
			},
		);
		expect(status).toBe(4);
		expect(stderr.toString()).toContain('Cannot write to "standard output": the disk is full');
	});

	it('ends with 130 when it is interrupted, and the archive stays whole', async () => {
		for (let i = 0; i < 3000; i++) deliver('.Bulk', `1767323045.M${i}P2.host:2,S`, Buffer.from(`Subject: ${i}\n\n${'x'.repeat(2000)}\n`));
		const child = start(['-a', archive, 'pack', '--now', '2026-11-25T02:15:00Z', '--progress=json', maildir]);
		let asked = false;
		child.stderr?.on('data', () => {
			if (!asked) child.kill('SIGINT');
			asked = true;
		});
		child.stdout?.resume();
		const [code] = await once(child, 'close');
		expect(code).toBe(130);
		const { out } = run('-a', archive, 'verify', '--json');
		expect(JSON.parse(out).result).toMatchObject({ damaged: [], missing: [], snapshots: 2 });
		expect(run('-a', archive, 'pack', '--now', '2026-11-25T02:15:00Z', maildir).code).toBe(0);
	});
});
