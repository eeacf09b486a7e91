import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openPrng } from '../../../bench/mail/prng.ts';
import { MailsealError } from '../../../src/domain/index.ts';
import { packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../../support/mail-store.ts';
import { type FolderState, readTreeState } from '../../support/tree-state.ts';

const RUNS = process.env.SLOW ? 500 : 40;
const CATALOG = 'catalog.sqlite';

function makeStore(): MailStore {
	const store = makeMailStore();
	for (const account of ['anna', 'bert']) {
		for (const folder of ['INBOX', 'Sub']) {
			for (let number = 0; number < 15; number++) {
				store.put(`${account}/${folder}/${number}.${account}:2,S`, {
					at: DAY_ZERO - (number % 2) * 60 * DAY,
					subject: `${account} ${folder} ${number}`,
				});
			}
		}
	}
	return store;
}

/** Every content in a tree, by folder. */
function contentsOf(tree: ReadonlyMap<string, FolderState>): Set<string> {
	const contents = new Set<string>();
	for (const [folder, { messages }] of tree) for (const { sha256 } of messages.values()) contents.add(`${folder} ${sha256}`);
	return contents;
}

test('a pack by a catalog with a changed bit anywhere loses no message', { timeout: 300_000 }, async () => {
	const store = makeStore();
	const whole = join(temporaryFolder(), 'archive');
	await packOnce(whole, store.spec, { now: DAY_ZERO, bundles: { linger: 0 } });
	store.rename('anna/INBOX/3.anna:2,S', 'anna/INBOX/3.anna:2,FS');
	await packOnce(whole, store.spec, { now: DAY_ZERO + DAY, bundles: { linger: 0 } });
	store.rename('anna/INBOX/4.anna:2,S', 'anna/INBOX/4.anna:2,FS');
	store.put('bert/Sub/99.bert:2,S');
	store.remove('bert/INBOX/5.bert:2,S');
	const wanted = contentsOf(readTreeState(store.root));
	const prng = openPrng('bits', 1);
	for (let run = 0; run < RUNS; run++) {
		const archive = join(temporaryFolder(), 'archive');
		execFileSync('cp', ['-a', whole, archive]);
		const path = join(archive, CATALOG);
		const bytes = readFileSync(path);
		const at = prng.int(bytes.length);
		const bit = prng.int(8);
		bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
		writeFileSync(path, bytes);
		const place = `bit ${bit} of byte ${at}`;
		const refused = await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY, bundles: { linger: 0 } }).then(
			() => null,
			(error: unknown) => error,
		);
		if (refused !== null)
			expect(refused, place).toMatchObject({ name: 'MailsealError', code: 'archive-damaged', hint: expect.stringMatching(/reindex/) });
		// What the archive has is what its bundles say.
		rmSync(path);
		if (refused !== null) await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY, bundles: { linger: 0 } });
		expect((await verifyOnce(archive, 'deep')).findings, place).toEqual([]);
		const to = temporaryFolder();
		await restoreOnce(archive, to);
		const restored = contentsOf(readTreeState(to));
		expect(
			[...wanted].filter((content) => !restored.has(content)),
			place,
		).toEqual([]);
	}
});

test('a restore by a catalog that lost a row is refused, and says to reindex', async () => {
	const store = makeStore();
	const archive = join(temporaryFolder(), 'archive');
	await packOnce(archive, store.spec, { now: DAY_ZERO });
	const catalog = new Database(join(archive, CATALOG));
	catalog.exec("DELETE FROM placement WHERE key = '7.anna'");
	catalog.close();
	const refused = await restoreOnce(archive, temporaryFolder()).catch((error: unknown) => error);
	expect(refused).toBeInstanceOf(MailsealError);
	expect(refused).toMatchObject({ code: 'archive-damaged', hint: expect.stringMatching(/reindex/) });
	expect((await verifyOnce(archive, 'full')).findings).toMatchObject([{ code: 'catalog-damaged' }]);
});
