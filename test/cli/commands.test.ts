import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DiffRequest, Extractor, ListRequest, PackRequest, StatusResult, VerifyRequest } from '../../src/archive/index.ts';
import { main } from '../../src/cli/main.ts';
import { type Finding, MailsealError } from '../../src/domain/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, DAY, finding, id, services, snapshot } from './call-main.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A pack that keeps the request it got. */
function recordPack(findings: readonly Finding[] = []) {
	const requests: PackRequest[] = [];
	const load = services({
		async pack(_archive, request) {
			requests.push(request);
			const result = {
				snapshot,
				parent: null,
				accounts: 1,
				messages: { total: 1, added: 1, changed: 0, removed: 0 },
				sealed: { confirmed: 0, new: 0, newBytes: 0, rewrittenBytes: 0 },
				volatile: { bundles: 1, bytes: 1000, newBytes: 1000 },
				attachments: { total: 0, new: 0, sharedBytes: 0 },
				scan: { folders: 1, foldersRead: 1, filesRead: 1, bytesRead: 10 },
				seconds: 0.1,
			};
			return { result, findings };
		},
	});
	return { load, requests };
}

describe('pack', () => {
	const config = join(scratch, 'mailseal.toml');
	writeFileSync(
		config,
		'sources = ["maildir:/m", { source = "/n", account = "n@example.org" }]\ncompress = false\n' +
			'[policy]\nquiet-period = "14d"\nnever = ["Spam"]\n[bundle]\ntarget = "1MiB"\n',
	);

	it('goes by the defaults where nothing else is said', async () => {
		const { load, requests } = recordPack();
		const { code, out } = await call(['pack', 'Maildir'], load);
		expect(code).toBe(0);
		expect(out.trimEnd().split('\n').at(-1)).toBe(
			'0 sealed bundles confirmed, 0 new (0 bytes), volatile 1.0 kB, 0 sealed bytes rewritten, 0.1 s',
		);
		expect(requests[0]).toMatchObject({
			policy: { quietPeriod: 30 * DAY, unreadPeriod: 90 * DAY, never: ['Trash', 'Junk', 'Drafts'] },
			bundles: { target: 64 * 1024 ** 2, max: 96 * 1024 ** 2, linger: 30 * DAY, compress: true },
			now: Date.UTC(2026, 10, 23, 2, 15),
			rescan: false,
			allowMassRemoval: false,
			dryRun: false,
		});
		expect(requests[0]?.sources.map(({ spec }) => spec)).toEqual(['/nowhere/here/Maildir']);
	});

	it('goes by the config file, and takes its sources where none is given', async () => {
		const { load, requests } = recordPack();
		await call(['pack', '--config', config], load);
		expect(requests[0]).toMatchObject({
			policy: { quietPeriod: 14 * DAY, unreadPeriod: 90 * DAY, never: ['Spam'] },
			bundles: { target: 1024 ** 2, linger: 30 * DAY, compress: false },
		});
		expect(requests[0]?.sources.map(({ spec }) => spec)).toEqual(['maildir:/m', '/n as n@example.org']);
	});

	it('goes by its options before all', async () => {
		const { load, requests } = recordPack();
		const options = '--quiet-period 1d --unread-period 2d --never A --never B/C --bundle-target 200MiB --linger 3d --no-compress';
		const more = '--now 2026-12-24 --rescan --allow-mass-removal --dry-run --account alice';
		await call(['pack', '--config', config, ...options.split(' '), ...more.split(' '), '/x'], load);
		expect(requests[0]).toMatchObject({
			policy: { quietPeriod: DAY, unreadPeriod: 2 * DAY, never: ['A', 'B/C'] },
			bundles: { target: 200 * 1024 ** 2, max: 300 * 1024 ** 2, linger: 3 * DAY, compress: false },
			now: Date.UTC(2026, 11, 24),
			rescan: true,
			allowMassRemoval: true,
			dryRun: true,
		});
		expect(requests[0]?.sources.map(({ spec }) => spec)).toEqual(['/x as alice']);
	});

	it('ends with 1 and tells findings on standard error', async () => {
		const { code, out, err } = await call(['pack', '/m'], recordPack([finding]).load);
		expect(code).toBe(1);
		expect(err).toBe('warning: a/INBOX/1: permission denied [message-unreadable]\n');
		expect(out).not.toContain('permission');
	});

	it('ends with 0 where all findings are notes', async () => {
		expect((await call(['pack', '/m'], recordPack([{ ...finding, severity: 'note' }]).load)).code).toBe(0);
	});

	it('prints nothing but one JSON object with --json, wherever the option stands', async () => {
		for (const args of [
			['--json', 'pack', '/m'],
			['pack', '/m', '--json'],
		]) {
			const { code, out, err } = await call(args, recordPack([finding]).load);
			expect({ code, err }).toEqual({ code: 1, err: '' });
			const value = JSON.parse(out);
			expect(value).toMatchObject({ mailseal: 1, command: 'pack', result: { snapshot, messages: { total: 1 } } });
			expect(value.findings).toEqual([{ ...finding, hint: null }]);
		}
	});
});

describe('ls and search', () => {
	function recordList(more: boolean) {
		const requests: ListRequest[] = [];
		const load = services({
			async listAccounts(_archive, request) {
				requests.push(request);
				return { result: { rows: [], more }, findings: [] };
			},
		});
		return { load, requests };
	}

	it('limit rows on a terminal only, and say that more exist', async () => {
		const terminal = recordList(true);
		const { err } = await call(['ls', 'accounts'], terminal.load, recordIo({ terminal: true }));
		expect(terminal.requests[0]?.limit).toBe(1000);
		expect(err).toBe('only 0 accounts are listed, more exist; --limit COUNT shows more\n');
		const pipe = recordList(false);
		await call(['ls', 'accounts'], pipe.load);
		await call(['ls', 'accounts', '--json'], pipe.load, recordIo({ terminal: true }));
		await call(['ls', 'accounts', '--limit', '5', '--account', 'a', '--folder', 'B/C', '--at', '3d'], pipe.load);
		expect(pipe.requests.map(({ limit }) => limit)).toEqual([undefined, undefined, 5]);
		expect(pipe.requests[2]).toMatchObject({ account: 'a', folder: 'B/C', at: '3d' });
	});

	it('end with 3 for an account that is not known', async () => {
		const load = services({
			async listFolders(_archive, { account }) {
				throw new MailsealError('not-found', `Cannot find account "${account}"`);
			},
		});
		const { code, out, err } = await call(['ls', 'folders', '--account', 'nobody'], load);
		expect({ code, out, err }).toEqual({ code: 3, out: '', err: 'mailseal: Cannot find account "nobody"\n' });
	});
});

describe('status', () => {
	const result: StatusResult = {
		archive: '/a',
		id: 'ab'.repeat(16),
		snapshot: { name: snapshot, time: '2026-11-23T02:15:00.000Z' },
		snapshots: 1,
		accounts: 1,
		folders: 2,
		messages: 3,
		bytes: 4,
		sealed: { bundles: 1, bytes: 5 },
		volatile: { bundles: 0, bytes: 0 },
		sharedBytes: 0,
		attachments: { total: 0, bytes: 0, sharedBytes: 0 },
		targets: [],
		next: [],
	};

	it('ends with 1 where a bundle is missing, and tells it beside the result', async () => {
		const missing: Finding = { code: 'bundle-missing', severity: 'error', subject: 'c0ffee', text: 'The sealed bundle c0ffee is missing' };
		const { code, out, err } = await call(['status'], services({ status: async () => ({ result, findings: [missing] }) }));
		expect(code).toBe(1);
		expect(err).toBe('error: c0ffee: The sealed bundle c0ffee is missing [bundle-missing]\n');
		expect(out).toContain('sealed    1 bundle (5 bytes)');
		expect((await call(['status'], services({ status: async () => ({ result, findings: [] }) }))).code).toBe(0);
	});
});

describe('diff', () => {
	const counts = {
		accounts: { made: 0, removed: 0 },
		folders: { made: 0, removed: 0 },
		messages: { added: 0, copied: 0, moved: 0, flagged: 0, removed: 7 },
		bytes: { added: 0, removed: 70 },
	};
	const side = { snapshot, time: '2026-11-23T02:15:00.000Z' };

	function recordDiff(more: boolean) {
		const requests: DiffRequest[] = [];
		const load = services({
			async diff(_archive, request) {
				requests.push(request);
				return { result: { before: side, after: side, counts, rows: [], more }, findings: [] };
			},
		});
		return { load, requests };
	}

	it('compares with the newest snapshot where one moment is given, and ends with 0 where there are differences', async () => {
		const { load, requests } = recordDiff(false);
		const { code, out } = await call(['diff', '1d'], load);
		expect(code).toBe(0);
		expect(out).toBe(`${snapshot} to ${snapshot}: 0 added, 0 copied (0 bytes), 7 removed (70 bytes), 0 moved, 0 flagged\n`);
		await call(['diff', '2026-11-02', '2026-11-01', '--account', 'a', '--folder', 'B/C', '--limit', '3'], load);
		expect(requests).toMatchObject([
			{ before: '1d', after: 'latest' },
			{ before: '2026-11-02', after: '2026-11-01', account: 'a', folder: 'B/C', limit: 3 },
		]);
		expect(requests[0]?.limit).toBe(undefined);
	});

	it('gives a terminal a thousand rows, and says where more exist', async () => {
		const { load, requests } = recordDiff(true);
		const { err } = await call(['diff', '1d'], load, recordIo({ terminal: true, lively: false }));
		expect(requests[0]?.limit).toBe(1000);
		expect(err).toBe('only 0 changes are listed, more exist; --limit COUNT shows more\n');
	});

	it('refuses a call without a moment', async () => {
		expect(await call(['diff'])).toMatchObject({ code: 2, out: '' });
	});
});

function extracting(extract: Extractor['extract']): Extractor {
	return { extract, extractParts: () => expect.unreachable(), close() {} };
}

describe('extract', () => {
	const bytes = Buffer.from('Subject: \u001b[2J\r\n\r\n\u0000\ufffd', 'utf8');
	const load = services({
		openExtractor: async () =>
			extracting(async (reference) => {
				if (reference === 'missing1') throw new MailsealError('not-found', 'Cannot find message "missing1"', { hint: 'search for it' });
				return { id, size: bytes.length, fileName: `${id}.eml`, chunks: () => [bytes.subarray(0, 5), bytes.subarray(5)] };
			}),
	});

	it('writes the exact bytes into a pipe', async () => {
		const io = recordIo();
		expect(await main(['extract', 'be9d587d'], io, load)).toBe(0);
		expect(io.stdout.bytes().equals(bytes)).toBe(true);
	});

	it('looks up a moment once, however many messages are named', async () => {
		const asked: object[] = [];
		let closed = 0;
		const given = services({
			async openExtractor(_archive, options) {
				asked.push(options);
				const found = { id, size: bytes.length, chunks: () => [bytes] };
				return { ...extracting(async (reference) => ({ ...found, fileName: `${reference}.eml` })), close: () => closed++ };
			},
		});
		const folder = join(scratch, 'of-a-moment');
		expect((await call(['extract', '--at', '3d', '-o', folder, 'be9d587d', 'aaaaaaaa'], given)).code).toBe(0);
		expect(asked).toMatchObject([{ at: '3d' }]);
		expect(closed).toBe(1);
	});

	it('never sends an escape sequence to a terminal', async () => {
		const { out } = await call(['extract', 'be9d587d'], load, recordIo({ terminal: true }));
		expect(out).toBe('Subject: \\x1b[2J\n\n\\x00\ufffd');
	});

	it('ends with 3 where there is no such message', async () => {
		const { code, out, err } = await call(['extract', 'missing1'], load);
		expect({ code, out, err }).toEqual({ code: 3, out: '', err: 'mailseal: Cannot find message "missing1"\n  search for it\n' });
	});

	it('goes on to the other messages, and tells the missing one', async () => {
		const folder = join(scratch, 'several');
		const { code, out, err } = await call(['extract', '-o', folder, 'missing1', 'be9d587d'], load);
		expect(code).toBe(3);
		expect(err).toContain('error: missing1: Cannot find message "missing1"; search for it [not-found]');
		expect(out).toBe(`${join(folder, `${id}.eml`)}\n`);
		expect(readdirSync(folder)).toEqual([`${id}.eml`]);
		expect(readFileSync(join(folder, `${id}.eml`)).equals(bytes)).toBe(true);
	});

	it('never overwrites a file', async () => {
		const folder = join(scratch, 'taken');
		await call(['extract', '-o', folder, 'be9d587d'], load);
		writeFileSync(join(folder, `${id}.eml`), 'mine', { mode: 0o600 });
		const { code, err } = await call(['extract', '-o', folder, 'be9d587d'], load);
		expect(code).toBe(2);
		expect(err).toContain('a file of that name is there already, with other bytes');
		expect(readFileSync(join(folder, `${id}.eml`), 'utf8')).toBe('mine');
	});

	it('stops quietly when the reader of its output goes', async () => {
		const io = recordIo();
		io.stdout.hangUp();
		expect(await main(['extract', 'be9d587d'], io, load)).toBe(0);
		expect(io.stderr.text()).toBe('');
	});
});

describe('verify', () => {
	function verifying(damaged: readonly string[], findings: readonly Finding[]) {
		const requests: VerifyRequest[] = [];
		const load = services({
			async verify(_archive, request) {
				requests.push(request);
				const result = {
					mode: request.mode,
					snapshots: 1,
					bundles: 1,
					offsite: 0,
					messages: 1,
					bytes: 1,
					damaged,
					missing: [],
					seconds: 0,
				};
				return { result, findings };
			},
		});
		return { load, requests };
	}

	it('ends with 5 where something is damaged, 1 for other findings, 0 for none', async () => {
		expect((await call(['verify'], verifying(['x'], [finding]).load)).code).toBe(5);
		expect((await call(['verify'], verifying([], [finding]).load)).code).toBe(1);
		expect((await call(['verify'], verifying([], []).load)).code).toBe(0);
	});

	it('prints its findings as its result', async () => {
		const { out, err } = await call(['verify'], verifying([], [finding]).load);
		expect(out).toContain('warning: a/INBOX/1');
		expect(err).toBe('');
	});

	it('knows its modes', async () => {
		const { load, requests } = verifying([], []);
		for (const args of [[], ['--quick'], ['--full'], ['--deep'], ['--sample', '1/30']]) await call(['verify', ...args], load);
		expect(requests.map(({ mode, sample }) => [mode, sample])).toEqual([
			['full', undefined],
			['quick', undefined],
			['full', undefined],
			['deep', undefined],
			['sample', 30],
		]);
	});
});
