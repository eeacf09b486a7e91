import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig, readConfig } from '../../src/cli/config.ts';
import { MailsealError } from '../../src/domain/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-config-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const DAY = 24 * 3600 * 1000;

function read(text: string) {
	return readConfig(text, { path: '/etc/mailseal/mailseal.toml', home: '/home/alice' });
}

function refusal(text: string): MailsealError {
	try {
		read(text);
	} catch (error) {
		if (error instanceof MailsealError) return error;
		throw error;
	}
	throw new Error('the config was accepted');
}

describe('readConfig()', () => {
	it('reads every key', () => {
		const config = read(`
			archive = "/backup/mail"
			sources = ["maildir:/var/vmail/{domain}/{user}/Maildir", { source = "~/Maildir", account = "alice@example.org" }]
			attachment-min = "16KiB"
			compress = false
			[policy]
			quiet-period = "14d"
			unread-period = "1y"
			never = ["Trash", "Spam"]
			[bundle]
			target = "32MiB"
			linger = "7d"
			max = 67108864
			[compact]
			below = 0.4
			budget = "2GiB"
			[retention]
			keep-last = 7
			keep-hourly = 48
			keep-daily = 14
			keep-weekly = 8
			keep-monthly = 24
			keep-yearly = 0
			[targets]
			offsite = "sftp://backup@example.org/mail"
			disk = { url = "copy", identity = "~/key.txt" }
			[targets.cloud]
			url = "s3://bucket/mail"
			s3-endpoint = "https://s3.example.org"
			encrypt-to = ["age1one", "@recipients.txt"]
			limit-rate = "10MB"
			transfers = 8
			object-lock = "400d"
			object-lock-mode = "compliance"
		`);
		expect(config).toEqual({
			path: '/etc/mailseal/mailseal.toml',
			archive: '/backup/mail',
			sources: [{ spec: 'maildir:/var/vmail/{domain}/{user}/Maildir' }, { spec: '/home/alice/Maildir', account: 'alice@example.org' }],
			policy: { quietPeriod: 14 * DAY, unreadPeriod: 365 * DAY, never: ['Trash', 'Spam'] },
			bundles: { target: 32 * 1024 ** 2, linger: 7 * DAY, max: 64 * 1024 ** 2, compress: false },
			retention: { last: 7, hourly: 48, daily: 14, weekly: 8, monthly: 24, yearly: 0 },
			compaction: { below: 0.4, budget: 2 * 1024 ** 3 },
			attachmentMin: 16 * 1024,
			targets: new Map([
				['offsite', { url: 'sftp://backup@example.org/mail' }],
				['disk', { url: '/etc/mailseal/copy', identity: '/home/alice/key.txt' }],
				[
					'cloud',
					{
						url: 's3://bucket/mail',
						s3Endpoint: 'https://s3.example.org',
						encryptTo: ['age1one', '@/etc/mailseal/recipients.txt'],
						limitRate: 10_000_000,
						transfers: 8,
						objectLock: 400 * DAY,
						objectLockMode: 'compliance',
					},
				],
			]),
		});
	});

	it('takes an empty file for one that says nothing', () => {
		expect(read('')).toEqual({
			path: '/etc/mailseal/mailseal.toml',
			sources: [],
			policy: {},
			bundles: {},
			retention: {},
			compaction: {},
			targets: new Map(),
		});
	});

	it('takes sources as an array of tables', () => {
		expect(read('[[sources]]\nsource = "/a"\n[[sources]]\nsource = "maildir:~/b"\naccount = "b"').sources).toEqual([
			{ spec: '/a' },
			{ spec: 'maildir:/home/alice/b', account: 'b' },
		]);
	});

	it('places relative paths beside the file, wherever the program runs', () => {
		const config = read('archive = "mail"\nsources = ["Maildir", "maildir:store/{user}"]');
		expect(config.archive).toBe('/etc/mailseal/mail');
		expect(config.sources.map(({ spec }) => spec)).toEqual(['/etc/mailseal/Maildir', 'maildir:/etc/mailseal/store/{user}']);
	});

	it('names file, key and line of a key that is not known', () => {
		const error = refusal('# nightly\narchive = "/a"\n\n[policy]\n# how long\nquiet-periodd = "30d"\n');
		expect(error.code).toBe('config');
		expect(error.message).toBe(
			'Cannot use "policy.quiet-periodd" in "/etc/mailseal/mailseal.toml", line 6: there is no such key (one of quiet-period, unread-period, never)',
		);
	});

	it.each([
		['a table', 'archive = "/a"\n\n[polcy]\nx = 1', '"polcy"', 3],
		['a dotted key', 'policy.quiet-period = "1d"\npolicy.loud = 1', '"policy.loud"', 2],
		['a quoted key', '\n"arch ive" = 1', '"arch ive"', 2],
		['an inline table', 'compress = true\npolicy = { quiet = "1d" }', '"policy.quiet"', 2],
		['a statement over several lines', 'sources = [\n "/a",\n { source = "/b", acount = "b" },\n]', '"sources[1].acount"', 1],
		['an array of tables', '[[sources]]\nsource="/a"\n[[sources]]\nsource="/b"\nacount="b"', '"sources[1].acount"', 5],
		['a name that every object has', 'toString = 1', '"toString"', 1],
		['a name that is dangerous', '[policy]\n__proto__ = 1', '"policy.__proto__"', 2],
		['a file with CRLF', 'archive = "/a"\r\nfoo = 1\r\n', '"foo"', 2],
	])('finds the line of an unknown key in %s', (_, text, name, line) => {
		const error = refusal(text);
		expect(error.message).toContain(`Cannot use ${name} in "/etc/mailseal/mailseal.toml", line ${line}: there is no such key`);
		expect(error.details).toEqual({ line });
	});

	it.each([
		['archive = 7', 'it is 7 (a text'],
		['archive = ""', 'it is "" (a text'],
		['archive = 2026-01-01', 'it is a date (a text'],
		['sources = "/a"', 'it is "/a" (a list)'],
		['sources = [7]', 'it is 7 (a source such as'],
		['sources = [{ account = "a" }]', 'it has no key "source" (a table'],
		['sources = [{ source = "/a", account = "a/b" }]', 'it is "a/b" (an account name'],
		['compress = "yes"', 'it is "yes" (true or false)'],
		['attachment-min = 0', 'it is 0 (a size from 1 byte to 1GiB)'],
		['attachment-min = "2GiB"', 'it is "2GiB" (a size from 1 byte to 1GiB)'],
		['attachment-min = true', 'it is true (a size such as "64MiB"'],
		['policy = "30d"', 'it is "30d" (a table)'],
		['[policy]\nquiet-period = 30', 'it is 30 (a duration such as "36h"'],
		['[policy]\nquiet-period = "30 days"', 'it is "30 days" (a duration such as "36h"'],
		['[policy]\nnever = "Trash"', 'it is "Trash" (a list)'],
		['[policy]\nnever = [""]', 'it is "" (the name of a folder)'],
		['[bundle]\ntarget = "big"', 'it is "big" (a size such as "64MiB"'],
		['[bundle]\ntarget = -1', 'it is -1 (an integer of 0 or more)'],
		['[bundle]\ntarget = 1.5', 'it is 1.5 (an integer of 0 or more)'],
		['[compact]\nbelow = 2', 'it is 2 (a share from 0 to 1, such as 0.5'],
		['[retention]\nkeep-last = "7"', 'it is "7" (an integer of 0 or more)'],
		['[targets]\noffsite = 1', 'it is 1 (a target such as'],
		['[targets.x]\nurl = "/a"\ntransfers = 0', 'it is 0 (an integer from 1 to 64)'],
		['[targets.x]\ntransfers = 4', 'it has no key "url" (a target such as'],
		['[targets.x]\nurl = "/a"\nobject-lock-mode = "no"', 'it is "no" ("governance" or "compliance")'],
	])('refuses %j and says what it should be', (text, problem) => {
		const error = refusal(text);
		expect(error.code).toBe('config');
		expect(error.message).toContain(problem);
	});

	it('names line and column of what is not TOML', () => {
		expect(refusal('archive = "/a"\nsources = [').message).toMatch(
			/^Cannot read config file "\S+": line 2, column \d+ is not TOML \(.+\)$/,
		);
	});
});

describe('loadConfig()', () => {
	const first = join(scratch, 'first.toml');
	const second = join(scratch, 'second.toml');

	it('takes the first file that exists, and that one alone', () => {
		writeFileSync(second, 'archive = "/two"\ncompress = false');
		expect(loadConfig({ paths: [first, second], required: false, home: '/' })?.archive).toBe('/two');
		writeFileSync(first, 'archive = "/one"');
		expect(loadConfig({ paths: [first, second], required: false, home: '/' })).toMatchObject({ archive: '/one', bundles: {} });
	});

	it('is fine without any file unless one was asked for', () => {
		const paths = [join(scratch, 'none.toml'), join(second, 'below-a-file.toml')];
		expect(loadConfig({ paths, required: false, home: '/' })).toBeNull();
		expect(() => loadConfig({ paths, required: true, home: '/' })).toThrow(
			expect.objectContaining({ code: 'config', message: `Cannot read config file "${paths[0]}": there is no such file` }),
		);
	});

	it('says so where the file is a folder', () => {
		mkdirSync(join(scratch, 'folder.toml'));
		expect(() => loadConfig({ paths: [join(scratch, 'folder.toml')], required: false, home: '/' })).toThrow('it is a folder');
	});
});
