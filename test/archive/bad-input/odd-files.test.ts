import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../../support/mail-store.ts';
import { type Caller, callerOf, codesOf, expectWhole, openFolder, type PackSaid, type Told } from '../../support/program.ts';

const program = builtFile('src/cli/bin.ts');

interface Place {
	readonly store: MailStore;
	readonly caller: Caller;
	readonly archive: string;
	/** anna's Maildir. */
	readonly maildir: string;
	pack(night?: number, ...args: string[]): Told<PackSaid>;
}

function makePlace(): Place {
	const folder = openFolder();
	const store = makeMailStore(join(folder, 'store'));
	store.put('anna/INBOX/1.plain:2,S');
	const archive = join(folder, 'archive');
	const caller = callerOf(program, { archive });
	return {
		store,
		caller,
		archive,
		maildir: join(store.root, 'anna/Maildir'),
		pack: (night = 0, ...args) =>
			caller.json<PackSaid>('pack', '--now', new Date(DAY_ZERO + night * DAY).toISOString(), '--linger', '0s', ...args, store.spec),
	};
}

/** Makes a folder look as if it had changed long ago, but not when it had before. */
function settle(path: string, night: number): void {
	const at = new Date(DAY_ZERO - 300 * DAY + night * DAY);
	for (const name of ['cur', 'new', 'tmp', '.']) if (existsSync(join(path, name))) utimesSync(join(path, name), at, at);
}

const CONTENTS: Readonly<Record<string, Buffer>> = {
	'of no bytes': Buffer.alloc(0),
	'of one NUL': Buffer.from([0]),
	'of NULs': Buffer.alloc(100_000),
	'with NULs in the header': Buffer.from('Subject: a\0b\r\nFrom: \0\r\n\r\n\0'),
	'of every byte, without a line end': Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 256)),
	'of a lone carriage return': Buffer.from('\r'),
	'of one header line without end': Buffer.from(`Subject: ${'x'.repeat(300_000)}`),
	'that ends in the middle of a character': Buffer.concat([Buffer.from('Subject: caf'), Buffer.from([0xc3])]),
};

test('messages of any content are sealed and come back to the byte', () => {
	const { store, caller, pack } = makePlace();
	for (const [index, content] of Object.values(CONTENTS).entries()) store.put(`anna/INBOX/${index}.odd:2,S`, { content });
	expect(pack(60)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 9 }, sealed: { new: 1 } } });
	for (const [index, [what, bytes]] of Object.entries(CONTENTS).entries()) {
		expect(caller.run('extract', `anna/INBOX/${index}.odd`).bytes.equals(bytes), `a message ${what}`).toBe(true);
	}
	expectWhole(caller, store.root);
});

const NAMES = [
	'no-colon',
	'many:colons:2,:2,S',
	':2,S',
	'2,S',
	'x:2,',
	'y:3,S',
	'z:2,ZZSS',
	' ',
	'~',
	'%2f',
	'line\nfeed:2,S',
	'\u0001\u007f\u009b',
	'-rf',
	'ä:2,FS',
	'quote\'"\\',
	'a'.repeat(240),
];

describe('files in cur and new', () => {
	it('are packed under any name', () => {
		const { store, caller, maildir, pack } = makePlace();
		for (const name of NAMES) writeFileSync(join(maildir, 'cur', name), `Subject: ${JSON.stringify(name)}\n\n`, { mode: 0o600 });
		settle(maildir, 1);
		expect(pack()).toMatchObject({ code: 0, findings: [], result: { messages: { total: 1 + NAMES.length } } });
		expectWhole(caller, store.root);
		expect(pack(1)).toMatchObject({ code: 0, result: { messages: { added: 0, changed: 0, removed: 0 } } });
	});

	it('are left out where they are dotted, as Maildir asks', () => {
		const { store, caller, maildir, pack } = makePlace();
		for (const name of ['.hidden', '.nfs0001', '...']) writeFileSync(join(maildir, 'cur', name), 'not mail');
		settle(maildir, 1);
		expect(pack()).toMatchObject({ code: 0, findings: [], result: { messages: { total: 1 } } });
		expectWhole(caller, store.root);
	});

	it('are left out, with a finding, where they are symbolic links, FIFOs or folders; the rest is packed', () => {
		const { store, caller, maildir, pack } = makePlace();
		const secret = join(store.root, '..', 'secret');
		writeFileSync(secret, 'Subject: not hers\n\nsecret\n');
		symlinkSync(secret, join(maildir, 'cur', '2.link:2,S'));
		symlinkSync('/nowhere', join(maildir, 'cur', '3.dangling:2,S'));
		execFileSync('mkfifo', [join(maildir, 'cur', '4.fifo:2,S')]);
		mkdirSync(join(maildir, 'cur', '5.folder:2,S'));
		settle(maildir, 1);
		const said = pack();
		expect(said).toMatchObject({ code: 1, result: { messages: { total: 1, added: 1 } } });
		expect(codesOf(said.findings)).toEqual(['message-not-a-file', 'message-not-a-file', 'message-symbolic-link', 'message-symbolic-link']);
		expect(caller.run('search', 'hers').bytes.toString()).not.toContain('not hers');
		expectWhole(caller, store.root);
		for (const name of ['2.link:2,S', '3.dangling:2,S', '4.fifo:2,S', '5.folder:2,S'])
			rmSync(join(maildir, 'cur', name), { recursive: true });
		settle(maildir, 2);
		expect(pack(1)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 1, removed: 0 } } });
	});

	it('are two messages where two files are one inode', () => {
		const { store, caller, maildir, pack } = makePlace();
		linkSync(join(maildir, 'cur', '1.plain:2,S'), join(maildir, 'cur', '2.copied:2,S'));
		settle(maildir, 1);
		expect(pack()).toMatchObject({ code: 0, result: { messages: { total: 2 } } });
		expectWhole(caller, store.root);
	});
});

const FOLDERS = [
	'...',
	'.a..b',
	'.-',
	'.&-',
	'.&',
	'.&AC8-etc&AC8-passwd',
	'.&AC4ALg-',
	'.&AAAAAQ-',
	'.line\nfeed',
	'.\u0001\u001b[2J\u007f',
	'.%2e%2e%2f',
	'.&Jjo',
	'.~',
	'. ',
	'.cur',
	'.INBOX',
	'.a\\b',
];

describe('folders', () => {
	it('that are symbolic links are left out with a finding, whether the folder or its cur is one', () => {
		const { store, caller, maildir, pack } = makePlace();
		store.put('anna/Sub/1.sub:2,S');
		store.put('bert/INBOX/1.bert:2,S');
		symlinkSync(join(store.root, 'bert/Maildir'), join(maildir, '.Stolen'));
		mkdirSync(join(maildir, '.Half'));
		symlinkSync(join(store.root, 'bert/Maildir/cur'), join(maildir, '.Half', 'cur'));
		settle(maildir, 1);
		const said = pack();
		expect(said).toMatchObject({ code: 1, result: { accounts: 2, messages: { total: 3 } } });
		expect(codesOf(said.findings)).toEqual(['symbolic-link', 'symbolic-link']);
		const folders = caller.run('ls', 'folders').bytes.toString();
		expect(folders).not.toContain('Stolen');
		const to = join(openFolder(), 'r');
		expect(caller.run('restore', '--to', to).code).toBe(0);
		expect(existsSync(join(to, 'anna', '.Stolen'))).toBe(false);
		expect(readdirSync(join(to, 'anna', '.Half', 'cur'))).toEqual([]);
	});

	it('of any name are packed, and come back inside of the folder restored to', () => {
		const { caller, maildir, pack } = makePlace();
		for (const name of FOLDERS) {
			const folder = `${maildir}/${name}`;
			for (const middle of ['cur', 'new', 'tmp']) mkdirSync(`${folder}/${middle}`, { recursive: true, mode: 0o700 });
			writeFileSync(`${folder}/cur/1.inside:2,S`, `Subject: ${JSON.stringify(name)}\n\n`, { mode: 0o600 });
			settle(folder, 1);
		}
		settle(maildir, 1);
		expect(pack()).toMatchObject({ error: undefined, result: { messages: { total: 1 + FOLDERS.length } } });
		const above = openFolder();
		const to = join(above, 'restored');
		expect(caller.run('restore', '--to', to)).toMatchObject({ err: '', code: 0 });
		expect([readdirSync(above), readdirSync(to)]).toEqual([['restored'], ['anna']]);
		const inside = readdirSync(to, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('/1.inside:2,S'));
		const subjects = inside.map((path) => readFileSync(join(to, path), 'utf8'));
		expect(subjects.sort()).toEqual(FOLDERS.map((name) => `Subject: ${JSON.stringify(name)}\n\n`).sort());
		// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal obeys them.
		expect(caller.run('ls', 'folders').bytes.toString()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
		expect(caller.run('verify', '--deep').code).toBe(0);
		expect(pack(1)).toMatchObject({ result: { messages: { added: 0, changed: 0, removed: 0 } } });
	});
});

describe('two messages of one key', () => {
	const first = 'Subject: first\n\nthe first\n';
	const second = 'Subject: second\n\nthe second\n';

	function makeDouble(): Place {
		const place = makePlace();
		place.store.put('anna/INBOX/7.same:2,', { content: first });
		place.store.put('anna/INBOX/7.same:2,S', { content: second });
		const said = place.pack();
		expect(said).toMatchObject({ code: 1, findings: [{ code: 'duplicate-key' }], result: { messages: { total: 3 } } });
		expectWhole(place.caller, place.store.root);
		return place;
	}

	it.each([
		['first', '7.same:2,S', second],
		['second', '7.same:2,', first],
	])('are both kept, and when the %s is gone the other has its own content', (_which, left, content) => {
		const { store, caller, pack } = makeDouble();
		store.remove(`anna/INBOX/${left === '7.same:2,' ? '7.same:2,S' : '7.same:2,'}`);
		expect(pack(1)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 2 } } });
		expect(caller.run('extract', `anna/INBOX/${left}`).bytes.toString()).toBe(content);
		expectWhole(caller, store.root);
		expect(pack(2)).toMatchObject({ code: 0, result: { messages: { added: 0, changed: 0, removed: 0 } } });
	});

	it('are both kept when they swap their names', () => {
		const { store, caller, pack } = makeDouble();
		store.rename('anna/INBOX/7.same:2,', 'anna/INBOX/8.aside:2,');
		store.rename('anna/INBOX/7.same:2,S', 'anna/INBOX/7.same:2,');
		store.rename('anna/INBOX/8.aside:2,', 'anna/INBOX/7.same:2,S');
		expect(pack(1)).toMatchObject({ findings: [{ code: 'duplicate-key' }], result: { messages: { total: 3 } } });
		expectWhole(caller, store.root);
	});

	it('are both kept when one is in new and the other in cur', () => {
		const { store, caller, pack } = makePlace();
		store.put('anna/INBOX/9.same', { content: first });
		store.put('anna/INBOX/9.same:2,S', { content: second });
		expect(pack()).toMatchObject({ findings: [{ code: 'duplicate-key' }], result: { messages: { total: 3 } } });
		expectWhole(caller, store.root);
		store.remove('anna/INBOX/9.same');
		expect(pack(1)).toMatchObject({ code: 0, result: { messages: { total: 2 } } });
		expectWhole(caller, store.root);
	});
});
