import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import {
	type AccountWord,
	type ControlWord,
	type FolderWord,
	type MessageId,
	type PlacedWord,
	parseAccountName,
	parseFolderName,
	parseMessageId,
} from '../../src/domain/index.ts';
import { type AccountMail, type AccountPlan, type MailboxWriter, maildirWriter, openMessageWriter } from '../../src/sources/index.ts';

export const ALICE = parseAccountName('alice@example.org');
export const ACCOUNT: AccountWord = { type: 'account', account: ALICE, source: 'maildir:/mail', layout: 'maildir++' };

const folders: string[] = [];

/** An empty folder that goes away after the test. */
export function emptyFolder(): string {
	const path = mkdtempSync(join(tmpdir(), 'mailseal-write-'));
	folders.push(path);
	return path;
}

afterEach(() => {
	for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

const messages = new Map<string, Buffer>();

/** The id of a message whose bytes the test can ask for. */
export function message(bytes: string | Buffer): MessageId {
	const copy = Buffer.from(bytes);
	const id = parseMessageId(createHash('sha256').update(copy).digest('hex'));
	messages.set(id, copy);
	return id;
}

export function bytesOf(id: MessageId): Buffer {
	const bytes = messages.get(id);
	if (bytes === undefined) throw new Error(`no message ${id}`);
	return bytes;
}

export function placed(key: string, fields: Partial<Record<keyof PlacedWord, unknown>> = {}): PlacedWord {
	const word = {
		type: 'placed',
		account: ALICE,
		folder: parseFolderName('INBOX'),
		key,
		message: message(`Subject: ${key}\n\nbody of ${key}\n`),
		flags: [],
		keywords: [],
		date: '2020-02-29T12:34:56.789Z',
		...fields,
	};
	return Object.fromEntries(Object.entries(word).filter(([, value]) => value !== undefined)) as unknown as PlacedWord;
}

export function folder(name: string, fields: Partial<FolderWord> = {}): FolderWord {
	return { type: 'folder', account: ALICE, folder: parseFolderName(name), dir: '', ...fields };
}

export function control(path: string, fields: Partial<ControlWord> & { readonly text?: string } = {}): ControlWord {
	const { text, ...rest } = fields;
	const content = text === undefined ? {} : { content: Buffer.from(text).toString('base64') };
	return { type: 'control', account: ALICE, path, date: '2021-01-01T00:00:00.000Z', ...content, ...rest };
}

export function mail(fields: Partial<AccountMail> = {}): AccountMail {
	return { account: ACCOUNT, folders: [], controls: [], placements: [], ...fields };
}

/** Plans, writes all messages and finishes. */
export function writeAll(
	writer: MailboxWriter,
	what: AccountMail,
): { readonly plan: AccountPlan; readonly codes: string[]; readonly outcomes: string[] } {
	const plan = writer.plan(what);
	plan.begin();
	const output = openMessageWriter();
	const outcomes = plan.jobs.map((job) => output.write(job, [bytesOf(job.message)]));
	output.close();
	const findings = [...plan.findings, ...plan.finish()];
	return { plan, codes: findings.map((finding) => finding.code), outcomes };
}

/** Paths of all files and links below a folder, sorted. */
export function tree(path: string): string[] {
	return readdirSync(path, { recursive: true, withFileTypes: true })
		.filter((entry) => !entry.isDirectory())
		.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
		.sort();
}

/** Writes what mail() makes of `what` as a Maildir. */
export function writeMaildir(
	to: string,
	what: Parameters<typeof mail>[0],
	layout: 'maildir++' | 'fs' = 'maildir++',
): ReturnType<typeof writeAll> {
	return writeAll(maildirWriter({ to, layout }), mail(what));
}
