import {
	appendFileSync,
	chmodSync,
	mkdirSync,
	readdirSync,
	renameSync,
	rmSync,
	symlinkSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
	type FolderListing,
	type MailSource,
	openMaildirMessage,
	openMaildirSource,
	type SourceAccount,
} from '../../../src/sources/index.ts';
import { asNobody } from '../../support/as-nobody.ts';
import { LONG_AGO, makeFolder, makeMaildir, type SmallFolder, settle, temporaryDirectory } from '../../support/maildir.ts';

interface Opened {
	readonly root: string;
	readonly source: MailSource;
	readonly account: SourceAccount;
}

/** Makes a Maildir of one account and opens it. */
async function open(folders: Readonly<Record<string, SmallFolder>>, now?: () => number): Promise<Opened> {
	const root = join(temporaryDirectory(), 'alice', 'Maildir');
	mkdirSync(root, { recursive: true });
	makeMaildir(root, folders);
	const source = openMaildirSource(root, now === undefined ? {} : { now });
	const { accounts } = await source.accounts(new AbortController().signal);
	const [account] = accounts;
	if (account === undefined) throw new Error('no account');
	return { root, source, account };
}

async function lookFor({ source, account }: Opened, folder = 'INBOX') {
	const found = (await source.look(account)).folders.find((look) => look.folder === folder);
	if (found === undefined) throw new Error(`no ${folder}`);
	return found;
}

async function list(opened: Opened, folder = 'INBOX'): Promise<FolderListing> {
	return opened.source.listFolder(opened.account, await lookFor(opened, folder));
}

function contentOf(listing: FolderListing, key: string): string {
	const path = listing.placements.get(key)?.path;
	if (path === undefined) throw new Error(`no message ${key}`);
	const message = openMaildirMessage(path, 1000);
	if ('unreadable' in message) throw new Error(message.text);
	return Buffer.from(message.bytes ?? '').toString('latin1');
}

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
		const listing = await list(await open({ '': { files: { 'dovecot-acl': Buffer.alloc(1024 * 1024 + 1) } } }));
		expect(listing).toMatchObject({ controls: [], signature: null, complete: true, findings: [{ code: 'control-too-large' }] });
	});

	test('goes on without a uidlist that makes no sense', async () => {
		const listing = await list(await open({ '': { messages: [{ name: '1.a' }], files: { 'dovecot-uidlist': 'junk\n' } } }));
		expect(listing).toMatchObject({ complete: true, signature: null, findings: [{ code: 'folder-table-damaged' }] });
		expect(listing.facts.uidValidity).toBeUndefined();
		expect(listing.placements.size).toBe(1);
	});

	test('lists many messages in a small multiple of the time that readdir needs', async () => {
		const count = process.env.SLOW ? 200_000 : 20_000;
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
		expect(times.listing).toBeLessThan(8 * times.readdir);
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

describe('controls()', () => {
	test('keeps files of the account, scripts of its home first', async () => {
		const opened = await open({
			'': {
				files: {
					subscriptions: 'V\t2\n\nINBOX\n',
					'dovecot-uidvalidity': '5c7cf9cb',
					'dovecot-uidvalidity.5c7cf9cb': '',
					maildirsize: 'x',
					'sieve/own.sieve': 'keep;',
					'dovecot-uidvalidity.bak': '',
				},
			},
		});
		const home = dirname(opened.root);
		mkdirSync(join(home, 'sieve', 'deep'), { recursive: true });
		writeFileSync(join(home, 'sieve', 'deep', 'main.sieve'), 'stop;');
		writeFileSync(join(home, 'sieve', 'main.svbin'), 'compiled');
		symlinkSync('sieve/deep/main.sieve', join(home, '.dovecot.sieve'));
		writeFileSync(join(home, 'subscriptions'), 'of something else');
		const { controls, findings } = await opened.source.controls(opened.account);
		expect(findings).toEqual([]);
		expect(controls.map(({ path, link }) => [path, link])).toEqual([
			['.dovecot.sieve', 'sieve/deep/main.sieve'],
			['dovecot-uidvalidity', undefined],
			['dovecot-uidvalidity.5c7cf9cb', undefined],
			['sieve/deep/main.sieve', undefined],
			['sieve/own.sieve', undefined],
			['subscriptions', undefined],
		]);
		expect(Buffer.from(controls.at(-1)?.content ?? '', 'base64').toString()).toBe('V\t2\n\nINBOX\n');
	});

	test('does not enter a directory of scripts that is a symbolic link', async () => {
		const opened = await open({ '': {} });
		mkdirSync(join(opened.root, '..', '..', 'other'));
		writeFileSync(join(opened.root, '..', '..', 'other', 'secret.sieve'), 'x');
		symlinkSync('../other', join(dirname(opened.root), 'sieve'));
		expect(await opened.source.controls(opened.account)).toEqual({ controls: [], findings: [] });
	});

	test('have a signature that changes with each of them, and never repeats right after a change', async () => {
		let now = Date.now() + 60_000;
		const opened = await open({ '': { files: { subscriptions: 'a\n', 'sieve/own.sieve': 'keep;' } } }, () => now);
		const signature = async () => (await opened.source.look(opened.account)).controlSignature;
		let before = await signature();
		expect(await signature()).toBe(before);
		const changes = [
			() => writeFileSync(join(opened.root, 'subscriptions'), 'bb\n'),
			() => writeFileSync(join(dirname(opened.root), '.dovecot.sieve'), 'stop;'),
			() => appendFileSync(join(opened.root, 'sieve', 'own.sieve'), 'x'),
			() => unlinkSync(join(opened.root, 'sieve', 'own.sieve')),
		];
		for (const [index, change] of changes.entries()) {
			change();
			const after = await signature();
			expect(after, `change ${index}`).not.toBe(before);
			before = after;
		}
		now = Date.now();
		writeFileSync(join(opened.root, 'subscriptions'), 'ccc\n');
		before = await signature();
		now += 1;
		expect(await signature()).not.toBe(before);
	});
});
