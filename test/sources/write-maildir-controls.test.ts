import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FolderWord } from '../../src/domain/index.ts';
import { maildirWriter } from '../../src/sources/index.ts';
import { control, emptyFolder, folder, mail, placed, tree, writeMaildir } from './write-sample.ts';

const A = 'alice@example.org';

describe('dovecot-uidlist', () => {
	const inbox: FolderWord = folder('INBOX', { uidValidity: 1234, uidNext: 50, uidlist: 'Gf00d' });

	function uidlist(to: string): string {
		return readFileSync(join(to, A, 'dovecot-uidlist'), 'latin1');
	}

	test('lists uids in ascending order, with fields and bytes as they were', () => {
		const to = emptyFolder();
		const run = writeMaildir(to, {
			folders: [inbox],
			placements: [
				placed('b/e9', { dir: 'cur', info: ':2,S', uid: 40, uidlist: 'S5 W6' }),
				placed('a', { dir: 'new', uid: 7 }),
				placed('without', { dir: 'new' }),
			],
		});
		expect(run.codes).toEqual([]);
		expect(uidlist(to)).toBe('3 V1234 N50 Gf00d\n7 :a\n40 S5 W6 :b\xe9\n');
	});

	test('promises a next uid after the last one', () => {
		const to = emptyFolder();
		writeMaildir(to, { folders: [inbox], placements: [placed('a', { dir: 'cur', uid: 60 })] });
		expect(uidlist(to)).toBe('3 V1234 N61 Gf00d\n60 :a\n');
	});

	test('has no lines that a name or a field forged', () => {
		const to = emptyFolder();
		writeMaildir(to, {
			folders: [folder('INBOX', { uidValidity: 5, uidlist: 'Gx\n9 :evil' })],
			placements: [
				placed('a', { dir: 'cur', uid: 1, uidlist: 'S1\n2 :evil' }),
				placed('b\n3 :evil', { dir: 'cur', uid: 2 }),
				placed('c', { dir: 'cur', uid: 3, uidlist: 'S1 :evil' }),
				placed('d', { dir: 'cur', uid: 3 }),
				placed('e', { dir: 'cur', uid: 2 ** 32 }),
			],
		});
		expect(uidlist(to)).toBe('3 V5 N4\n1 :a\n3 :c\n');
	});

	test('is left out where UIDVALIDITY is not known', () => {
		const to = emptyFolder();
		writeMaildir(to, { folders: [folder('INBOX')], placements: [placed('a', { dir: 'cur', uid: 1 })] });
		expect(tree(to)).toEqual([`${A}/cur/a`]);
	});

	test('that is there stays, and new uids are told', () => {
		const to = emptyFolder();
		mkdirSync(join(to, A, 'cur'), { recursive: true });
		const list = '3 V1234 N9 Gother\n7 :a\n8 :gone\n';
		writeFileSync(join(to, A, 'dovecot-uidlist'), list);
		writeFileSync(join(to, A, 'cur/a:2,'), 'mine');
		const same = writeMaildir(to, {
			folders: [inbox],
			placements: [placed('a', { dir: 'cur', uid: 7 }), placed('gone', { dir: 'cur', uid: 8 })],
		});
		expect(same.codes).toEqual([]);
		const other = writeMaildir(to, { folders: [inbox], placements: [placed('late', { dir: 'cur', uid: 9 })] });
		expect(other.codes).toEqual(['restore-uids-lost']);
		expect(uidlist(to)).toBe(list);
	});
});

describe('keywords', () => {
	const table = control('dovecot-keywords', { text: '0 work\n1 Home\n', folder: folder('INBOX').folder });

	test('keep their letters with the archived table', () => {
		const to = emptyFolder();
		const run = writeMaildir(to, {
			controls: [table],
			placements: [placed('one', { dir: 'cur', info: ':2,Sbz', keywords: ['Home', 'unknown-25'] })],
		});
		expect(run.codes).toEqual([]);
		expect(tree(to)).toEqual([`${A}/cur/one:2,Sbz`, `${A}/dovecot-keywords`]);
		expect(readFileSync(join(to, A, 'dovecot-keywords'), 'utf8')).toBe('0 work\n1 Home\n');
		expect(Math.floor(statSync(join(to, A, 'dovecot-keywords')).mtimeMs)).toBe(Date.parse(table.date));
	});

	test('get the letters of the folder that is there, whose table is not changed', () => {
		const to = emptyFolder();
		mkdirSync(join(to, A), { recursive: true });
		writeFileSync(join(to, A, 'dovecot-keywords'), '0 other\n5 home\n');
		const run = writeMaildir(to, {
			controls: [table],
			placements: [
				placed('one', { dir: 'cur', info: ':2,FSab,x', flags: ['flagged', 'seen'], keywords: ['Home', 'work'] }),
				placed('two', { dir: 'cur', info: ':2,Sq', flags: ['seen'] }),
				placed('three', { dir: 'new' }),
			],
		});
		expect(run.codes).toEqual(['restore-keywords-lost']);
		expect(run.plan.findings[0]?.text).toContain('"work"');
		expect(tree(to)).toEqual([`${A}/cur/one:2,FSf,x`, `${A}/cur/two:2,S`, `${A}/dovecot-keywords`, `${A}/new/three`]);
		expect(readFileSync(join(to, A, 'dovecot-keywords'), 'utf8')).toBe('0 other\n5 home\n');
	});

	test('beyond 26 are told where no index file brings them back', () => {
		const keywords = Array.from({ length: 28 }, (_, index) => `k${index}`);
		const text = keywords
			.slice(0, 26)
			.map((name, index) => `${index} ${name}\n`)
			.join('');
		const inbox = folder('INBOX').folder;
		const what = {
			controls: [control('dovecot-keywords', { text, folder: inbox })],
			placements: [placed('one', { dir: 'cur', info: ':2,a', keywords })],
		};
		expect(writeMaildir(emptyFolder(), what).codes).toEqual(['restore-keywords-lost']);
		const to = emptyFolder();
		const index = control('dovecot.index', { text: 'index', folder: inbox });
		expect(writeMaildir(to, { ...what, controls: [...what.controls, index] }).codes).toEqual([]);
		expect(readFileSync(join(to, A, 'dovecot.index'), 'utf8')).toBe('index');
	});

	test('index files are not put beside a uid list of another time', () => {
		const to = emptyFolder();
		mkdirSync(join(to, A), { recursive: true });
		writeFileSync(join(to, A, 'dovecot-uidlist'), '3 V1 N1\n');
		writeMaildir(to, { controls: [control('dovecot.index', { text: 'index', folder: folder('INBOX').folder })] });
		expect(tree(to)).toEqual([`${A}/dovecot-uidlist`]);
	});

	test('that would forge lines of the table are left out of it', () => {
		const to = emptyFolder();
		const run = writeMaildir(to, { placements: [placed('one', { keywords: ['ok', 'a\n1 evil', 'b c'] })] });
		expect(readFileSync(join(to, A, 'dovecot-keywords'), 'utf8')).toBe('0 ok\n');
		expect(run.codes).toEqual(['restore-keywords-lost']);
	});
});

describe('control files', () => {
	test('come back with content, mode, date and as links', () => {
		const to = emptyFolder();
		writeMaildir(to, {
			folders: [folder('INBOX')],
			controls: [
				control('sieve/main.sieve', { text: 'keep;', mode: 0o640 }),
				control('active', { link: 'sieve/main.sieve' }),
				control('empty', { text: '' }),
			],
		});
		expect(readFileSync(join(to, A, 'active'), 'utf8')).toBe('keep;');
		expect(readlinkSync(join(to, A, 'active'))).toBe('sieve/main.sieve');
		expect(statSync(join(to, A, 'sieve/main.sieve')).mode & 0o7777).toBe(0o640);
		expect(Math.floor(statSync(join(to, A, 'sieve/main.sieve')).mtimeMs)).toBe(Date.parse('2021-01-01T00:00:00.000Z'));
		expect(tree(to)).toEqual([`${A}/active`, `${A}/empty`, `${A}/sieve/main.sieve`]);
	});

	test('a link that Maildir++ servers would take for a folder comes back as the file that it leads to', () => {
		const controls = [control('.dovecot.sieve', { link: 'sieve/main.sieve' }), control('sieve/main.sieve', { text: 'keep;', mode: 0o640 })];
		const to = emptyFolder();
		writeMaildir(to, { folders: [folder('INBOX')], controls });
		expect(lstatSync(join(to, A, '.dovecot.sieve')).isFile()).toBe(true);
		expect(readFileSync(join(to, A, '.dovecot.sieve'), 'utf8')).toBe('keep;');
		expect(statSync(join(to, A, '.dovecot.sieve')).mode & 0o7777).toBe(0o640);
		expect(writeMaildir(to, { folders: [folder('INBOX')], controls }).codes).toEqual([]);
		const fs = emptyFolder();
		writeMaildir(fs, { folders: [folder('INBOX')], controls }, 'fs');
		expect(readlinkSync(join(fs, A, '.dovecot.sieve'))).toBe('sieve/main.sieve');
	});

	test('that are there stay; a different one is told, an equal one is not', () => {
		const to = emptyFolder();
		const controls = [control('subscriptions', { text: 'A\n' }), control('script', { link: 'a' }), control('sieve/x', { text: '1' })];
		writeMaildir(to, { controls });
		expect(writeMaildir(to, { controls }).codes).toEqual([]);
		writeFileSync(join(to, A, 'subscriptions'), 'B\n');
		expect(
			writeMaildir(to, { controls: [...controls, control('script', { link: 'b' }), control('sieve', { text: 'a file' })] }).codes,
		).toEqual(['restore-control-kept', 'restore-control-kept', 'restore-control-kept']);
		expect(readFileSync(join(to, A, 'subscriptions'), 'utf8')).toBe('B\n');
		expect(readlinkSync(join(to, A, 'script'))).toBe('a');
	});

	test('that appear after the plan stay and are told', () => {
		const to = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(
			mail({ folders: [folder('INBOX')], controls: [control('subscriptions', { text: 'A\n' })] }),
		);
		plan.begin();
		writeFileSync(join(to, A, 'subscriptions'), 'B\n');
		expect(plan.finish().map((finding) => finding.code)).toEqual(['restore-control-kept']);
		expect(readFileSync(join(to, A, 'subscriptions'), 'utf8')).toBe('B\n');
	});

	test.each([
		control('../evil', { text: 'x' }),
		control('/tmp/evil', { text: 'x' }),
		control('a/../../evil', { text: 'x' }),
		control('', { text: 'x' }),
		control('a\0b', { text: 'x' }),
		control('cur/evil', { text: 'x' }),
		control('.Sent/new/evil', { text: 'x' }),
		control('x'.repeat(300), { text: 'x' }),
		control('link', { link: '/etc/passwd' }),
		control('link', { link: '../../other/secret' }),
		control('link', { link: 'a/../../../b' }),
		control('link', { link: '' }),
		control('content', { content: 'not base64!' }),
		control('neither'),
	])('$path ($link) is refused', (word) => {
		const to = emptyFolder();
		const run = writeMaildir(join(to, 'to'), { folders: [folder('INBOX')], controls: [word, control('good', { text: '' })] });
		expect(run.codes).toEqual(['restore-control-refused']);
		expect(tree(to)).toEqual([`to/${A}/good`]);
	});

	test('are not written through a link, be it restored or there before', () => {
		const to = emptyFolder();
		const outside = emptyFolder();
		mkdirSync(join(to, A), { recursive: true });
		symlinkSync(outside, join(to, A, 'there'));
		const run = writeMaildir(to, {
			folders: [folder('INBOX')],
			controls: [control('there/x', { text: 'x' }), control('link', { link: 'cur' }), control('link/x', { text: 'x' })],
		});
		expect(run.codes).toEqual(['restore-control-kept', 'restore-control-kept']);
		expect(tree(outside)).toEqual([]);
		expect(readdirSync(join(to, A, 'cur'))).toEqual([]);
	});

	test('subscriptions are spelled anew for another layout', () => {
		const to = emptyFolder();
		const controls = [control('subscriptions', { text: 'INBOX\nA.v1&AC4-2\n&ANw-bung\n' })];
		writeMaildir(to, { folders: [folder('INBOX')], controls }, 'fs');
		expect(readFileSync(join(to, A, 'subscriptions'), 'utf8')).toBe('V\t2\n\nINBOX\nA\tv1.2\n&ANw-bung\n');
	});
});
