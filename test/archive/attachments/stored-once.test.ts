import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { reindex } from '../../../src/archive/index.ts';
import { SILENT } from '../../../src/domain/index.ts';
import { openMaildirSource } from '../../../src/sources/index.ts';
import { archiveAt, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { fileBytes, mailWith, wrappingOf } from '../../support/attached-mail.ts';
import { attachmentsIn, listedBundles, messagesIn } from '../../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore, noisyMail } from '../../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

const REPORT = fileBytes('report', 60_000);
/** Everything that is quiet is sealed at once. */
const EAGER = { linger: 0 };

function mail(subject: string, options: Partial<Parameters<typeof mailWith>[1]> = {}): { content: Buffer; at: number } {
	return { content: mailWith([{ name: 'report.pdf', bytes: REPORT }], { subject, ...options }), at: DAY_ZERO };
}

/** How often the newest snapshot's bundles hold an attachment, sealed and volatile. */
async function copies(archive: string): Promise<{ sealed: number; volatile: number }> {
	const count = { sealed: 0, volatile: 0 };
	for (const { ref, lines } of await listedBundles(archive)) count[ref.kind] += attachmentsIn(lines).length;
	return count;
}

function archiveFolder(): string {
	return join(temporaryFolder(), 'archive');
}

test('one file sent to fifty accounts, in 76 and 72 columns, with LF and CRLF, is stored once, and deleting 49 of them loses nothing', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	for (let index = 0; index < 50; index++) {
		const domain = index % 2 === 0 ? 'example.org' : 'example.net';
		store.put(`user${index}@${domain}/INBOX/1.a:2,S`, mail(`to ${index}`, { wrapping: wrappingOf(index) }));
	}
	const first = await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: EAGER });
	expect(first.findings).toEqual([]);
	expect(first.result.attachments).toEqual({ total: 1, new: 1, sharedBytes: 49 * REPORT.length });
	expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });

	for (let index = 0; index < 49; index++) store.remove(`user${index}@${index % 2 === 0 ? 'example.org' : 'example.net'}/INBOX/1.a:2,S`);
	const second = await packOnce(archive, store.spec, { now: DAY_ZERO + 41 * DAY, bundles: EAGER, allowMassRemoval: true });
	expect(second.result.attachments).toEqual({ total: 1, new: 0, sharedBytes: 0 });
	expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });
	expect((await verifyOnce(archive)).findings).toEqual([]);
	const to = temporaryFolder();
	await restoreOnce(archive, to);
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
});

test('recent mail keeps its attachments in the volatile bundle, and once sealed they are stored no more', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
	store.put('ben@example.net/INBOX/1.b:2,S', mail('two'));
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 1 });

	await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });

	store.put('cleo@example.org/INBOX/1.c:2,S', { ...mail('three'), at: DAY_ZERO + 41 * DAY });
	const { result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 41 * DAY, bundles: EAGER });
	expect(result.attachments).toMatchObject({ total: 1, new: 0 });
	expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('a file is stored once after a reindex, and after the catalog was compacted', async () => {
	for (const treat of [
		async (archive: string) => {
			rmSync(join(archive, 'catalog.sqlite'));
			await reindex(archiveAt(archive), { progress: SILENT, signal: never });
		},
		(archive: string) => new Database(join(archive, 'catalog.sqlite')).exec('VACUUM').close(),
	]) {
		const store = makeMailStore();
		const archive = archiveFolder();
		store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
		await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: EAGER });
		await treat(archive);
		store.put('ben@example.org/INBOX/1.b:2,S', mail('two', { wrapping: { columns: 72, end: '\r\n' } }));
		const { result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 80 * DAY, bundles: EAGER });
		expect(result.attachments).toEqual({ total: 1, new: 0, sharedBytes: REPORT.length });
		expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });
		expect((await verifyOnce(archive)).findings).toEqual([]);
	}
});

test('a file is stored once where the first message that had it was deleted, in the same night or before', async () => {
	for (const nights of [1, 2]) {
		const store = makeMailStore();
		const archive = archiveFolder();
		store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
		store.put('anna@example.org/INBOX/2.a:2,S', { at: DAY_ZERO });
		await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: EAGER });
		store.remove('anna@example.org/INBOX/1.a:2,S');
		if (nights === 2) {
			const { result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 41 * DAY, bundles: EAGER });
			expect(result.attachments).toEqual({ total: 0, new: 0, sharedBytes: 0 });
		}
		store.put('ben@example.net/INBOX/1.b:2,S', mail('two'));
		const { result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 42 * DAY, bundles: EAGER });
		expect(result.attachments).toEqual({ total: 1, new: 0, sharedBytes: 0 });
		expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });
		const { findings } = await verifyOnce(archive);
		expect(findings).toEqual([]);
	}
});

test('a volatile attachment whose message is gone is dropped with the folded bundle, and stored again where it comes back', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	store.put('anna@example.org/INBOX/0.a:2,S', { at: DAY_ZERO });
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 1 });
	store.remove('anna@example.org/INBOX/1.a:2,S');
	await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY, bundles: EAGER, allowMassRemoval: true });
	store.put('anna@example.org/INBOX/2.a:2,S', { at: DAY_ZERO });
	await packOnce(archive, store.spec, { now: DAY_ZERO + 3 * DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 0 });
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
	await packOnce(archive, store.spec, { now: DAY_ZERO + 4 * DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 1 });
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('a message that comes back finds its attachment, although the bundle that had only the attachment is gone', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	const shared = { columns: 76, end: '\n' } as const;
	// The attachment lies in the first night's bundle, the message that comes back in the second night's, which other mail keeps alive.
	store.put('anna@example.org/INBOX/0.a:2,S', { at: DAY_ZERO });
	store.put('anna@example.org/INBOX/1.a:2,S', mail('first', { wrapping: shared }));
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY, bundles: EAGER });
	store.put('ben@example.org/INBOX/2.b:2,S', mail('second', { wrapping: shared }));
	store.put('ben@example.org/INBOX/3.b:2,S', { content: noisyMail('keeps the bundle alive', 7000) });
	await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 1 });
	store.remove('anna@example.org/INBOX/1.a:2,S');
	store.remove('ben@example.org/INBOX/2.b:2,S');
	await packOnce(archive, store.spec, { now: DAY_ZERO + 3 * DAY, bundles: EAGER, allowMassRemoval: true });
	store.put('anna@example.org/INBOX/4.a:2,S', { at: DAY_ZERO });
	await packOnce(archive, store.spec, { now: DAY_ZERO + 4 * DAY, bundles: EAGER });
	const left = await listedBundles(archive);
	expect([
		await copies(archive),
		left.flatMap(({ lines }) => messagesIn(lines)).filter(({ recipe }) => recipe !== undefined),
	]).toMatchObject([{ sealed: 0, volatile: 0 }, [{ headers: { subject: 'second' } }]]);
	store.put('ben@example.org/INBOX/2.b:2,S', mail('second', { wrapping: shared }));
	await packOnce(archive, store.spec, { now: DAY_ZERO + 5 * DAY, bundles: EAGER });
	expect(await copies(archive)).toEqual({ sealed: 0, volatile: 1 });
	expect((await verifyOnce(archive)).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(archive, to)).findings).toEqual([]);
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
});

test('a file is shared between a Maildir++ and a compressed Maildir with folders in folders', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
	const other = temporaryFolder();
	const folder = join(other, 'ben@example.net', 'Maildir', 'Work');
	for (const box of ['cur', 'new', 'tmp']) {
		for (const path of [join(folder, box), join(folder, '..', box)]) mkdirSync(path, { recursive: true });
	}
	writeFileSync(join(folder, 'cur', '1.b:2,S'), gzipSync(mail('two', { wrapping: { columns: 72, end: '\r\n' } }).content));
	const sources = [openMaildirSource(store.spec), openMaildirSource(`maildir:${other}/{account}/Maildir`)];
	const { result, findings } = await packOnce(archive, store.spec, { sources, now: Date.now() + 40 * DAY, bundles: EAGER });
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ accounts: 2, attachments: { total: 1, new: 1, sharedBytes: REPORT.length } });
	expect(await copies(archive)).toEqual({ sealed: 1, volatile: 0 });
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('with --no-compress and another order of accounts, the same mail makes the same bundles of attachments', async () => {
	const names: string[][] = [];
	for (const order of [
		['anna', 'ben', 'cleo'],
		['cleo', 'ben', 'anna'],
	]) {
		const store = makeMailStore();
		for (const name of order) store.put(`${name}@example.org/INBOX/1.a:2,S`, mail(`to ${name}`));
		const archive = archiveFolder();
		await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: { ...EAGER, compress: false } });
		names.push(
			readdirSync(join(archive, 'bundles', 'sealed'), { recursive: true, encoding: 'utf8' })
				.filter((name) => name.endsWith('.zip'))
				.sort(),
		);
	}
	expect(names[0]).toEqual(names[1]);
	expect(names[0]).toHaveLength(2);
});

test('a damaged bundle of attachments is a finding that names it, and the messages that need it cannot be read until it is put back', async () => {
	const store = makeMailStore();
	const archive = archiveFolder();
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one'));
	store.put('anna@example.org/INBOX/2.a:2,S', { at: DAY_ZERO });
	await packOnce(archive, store.spec, { now: DAY_ZERO + 40 * DAY, bundles: EAGER });
	const [apart] = (await listedBundles(archive, 'sealed')).filter(({ lines }) => attachmentsIn(lines).length > 0);
	const path = join(archive, 'bundles', 'sealed', String(apart?.ref.id).slice(0, 2), `${apart?.ref.id}.zip`);
	renameSync(path, `${path}.away`);
	const { findings, result } = await verifyOnce(archive);
	expect(result.missing).toEqual([apart?.ref.id]);
	expect(findings.map(({ code }) => code).sort()).toEqual(['bundle-missing', 'messages-incomplete']);
	const to = temporaryFolder();
	const restored = await restoreOnce(archive, to);
	expect(restored.findings.map(({ code }) => code)).toEqual(['message-not-restored']);
	expect(restored.result.written).toBe(1);
	renameSync(`${path}.away`, path);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});
