import { execFileSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG_AGO, settle } from '../../support/maildir.ts';
import { contentOf, list, lookFor, open } from '../../support/open-maildir.ts';

describe('listFolder()', () => {
	test('keys messages by base name, with flags, keywords, UID and what else the uidlist says', async () => {
		const listing = await list(
			await open({
				'': {
					messages: [
						{ name: '1.a:2,Sb' },
						{ dir: 'new', name: '2.b' },
						{ name: '3.c,S=12:2,TFR,rest' },
						{ name: 'Thumbs.db' },
						{ dir: 'tmp', name: '9.t' },
					],
					files: { 'dovecot-keywords': '0 one\n1 two\n', 'dovecot-uidlist': '3 V9 N3 Gabc\n1 :1.a\n7 S12 W13 :3.c,S=12\n' },
				},
			}),
		);
		expect(listing).toMatchObject({ complete: true, findings: [] });
		expect(listing.facts).toEqual({
			dir: '',
			uidValidity: 9,
			uidNext: 8,
			uidlist: 'Gabc',
			mode: 0o755,
			owner: [process.getuid?.(), process.getgid?.()],
		});
		const rows = [...listing.placements.values()].map(({ path, ...rest }) => rest).sort((a, b) => (a.key < b.key ? -1 : 1));
		expect(rows).toEqual([
			{ key: '1.a', dir: 'cur', info: ':2,Sb', flags: ['seen'], keywords: ['two'], uid: 1 },
			{ key: '2.b', dir: 'new', flags: [], keywords: [] },
			{
				key: '3.c,S=12',
				dir: 'cur',
				info: ':2,TFR,rest',
				flags: ['answered', 'deleted', 'flagged'],
				keywords: [],
				uid: 7,
				uidlist: 'S12 W13',
			},
			{ key: 'Thumbs.db', dir: 'cur', flags: [], keywords: [] },
		]);
	});

	test('keeps every file of odd names, under keys that make up the name again', async () => {
		const names = ['a\nb:2,S', ':2,S', ':', 'x:y:2,F', '..a'.slice(1), 'ünï', '\ufffd', 'a b;2,S', '1:2,S:'];
		const bytes = [Buffer.from([0xff]), Buffer.from([0x61, 0xe9, 0x3a, 0x32, 0x2c, 0x53]), Buffer.from([0xc3, 0xa9, 0xc3])];
		const opened = await open({ '': { messages: [...names, ...bytes].map((name) => ({ name, content: name })) } });
		const listing = await list(opened);
		expect(listing.placements.size).toBe(names.length + bytes.length - 1);
		for (const [key, placement] of listing.placements) {
			expect(placement.path).toBe(`${opened.root}/cur/${key}${placement.info ?? ''}`);
			const name = Buffer.from(contentOf(listing, key), 'latin1');
			expect(bytes.some((other) => other.equals(name)) || names.includes(name.toString())).toBe(true);
		}
		expect(listing.placements.get('a/e9')).toMatchObject({ info: ':2,S', flags: ['seen'] });
		expect(listing.placements.get('é/c3')).toBeDefined();
		expect(listing.placements.has('.a')).toBe(false);
	});

	test('keeps two files of one base name apart, and says so', async () => {
		const opened = await open({
			'': {
				messages: [
					{ name: '1.a:2,S', content: 'one' },
					{ name: '1.a:2,', content: 'two' },
					{ dir: 'new', name: '1.a:2,S', content: 'three' },
					{ dir: 'new', name: '2.b', content: 'four' },
					{ name: '2.b', content: 'five' },
					{ name: '3.c' },
				],
				files: { 'dovecot-uidlist': '3 V9 N3 Gabc\n1 :1.a\n' },
			},
		});
		const listing = await list(opened);
		const rows = [...listing.placements.values()].map(({ key, info = '', ambiguous, uid }) => [
			key,
			info,
			ambiguous,
			uid,
			contentOf(listing, key),
		]);
		expect(rows.slice(1)).toEqual([
			['1.a', ':2,', true, 1, 'two'],
			['1.a:2,S', '', true, undefined, 'one'],
			['1.a:2,S:', '', true, undefined, 'three'],
			['2.b', '', true, undefined, 'five'],
			['2.b:', '', true, undefined, 'four'],
		]);
		expect(listing.placements.get('1.a:2,S')).toMatchObject({ flags: ['seen'] });
		expect(listing.findings.map(({ code, subject }) => [code, subject])).toEqual([
			['duplicate-key', 'alice/INBOX/1.a'],
			['duplicate-key', 'alice/INBOX/2.b'],
		]);
		const folder = await lookFor(opened);
		for (const placement of listing.placements.values()) {
			expect(await opened.source.find(opened.account, folder, placement.key), placement.key).toEqual(placement);
		}
	});

	test('takes nothing for complete where a symbolic link stands for cur', async () => {
		const opened = await open({ '': { messages: [{ name: '1.a' }] }, '.B': { messages: [{ name: '1.b' }] } });
		rmSync(join(opened.root, '.B', 'cur'), { recursive: true });
		symlinkSync('../cur', join(opened.root, '.B', 'cur'));
		settle(join(opened.root, '.B'));
		const listing = await list(opened, 'B');
		expect(listing).toMatchObject({ complete: false, signature: null, findings: [{ code: 'symbolic-link' }] });
		expect(listing.placements.size).toBe(0);
	});

	test('does without new, and fails where the folder is gone', async () => {
		const opened = await open({ '': { messages: [{ name: '1.a' }] }, '.B': {} });
		rmSync(join(opened.root, 'new'), { recursive: true });
		expect((await list(opened)).placements.size).toBe(1);
		const folder = await lookFor(opened, 'B');
		rmSync(join(opened.root, '.B'), { recursive: true });
		await expect(opened.source.listFolder(opened.account, folder)).rejects.toMatchObject({ code: 'not-found' });
	});

	test('keeps control files, and leaves caches and locks', async () => {
		const files = {
			'dovecot-acl': 'user=b lr\n',
			'dovecot-keywords': '0 a\n',
			courierimapacl: 'owner\n',
			'courierimapkeywords/:list': 'x\n',
			'courierimapkeywords/1.a': 'y\n',
			maildirfolder: '',
			'dovecot-uidlist': '3 V1 N1 G0\n',
			'dovecot-uidlist.lock': '',
			'dovecot.index.cache': 'c',
			'dovecot.index.log': 'l',
			maildirsize: '1S\n',
		};
		const listing = await list(await open({ '': {}, '.B': { files } }), 'B');
		expect(listing.controls).toEqual([
			expect.objectContaining({ path: 'courierimapacl' }),
			expect.objectContaining({ path: 'courierimapkeywords/1.a' }),
			expect.objectContaining({ path: 'courierimapkeywords/:list' }),
			{ path: 'dovecot-acl', content: 'dXNlcj1iIGxyCg==', date: LONG_AGO.toISOString(), owner: [process.getuid?.(), process.getgid?.()] },
			expect.objectContaining({ path: 'dovecot-keywords' }),
			expect.objectContaining({ path: 'maildirfolder', content: '' }),
		]);
		expect(listing.signature).not.toBeNull();
	});

	test('leaves out a control file of more than 1 MiB, or that is a FIFO, and looks again next time', async () => {
		const opened = await open({ '': { files: { 'dovecot-acl': Buffer.alloc(1024 * 1024 + 1) } } });
		execFileSync('mkfifo', [join(opened.root, 'courierimapacl')]);
		const listing = await list(opened);
		const findings = [{ code: 'control-not-a-file' }, { code: 'control-too-large' }];
		expect(listing).toMatchObject({ controls: [], signature: null, complete: true, findings });
	});

	test('goes on without a uidlist that makes no sense', async () => {
		const listing = await list(await open({ '': { messages: [{ name: '1.a' }], files: { 'dovecot-uidlist': 'junk\n' } } }));
		expect(listing).toMatchObject({ complete: true, signature: null, findings: [{ code: 'folder-table-damaged' }] });
		expect(listing.facts.uidValidity).toBeUndefined();
		expect(listing.placements.size).toBe(1);
	});

	test('lists many messages in a small multiple of the time that readdir needs', async () => {
		const count = process.env.SLOW ? 200_000 : 10_000;
		const opened = await open({ '': {} });
		const cur = join(opened.root, 'cur');
		for (let number = 0; number < count; number++) writeFileSync(join(cur, `${1_600_000_000 + number}.M1P1.host,S=1000,W=1020:2,S`), '');
		settle(opened.root);
		const folder = await lookFor(opened);
		const times = { readdir: Number.POSITIVE_INFINITY, listing: Number.POSITIVE_INFINITY };
		for (let round = 0; round < 3; round++) {
			const start = performance.now();
			readdirSync(cur);
			const middle = performance.now();
			const listing = await opened.source.listFolder(opened.account, folder);
			times.readdir = Math.min(times.readdir, middle - start);
			times.listing = Math.min(times.listing, performance.now() - middle);
			expect(listing.placements.size).toBe(count);
			expect(listing.signature).toBe(folder.signature);
		}
		console.info(`${count} messages: readdir ${Math.round(times.readdir)} ms, listing ${Math.round(times.listing)} ms`);
		expect(times.listing).toBeLessThan(20 * times.readdir);
	});
});

describe('find()', () => {
	test('finds a message under its new name, with the flags it has now', async () => {
		const opened = await open({
			'': { messages: [{ dir: 'new', name: '1.a', content: 'x' }], files: { 'dovecot-uidlist': '3 V1 N1 G0\n5 :1.a\n' } },
		});
		const folder = await lookFor(opened);
		expect(await opened.source.find(opened.account, folder, '1.a')).toMatchObject({ dir: 'new', flags: [], uid: 5 });
		renameSync(join(opened.root, 'new', '1.a'), join(opened.root, 'cur', '1.a:2,F'));
		expect(await opened.source.find(opened.account, folder, '1.a')).toMatchObject({ dir: 'cur', info: ':2,F', flags: ['flagged'], uid: 5 });
		renameSync(join(opened.root, 'cur', '1.a:2,F'), join(opened.root, 'cur', '1.a:2,FS'));
		expect(await opened.source.find(opened.account, folder, '1.a')).toMatchObject({ info: ':2,FS' });
	});

	test('gives null for a message that is gone, and for a folder that is', async () => {
		const opened = await open({ '': { messages: [{ name: '1.a' }] }, '.B': {} });
		const folder = await lookFor(opened);
		expect(await opened.source.find(opened.account, folder, '1.a')).not.toBeNull();
		unlinkSync(join(opened.root, 'cur', '1.a'));
		expect(await opened.source.find(opened.account, folder, '1.a')).toBeNull();
		const other = await lookFor(opened, 'B');
		rmSync(join(opened.root, '.B'), { recursive: true });
		expect(await opened.source.find(opened.account, other, '1.a')).toBeNull();
	});
});
