import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	chownSync,
	lchownSync,
	mkdirSync,
	readdirSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { asNobody } from '../../support/as-nobody.ts';
import type { SmallFolder } from '../../support/maildir.ts';
import { list, type Opened, open } from '../../support/open-maildir.ts';

const disk = vi.hoisted(() => ({ broken: '' }));
vi.mock('node:fs', async (original) => {
	const fs = await original<typeof import('node:fs')>();
	function openSync(...args: Parameters<typeof fs.openSync>): number {
		if (disk.broken !== '' && String(args[0]).endsWith(disk.broken)) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
		return fs.openSync(...args);
	}
	return { ...fs, openSync };
});
beforeEach(() => {
	disk.broken = '';
});

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

/** A Maildir that is read as nobody: its directories and files belong to them, or may be read by everybody. */
async function openForNobody(folder: SmallFolder): Promise<Opened> {
	const opened = await open({ '': folder });
	const home = dirname(opened.root);
	for (const path of [dirname(home), home, opened.root]) chmodSync(path, 0o755);
	if (isRoot) for (const name of readdirSync(home, { recursive: true })) lchownSync(join(home, String(name)), NOBODY, NOBODY);
	return opened;
}

function deny(path: string, mode = 0): void {
	if (isRoot) chownSync(path, 0, 0);
	chmodSync(path, mode);
	onTestFinished(() => chmodSync(path, 0o700));
}

function breakDisk(path: string): void {
	disk.broken = path;
}

function enlarge(path: string): void {
	truncateSync(path, 256 * 1024 * 1024 + 1);
}

function makeFifo(path: string): void {
	rmSync(path);
	execFileSync('mkfifo', [path]);
}

function makeDirectory(path: string): void {
	rmSync(path);
	mkdirSync(path);
}

function makeLink(path: string): void {
	renameSync(path, `${path}.old`);
	symlinkSync(`${path}.old`, path);
}

type Obstacle = readonly [what: string, put: (path: string) => void];

/** What can stand in the way of reading a file that is there; anywhere but in a tree, where a directory is one of its own. */
const OBSTACLES: readonly Obstacle[] = [
	['may not be read', deny],
	['lies where the disk reports an error', breakDisk],
	['has more bytes than any', enlarge],
	['became a FIFO', makeFifo],
];
const DIRECTORY: Obstacle = ['became a directory', makeDirectory];
/** A table is never read through a link; a control file is kept as one. */
const LINK: Obstacle = ['became a symbolic link', makeLink];

const FULL_TABLE = Array.from({ length: 26 }, (_, number) => `${number} k${number}\n`).join('');

/** A log of Dovecot's index without records. */
const EMPTY_LOG = Buffer.alloc(40);
EMPTY_LOG[0] = 1;
EMPTY_LOG.writeUInt16LE(40, 2);
EMPTY_LOG.writeUInt32LE(7, 4);
EMPTY_LOG.writeUInt32LE(1, 8);

const FOLDER: SmallFolder = {
	messages: [{ name: '1.a:2,Sb' }],
	files: {
		'dovecot-uidlist': '3 V9 N3 Gabc\n1 :1.a\n',
		'dovecot-keywords': FULL_TABLE,
		'dovecot.index.log': EMPTY_LOG,
		'dovecot-acl': 'owner lr\n',
		courierimapuiddb: '1 5 8\n7 1.a\n',
		'courierimapkeywords/:list': 'x\n',
	},
};

describe('listFolder()', () => {
	test('takes tables and control files for complete where all can be read, and where there are none', async () => {
		const opened = await openForNobody(FOLDER);
		const whole = await asNobody(() => list(opened));
		expect(whole).toMatchObject({ tablesComplete: true, controlsComplete: true, findings: [], facts: { uidValidity: 9 } });
		expect(whole.placements.get('1.a')).toMatchObject({ uid: 1, keywords: ['k1'] });
		expect(whole.signature).not.toBeNull();
		expect(await list(await open({ '': {} }))).toMatchObject({ tablesComplete: true, controlsComplete: true, findings: [] });
	});

	test.each([...OBSTACLES, DIRECTORY, LINK])(
		'does not take uids for removed where the uidlist %s, nor Courier’s for them',
		async (_, put) => {
			const opened = await openForNobody(FOLDER);
			put(join(opened.root, 'dovecot-uidlist'));
			const listing = await asNobody(() => list(opened));
			expect(listing).toMatchObject({ complete: true, tablesComplete: false, controlsComplete: true, signature: null });
			expect(listing.findings.map(({ code }) => code)).toEqual(['folder-table-damaged']);
			expect(listing.facts).not.toHaveProperty('uidValidity');
			expect(listing.placements.get('1.a')).not.toHaveProperty('uid');
		},
	);

	test('does not take uids for removed whose lines, or whose first line, cannot be read', async () => {
		for (const text of ['3 V9 N3 Gabc\n1 :1.a\n?? :2.b\n', 'junk\n1 :1.a\n']) {
			const listing = await list(await open({ '': { ...FOLDER, files: { ...FOLDER.files, 'dovecot-uidlist': text } } }));
			expect(listing).toMatchObject({ tablesComplete: false, controlsComplete: true, signature: null });
			expect(listing.facts.uidValidity).not.toBe(5);
		}
	});

	test.each([...OBSTACLES, DIRECTORY])(
		'does not take keywords, their table or the index for removed where the table %s',
		async (_, put) => {
			const opened = await openForNobody(FOLDER);
			put(join(opened.root, 'dovecot-keywords'));
			const listing = await asNobody(() => list(opened));
			expect(listing).toMatchObject({ complete: true, tablesComplete: false, controlsComplete: false, signature: null });
			expect(listing.facts.uidValidity).toBe(9);
		},
	);

	test('does not take keywords for removed where their table became a symbolic link', async () => {
		const opened = await openForNobody(FOLDER);
		makeLink(join(opened.root, 'dovecot-keywords'));
		expect(await asNobody(() => list(opened))).toMatchObject({ tablesComplete: false, controlsComplete: false, signature: null });
	});

	test.each([...OBSTACLES, DIRECTORY, LINK])(
		'does not take keywords beyond the 26th, or the index, for removed where a log of it %s',
		async (_, put) => {
			const opened = await openForNobody(FOLDER);
			put(join(opened.root, 'dovecot.index.log'));
			const listing = await asNobody(() => list(opened));
			expect(listing).toMatchObject({ complete: true, tablesComplete: false, controlsComplete: false, signature: null });
			expect(listing.findings.map(({ code }) => code)).toEqual(['keyword-index-damaged']);
		},
	);

	test.each(OBSTACLES)('does not take a control file for removed that %s', async (_, put) => {
		for (const name of ['dovecot-acl', 'courierimapkeywords/:list']) {
			const opened = await openForNobody(FOLDER);
			put(join(opened.root, name));
			const listing = await asNobody(() => list(opened));
			expect(listing, name).toMatchObject({ complete: true, tablesComplete: true, controlsComplete: false, signature: null });
			expect(listing.findings, name).toHaveLength(1);
			expect(listing.controls.map(({ path }) => path)).not.toContain(name);
		}
	});

	test('does not take a control file for removed that became a directory', async () => {
		const opened = await openForNobody(FOLDER);
		makeDirectory(join(opened.root, 'dovecot-acl'));
		expect(await asNobody(() => list(opened))).toMatchObject({ tablesComplete: true, controlsComplete: false, signature: null });
	});

	test('keeps a control file that became a symbolic link as the link', async () => {
		const opened = await openForNobody(FOLDER);
		makeLink(join(opened.root, 'dovecot-acl'));
		const listing = await asNobody(() => list(opened));
		expect(listing).toMatchObject({ tablesComplete: true, controlsComplete: true });
		expect(listing.controls.find(({ path }) => path === 'dovecot-acl')).toHaveProperty('link', join(opened.root, 'dovecot-acl.old'));
	});

	test.each<[string, (path: string) => void]>([['may not be read', deny], LINK as [string, (path: string) => void]])(
		'does not take files for removed whose directory %s',
		async (_, put) => {
			const opened = await openForNobody(FOLDER);
			put(join(opened.root, 'courierimapkeywords'));
			const listing = await asNobody(() => list(opened));
			expect(listing).toMatchObject({ tablesComplete: true, controlsComplete: false, signature: null });
			expect(listing.findings.map(({ code }) => code)).toEqual(['control-left-out']);
		},
	);

	test('takes a control file for removed that is gone', async () => {
		const opened = await openForNobody(FOLDER);
		for (const name of ['dovecot-acl', 'courierimapkeywords', 'dovecot-uidlist', 'courierimapuiddb'])
			rmSync(join(opened.root, name), { recursive: true });
		expect(await asNobody(() => list(opened))).toMatchObject({ tablesComplete: true, controlsComplete: true, findings: [] });
	});
});

describe('controls()', () => {
	const ACCOUNT: SmallFolder = {
		files: {
			subscriptions: 'V\t2\n\nINBOX\n',
			'dovecot-uidvalidity.5c7cf9cb': '',
			'sieve/own.sieve': 'keep;',
			'sieve/deep/a.sieve': 'stop;',
		},
	};

	function read(opened: Opened) {
		return asNobody(() => opened.source.controls(opened.account));
	}

	test('are complete where all can be read, and where one is gone', async () => {
		const opened = await openForNobody(ACCOUNT);
		expect(await read(opened)).toMatchObject({ complete: true, findings: [] });
		rmSync(join(opened.root, 'subscriptions'));
		rmSync(join(opened.root, 'sieve'), { recursive: true });
		expect(await read(opened)).toMatchObject({ complete: true, findings: [], controls: [{ path: 'dovecot-uidvalidity.5c7cf9cb' }] });
	});

	test.each(OBSTACLES)('are not complete where one of them %s', async (_, put) => {
		for (const name of ['subscriptions', 'sieve/own.sieve', 'dovecot-uidvalidity.5c7cf9cb']) {
			const opened = await openForNobody(ACCOUNT);
			put(join(opened.root, name));
			const { complete, controls, findings } = await read(opened);
			expect({ complete, findings: findings.length }, name).toEqual({ complete: false, findings: 1 });
			expect(controls.map(({ path }) => path)).not.toContain(name);
		}
	});

	test.each(['sieve', 'sieve/deep'])('are not complete where the directory %s may not be read, or became a symbolic link', async (name) => {
		for (const [put, severity] of [[deny, 'warning'] as const, [makeLink, 'note'] as const]) {
			const opened = await openForNobody(ACCOUNT);
			put(join(opened.root, name));
			const { complete, controls, findings } = await read(opened);
			expect(complete).toBe(false);
			expect(findings).toMatchObject([{ code: 'control-left-out', severity, subject: join(opened.root, name) }]);
			expect(controls.map(({ path }) => path)).not.toContain('sieve/deep/a.sieve');
		}
	});

	test('are complete beside a link that leads to a file of no interest', async () => {
		const opened = await openForNobody(ACCOUNT);
		symlinkSync('own.sieve', join(opened.root, 'sieve', 'active'));
		expect(await read(opened)).toMatchObject({ complete: true, findings: [] });
	});

	test('are not complete where the names in the Maildir may not be listed', async () => {
		const opened = await openForNobody(ACCOUNT);
		deny(opened.root, 0o311);
		const { complete, controls, findings } = await read(opened);
		expect(complete).toBe(false);
		expect(controls.map(({ path }) => path)).toContain('subscriptions');
		expect(findings).toMatchObject([{ code: 'control-left-out', severity: 'warning', subject: opened.root }]);
	});

	test('do not let a script of the Maildir take the place of one in the home directory that cannot be read', async () => {
		const opened = await openForNobody({ files: { '.dovecot.sieve': 'mine', 'sieve/own.sieve': 'mine' } });
		const home = dirname(opened.root);
		writeFileSync(join(home, '.dovecot.sieve'), 'home');
		mkdirSync(join(home, 'sieve'));
		writeFileSync(join(home, 'sieve', 'own.sieve'), 'home');
		deny(join(home, '.dovecot.sieve'));
		deny(join(home, 'sieve'));
		const { complete, controls } = await read(opened);
		expect({ complete, controls }).toEqual({ complete: false, controls: [] });
	});

	test('are complete where a script is left out for one of its name in the home directory', async () => {
		const opened = await openForNobody({ files: { '.dovecot.sieve': 'mine' } });
		writeFileSync(join(dirname(opened.root), '.dovecot.sieve'), 'home');
		expect(await read(opened)).toMatchObject({ complete: true, findings: [{ severity: 'note' }] });
	});
});
