import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRAM = join(ROOT, 'dist', 'mailseal.cjs');
if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run "npm run build" first`);

const scratch = mkdtempSync(join(tmpdir(), 'mailseal-docs-'));
const archive = join(scratch, 'archive');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// No config file or archive of the machine that runs the tests may reach in.
const env = { PATH: process.env.PATH, HOME: scratch, XDG_CONFIG_HOME: join(scratch, 'config'), MAILSEAL_ARCHIVE: archive };
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const CLI = readFileSync(join(ROOT, 'docs', 'cli.md'), 'utf8');

function run(...args: readonly string[]): string {
	const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { env, cwd: ROOT, encoding: 'utf8' });
	expect(`${status} ${stderr}`, args.join(' ')).toBe('0 ');
	return stdout;
}

describe('the commands at the top of the README', () => {
	const calls = [...README.matchAll(/^ *node dist\/mailseal\.cjs .*$/gm)].map((match) => match[0].replace(/ &&$/, ''));
	const shell = (call: string): string => {
		const line = call.replace('node dist/mailseal.cjs', `"${process.execPath}" "${PROGRAM}"`).replace('/tmp/mail-archive', `"${archive}"`);
		const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { env, cwd: ROOT, encoding: 'utf8' });
		expect(`${status} ${stderr}`, call).toBe('0 ');
		return stdout;
	};

	it('pack, show and extract what the README says, and seal it later', () => {
		expect(calls).toHaveLength(5);
		const [first = '', status, message, later = '', after = ''] = calls.map(shell);
		expect(first).toContain('messages  14 in 3 accounts: 14 added, 0 changed, 0 removed');
		expect(first).toContain('0 sealed bundles confirmed, 0 new (0 bytes), volatile 32 kB, 0 sealed bytes rewritten');
		expect(status).toContain('messages  14 (99 kB) in 11 folders of 3 accounts');
		expect(message).toMatch(/^From: Bob Bauer <bob@example\.org>\n/);
		expect(later).toContain('0 sealed bundles confirmed, 3 new');
		expect(after).toContain('3 sealed bundles confirmed, 0 new');
	});
});

/** The part of docs/cli.md about one command. */
function section(command: string): string {
	return CLI.split(/^##+ /m).find((part) => part.startsWith(`${command}\n`)) ?? '';
}

function optionsIn(text: string): Set<string> {
	return new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z0-9-]*/g)].map((match) => match[0]));
}

/** Every key in a value, with the place of each: lists count by their first member. */
function keysOf(value: unknown, place = ''): string[] {
	if (Array.isArray(value)) return keysOf(value[0], `${place}[]`);
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]) => [`${place}.${key}`, ...keysOf(inner, `${place}.${key}`)]);
}

const TARGET = join(scratch, 'target');
const SOURCE = 'fixtures/stores/vmail/{domain}/{user}/Maildir';
const JSON_CALLS: readonly (readonly [command: string, args: readonly string[]])[] = [
	['pack', ['--now', '2099-01-03', SOURCE]],
	['plan', [SOURCE]],
	['sync', [TARGET, '--prune', '--drop-local']],
	['status', []],
	['ls', ['folders', '--account', 'alice@example.org', '--folder', 'INBOX']],
	['search', ['subject:lunch', 'from:bob']],
	['extract', ['-o', join(scratch, 'out'), '<4.1@example.org>']],
	['restore', ['--to', join(scratch, 'back')]],
	['verify', []],
	['compact', []],
	['reindex', []],
	['repair', ['--from', TARGET]],
	['prune', ['--keep-last', '1', '--now', '2099-01-04']],
	['diff', ['2099-02-01', '2099-02-02']],
];

/** Two nights between which a message is answered, filed and marked. */
function liveTwoNights(): void {
	const mail = join(scratch, 'Maildir');
	for (const folder of ['', '.Projects'])
		for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(mail, folder, name), { recursive: true });
	writeFileSync(join(mail, '.Projects', 'maildirfolder'), '');
	const text = 'Message-ID: <1@example.org>\r\nFrom: Bob\r\nTo: Dora\r\nSubject: Plan\r\n\r\nText\r\n';
	writeFileSync(join(mail, 'cur', '1.M1P1.host:2,DS'), text);
	writeFileSync(join(mail, 'cur', '2.M1P1.host:2,S'), `${text}Another\r\n`);
	writeFileSync(join(mail, 'dovecot-uidlist'), '3 V7 N3 G0\n1 :1.M1P1.host\n');
	writeFileSync(join(mail, '.Projects', 'dovecot-uidlist'), '3 V8 N6 G0\n5 :1.M1P1.host\n');
	const pack = (now: string): string => run('pack', '--now', now, '--account', 'dora@example.org', mail);
	pack('2099-02-01');
	renameSync(join(mail, 'cur', '1.M1P1.host:2,DS'), join(mail, '.Projects', 'cur', '1.M1P1.host:2,RS'));
	pack('2099-02-02');
}

/** The group of options that are the same for each command that reaches a target. */
const SHARED = '\nTargets:';

describe('docs/cli.md', () => {
	it.each(JSON_CALLS.map(([command]) => command))('names the options of %s', (command) => {
		const help = run(command, '--help');
		const [own = '', shared = ''] = help.slice(help.indexOf('\nOptions:'), help.indexOf('\nGlobal Options:')).split(SHARED);
		const named = optionsIn(section(command));
		for (const option of optionsIn(own)) if (option !== '--help') expect(named, `${command} ${option}`).toContain(option);
		const together = optionsIn(section('Options for targets'));
		for (const option of optionsIn(shared)) expect(together, `${command} ${option}`).toContain(option);
		if (shared !== '') expect(section(command)).toMatch(/\[options\s+for\s+targets\]\(#options-for-targets\)/);
		const all = optionsIn(help);
		for (const option of named) if (option !== '--json') expect(all, `${command} ${option}`).toContain(option);
	});

	it('names the options for targets of some command each', () => {
		const all = new Set(JSON_CALLS.flatMap(([command]) => [...optionsIn(run(command, '--help').split(SHARED)[1] ?? '')]));
		const rows = [...section('Options for targets').matchAll(/^\| `(--[a-z0-9-]+)/gm)].map((match) => match[1] ?? '');
		expect(rows.length).toBeGreaterThan(10);
		for (const option of rows) expect(all).toContain(option);
	});

	it.each(JSON_CALLS)('shows the JSON of %s', (command, args) => {
		if (!existsSync(archive)) run('pack', SOURCE);
		if (!existsSync(TARGET)) run('sync', TARGET);
		if (command === 'diff') liveTwoNights();
		const shown = /```json\n(.*)\n```/.exec(section(command))?.[1] ?? 'null';
		const real = run(command, '--json', ...args);
		const [example, actual] = [keysOf(JSON.parse(shown)), keysOf(JSON.parse(real))];
		expect(example).toContain('.result');
		expect(example.sort()).toEqual(actual.sort());
	});
});

it('the build hands on the licence of every package that it carries', () => {
	const licences = readFileSync(join(ROOT, 'dist', 'LICENCES.txt'), 'utf8');
	for (const name of [
		'better-sqlite3',
		'commander',
		'yauzl',
		'fzstd',
		'smol-toml',
		'libdeflate',
		'@aws-sdk/client-s3',
		'ssh2',
		'age-encryption',
	]) {
		expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
	}
	expect(licences).toContain('libdeflate copyright 2016 Eric Biggers');
	expect(licences).toContain('Permission is hereby granted, free of charge');
	expect(licences).not.toContain(ROOT);
});
