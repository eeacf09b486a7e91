import { appendFileSync, chmodSync, cpSync, mkdirSync, renameSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asNobody } from '../../support/as-nobody.ts';
import { LONG_AGO, makeFolder, settle } from '../../support/maildir.ts';
import { contentOf, list, lookFor, open } from '../../support/open-maildir.ts';

describe('look()', () => {
	test('finds the folders of a Maildir++, sorted, with their directories', async () => {
		const { source, account, root } = await open({ '': {}, '.Sent': {}, '.A.B': {}, '.&ANw-bung.a&AC4-b': {}, '.Entwürfe': {} });
		mkdirSync(join(root, '.NoMail'));
		mkdirSync(join(root, 'sieve', 'tmp'), { recursive: true });
		const look = await source.look(account);
		expect(look).toMatchObject({ layout: 'maildir++', complete: true, findings: [] });
		expect(look.folders.map(({ folder, dir }) => [folder, dir])).toEqual([
			['A/B', '.A.B'],
			['Entwürfe', '.Entwürfe'],
			['INBOX', ''],
			['Sent', '.Sent'],
			['Übung/a.b', '.&ANw-bung.a&AC4-b'],
		]);
	});

	test('finds the folders of LAYOUT=fs, below directories that are none too', async () => {
		const { source, account, root } = await open({ '': {}, 'Archive/2019': {}, 'Archive/2019/deep': {}, 'v1.2 notes': {}, Sent: {} });
		makeFolder(join(root, 'x', '.hidden'));
		const look = await source.look(account);
		expect(look).toMatchObject({ layout: 'fs', complete: true, findings: [] });
		expect(look.folders.map(({ folder }) => folder)).toEqual(['Archive/2019', 'Archive/2019/deep', 'INBOX', 'Sent', 'v1.2 notes']);
	});

	test('never merges two folders, nor takes a name that is no path of levels', async () => {
		const names = ['.Ü', '.&ANw-', '.INBOX', '..', '..A', '.A..B', '.&AC8-etc', '.&AC4ALg-', '.A', 'A'];
		const { source, account } = await open(
			Object.fromEntries([['', {}], ...names.filter((name) => name !== '..').map((name) => [name, {}])]),
		);
		const look = await source.look(account);
		const folders = look.folders.map(({ folder }) => folder as string);
		expect(folders).toHaveLength(10);
		expect(new Set(folders).size).toBe(10);
		expect(folders).toEqual(expect.arrayContaining(['Ü', '.Ü', 'INBOX', '.INBOX', '..A', '.A..B', '&AC8-etc', '&AC4ALg-', 'A']));
		expect(look.complete).toBe(true);
		expect(look.findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual(Array(3).fill('note duplicate-folder-name'));
	});

	test('loses no mail in folders whose names are not UTF-8 or hold control characters', async () => {
		const opened = await open({ '': {} });
		const latin = Buffer.concat([Buffer.from(`${opened.root}/.`), Buffer.from([0x4d, 0xfc, 0x6c]), Buffer.from('.a\nb')]);
		const cafe = Buffer.concat([Buffer.from(`${opened.root}/`), Buffer.from([0xe9]), Buffer.from('/x')]);
		for (const path of [latin, cafe])
			makeFolder(path, { messages: [{ name: Buffer.from([0x31, 0xff, 0x3a, 0x32, 0x2c, 0x53]), content: 'here' }] });
		const look = await opened.source.look(opened.account);
		expect(look.folders.map(({ folder, dir }) => [folder, dir])).toEqual([
			['INBOX', ''],
			['M\u00fcl/a\nb', '.M//fcl.a\nb'],
			['\u00e9/x', '//e9/x'],
		]);
		for (const folder of look.folders.slice(1)) {
			const listing = await opened.source.listFolder(opened.account, folder);
			expect([...listing.placements.keys()]).toEqual(['1/ff']);
			expect(listing.placements.get('1/ff')).toMatchObject({ info: ':2,S', flags: ['seen'] });
			expect(contentOf(listing, '1/ff')).toBe('here');
			expect(listing.signature).toBe(folder.signature);
		}
	});

	test('does not follow a folder that is a symbolic link', async () => {
		const { source, account, root } = await open({ '': {}, '.A': {} });
		const other = join(dirname(root), 'other');
		makeFolder(other);
		symlinkSync(other, join(root, '.Link'));
		symlinkSync(other, join(root, 'link'));
		symlinkSync('/nowhere', join(root, '.Broken'));
		const look = await source.look(account);
		expect(look.folders.map(({ folder }) => folder)).toEqual(['A', 'INBOX']);
		expect(look.complete).toBe(false);
		expect(look.findings.map(({ code, subject }) => [code, basename(subject)])).toEqual([
			['symbolic-link', '.Link'],
			['symbolic-link', 'link'],
		]);
	});

	test('stops at 32 levels, and says so', async () => {
		const { source, account } = await open({ '': {}, [Array(40).fill('d').join('/')]: {}, [Array(32).fill('e').join('/')]: {} });
		const look = await source.look(account);
		expect(look.folders.map(({ folder }) => folder)).toEqual(['INBOX', Array(32).fill('e').join('/')]);
		expect(look.complete).toBe(false);
		expect(look.findings.map(({ code }) => code)).toContain('folder-too-deep');
	});

	test('reports a folder that may not be read, and takes nothing for complete', async () => {
		const opened = await open({ '': {}, '.A': {}, '.B': {}, 'Deep/C': {} });
		for (const path of [opened.root, dirname(opened.root), dirname(dirname(opened.root))]) chmodSync(path, 0o755);
		for (const dir of ['cur', 'new']) chmodSync(join(opened.root, '.A', dir), 0o755);
		for (const dir of ['.B', 'Deep']) chmodSync(join(opened.root, dir), 0o000);
		chmodSync(join(opened.root, '.A'), 0o755);
		chmodSync(join(opened.root, '.A', 'cur'), 0o000);
		const look = await asNobody(() => opened.source.look(opened.account));
		expect(look.complete).toBe(false);
		expect(look.folders.map(({ folder }) => folder)).toEqual(['A', 'INBOX']);
		expect(look.findings.map(({ code, subject }) => [code, basename(subject)])).toEqual([
			['folder-unreadable', '.B'],
			['folder-unreadable', 'Deep'],
			['folder-unreadable', 'Deep'],
		]);
		await expect(asNobody(() => list(opened, 'A'))).rejects.toMatchObject({ code: 'permission' });
	});
});

describe('signatures', () => {
	test('of a listing are those of the next look, until something changes', async () => {
		const opened = await open({ '': { messages: [{ name: '1.a:2,' }], files: { 'dovecot-uidlist': '3 V1 N2 G0\n1 :1.a\n' } } });
		const changes: Record<string, () => void> = {
			'a new message': () => writeFileSync(join(opened.root, 'new', '2.b'), 'x'),
			'a flag': () => renameSync(join(opened.root, 'cur', '1.a:2,'), join(opened.root, 'cur', '1.a:2,S')),
			'a removal': () => unlinkSync(join(opened.root, 'new', '2.b')),
			'a line appended to the uidlist': () => appendFileSync(join(opened.root, 'dovecot-uidlist'), '2 :2.b\n'),
			'other rights': () => chmodSync(opened.root, 0o750),
		};
		let before = (await list(opened)).signature;
		expect(before).not.toBeNull();
		expect((await lookFor(opened)).signature).toBe(before);
		for (const [name, change] of Object.entries(changes)) {
			change();
			expect((await lookFor(opened)).signature, name).not.toBe(before);
			settle(opened.root);
			utimesSync(join(opened.root, 'dovecot-uidlist'), LONG_AGO, LONG_AGO);
			for (const dir of ['cur', 'new']) utimesSync(join(opened.root, dir), LONG_AGO, new Date(LONG_AGO.getTime() + name.length * 1000));
			before = (await list(opened)).signature;
			expect(before, name).not.toBeNull();
		}
	});

	test('of a look that knows the last ones see whatever came, went or changed in place beside the messages', async () => {
		const opened = await open({ '': { files: { 'dovecot-keywords': '0 a\n' } }, '.A': {} });
		const full = Array.from({ length: 26 }, (_, index) => `${index} k${index}\n`).join('');
		const place = (name: string) => join(opened.root, name);
		const changes: Record<string, () => void> = {
			'a file that came': () => writeFileSync(place('dovecot-acl'), 'x'),
			'a directory that came': () => mkdirSync(place('courierimapkeywords')),
			'a file changed in place': () => appendFileSync(place('dovecot-acl'), 'y'),
			'a file that went': () => unlinkSync(place('dovecot-acl')),
			'a table that is full now': () => writeFileSync(place('dovecot-keywords'), full),
			'an index that came': () => writeFileSync(place('dovecot.index'), 'x'),
		};
		for (const [name, change] of Object.entries(changes)) {
			const known = new Map((await opened.source.look(opened.account)).folders.map((look) => [look.folder, look]));
			expect(await opened.source.look(opened.account, { known }), name).toEqual(await opened.source.look(opened.account));
			change();
			const after = await opened.source.look(opened.account, { known });
			expect(after, name).toEqual(await opened.source.look(opened.account));
			expect(after.folders.filter(({ folder, signature }) => known.get(folder)?.signature !== signature)).toMatchObject([
				{ folder: 'INBOX' },
			]);
			// The next change moves the mtime of the directory again, though both come within a tick of the clock.
			utimesSync(opened.root, LONG_AGO, new Date(LONG_AGO.getTime() - name.length * 1000));
		}
	});

	test('of a look that knows the last ones are right where two folders changed their names', async () => {
		const opened = await open({ '': {}, '.A': { files: { 'dovecot-acl': 'x' } }, '.B': {} });
		const known = new Map((await opened.source.look(opened.account)).folders.map((look) => [look.folder, look]));
		for (const [from, to] of ['A C', 'B A', 'C B'].map((names) => names.split(' '))) {
			renameSync(join(opened.root, `.${from}`), join(opened.root, `.${to}`));
		}
		expect(await opened.source.look(opened.account, { known })).toEqual(await opened.source.look(opened.account));
	});

	test('of a second look differ where messages came or went since the first, and where a folder is another', async () => {
		const opened = await open({ '': { messages: [{ name: '1.a:2,' }] }, '.A': {}, '.B': {}, '.C': {} });
		const place = (name: string) => join(opened.root, name);
		const before = await opened.source.look(opened.account);
		expect(await opened.source.look(opened.account, { before })).toEqual(before);
		renameSync(place('cur/1.a:2,'), place('.A/new/1.a:2,'));
		for (const [from, to] of ['B D', 'C B', 'D C'].map((names) => names.split(' '))) renameSync(place(`.${from}`), place(`.${to}`));
		cpSync(place('.A'), place('.E'), { recursive: true });
		const after = await opened.source.look(opened.account, { before });
		expect(after).toEqual(await opened.source.look(opened.account));
		const first = new Map(before.folders.map(({ folder, signature }) => [folder, signature]));
		expect(after.folders.filter(({ folder, signature }) => first.get(folder) !== signature).map(({ folder }) => folder)).toEqual([
			'A',
			'B',
			'C',
			'E',
			'INBOX',
		]);
	});

	test('of a second look are those of the first where only files beside the messages changed', async () => {
		const opened = await open({ '': { files: { 'dovecot-acl': 'x' } }, '.A': {} });
		const before = await opened.source.look(opened.account);
		appendFileSync(join(opened.root, 'dovecot-acl'), 'y');
		writeFileSync(join(opened.root, '.A', 'dovecot-acl'), 'x');
		expect(await opened.source.look(opened.account, { before })).toEqual(before);
		expect((await opened.source.look(opened.account)).folders).not.toEqual(before.folders);
	});

	test('are not given for two seconds after a change, nor for a change in the future', async () => {
		let now = LONG_AGO.getTime() + 1999;
		const opened = await open({ '': {} }, () => now);
		expect((await list(opened)).signature).toBeNull();
		now = LONG_AGO.getTime() - 60_000;
		expect((await list(opened)).signature).toBeNull();
		now = LONG_AGO.getTime() + 2000;
		expect((await list(opened)).signature).toBe((await lookFor(opened)).signature);
	});

	test('watch the index log only where a 27th keyword can exist', async () => {
		const few = await open({ '': { files: { 'dovecot-keywords': '0 a\n', 'dovecot.index.log': 'x' } } });
		const names = Array.from({ length: 26 }, (_, index) => `${index} k${index}\n`).join('');
		const full = await open({ '': { files: { 'dovecot-keywords': names, 'dovecot.index.log': 'x' } } });
		for (const [opened, isWatched] of [
			[few, false],
			[full, true],
		] as const) {
			const before = (await lookFor(opened)).signature;
			appendFileSync(join(opened.root, 'dovecot.index.log'), 'y');
			expect((await lookFor(opened)).signature !== before).toBe(isWatched);
		}
		const listing = await list(full);
		expect(listing.signature).toBeNull();
		expect(listing.findings.map(({ code }) => code)).toEqual(['keyword-index-damaged']);
	});
});
