import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Listing, MessageRow, PackResult, RestoreResult } from '../../src/archive/index.ts';
import { bundlesOf, complaints, recover, ZIP_JUDGES } from '../support/judges.ts';
import { lacks } from '../support/needs.ts';
import { openProgram, type Program } from '../support/program.ts';
import { sharedData } from '../support/shared-data.ts';
import { readFacts, sha256 } from '../support/stored-mail.ts';

const NOW = '2026-12-20T00:00:00Z';
const ACCOUNT = 'test@example.org';
const FOLDERS = ['INBOX', 'Archive/Bounces', 'Drafts', 'Übung'];
const DIRECTORIES = ['', '.Archive.Bounces', '.Drafts', '.&ANw-bung'];
const INFOS = ['', ':2,', ':2,S', ':2,FS', ':2,RS', ':2,DFPRST', ':2,Sab'];
const START = Date.UTC(2011, 1, 28, 23, 59, 58);
/** About two days, and never whole seconds. */
const STEP = 199_876_543;

const READ_MBOX = `
import hashlib, json, mailbox, re, sys
box = mailbox.mbox(sys.argv[1], create=False)
def plain(key):
    return hashlib.sha256(re.sub(rb'(?m)^>(>*From )', rb'\\1', box.get_bytes(key))).hexdigest()
print(json.dumps([plain(key) for key in box.keys()]))
`;

interface Mail {
	readonly bytes: Buffer;
	readonly sha256: string;
	readonly folder: string;
	/** Relative to the Maildir. */
	readonly path: string;
	/** Milliseconds since 1970. */
	readonly mtime: number;
}

const shared = sharedData('mail');

function readCorpus(data: string): Mail[] {
	const [, ...lines] = readFileSync(join(data, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n');
	const mails = lines.map((line) => line.split('\t')).filter(([file]) => file?.startsWith('eml/'));
	return mails.map(([file = '', digest = ''], index) => {
		const place = index % FOLDERS.length;
		const info = INFOS[index % INFOS.length] ?? '';
		return {
			bytes: readFileSync(join(data, file)),
			sha256: digest,
			folder: FOLDERS[place] ?? '',
			path: join(DIRECTORIES[place] ?? '', info === '' ? 'new' : 'cur', `1300000000.M${index}P1.host${info}`),
			mtime: START + index * STEP,
		};
	});
}

/** `<path> <SHA-256> <mtime>` of every message below a folder, sorted. */
function messagesBelow(root: string): string[] {
	return readdirSync(root, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile() && /\/(cur|new)$/.test(entry.parentPath))
		.map((entry) => {
			const path = join(entry.parentPath, entry.name);
			const facts = readFacts(path);
			return `${path.slice(root.length + 1)} ${facts.sha256} ${facts.mtime}`;
		})
		.sort();
}

describe.skipIf(shared === null)('2,490 public test mails, many of them broken on purpose', () => {
	const mails = shared === null ? [] : readCorpus(shared);
	let scratch = '';
	let archive = '';
	let mailseal: Program;

	beforeAll(() => {
		scratch = mkdtempSync(join(tmpdir(), 'mailseal-corpus-'));
		archive = join(scratch, 'archive');
		mailseal = openProgram({ home: scratch, archive });
		const maildir = join(scratch, 'Maildir');
		for (const directory of DIRECTORIES) {
			for (const box of ['cur', 'new', 'tmp']) mkdirSync(join(maildir, directory, box), { recursive: true });
			writeFileSync(join(maildir, directory, 'dovecot-keywords'), '0 $Label1\n1 Work\n');
		}
		for (const { path, bytes, mtime } of mails) {
			writeFileSync(join(maildir, path), bytes);
			// A double holds seconds to a fraction of a microsecond only.
			utimesSync(join(maildir, path), mtime / 1000 + 5e-7, mtime / 1000 + 5e-7);
		}
	});

	afterAll(() => rmSync(scratch, { recursive: true, force: true }));

	test('are packed, each of them, without a finding', () => {
		expect(mails.length).toBe(2490);
		const distinct = new Set(mails.map((mail) => mail.sha256));
		for (const mail of mails) expect(sha256(mail.bytes)).toBe(mail.sha256);
		const { result, findings } = mailseal.json<PackResult>(
			...['pack', join(scratch, 'Maildir'), '--account', ACCOUNT, '--now', NOW, '--bundle-target', '4MiB'],
		);
		expect(findings).toEqual([]);
		expect(result.messages).toEqual({ total: mails.length, added: mails.length, changed: 0, removed: 0 });
		expect(result.sealed.new).toBeGreaterThan(1);
		expect(result.volatile.bundles).toBeGreaterThan(0);
		const rows = mailseal.json<Listing<MessageRow>>('ls', 'messages').result.rows;
		expect(new Set(rows.map((row) => row.id))).toEqual(distinct);
		expect(mailseal.json('verify', '--deep')).toMatchObject({ result: { damaged: [], missing: [] }, findings: [] });
	});

	test('come back byte for byte, under their names, with their flags and dates', () => {
		const out = join(scratch, 'restored');
		const { result, findings } = mailseal.json<RestoreResult>('restore', '--to', out);
		expect(findings).toEqual([]);
		expect(result).toMatchObject({ folders: FOLDERS.length, written: mails.length, present: 0 });
		expect(messagesBelow(join(out, ACCOUNT))).toEqual(mails.map(({ path, sha256: id, mtime }) => `${path} ${id} ${mtime}`).sort());
	});

	test.skipIf(lacks('python3'))('come back by recover.py alone', () => {
		const out = join(scratch, 'recovered');
		expect(recover(archive, out)).toMatchObject({ status: 0, stderr: '' });
		const expected = mails.map(
			({ folder, path, sha256: id, mtime }) => `${join(ACCOUNT, folder, ...path.split('/').slice(-2))} ${id} ${mtime}`,
		);
		expect(messagesBelow(out)).toEqual(expected.sort());
	});

	test.skipIf(lacks('python3'))("come back as mbox files, which Python's mailbox module reads", () => {
		const out = join(scratch, 'mbox');
		const { findings } = mailseal.json<RestoreResult>('restore', '--to', out, '--as', 'mbox');
		expect(findings.map((finding) => finding.code)).toEqual(['restore-flags-lost']);
		for (const folder of FOLDERS) {
			const run = spawnSync('python3', ['-c', READ_MBOX, join(out, ACCOUNT, `${folder}.mbox`)], { encoding: 'utf8', maxBuffer: 1024 ** 3 });
			expect(run.stderr).toBe('');
			// An mbox has a line end behind each message; mails are dated in the order that they have here.
			const expected = mails
				.filter((mail) => mail.folder === folder)
				.map(({ bytes }) => sha256(bytes.length === 0 || bytes.at(-1) === 10 ? bytes : Buffer.concat([bytes, Buffer.from('\n')])));
			expect(JSON.parse(run.stdout), folder).toEqual(expected);
		}
	});

	for (const judge of ZIP_JUDGES) {
		test.skipIf(lacks(judge[0]))(`lie in bundles with which ${judge[0]} finds nothing wrong`, () => {
			expect(complaints(judge, bundlesOf(archive))).toEqual([]);
		});
	}
});
