import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Archive, ListRequest, PackRequest, SearchRequest, VerifyRequest } from '../../src/archive/index.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { EXIT_CODES, exitOf } from '../../src/cli/exit-codes.ts';
import { main } from '../../src/cli/main.ts';
import type { Services } from '../../src/cli/services.ts';
import { VERSION } from '../../src/cli/version.ts';
import { type Finding, MailsealError, parseMessageId, parseSnapshotName } from '../../src/domain/index.ts';
import { openFiles } from '../../src/platform/index.ts';
import type { MailSource } from '../../src/sources/index.ts';
import { recordIo } from '../support/recorded-io.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const DAY = 24 * 3600 * 1000;
const snapshot = parseSnapshotName('20261123T021500Z-0a1b2c3d');
const id = parseMessageId('be9d587d0f4f1d3a0d3a3a1a1ed0e9f6e6e6b5b4f2f0a9d8c7b6a59483726150');
const finding: Finding = { code: 'message-unreadable', severity: 'warning', subject: 'a/INBOX/1', text: 'permission denied' };

/** Parts for a call whose use case is written in the test; one that the test does not expect fails it. */
function services(parts: Partial<Services>): () => Promise<Services> {
	function unexpected(): never {
		throw new Error('this use case was not expected');
	}
	const archive = { close() {} } as Archive;
	return async () => ({
		files: openFiles(),
		defaultBundles: { target: 64 * 1024 ** 2, max: 96 * 1024 ** 2, linger: 30 * DAY, compress: true },
		openArchive: () => archive,
		openWorkers: () => ({ width: 1, run: unexpected, async close() {} }),
		openSource: (spec, { account }) => ({ spec: account === undefined ? spec : `${spec} as ${account}` }) as MailSource,
		pack: unexpected,
		plan: unexpected,
		status: unexpected,
		listAccounts: unexpected,
		listFolders: unexpected,
		listMessages: unexpected,
		listBundles: unexpected,
		listSnapshots: unexpected,
		search: unexpected,
		extract: unexpected,
		restore: unexpected,
		verify: unexpected,
		reindex: unexpected,
		...parts,
	});
}

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

async function call(args: readonly string[], load = services({}), io = recordIo()) {
	const code = await main(args, io, load);
	return { code, out: io.stdout.text(), err: io.stderr.text(), io };
}

describe('help and version', () => {
	it('prints the version that package.json names', async () => {
		const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
		expect(VERSION).toBe(version);
		expect(await call(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
	});

	it('lists every command and every exit code', async () => {
		const { code, out, err } = await call(['--help']);
		expect({ code, err }).toEqual({ code: 0, err: '' });
		for (const { name, summary } of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} .*${summary}`, 'm'));
		for (const [number, meaning] of EXIT_CODES) expect(out).toContain(`  ${String(number).padEnd(4)} ${meaning}`);
	});

	it('does not offer what does not exist', async () => {
		const { out } = await call(['--help']);
		expect(out).not.toMatch(/^ {2}(sync|repair|prune|compact|watch|help) /m);
	});

	it.each(COMMANDS.map(({ name }) => name))('shows options, common options and examples of %s', async (name) => {
		const { code, out } = await call([name, '--help']);
		expect(code).toBe(0);
		expect(out).toContain(`Usage: mailseal ${name}`);
		expect(out).toContain('Global Options:');
		expect(out).toMatch(new RegExp(`Examples:\n {2}# .+\n {2}\\$ mailseal .*${name}`));
		expect((await call(['help', name])).out).toBe(out);
	});

	it('shows help and ends with 2 where no command is named', async () => {
		const { code, out, err } = await call([]);
		expect({ code, out }).toEqual({ code: 2, out: '' });
		expect(err).toContain('Usage: mailseal');
	});
});

describe('a call that is wrong', () => {
	it.each([
		[['pak'], "unknown command 'pak' (Did you mean pack?)"],
		[['pack', '--quite-period', '1d', '/m'], "unknown option '--quite-period'"],
		[
			['pack', '--quiet-period', '30 days', '/m'],
			'Cannot use "--quiet-period 30 days": it is not a number with s, m, h, d, w or y, such as 30d',
		],
		[['pack', '--bundle-target', '0', '/m'], 'Cannot cut bundles at 0 bytes'],
		[['pack', '--bundle-target', '2GiB', '/m'], 'Cannot cut bundles at 2147483648 bytes'],
		[['pack', '--now', 'today', '/m'], 'Cannot use "--now today": it is not ISO 8601'],
		[['pack', '--jobs', '-1', '/m'], 'Cannot use "--jobs -1": it is not an integer from 0 to 256'],
		[['pack', '--account', 'a/b', '/m'], 'Cannot use "--account a/b": it must not be empty'],
		[['pack', '--account', 'alice', '/m', '/n'], 'it names the account of one SOURCE (2 are given)'],
		[['pack'], 'Cannot find any mail: no SOURCE is given, and there is no config file'],
		[['ls'], "missing required argument 'what'"],
		[['ls', 'attachments'], 'Allowed choices are accounts, folders, messages, bundles, snapshots'],
		[['ls', 'messages', '--limit', '0'], 'Cannot use "--limit 0": it is not an integer from 1'],
		[['ls', 'messages', 'INBOX'], 'too many arguments'],
		[['search'], "missing required argument 'query'"],
		[['extract', 'aaaaaaaa', 'bbbbbbbb'], 'Cannot write 2 messages to standard output: it takes one'],
		[['restore'], "required option '--to <dir>' not specified"],
		[['restore', '--to', '/x', '--as', 'zip'], 'Allowed choices are maildir, mbox'],
		[['verify', '--quick', '--deep'], "option '--quick' cannot be used with option '--deep'"],
		[['verify', '--sample', '30'], 'Cannot use "--sample 30": it is not a share such as 1/30'],
		[['status', '--config', '/nowhere/mailseal.toml'], 'Cannot read config file "/nowhere/mailseal.toml": there is no such file'],
		[['status', '--progress', 'loud'], 'Allowed choices are auto, json, none'],
	])('%j ends with 2 and says what is wrong', async (args, text) => {
		const { code, out, err } = await call(args);
		expect(err).toContain(text);
		expect(err.startsWith('mailseal: Cannot ')).toBe(true);
		expect({ code, out }).toEqual({ code: 2, out: '' });
	});

	it('is told as JSON where JSON was asked for', async () => {
		const { code, out, err } = await call(['verify', '--json', '--sample', 'x']);
		expect({ code, err }).toEqual({ code: 2, err: '' });
		expect(JSON.parse(out)).toEqual({
			mailseal: 1,
			command: 'verify',
			error: { code: 'usage', text: 'Cannot use "--sample x": it is not a share such as 1/30', hint: null },
			findings: [],
		});
		expect(JSON.parse((await call(['--json', 'nonsense'])).out)).toMatchObject({ command: null, error: { code: 'usage' } });
	});

	it('is told where --json would take the place of a message', async () => {
		const { code, out } = await call(['extract', '--json', 'aaaaaaaa']);
		expect(code).toBe(2);
		expect(JSON.parse(out).error.text).toContain('Cannot write a message to standard output with --json');
	});

	it('does not take what stands behind -- for an option', async () => {
		const queries: SearchRequest[] = [];
		const load = services({
			async search(_archive, request) {
				queries.push(request);
				return { result: { rows: [], more: false }, findings: [] };
			},
		});
		expect((await call(['search', '--', 'invoice', '--json', '-draft'], load)).code).toBe(0);
		expect(queries[0]?.query).toBe('invoice --json -draft');
	});
});

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
		expect(err).toBe('more than these 0 exist; --limit COUNT shows more\n');
		const pipe = recordList(false);
		await call(['ls', 'accounts'], pipe.load);
		await call(['ls', 'accounts', '--json'], pipe.load, recordIo({ terminal: true }));
		await call(['ls', 'accounts', '--limit', '5', '--account', 'a', '--folder', 'B/C', '--at', '3d'], pipe.load);
		expect(pipe.requests.map(({ limit }) => limit)).toEqual([undefined, undefined, 5]);
		expect(pipe.requests[2]).toMatchObject({ account: 'a', folder: 'B/C', at: '3d' });
	});
});

describe('extract', () => {
	const bytes = Buffer.from('Subject: \u001b[2J\r\n\r\n\u0000\ufffd', 'utf8');
	const load = services({
		async extract(_archive, reference) {
			if (reference === 'missing1') throw new MailsealError('not-found', 'Cannot find message "missing1"', { hint: 'search for it' });
			return { id, size: bytes.length, fileName: `${id}.eml`, chunks: () => [bytes.subarray(0, 5), bytes.subarray(5)] };
		},
	});

	it('writes the exact bytes into a pipe', async () => {
		const io = recordIo();
		expect(await main(['extract', 'be9d587d'], io, load)).toBe(0);
		expect(io.stdout.bytes().equals(bytes)).toBe(true);
	});

	it('takes the message as of a moment', async () => {
		let asked: object | undefined;
		const given = services({
			async extract(_archive, _reference, options) {
				asked = options;
				return { id, size: bytes.length, fileName: `${id}.eml`, chunks: () => [bytes] };
			},
		});
		expect((await call(['extract', '--at', '3d', 'be9d587d'], given)).code).toBe(0);
		expect(asked).toMatchObject({ at: '3d' });
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
				const result = { mode: request.mode, snapshots: 1, bundles: 1, messages: 1, bytes: 1, damaged, missing: [], seconds: 0 };
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

describe('failures', () => {
	const CODES = [
		['usage', 2],
		['config', 2],
		['not-found', 3],
		['busy', 4],
		['source-gone', 4],
		['mass-removal', 4],
		['no-space', 4],
		['read-only', 4],
		['permission', 4],
		['io', 4],
		['archive-damaged', 5],
		['format-newer', 5],
		['interrupted', 130],
	] as const;

	it.each(CODES)('%s ends with %d', async (code, exit) => {
		expect(exitOf(code)).toBe(exit);
		const load = services({
			async status() {
				throw new MailsealError(code, 'Cannot do it: "\u001b[2J" is in the way', { hint: 'move\nit' });
			},
		});
		const shown = await call(['status'], load);
		expect(shown).toMatchObject({ code: exit, out: '', err: 'mailseal: Cannot do it: "\\x1b[2J" is in the way\n  move\\nit\n' });
		const json = await call(['status', '--json'], load);
		expect(json.code).toBe(exit);
		expect(JSON.parse(json.out)).toMatchObject({ command: 'status', error: { code, hint: 'move\nit' }, findings: [] });
	});

	it('that nobody foresaw end with 70, ask for a report, and show the place only on request', async () => {
		const load = services({
			async status() {
				throw new TypeError('x is not a function');
			},
		});
		const plain = await call(['status'], load);
		expect(plain.code).toBe(70);
		expect(plain.err).toMatch(/^mailseal: Cannot go on: a bug in mailseal \S+ \(TypeError: x is not a function\)\n {2}please report it/);
		expect(plain.err).not.toContain('    at ');
		const debug = await call(['status'], load, recordIo({ env: { MAILSEAL_DEBUG: '1' } }));
		expect(debug.err).toContain('    at ');
	});

	it('after a signal end with 130, whatever the call threw on its way out', async () => {
		const io = recordIo();
		const load = services({
			async status() {
				io.abort(new MailsealError('interrupted', 'Cannot finish: SIGINT was received'));
				throw new DOMException('This operation was aborted', 'AbortError');
			},
		});
		expect(await call(['status'], load, io)).toMatchObject({ code: 130, err: 'mailseal: Cannot finish: SIGINT was received\n' });
	});

	it('close the archive', async () => {
		let closed = 0;
		const load = services({
			openArchive: () => ({ close: () => closed++ }) as unknown as Archive,
			async status() {
				throw new MailsealError('io', 'Cannot read');
			},
		});
		await call(['status'], load);
		expect(closed).toBe(1);
	});
});
