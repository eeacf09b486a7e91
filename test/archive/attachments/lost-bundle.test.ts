import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256Of } from '../../../src/archive/hash.ts';
import { extract, reindex, status } from '../../../src/archive/index.ts';
import { snapshotPath } from '../../../src/archive/layout.ts';
import { readSnapshot, snapshotNames } from '../../../src/archive/snapshots.ts';
import { encodeSnapshot } from '../../../src/bundle/index.ts';
import { SILENT, type SnapshotName } from '../../../src/domain/index.ts';
import { archiveAt, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { attachmentsIn, listedBundles, messagesIn } from '../../support/listed-bundles.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { lacks } from '../../support/needs.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

const REPORT = fileBytes('report', 60_000);
const EAGER = { linger: 0 };

function mail(subject: string, day: number): { content: Buffer; at: number } {
	return { content: mailWith([{ name: 'report.pdf', bytes: REPORT }], { subject }), at: DAY_ZERO + day * DAY };
}

/** A store with two messages that share a file, sealed, and the path of the sealed bundle that `has`. */
async function makePlace(has: 'attachments' | 'messages') {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/INBOX/1.a:2,S', mail('one', 0));
	store.put('anna@example.org/INBOX/2.a:2,S', mail('two', 0));
	const pack = (day: number, options = {}) => packOnce(archive, store.spec, { now: DAY_ZERO + day * DAY, bundles: EAGER, ...options });
	await pack(40);
	const isWanted = (lines: Parameters<typeof messagesIn>[0]) => (has === 'messages' ? messagesIn(lines) : attachmentsIn(lines)).length > 0;
	const id = (await listedBundles(archive, 'sealed')).find(({ lines }) => isWanted(lines))?.ref.id ?? '';
	const path = join(archive, 'bundles', 'sealed', id.slice(0, 2), `${id}.zip`);
	return { store, archive, pack, path };
}

async function expectReadable(archive: string, reference: string): Promise<void> {
	const message = await extract(archiveAt(archive), reference, { now: DAY_ZERO });
	expect(sha256Of(message.chunks())).toBe(message.id);
}

test('a file that only a missing bundle has is stored again with the next message that has it, and stays through folds and seals', async () => {
	const { store, archive, pack, path } = await makePlace('attachments');
	renameSync(path, `${path}.away`);
	store.put('ben@example.org/INBOX/3.b:2,S', mail('three', 41));
	const { findings } = await pack(41);
	expect(findings.map(({ code }) => code)).toEqual(['bundle-missing']);
	await expectReadable(archive, 'ben@example.org/INBOX/3.b');
	await expectReadable(archive, 'anna@example.org/INBOX/1.a');
	for (const day of [42, 43, 44]) {
		store.put(`ben@example.org/INBOX/${day}.b:2,S`, { at: DAY_ZERO + day * DAY });
		await pack(day);
	}
	await expectReadable(archive, 'ben@example.org/INBOX/3.b');
	await pack(100);
	await expectReadable(archive, 'ben@example.org/INBOX/3.b');
	renameSync(`${path}.away`, path);
	expect((await pack(101)).findings).toEqual([]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test.each(['attachments', 'messages'] as const)(
	'pack --rescan stores again what a missing bundle of %s had, as far as the store has it',
	async (has) => {
		const { store, archive, pack, path } = await makePlace(has);
		renameSync(path, `${path}.away`);
		const { result, findings } = await pack(41, { rescan: true });
		expect(findings.map(({ code }) => code)).toEqual(['bundle-missing']);
		expect(result.messages).toEqual({ total: 2, added: 0, changed: 0, removed: 0 });
		for (const name of ['1.a', '2.a']) await expectReadable(archive, `anna@example.org/INBOX/${name}`);
		for (const day of [42, 43]) {
			store.put(`ben@example.org/INBOX/${day}.b:2,S`, { at: DAY_ZERO + day * DAY });
			await pack(day);
		}
		const to = temporaryFolder();
		expect((await restoreOnce(archive, to)).findings).toEqual([]);
		expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
		// Also without the catalog, which alone remembers what stood in the missing bundle.
		if (!lacks('python3')) {
			const recovered = spawnSync('python3', [join(archive, 'recover.py'), archive, temporaryFolder()], { encoding: 'utf8' });
			expect(recovered.stdout).toContain('4 of 4 messages recovered');
		}
		rmSync(join(archive, 'catalog.sqlite'));
		const built = await reindex(archiveAt(archive), { progress: SILENT, signal: never });
		expect(built.result.messages).toBe(4);
	},
);

test('a bundle that was missing and is back does not keep a catalog that is one night behind from catching up', async () => {
	const { store, archive, pack, path } = await makePlace('attachments');
	const catalog = join(archive, 'catalog.sqlite');
	renameSync(path, `${path}.away`);
	store.put('ben@example.org/INBOX/3.b:2,S', mail('three', 41));
	await pack(41);
	renameSync(`${path}.away`, path);
	const old = readFileSync(catalog);
	store.put('ben@example.org/INBOX/4.b:2,S', { at: DAY_ZERO + 42 * DAY });
	await pack(42);
	const volatile = await listedBundles(archive, 'volatile');
	expect(
		volatile.flatMap(({ lines }) => attachmentsIn(lines)),
		'the bundle with the second copy was folded',
	).toEqual([]);
	writeFileSync(catalog, old);
	store.put('ben@example.org/INBOX/5.b:2,S', { at: DAY_ZERO + 43 * DAY });
	expect((await pack(43)).findings).toEqual([]);
	expect((await verifyOnce(archive)).findings).toEqual([]);
});

test('verify --deep finds a snapshot that does not name the bundle of attachments that its messages need', async () => {
	const { archive, path } = await makePlace('attachments');
	const [name = ''] = snapshotNames(archive);
	const { snapshot } = readSnapshot(archive, name as SnapshotName);
	const forged = encodeSnapshot({
		...snapshot,
		time: new Date(DAY_ZERO + 41 * DAY).toISOString(),
		parent: { name: name as SnapshotName, sha256: readSnapshot(archive, name as SnapshotName).sha256 },
		bundles: snapshot.bundles.filter(({ id }) => !path.includes(id)),
	});
	writeFileSync(snapshotPath(archive, forged.name), forged.bytes);
	rmSync(join(archive, 'catalog.sqlite'));
	const { findings } = await verifyOnce(archive);
	expect(findings.map(({ code, subject }) => [code, subject])).toEqual([['messages-incomplete', forged.name]]);
});

test('status says that a bundle is missing, and what to do', async () => {
	const { archive, path } = await makePlace('attachments');
	renameSync(path, `${path}.away`);
	const { findings, result } = await status(archiveAt(archive), DAY_ZERO + 40 * DAY);
	expect(findings.map(({ code }) => code)).toEqual(['bundle-missing']);
	expect(result.next).toEqual(['mailseal verify']);
});
