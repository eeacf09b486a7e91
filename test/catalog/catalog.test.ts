import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { type BundleToApply, type Catalog, catalogDamage, openCatalog } from '../../src/catalog/index.ts';
import { type BundleKind, DEFAULT_POLICY, type ManifestLine, parseSnapshotName, tenantOf } from '../../src/domain/index.ts';
import { temporaryFolder } from '../support/archive.ts';
import { bundleOf, idOf, messageOf, placedAt, placeOf } from '../support/words.ts';

const STATE = { name: parseSnapshotName('20261123T021500Z-0a1b2c3d'), sha256: 'ab', time: '2026-11-23T02:15:00.000Z' };
const INBOX = 'anna@example.org/INBOX';

function inMemory(): Catalog {
	const catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	return catalog;
}

function apply(catalog: Catalog, kind: BundleKind, ...lines: ManifestLine[]): BundleToApply {
	const bundle = bundleOf(kind, lines);
	catalog.apply(bundle, { policy: DEFAULT_POLICY });
	return bundle;
}

function removed(place: string): ManifestLine {
	return { type: 'removed', ...placeOf(place) };
}

function keysIn(catalog: Catalog): string[] {
	return catalog.read.listMessages({}).map(({ account, folder, key }) => `${account}/${folder}/${key}`);
}

test('mail that still stands in a removed folder never turns up in the next folder made', () => {
	const catalog = inMemory();
	const folder = { account: placeOf(`${INBOX}/1`).account, folder: placeOf(`${INBOX}/1`).folder };
	apply(catalog, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	apply(catalog, 'volatile', { type: 'folder-removed', ...folder });
	apply(catalog, 'volatile', placedAt('ben@example.org/INBOX/2', 'red'));
	expect(keysIn(catalog)).toEqual([`${INBOX}/1`, 'ben@example.org/INBOX/2']);
	apply(catalog, 'volatile', removed(`${INBOX}/1`));
	catalog.tidy();
	expect(keysIn(catalog)).toEqual(['ben@example.org/INBOX/2']);
	expect(catalog.read.countFolders()).toBe(1);
});

test('folders and control files of a removed account never turn up in the next account made', () => {
	const catalog = inMemory();
	const { account, folder } = placeOf(`${INBOX}/1`);
	apply(catalog, 'volatile', { type: 'account', account, source: 'maildir:/mail', layout: 'maildir++' });
	apply(catalog, 'volatile', { type: 'folder', account, folder, dir: '' });
	apply(catalog, 'volatile', { type: 'control', account, path: 'subscriptions', content: '', date: STATE.time });
	apply(catalog, 'volatile', { type: 'account-removed', account });
	apply(catalog, 'volatile', messageOf('red'), placedAt('ben@example.org/Sent/2', 'red'));
	const contents = catalog.read.contents(placeOf('ben@example.org/Sent/2').account);
	expect(contents?.folders.map((word) => word.folder)).toEqual(['Sent']);
	expect(contents?.controls).toEqual([]);
	apply(catalog, 'volatile', { type: 'folder-removed', account, folder }, { type: 'control-removed', account, path: 'subscriptions' });
	catalog.tidy();
	expect(catalog.read.listAccounts({}).map((row) => row.account)).toEqual(['ben@example.org']);
});

test('a removal alone brings no account and no folder into being', () => {
	const catalog = inMemory();
	const { account, folder } = placeOf(`${INBOX}/1`);
	apply(catalog, 'volatile', removed(`${INBOX}/1`), { type: 'folder-removed', account, folder }, { type: 'account-removed', account });
	expect([catalog.read.countAccounts(), catalog.read.countFolders(), catalog.totals()]).toEqual([0, 0, { messages: 0, bytes: 0 }]);
});

test('a word may come before the message that it places; totals count the bytes once they are known', () => {
	const catalog = inMemory();
	apply(catalog, 'volatile', placedAt(`${INBOX}/1`, 'red'), placedAt(`${INBOX}/2`, 'red'));
	expect(catalog.totals()).toEqual({ messages: 2, bytes: 0 });
	apply(catalog, 'sealed', messageOf('red', { size: 70 }), placedAt('cleo@example.net/INBOX/1', 'red'));
	expect(catalog.totals()).toEqual({ messages: 3, bytes: 210 });
	apply(catalog, 'volatile', removed(`${INBOX}/1`), removed(`${INBOX}/1`));
	expect(catalog.totals()).toEqual({ messages: 2, bytes: 140 });
});

test('rollback() takes back words and totals alike', () => {
	const catalog = inMemory();
	apply(catalog, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	catalog.commit(STATE);
	const before = catalog.fingerprint();
	catalog.begin();
	apply(catalog, 'volatile', messageOf('blue'), placedAt('new@example.org/New/1', 'blue'), removed(`${INBOX}/1`));
	catalog.rollback();
	expect([catalog.fingerprint(), catalog.totals()]).toEqual([before, { messages: 1, bytes: 100 }]);
	catalog.begin();
	apply(catalog, 'volatile', messageOf('blue'), placedAt('new@example.org/New/1', 'blue'));
	expect(keysIn(catalog)).toEqual([`${INBOX}/1`, 'new@example.org/New/1']);
});

test('drop() refuses to lose a message that is still placed', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	expect(() => catalog.drop(first.ref.id)).toThrow('would lose');
	expect(catalog.bundles()).toEqual([first.ref]);
	apply(catalog, 'sealed', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	catalog.drop(first.ref.id);
	expect(catalog.bundles().map((ref) => ref.kind)).toEqual(['sealed']);
	expect(catalog.knownBundles().map(({ id }) => id)).toContain(first.ref.id);
});

test('drop() refuses to lose the newest word about a message', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	const news = apply(catalog, 'volatile', placedAt(`${INBOX}/1`, 'red', { flags: ['flagged', 'seen'] }));
	expect(() => catalog.drop(news.ref.id)).toThrow('would lose');
	apply(catalog, 'volatile', placedAt(`${INBOX}/1`, 'red'));
	catalog.drop(news.ref.id);
	expect(catalog.bundles()).toHaveLength(2);
});

test('drop() forgets the headers of messages that nothing holds any more', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'volatile', messageOf('red', { headers: { subject: 'Rotwein' } }), placedAt(`${INBOX}/1`, 'red'));
	apply(catalog, 'volatile', removed(`${INBOX}/1`));
	catalog.drop(first.ref.id);
	expect(catalog.read.idsByPrefix(idOf('red').slice(0, 8))).toEqual([]);
	apply(catalog, 'volatile', messageOf('red', { headers: { subject: 'Weißwein' } }), placedAt(`${INBOX}/1`, 'red'));
	expect(catalog.read.listMessages({}).map(({ headers }) => headers.subject)).toEqual(['Weißwein']);
});

test('a volatile bundle is alive by the messages and words that nothing newer took over', () => {
	const catalog = inMemory();
	const first = apply(
		catalog,
		'volatile',
		messageOf('red', { size: 10 }),
		messageOf('blue', { size: 200 }),
		messageOf('green', { size: 3000 }),
		placedAt(`${INBOX}/1`, 'red'),
		placedAt(`${INBOX}/2`, 'blue'),
		placedAt(`${INBOX}/3`, 'green'),
	);
	const full = { bundle: first.ref.id, messages: 3, attachments: 0, bytes: 3210, words: 3, liveAttachments: 0 };
	expect(catalog.pack.liveness()).toEqual([{ ...full, liveMessages: 3, liveBytes: 3210, liveWords: 3 }]);
	// Sealed, removed, and only renamed: the last one's bytes still lie here.
	apply(catalog, 'sealed', messageOf('red', { size: 10 }), placedAt(`${INBOX}/1`, 'red'));
	apply(catalog, 'volatile', removed(`${INBOX}/2`), placedAt(`${INBOX}/3`, 'green', { flags: [] }));
	expect(catalog.pack.liveness()[0]).toEqual({ ...full, liveMessages: 1, liveBytes: 3000, liveWords: 0 });
	expect(catalog.pack.liveMessages(first.ref.id).map(({ line, copy }) => [line.id, copy.offset, copy.length])).toEqual([
		[idOf('green'), 210, 3000],
	]);
});

test('a volatile copy is dead as soon as any sealed bundle has the message, before it or after it', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', messageOf('red'), placedAt('cleo@example.net/INBOX/1', 'red'));
	const later = apply(catalog, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	expect(catalog.pack.liveMessages(later.ref.id)).toEqual([]);
	expect(catalog.pack.copies(idOf('red')).map((copy) => copy.sealed)).toEqual([true, false]);
	expect(catalog.pack.isSealedFor(idOf('red'), tenantOf(placeOf('cleo@example.net/INBOX/1').account))).toBe(true);
	expect(catalog.pack.isSealedFor(idOf('red'), tenantOf(placeOf(`${INBOX}/1`).account))).toBe(false);
});

test('a removal is carried while a sealed bundle speaks of the message, even one that was placed and removed again since', () => {
	const catalog = inMemory();
	apply(catalog, 'sealed', messageOf('red'), messageOf('blue'), placedAt(`${INBOX}/1`, 'red'));
	const night1 = apply(catalog, 'volatile', removed(`${INBOX}/1`));
	expect(catalog.pack.liveWords(night1.ref.id, new Set([night1.ref.id]))).toEqual([removed(`${INBOX}/1`)]);
	const night2 = apply(catalog, 'volatile', placedAt(`${INBOX}/1`, 'blue'));
	const night3 = apply(catalog, 'volatile', removed(`${INBOX}/1`));
	const all = new Set([night1.ref.id, night2.ref.id, night3.ref.id]);
	expect(catalog.pack.liveWords(night2.ref.id, all)).toEqual([]);
	expect(catalog.pack.liveWords(night3.ref.id, all)).toEqual([removed(`${INBOX}/1`)]);
});

test('a removal that no sealed bundle needs is carried only while an older volatile bundle stays', () => {
	const catalog = inMemory();
	const first = apply(catalog, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	const second = apply(catalog, 'volatile', removed(`${INBOX}/1`));
	expect(catalog.pack.liveWords(second.ref.id, new Set([second.ref.id]))).toEqual([removed(`${INBOX}/1`)]);
	expect(catalog.pack.liveWords(second.ref.id, new Set([first.ref.id, second.ref.id]))).toEqual([]);
});

test('a bundle that is applied again says its words anew, as the newest', () => {
	const catalog = inMemory();
	const lines = [messageOf('red'), placedAt(`${INBOX}/1`, 'red')] as const;
	const first = apply(catalog, 'volatile', ...lines);
	const second = apply(catalog, 'volatile', removed(`${INBOX}/1`));
	apply(catalog, 'volatile', ...lines);
	expect(keysIn(catalog)).toEqual([`${INBOX}/1`]);
	expect(catalog.bundles().map((ref) => ref.id)).toEqual([second.ref.id, first.ref.id]);
});

test('adoptPolicy() decides anew when volatile mail is due, also for bundles that were taken in without a policy', () => {
	const catalog = inMemory();
	const date = Date.parse('2026-01-02T03:04:05.000Z');
	const tenant = tenantOf(placeOf(`${INBOX}/1`).account);
	catalog.adoptPolicy(DEFAULT_POLICY);
	catalog.apply(bundleOf('volatile', [messageOf('red'), placedAt(`${INBOX}/1`, 'red')]), null);
	catalog.adoptPolicy(DEFAULT_POLICY);
	expect(catalog.pack.due(tenant, date + DEFAULT_POLICY.quietPeriod - 1)).toEqual([]);
	expect(catalog.pack.due(tenant, date + DEFAULT_POLICY.quietPeriod)).toHaveLength(1);
	catalog.adoptPolicy({ ...DEFAULT_POLICY, quietPeriod: 1000 });
	expect(catalog.pack.due(tenant, date + 1000)).toHaveLength(1);
	expect(catalog.pack.waiting(date + 1000)).toEqual([{ tenant, bytes: 100, oldestDue: date + 1000 }]);
	catalog.adoptPolicy({ ...DEFAULT_POLICY, never: ['INBOX'] });
	expect(catalog.pack.waiting(date * 2)).toEqual([]);
});

test('messages are found by the first digits of their id, by Message-ID and by place', () => {
	const catalog = inMemory();
	const headers = { messageId: '<one@example.org>' };
	apply(
		catalog,
		'volatile',
		messageOf('red', { headers }),
		messageOf('blue', { headers }),
		messageOf('green'),
		placedAt('anna@example.org/Projects/Alpha/1.a', 'red'),
		placedAt(`${INBOX}/2`, 'blue'),
		placedAt(`${INBOX}/3`, 'green'),
	);
	const { read } = catalog;
	for (const digits of [8, 9, 63, 64]) expect(read.idsByPrefix(idOf('red').slice(0, digits))).toEqual([idOf('red')]);
	expect(read.idsByPrefix('')).toHaveLength(2);
	expect(read.idsByPrefix(idOf('missing'))).toEqual([]);
	expect(read.idsByMessageId('<one@example.org>', 10).sort()).toEqual([idOf('blue'), idOf('red')].sort());
	expect(read.idsByMessageId('<one@example.org>', 1)).toHaveLength(1);
	expect(read.idsByMessageId('one@example.org', 10)).toEqual([]);
	expect(read.idByPlacement('anna@example.org', 'Projects/Alpha', '1.a')).toBe(idOf('red'));
	expect(read.idByPlacement('anna@example.org', 'Projects', '1.a')).toBeNull();
});

test('a file of another version of the tables is not usable, and is left as it is', () => {
	const path = join(temporaryFolder(), 'catalog.sqlite');
	openCatalog({ kind: 'file', path }).close();
	const other = new Sqlite(path);
	other.pragma('user_version = 99');
	other.close();
	const before = readFileSync(path);
	for (const kind of ['file', 'copy'] as const) {
		const catalog = openCatalog({ kind, path });
		expect(catalog.usable).toBe(false);
		catalog.close();
	}
	expect(readFileSync(path).equals(before)).toBe(true);
});

test('tables of an older kind, under a version of their own, are not usable either', () => {
	const path = join(temporaryFolder(), 'catalog.sqlite');
	const other = new Sqlite(path);
	other.exec('CREATE TABLE message(id TEXT); PRAGMA user_version = 99;');
	other.close();
	const catalog = openCatalog({ kind: 'file', path });
	expect(catalog.usable).toBe(false);
	catalog.close();
});

test('a held catalog shows one state while another connection writes, and takes no changes', () => {
	const path = join(temporaryFolder(), 'catalog.sqlite');
	const writer = openCatalog({ kind: 'file', path });
	writer.begin();
	apply(writer, 'volatile', messageOf('a'), placedAt(`${INBOX}/1`, 'a'));
	writer.commit(STATE);
	const reader = openCatalog({ kind: 'file', path });
	reader.hold();
	writer.begin();
	apply(writer, 'volatile', messageOf('b'), placedAt(`${INBOX}/2`, 'b'));
	writer.commit(STATE);
	expect(reader.read.listMessages({})).toHaveLength(1);
	expect(() => reader.begin()).toThrow();
	reader.close();
	writer.close();
});

test('a new file that was built and closed is opened as any other', () => {
	const path = join(temporaryFolder(), 'catalog.sqlite');
	const built = openCatalog({ kind: 'new-file', path });
	built.begin();
	for (let n = 0; n < 300; n++) apply(built, 'volatile', messageOf(`m${n}`), placedAt(`${INBOX}/${n}`, `m${n}`));
	built.commit(STATE);
	const fingerprint = built.fingerprint();
	built.close();
	const catalog = openCatalog({ kind: 'file', path });
	expect(catalog.state()).toEqual(STATE);
	expect(catalog.check()).toBeNull();
	expect(catalog.fingerprint()).toBe(fingerprint);
	catalog.close();
});

test('a file that is no database, or a broken one, is archive-damaged with the hint to reindex', () => {
	const folder = temporaryFolder();
	const text = join(folder, 'text.sqlite');
	writeFileSync(text, 'this is not a database, and long enough to be looked at as one: '.repeat(40));
	const path = join(folder, 'catalog.sqlite');
	const catalog = openCatalog({ kind: 'file', path });
	catalog.begin();
	for (let n = 0; n < 300; n++) apply(catalog, 'volatile', messageOf(`m${n}`), placedAt(`${INBOX}/${n}`, `m${n}`));
	catalog.commit(STATE);
	catalog.close();
	const holed = join(folder, 'holed.sqlite');
	copyFileSync(path, holed);
	const file = openSync(holed, 'r+');
	const { length } = readFileSync(holed);
	for (let at = 4096; at < length; at += 4096) writeSync(file, Buffer.alloc(64, 0xee), 0, 64, at);
	closeSync(file);
	for (const broken of [text, holed]) {
		for (const kind of ['file', 'copy'] as const) {
			const error = errorOf(() => {
				const opened = openCatalog({ kind, path: broken });
				try {
					opened.read.listMessages({});
				} finally {
					opened.close();
				}
			});
			expect(catalogDamage(error), `${kind} ${broken}: ${error}`).toBe(true);
			expect(error).toMatchObject({ code: 'archive-damaged', hint: expect.stringContaining('mailseal reindex') });
		}
	}
	const intact = openCatalog({ kind: 'file', path });
	expect(intact.check()).toBeNull();
	intact.close();
});

test('a copy reads a database in WAL mode without touching the file or making one beside it', () => {
	const path = join(temporaryFolder(), 'catalog.sqlite');
	const writer = openCatalog({ kind: 'file', path });
	writer.begin();
	apply(writer, 'volatile', messageOf('red'), placedAt(`${INBOX}/1`, 'red'));
	writer.commit(STATE);
	const fingerprint = writer.fingerprint();
	writer.close();
	const before = readFileSync(path);
	expect([before[18], before[19]], 'the file says that it is in WAL mode').toEqual([2, 2]);
	const copy = openCatalog({ kind: 'copy', path });
	expect([copy.usable, copy.state(), copy.fingerprint()]).toEqual([true, STATE, fingerprint]);
	copy.close();
	expect(readFileSync(path).equals(before)).toBe(true);
});

function errorOf(work: () => void): unknown {
	try {
		work();
	} catch (error) {
		return error;
	}
	return null;
}
