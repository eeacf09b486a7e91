import {
	appendFileSync,
	chmodSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeTree } from '../../bench/tree.ts';
import { compareTreeStates, readTreeState } from './tree-state.ts';

let base = '';
let account = '';
let top = '';

beforeAll(() => {
	base = mkdtempSync(join(tmpdir(), 'mailseal-judge-test-'));
	account = makeTree({
		root: join(base, 'before'),
		seed: 1,
		accounts: 1,
		messages: 60,
		bytes: 'small',
		domain: 'example.org',
		now: Date.UTC(2026, 5, 1),
	}).accounts.join();
	// Three folders are enough, and quick to copy.
	top = join(base, 'before', account, 'Maildir');
	for (const name of readdirSync(top))
		if (/^\.(Archive|Projects|Entw|Drafts|Trash)/.test(name)) rmSync(join(top, name), { recursive: true });
});

beforeEach(() => {
	cpSync(join(base, 'before'), join(base, 'after'), { recursive: true, preserveTimestamps: true });
	top = join(base, 'after', account, 'Maildir');
});

afterEach(() => rmSync(join(base, 'after'), { recursive: true, force: true }));

afterAll(() => rmSync(base, { recursive: true, force: true }));

function differences(): string[] {
	return compareTreeStates(readTreeState(join(base, 'before')), readTreeState(join(base, 'after')));
}

function firstMessage(): string {
	return join(top, 'cur', readdirSync(join(top, 'cur')).sort()[0] ?? '');
}

describe('compareTreeStates()', () => {
	test('finds nothing between a tree and its copy, nor where the accounts lie without a Maildir level', () => {
		expect(differences()).toEqual([]);
		const folder = join(top, '..');
		renameSync(top, join(base, 'Maildir'));
		rmSync(folder, { recursive: true });
		renameSync(join(base, 'Maildir'), folder);
		expect(differences()).toEqual([]);
	});

	const faults: readonly [string, RegExp, () => void][] = [
		['a changed byte', /the SHA-256 of cur\//, () => changeByte(firstMessage())],
		['a changed time', /the mtime of cur\//, () => utimesSync(firstMessage(), 1, 1)],
		['a changed mode', /the mode of cur\/.* is 640 instead of 600/, () => chmodSync(firstMessage(), 0o640)],
		['a changed flag', /cur\/.* is there as cur\/.*:2,T/, () => renameSync(firstMessage(), firstMessage().replace(/:2,.*/, ':2,T'))],
		['a missing message', /cur\/.* is missing/, () => unlinkSync(firstMessage())],
		['a strange message', /new\/1\.a\.b should not be there/, () => writeFileSync(join(top, 'new/1.a.b'), 'x')],
		['a missing folder', /\.Sent: the folder is missing, with \d+ messages/, () => rmSync(join(top, '.Sent'), { recursive: true })],
		['a strange empty folder', /\.X: the folder should not be there/, () => mkdirSync(join(top, '.X/cur'), { recursive: true })],
		['another mode of a folder', /the mode of the directory is 755/, () => chmodSync(join(top, '.Sent'), 0o755)],
		['another UID', /the UID of .* is 999999 instead of/, () => editUidlist((text) => text.replace(/\n\d+ :/, '\n999999 :'))],
		['a lost UID', /the UID of .* is missing instead of/, () => editUidlist((text) => text.replace(/\n\d+ :.*/, ''))],
		['another UIDVALIDITY', /UIDVALIDITY is 5 instead of/, () => editUidlist((text) => text.replace(/V\d+/, 'V5'))],
		['a UID that could come back', /the next UID is/, () => editUidlist((text) => text.replace(/N\d+/, 'N99999'))],
		['a lost uidlist', /UIDVALIDITY is missing/, () => unlinkSync(join(top, 'dovecot-uidlist'))],
		['another keyword', /keyword 25 is odd instead of absent/, () => appendFileSync(join(top, 'dovecot-keywords'), '25 odd\n')],
		['a subscription more', /subscriptions is/, () => appendFileSync(join(top, 'subscriptions'), 'More\n')],
		['a lost control file', /maildirfolder is missing/, () => unlinkSync(join(top, '.Sent/maildirfolder'))],
	];
	test.each(faults)('finds %s', (_, expected, fault) => {
		fault();
		expect(differences().join('\n')).toMatch(expected);
	});

	test('does not count what is no mail: tmp, caches, lines about messages that are gone', () => {
		writeFileSync(join(top, 'tmp/half'), 'x');
		writeFileSync(join(top, 'dovecot.index.cache'), 'x');
		writeFileSync(join(top, 'maildirsize'), 'x');
		editUidlist((text) => text.replace('\n', '\n0 :gone\n'));
		expect(differences()).toEqual([]);
	});
});

function changeByte(path: string): void {
	const bytes = readFileSync(path);
	bytes[10] = (bytes[10] ?? 0) ^ 1;
	writeFileSync(path, bytes);
}

function editUidlist(edit: (text: string) => string): void {
	const path = join(top, 'dovecot-uidlist');
	writeFileSync(path, edit(readFileSync(path, 'utf8')));
}
