import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PlacedWord } from '../../src/domain/index.ts';
import { maildirWriter, openMessageWriter } from '../../src/sources/index.ts';
import { ownerToGive } from '../../src/sources/write-destination.ts';
import { ACCOUNT, bytesOf, control, emptyFolder, folder, mail, message, placed, tree, writeAll, writeMaildir } from './write-sample.ts';

const A = 'alice@example.org';
const isRoot = process.geteuid?.() === 0;

describe('messages in a Maildir', () => {
	test('come back with their names, bytes, dates and modes', () => {
		const to = emptyFolder();
		const placements = [
			placed('one', { dir: 'cur', info: ':2,FS', mode: 0o640 }),
			placed('two,S=12', { dir: 'new' }),
			placed('three', { dir: 'cur' }),
			placed('old', { dir: 'cur', info: ':1,x', date: '1969-07-20T20:17:40.001Z' }),
		];
		const { plan, outcomes } = writeMaildir(to, { folders: [folder('INBOX', { mode: 0o750 })], placements });
		expect(outcomes).toEqual(['written', 'written', 'written', 'written']);
		expect(plan).toMatchObject({ folders: 1, present: 0, findings: [] });
		expect(tree(to)).toEqual([`${A}/cur/old:1,x`, `${A}/cur/one:2,FS`, `${A}/cur/three`, `${A}/new/two,S=12`]);
		for (const [index, path] of ['cur/one:2,FS', 'new/two,S=12', 'cur/three', 'cur/old:1,x'].entries()) {
			const word = placements[index] as PlacedWord;
			expect(readFileSync(join(to, A, path))).toEqual(bytesOf(word.message));
			expect(lstatSync(join(to, A, path), { bigint: true }).mtimeMs).toBe(BigInt(Date.parse(word.date)));
		}
		expect(statSync(join(to, A, 'cur/one:2,FS')).mode & 0o7777).toBe(0o640);
		expect(statSync(join(to, A, 'cur/three')).mode & 0o7777).toBe(0o600);
		for (const path of ['', 'cur', 'new', 'tmp']) expect(statSync(join(to, A, path)).mode & 0o7777).toBe(0o750);
		expect(readdirSync(join(to, A, 'tmp'))).toEqual([]);
	});

	test.each([0, 1, 7, 123, 500, 789, 999])('keep a date with %i milliseconds', (milliseconds) => {
		const to = emptyFolder();
		for (const second of [-86_400_000, 0, 1_000_000_000_000, 1_763_900_000_000]) {
			writeMaildir(to, { placements: [placed(`m${second}`, { dir: 'cur', date: new Date(second + milliseconds).toISOString() })] });
			expect(lstatSync(join(to, A, `cur/m${second}`), { bigint: true }).mtimeMs).toBe(BigInt(second + milliseconds));
		}
	});

	test('are written from pieces', () => {
		const to = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(mail({ placements: [placed('one', { dir: 'cur' })] }));
		plan.begin();
		const output = openMessageWriter();
		for (const job of plan.jobs) output.write(structuredClone(job), [Buffer.from('a'), Buffer.alloc(0), Buffer.from('b')]);
		output.close();
		output.close();
		expect(readFileSync(join(to, A, 'cur/one'), 'utf8')).toBe('ab');
	});

	test('leave nothing behind when their bytes cannot be had', () => {
		const to = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(mail({ placements: [placed('one', { dir: 'cur' })] }));
		plan.begin();
		const output = openMessageWriter();
		function* broken(): Generator<Uint8Array> {
			yield Buffer.from('half');
			throw new RangeError('damaged');
		}
		for (const job of plan.jobs) expect(() => output.write(job, broken())).toThrow(RangeError);
		output.close();
		expect(tree(to)).toEqual([]);
	});

	test('keep bytes of a name that are not UTF-8', () => {
		const to = emptyFolder();
		writeMaildir(to, { placements: [placed('caf/e9é', { dir: 'cur', info: ':2,S' })] });
		const bytes = Buffer.concat([Buffer.from('caf'), Buffer.from([0xe9]), Buffer.from('é:2,S')]);
		expect(readdirSync(join(to, A, 'cur'), { encoding: 'buffer' })).toEqual([bytes]);
		expect(writeMaildir(to, { placements: [placed('caf/e9é', { dir: 'cur', info: ':2,S' })] }).plan.present).toBe(1);
	});

	test('get a name where their store has none', () => {
		const to = emptyFolder();
		writeMaildir(to, {
			placements: [
				placed('12', { flags: ['answered', 'deleted', 'draft', 'flagged', 'passed', 'seen'], keywords: ['work', 'Blue'] }),
				placed('.a:b', { flags: ['seen'] }),
				placed('plain'),
			],
		});
		expect(tree(join(to, A, 'cur'))).toEqual(['12:2,DFPRSTab', '\\056a\\072b:2,S', 'plain:2,']);
		expect(readFileSync(join(to, A, 'dovecot-keywords'), 'utf8')).toBe('0 Blue\n1 work\n');
	});

	test('are not written twice, whatever became of their flags', () => {
		const to = emptyFolder();
		const placements = [placed('one', { dir: 'new' }), placed('two', { dir: 'cur', info: ':2,S' })];
		writeMaildir(to, { placements });
		renameSync(join(to, A, 'new/one'), join(to, A, 'cur/one:2,RS'));
		const again = writeMaildir(to, { placements: [...placements, placed('three', { dir: 'cur' })] });
		expect(again.plan.present).toBe(2);
		expect(tree(to)).toEqual([`${A}/cur/one:2,RS`, `${A}/cur/three`, `${A}/cur/two:2,S`]);
	});

	test('never replace a file that appeared after the plan', () => {
		const to = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(mail({ placements: [placed('one', { dir: 'cur' })] }));
		plan.begin();
		writeFileSync(join(to, A, 'cur/one'), 'mine');
		const output = openMessageWriter();
		expect(plan.jobs.map((job) => output.write(job, [bytesOf(job.message)]))).toEqual(['present']);
		output.close();
		expect(readFileSync(join(to, A, 'cur/one'), 'utf8')).toBe('mine');
		expect(tree(to)).toEqual([`${A}/cur/one`]);
	});

	test('with two files of one base both come back', () => {
		const to = emptyFolder();
		const placements = [
			placed('one', { dir: 'cur', info: ':2,' }),
			placed('one:2,S', { dir: 'cur', flags: ['seen'], message: message('other') }),
		];
		writeMaildir(to, { placements });
		expect(tree(to)).toEqual([`${A}/cur/one:2,`, `${A}/cur/one:2,S`]);
		expect(writeMaildir(to, { placements }).plan).toMatchObject({ present: 2, jobs: [] });
	});

	test('tells of a message whose file is there without its bytes, as a power cut leaves it, and touches it no more than any other', () => {
		const to = emptyFolder();
		const placements = [
			placed('one', { dir: 'cur', info: ':2,S' }),
			placed('caf/e9', { dir: 'new' }),
			placed('three', { dir: 'cur', message: message('') }),
		];
		writeMaildir(to, { placements });
		expect(writeMaildir(to, { placements }).codes).toEqual([]);
		const emptied = [join(to, A, 'cur/one:2,S'), Buffer.concat([Buffer.from(join(to, A, 'new/caf')), Buffer.of(0xe9)])];
		for (const path of emptied) truncateSync(path);
		const again = writeMaildir(to, { placements });
		expect(again.codes).toEqual(['message-not-restored', 'message-not-restored']);
		expect(again.plan).toMatchObject({ present: 3, jobs: [] });
		expect(again.plan.findings.map(({ subject }) => subject)).toEqual([`${A}/INBOX/one`, `${A}/INBOX/caf/e9`]);
	});

	test('a plan alone changes nothing and tells what would be made', () => {
		const to = join(emptyFolder(), 'not', 'yet');
		const what = mail({
			folders: [folder('Work', { dir: '.Work', uidValidity: 7 })],
			controls: [control('subscriptions', { text: 'Work\n' })],
			placements: [placed('one', { folder: 'Work', dir: 'cur' })],
		});
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(what);
		expect(existsSync(to)).toBe(false);
		expect(plan.jobs).toHaveLength(1);
		const work = `${A}/.Work`;
		expect(plan.creates).toEqual([A, work, `${work}/cur`, `${work}/new`, `${work}/tmp`, `${A}/subscriptions`, `${work}/dovecot-uidlist`]);
	});
});

describe('folders', () => {
	test('lie flat in Maildir++, with the names that their store gave them', () => {
		const to = emptyFolder();
		const words = [
			folder('INBOX'),
			folder('Übung', { dir: '.Übung' }),
			folder('Archive/2019', { dir: '.Archive.2019' }),
			folder('v1.2', { dir: 'v1.2' }),
			folder('A&B'),
		];
		expect(writeMaildir(to, { folders: words }).codes).toEqual(['restore-folder-renamed']);
		expect(readdirSync(join(to, A)).sort()).toEqual(['.A&-B', '.Archive.2019', '.v1\\2e2', '.Übung', 'cur', 'new', 'tmp'].sort());
	});

	test('lie in each other in an fs layout', () => {
		const to = emptyFolder();
		const words = [folder('A/B', { dir: '.A.B' }), folder('v1.2'), folder('.x'), folder('Ü.Ü')];
		writeMaildir(to, { folders: words, placements: [placed('one', { dir: 'cur', folder: 'A/B' })] }, 'fs');
		expect(readdirSync(join(to, A)).sort()).toEqual(['\\2ex', '&ANw-.&ANw-', 'A', 'v1.2'].sort());
		expect(tree(to)).toEqual([`${A}/A/B/cur/one`]);
	});

	test('with the name of a Maildir directory get another one in an fs layout', () => {
		const to = emptyFolder();
		const words = ['INBOX', 'new', 'new~', 'cur/x'].map((name) => folder(name));
		const placements = words.map((word) => placed('one', { dir: 'cur', folder: word.folder }));
		writeMaildir(to, { folders: words, placements }, 'fs');
		expect(tree(to)).toEqual([`${A}/cur/one`, `${A}/cur~/x/cur/one`, `${A}/new~/cur/one`, `${A}/new~~/cur/one`]);
	});

	test.each([
		['Sent', '../../evil'],
		['Sent', '..'],
		['Sent', '/etc'],
		['Sent', '.Sent/../../x'],
		['Sent', '.Trash'],
		['Sent', ''],
		['Sent', 'cur'],
	])('"%s" is not written into the directory %j', (name, dir) => {
		for (const layout of ['maildir++', 'fs'] as const) {
			const to = emptyFolder();
			writeAll(maildirWriter({ to: join(to, 'to'), layout }), {
				...mail({ folders: [folder(name, { dir })], placements: [placed('one', { folder: name, dir: 'cur' })] }),
				account: { ...ACCOUNT, layout },
			});
			expect(tree(to)).toContain(`to/${A}/${layout === 'fs' ? 'Sent' : '.Sent'}/cur/one`);
			expect(readdirSync(to)).toEqual(['to']);
		}
	});

	test.each([
		['the account', '', ''],
		['the folder', '.Work', ''],
		['cur', '.Work/cur', 'cur/'],
		['tmp', '.Work/tmp', 'tmp/'],
	])('are refused where %s is a symbolic link', (_, place) => {
		const to = emptyFolder();
		const outside = emptyFolder();
		for (const box of ['cur', 'new', 'tmp']) mkdirSync(join(outside, box));
		const parent = join(to, A, place, '..');
		mkdirSync(parent, { recursive: true });
		symlinkSync(outside, join(to, A, place));
		const run = writeMaildir(to, {
			folders: [folder('Work', { dir: '.Work', uidValidity: 1 })],
			controls: [
				control('dovecot-keywords', { text: '0 a\n', folder: folder('Work').folder }),
				control('subscriptions', { text: 'Work\n' }),
			],
			placements: [placed('one', { folder: 'Work', dir: 'cur' })],
		});
		expect(run.codes).toContain('restore-folder-refused');
		expect(run.plan.jobs).toEqual([]);
		expect(tree(outside)).toEqual([]);
	});

	test('that become a symbolic link after the plan are not written to', () => {
		const to = emptyFolder();
		const outside = emptyFolder();
		const plan = maildirWriter({ to, layout: 'maildir++' }).plan(mail({ placements: [placed('one', { dir: 'cur' })] }));
		plan.begin();
		renameSync(join(to, A, 'cur'), join(to, A, 'moved'));
		symlinkSync(outside, join(to, A, 'cur'));
		const output = openMessageWriter();
		for (const job of plan.jobs) expect(() => output.write(job, [bytesOf(job.message)])).toThrow('symbolic link or a file');
		output.close();
		expect(tree(outside)).toEqual([]);
	});

	test('with too long a name are refused, and the others are restored', () => {
		const to = emptyFolder();
		const long = 'x'.repeat(300);
		const run = writeMaildir(to, { placements: [placed('one', { folder: long, dir: 'cur' }), placed('two', { dir: 'cur' })] });
		expect(run.codes).toEqual(['restore-folder-refused']);
		expect(tree(to)).toEqual([`${A}/cur/two`]);
	});

	test('that are marked by their store, or come from another kind of store, have the marker', () => {
		const to = emptyFolder();
		const words = [folder('A', { dir: '.A' }), folder('B', { dir: '.B' }), folder('C', { dir: 'C' })];
		writeMaildir(to, { folders: words, controls: [control('maildirfolder', { text: '', folder: folder('B').folder })] });
		expect(tree(to)).toEqual([`${A}/.B/maildirfolder`, `${A}/.C/maildirfolder`]);
	});
});

describe('names from a hostile archive', () => {
	test.each(['../../evil', '/etc/passwd', '/2e/2e/2fevil', '..', '.', '', 'a\0b', 'a/b', 'x'.repeat(260), '\ud800'])(
		'a key %j is refused',
		(key) => {
			const to = emptyFolder();
			const run = writeMaildir(join(to, 'to'), {
				placements: [placed(key, { dir: 'cur', message: message('x') }), placed('good', { dir: 'cur' })],
			});
			expect(run.codes).toEqual(['restore-name-refused']);
			expect(tree(to)).toEqual([`to/${A}/cur/good`]);
		},
	);

	test.each(['/../../evil', ':2,/../x', 'tail', ':2,\0'])('an info %j is refused', (info) => {
		const to = emptyFolder();
		expect(writeMaildir(to, { placements: [placed('one', { dir: 'cur', info })] }).codes).toEqual(['restore-name-refused']);
		expect(tree(to)).toEqual([]);
	});

	test('two placements with one file name are one file and one finding', () => {
		const to = emptyFolder();
		const run = writeMaildir(to, {
			placements: [placed('one', { dir: 'cur', info: ':2,S' }), placed('one:2,S', { dir: 'cur', message: message('x') })],
		});
		expect(run.codes).toEqual(['restore-name-refused']);
		expect(readFileSync(join(to, A, 'cur/one:2,S'))).toEqual(bytesOf(placed('one').message));
	});

	test('set-user-id and sticky bits do not come back', () => {
		const to = emptyFolder();
		writeMaildir(to, {
			folders: [folder('INBOX', { mode: 0o7700 })],
			controls: [control('tool', { text: '#!/bin/sh\n', mode: 0o6755 })],
			placements: [placed('one', { dir: 'cur', mode: 0o7777 })],
		});
		expect(statSync(join(to, A, 'cur/one')).mode & 0o7777).toBe(0o777);
		expect(statSync(join(to, A, 'tool')).mode & 0o7777).toBe(0o755);
		expect(statSync(join(to, A)).mode & 0o5000).toBe(0);
	});
});

describe.runIf(isRoot)('owners', () => {
	test('come back when root restores', () => {
		const to = emptyFolder();
		writeMaildir(to, {
			folders: [folder('INBOX', { owner: [5000, 5001] }), folder('Work', { dir: '.Work', owner: [5002, 5003] })],
			controls: [control('subscriptions', { text: '', owner: [5004, 5005] }), control('link', { link: 'x', owner: [5004, 5005] })],
			placements: [placed('one', { dir: 'cur' }), placed('two', { dir: 'cur', folder: 'Work', owner: [5006, 5007] })],
		});
		const owners = ['', 'cur', 'cur/one', '.Work', '.Work/tmp', '.Work/cur/two', 'subscriptions', 'link'].map((path) => {
			const { uid, gid } = lstatSync(join(to, A, path));
			return [path, uid, gid];
		});
		expect(owners).toEqual([
			['', 5000, 5001],
			['cur', 5000, 5001],
			['cur/one', 5000, 5001],
			['.Work', 5002, 5003],
			['.Work/tmp', 5002, 5003],
			['.Work/cur/two', 5006, 5007],
			['subscriptions', 5004, 5005],
			['link', 5004, 5005],
		]);
	});
});

test('a folder that its owner may not write to is an error that says so', () => {
	const to = emptyFolder();
	writeFileSync(join(to, 'file'), '');
	chmodSync(to, 0o700);
	expect(() => writeMaildir(join(to, 'file'), { placements: [placed('one')] })).toThrow(/^Cannot /);
});

test.skipIf(!isRoot)('owners are given by root alone, and not by who was root when the program began', () => {
	expect(ownerToGive([1, 2])).toEqual([1, 2]);
	process.seteuid?.(65534);
	try {
		expect(ownerToGive([1, 2])).toBeNull();
	} finally {
		process.seteuid?.(0);
	}
});
