import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Archive, SearchRequest } from '../../src/archive/index.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { EXIT_CODES, exitOf } from '../../src/cli/exit-codes.ts';
import { VERSION } from '../../src/cli/version.ts';
import { MailsealError } from '../../src/domain/index.ts';
import { recordIo } from '../support/recorded-io.ts';
import { call, services } from './call-main.ts';

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
		expect(out).not.toMatch(/^ {2}(compact|watch|help) /m);
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
		[['ls', 'tenants'], 'Allowed choices are accounts, folders, messages, attachments, bundles, snapshots'],
		[['ls', 'attachments', '--folder', 'INBOX'], 'Cannot list attachments of folder "INBOX": they are shared (--account narrows them)'],
		[['ls', 'bundles', '--account', 'a'], 'Cannot list bundles of account "a": accounts share them'],
		[['ls', 'bundles', '--folder', 'INBOX'], 'Cannot list bundles of folder "INBOX": accounts share them'],
		[['ls', 'snapshots', '--account', 'a'], 'Cannot list snapshots of account "a": each is of all accounts'],
		[['ls', 'messages', '--bundles'], 'Cannot list messages with "--bundles": it belongs to attachments'],
		[['ls', 'attachments', '--bundles', '--limit', '5'], "option '--bundles' cannot be used with option '--limit <count>'"],
		[['pack', '--attachment-min', '0', '/m'], 'Cannot use "--attachment-min 0": it is not from 1 byte to 1GiB'],
		[['pack', '--attachment-min', '1025MiB', '/m'], 'Cannot use "--attachment-min 1025MiB": it is not from 1 byte to 1GiB'],
		[['pack', '--attachment-min', 'small', '/m'], 'Cannot use "--attachment-min small": it is not a number with B, KiB, MiB or GiB'],
		[['ls', 'messages', '--limit', '0'], 'Cannot use "--limit 0": it is not an integer from 1'],
		[['ls', 'messages', 'INBOX'], 'too many arguments'],
		[['search'], "missing required argument 'query'"],
		[['extract', 'aaaaaaaa', 'bbbbbbbb'], 'Cannot write 2 messages to standard output: it takes one'],
		[['extract', '--attachment', 'a', 'aaaaaaaa', 'bbbbbbbb'], 'Cannot write attachments of 2 messages to standard output: it takes one'],
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
