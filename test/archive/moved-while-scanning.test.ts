import { mkdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listMessages } from '../../src/archive/index.ts';
import { type MailSource, openMaildirSource } from '../../src/sources/index.ts';
import { archiveAt, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { changedSource } from '../support/changed-source.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const NOW = DAY_ZERO + 5 * DAY;

async function expectWhole(archive: string, store: MailStore): Promise<void> {
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(archive, to)).findings).toEqual([]);
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
}

/** In which folders the snapshot has the message of this key. */
async function foldersOf(archive: string, key: string): Promise<string[]> {
	const { rows } = (await listMessages(archiveAt(archive), { now: NOW })).result;
	return rows.filter((row) => row.key === key).map((row) => row.folder);
}

async function subjectsIn(archive: string): Promise<(string | undefined)[]> {
	const { rows } = (await listMessages(archiveAt(archive), { now: NOW })).result;
	return rows.map((row) => row.subject).sort();
}

/** The source of a store in which `move` happens once, right after the folder of this name was listed. */
function movingAfter(store: MailStore, folder: string, move: () => void): MailSource {
	const source = openMaildirSource(store.spec);
	let moved = false;
	return changedSource(source, {
		async listFolder(account, look) {
			const listing = await source.listFolder(account, look);
			if (look.folder === folder && !moved) {
				moved = true;
				move();
			}
			return listing;
		},
	});
}

describe('a message moved from a folder that is listed late to one that was listed already', () => {
	function makePlace() {
		const store = makeMailStore();
		for (const folder of ['Early', 'Late', 'Middle']) for (const n of [1, 2]) store.put(`anna/${folder}/${n}.${folder}:2,S`);
		return { store, archive: join(temporaryFolder(), 'archive') };
	}

	it.each([{ rescan: false }, { rescan: true }])('stands in the folder that it was moved to, and nowhere else: %j', async ({ rescan }) => {
		const { store, archive } = makePlace();
		await packOnce(archive, store.spec, { now: DAY_ZERO });
		// Both have news, so that both are listed.
		store.put('anna/Early/3.Early:2,S');
		store.put('anna/Late/3.Late:2,S');
		const moving = movingAfter(store, 'Early', () => store.rename('anna/Late/1.Late:2,S', 'anna/Early/1.Late:2,S'));
		const { result, findings } = await packOnce(archive, store.spec, { sources: [moving], now: NOW, rescan });
		expect(findings).toEqual([]);
		expect(result.messages).toMatchObject({ total: 8, added: 3, removed: 1 });
		expect(await foldersOf(archive, '1.Late')).toEqual(['Early']);
		await expectWhole(archive, store);
	});

	it('is found too where the other folder was not listed, since nothing had changed in it', async () => {
		const { store, archive } = makePlace();
		await packOnce(archive, store.spec, { now: DAY_ZERO });
		store.put('anna/Early/3.Early:2,S');
		store.put('anna/Late/3.Late:2,S');
		const moving = movingAfter(store, 'Early', () => store.rename('anna/Late/1.Late:2,S', 'anna/Middle/1.Late:2,S'));
		const { result } = await packOnce(archive, store.spec, { sources: [moving], now: NOW });
		expect(result.messages).toMatchObject({ total: 8 });
		expect(await foldersOf(archive, '1.Late')).toEqual(['Middle']);
		await expectWhole(archive, store);
	});

	it('stays in its old folder for a night where that is removed while it is waiting to be listed', async () => {
		const { store, archive } = makePlace();
		await packOnce(archive, store.spec, { now: DAY_ZERO });
		store.put('anna/Early/3.Early:2,S');
		store.put('anna/Late/3.Late:2,S');
		const moving = movingAfter(store, 'Early', () => {
			for (const n of [1, 2, 3]) store.rename(`anna/Late/${n}.Late:2,S`, `anna/Early/${n}.Late:2,S`);
			store.removeFolder('anna', 'Late');
		});
		const { findings } = await packOnce(archive, store.spec, { sources: [moving], now: NOW });
		expect(findings).toMatchObject([{ code: 'folder-vanished', severity: 'note' }]);
		for (const n of [1, 2]) expect(await foldersOf(archive, `${n}.Late`)).toEqual(['Late']);
		await packOnce(archive, store.spec, { now: NOW + DAY });
		for (const n of [1, 2, 3]) expect(await foldersOf(archive, `${n}.Late`)).toEqual(['Early']);
		await expectWhole(archive, store);
	});
});

describe('two files of one name, one in cur and one in new, with different bytes', () => {
	function makePlace(name: string) {
		const store = makeMailStore();
		store.put('anna/INBOX/other:2,S');
		const top = join(store.root, 'anna', 'Maildir');
		let changes = 0;
		function settle(): void {
			const at = new Date(DAY_ZERO - 300 * DAY + ++changes * 10_000);
			for (const dir of ['cur', 'new']) utimesSync(join(top, dir), at, at);
		}
		for (const dir of ['cur', 'new']) {
			const path = join(top, dir, name);
			writeFileSync(path, `Subject: the one in ${dir}\n\nbytes\n`, { mode: 0o600 });
			utimesSync(path, new Date(DAY_ZERO), new Date(DAY_ZERO));
		}
		settle();
		function remove(dir: 'cur' | 'new'): void {
			unlinkSync(join(top, dir, name));
			settle();
		}
		return { store, archive: join(temporaryFolder(), 'archive'), remove };
	}

	it.each([
		[':abc', 'cur'],
		[':abc', 'new'],
		['abc', 'cur'],
		['abc', 'new'],
		[':a:c', 'cur'],
		[':a:c', 'new'],
	] as const)('%j: once the one in %s is removed, the other’s bytes are restored', async (name, dir) => {
		const { store, archive, remove } = makePlace(name);
		expect((await packOnce(archive, store.spec, { now: DAY_ZERO })).result.messages).toMatchObject({ total: 3 });
		expect(await subjectsIn(archive)).toEqual(['other', 'the one in cur', 'the one in new']);
		remove(dir);
		expect((await packOnce(archive, store.spec, { now: DAY_ZERO + DAY })).result.messages).toMatchObject({ total: 2 });
		await expectWhole(archive, store);
		expect((await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY })).result.messages).toMatchObject({
			total: 2,
			added: 0,
			changed: 0,
			removed: 0,
		});
	});
});

describe('the folder that holds most of an account’s mail', () => {
	async function makePlace() {
		const store = makeMailStore();
		for (let n = 0; n < 20; n++) store.put(`anna/Big/${n}.big:2,S`);
		store.put('anna/INBOX/1.inbox:2,S');
		const archive = join(temporaryFolder(), 'archive');
		await packOnce(archive, store.spec, { now: DAY_ZERO });
		return { store, archive, top: join(store.root, 'anna', 'Maildir') };
	}

	it('may be renamed', async () => {
		const { store, archive, top } = await makePlace();
		renameSync(join(top, '.Big'), join(top, '.Large'));
		const { result, findings } = await packOnce(archive, store.spec, { now: NOW });
		expect({ findings, ...result }).toMatchObject({ findings: [], messages: { total: 21, added: 20, removed: 20 } });
		await expectWhole(archive, store);
	});

	it('may be filed away into another', async () => {
		const { store, archive } = await makePlace();
		for (let n = 0; n < 20; n++) store.rename(`anna/Big/${n}.big:2,S`, `anna/Archive/${n}.big:2,S`);
		expect((await packOnce(archive, store.spec, { now: NOW })).result.messages).toMatchObject({ total: 21, removed: 20 });
		await expectWhole(archive, store);
	});

	it.each([
		['emptied', 'cur'],
		['gone', ''],
	])('may not be %s without a word, and nothing is removed', async (_what, dir) => {
		const { store, archive, top } = await makePlace();
		const before = readTreeState(store.root);
		const away = join(temporaryFolder(), 'away');
		const folder = join(top, '.Big', dir);
		renameSync(folder, away);
		if (dir !== '') mkdirSync(folder, { mode: 0o700 });
		await expect(packOnce(archive, store.spec, { now: NOW })).rejects.toMatchObject({ code: 'mass-removal' });
		const to = temporaryFolder();
		await restoreOnce(archive, to);
		expect(compareTreeStates(before, readTreeState(to))).toEqual([]);
		expect((await packOnce(archive, store.spec, { now: NOW, allowMassRemoval: true })).result.messages).toMatchObject({
			total: 1,
			removed: 20,
		});
	});

	it('may not be emptied while as little as this comes in', async () => {
		const { store, archive } = await makePlace();
		for (let n = 0; n < 20; n++) store.remove(`anna/Big/${n}.big:2,S`);
		for (let n = 0; n < 9; n++) store.put(`anna/INBOX/${n}.news:2,`);
		await expect(packOnce(archive, store.spec, { now: NOW })).rejects.toMatchObject({ code: 'mass-removal' });
	});
});
