import { readdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_BUNDLES, pack } from '../../../src/archive/index.ts';
import { DEFAULT_POLICY, MailsealError, SILENT } from '../../../src/domain/index.ts';
import { type MailSource, openMaildirSource } from '../../../src/sources/index.ts';
import { archiveAt, inThisThread, never, packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../../support/archive.ts';
import { changedSource } from '../../support/changed-source.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../../support/tree-state.ts';

/** Too large to be read at once. */
const LARGE_MAIL = Buffer.alloc(64 * 1024 * 1024 + 1);
LARGE_MAIL.write('Subject: large\n\n');

/** The source of a store where something happens between listing a folder and reading its messages, or when a large one is opened. */
function disturbed(store: MailStore, disturb: { readonly afterListing?: () => void; readonly beforeOpening?: () => void }): MailSource {
	const source = openMaildirSource(store.spec);
	return {
		spec: source.spec,
		accounts: (signal) => source.accounts(signal),
		look: (account) => source.look(account),
		controls: (account) => source.controls(account),
		async listFolder(account, folder) {
			const listing = await source.listFolder(account, folder);
			disturb.afterListing?.();
			return listing;
		},
		find: (account, folder, key) => source.find(account, folder, key),
		measure: (path) => source.measure(path),
		openLarge(path) {
			disturb.beforeOpening?.();
			return source.openLarge(path);
		},
	};
}

function packFrom(source: MailSource, archive: string, options: { readonly rescan?: boolean } = {}) {
	return pack(
		archiveAt(archive),
		{
			sources: [source],
			policy: DEFAULT_POLICY,
			bundles: DEFAULT_BUNDLES,
			now: DAY_ZERO + DAY,
			rescan: options.rescan ?? false,
			allowMassRemoval: false,
			dryRun: false,
			progress: SILENT,
			signal: never,
		},
		inThisThread(),
	);
}

function once(work: () => void): () => void {
	let done = false;
	return () => {
		if (!done) work();
		done = true;
	};
}

async function expectWhole(archive: string, store: MailStore): Promise<void> {
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(archive, to)).findings).toEqual([]);
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
}

function makePlace(): { store: MailStore; archive: string; cur: string } {
	const store = makeMailStore();
	for (const number of [1, 2, 3]) store.put(`anna/INBOX/${number}.mail:2,`);
	return { store, archive: join(temporaryFolder(), 'archive'), cur: join(store.root, 'anna/Maildir/cur') };
}

test('a message that is removed between listing and reading is left out without a word', async () => {
	const { store, archive } = makePlace();
	const source = disturbed(store, { afterListing: () => store.remove('anna/INBOX/2.mail:2,') });
	const { result, findings } = await packFrom(source, archive);
	expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 2, added: 2 } });
	await expectWhole(archive, store);
	expect((await packOnce(archive, store.spec)).result.messages).toMatchObject({ total: 2, added: 0, changed: 0, removed: 0 });
});

test('a message that is renamed between listing and reading is packed under its new name', async () => {
	const { store, archive } = makePlace();
	const source = disturbed(store, { afterListing: () => store.rename('anna/INBOX/2.mail:2,', 'anna/INBOX/2.mail:2,FS') });
	const { result, findings } = await packFrom(source, archive);
	expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 3, added: 3 } });
	await expectWhole(archive, store);
});

test('a message that cannot be looked for again is a finding, and the next pack tries again', async () => {
	const { store, archive, cur } = makePlace();
	const hide = once(() => renameSync(join(cur, '2.mail:2,'), join(cur, '../tmp/2.mail')));
	const source = changedSource(disturbed(store, { afterListing: hide }), {
		async find() {
			throw new MailsealError('io', 'Cannot look at "2.mail": ELOOP');
		},
	});
	const { result, findings } = await packFrom(source, archive);
	expect(findings).toMatchObject([{ code: 'message-unreadable', subject: 'anna/INBOX/2.mail', text: 'Cannot look at "2.mail": ELOOP' }]);
	expect(result.messages).toMatchObject({ total: 2, added: 2 });
	renameSync(join(cur, '../tmp/2.mail'), join(cur, '2.mail:2,'));
	utimesSync(cur, new Date(DAY_ZERO), new Date(DAY_ZERO));
	expect((await packOnce(archive, store.spec)).result.messages).toMatchObject({ total: 3, added: 1 });
});

test('messages that grow between listing and reading are packed as they are then', async () => {
	const { store, archive } = makePlace();
	for (const name of ['4.one', '5.two']) store.put(`anna/INBOX/${name}:2,`, { content: `Subject: ${name}\n\n${'grows '.repeat(250_000)}` });
	const source = openMaildirSource(store.spec);
	const listedEarlier = changedSource(source, { measure: (path) => ({ date: source.measure(path)?.date ?? 0, size: 10 }) });
	const { result, findings } = await packFrom(listedEarlier, archive);
	expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 5, added: 5 } });
	await expectWhole(archive, store);
});

test('a message that moves to another folder between listing and reading is there after the next pack', async () => {
	const { store, archive } = makePlace();
	store.put('anna/Other/9.other:2,');
	const move = once(() => store.rename('anna/INBOX/2.mail:2,', 'anna/Other/2.mail:2,'));
	await packFrom(disturbed(store, { afterListing: move }), archive);
	await packOnce(archive, store.spec);
	await expectWhole(archive, store);
});

test.each([{ rescan: false }, { rescan: true }])(
	'a large message that is renamed as it is opened is packed under its new name: %j',
	async ({ rescan }) => {
		const { store, archive, cur } = makePlace();
		store.put('anna/INBOX/4.large:2,', { content: LARGE_MAIL });
		if (rescan) expect((await packOnce(archive, store.spec, { now: DAY_ZERO })).result.messages.total).toBe(4);
		const rename = once(() => renameSync(join(cur, '4.large:2,'), join(cur, '4.large:2,S')));
		const { result, findings } = await packFrom(disturbed(store, { beforeOpening: rename }), archive, { rescan });
		expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 4, removed: 0 } });
		await expectWhole(archive, store);
	},
);

test('a large message that is removed as it is opened is left out', async () => {
	const { store, archive, cur } = makePlace();
	store.put('anna/INBOX/4.large:2,', { content: LARGE_MAIL });
	const source = disturbed(store, { beforeOpening: once(() => unlinkSync(join(cur, '4.large:2,'))) });
	const { result, findings } = await packFrom(source, archive);
	expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 3 } });
	await expectWhole(archive, store);
});

test('a large message is copied before its bundle is written, so that its owner cannot stop the pack', async () => {
	const { store, archive } = makePlace();
	store.put('anna/INBOX/4.large:2,', { content: LARGE_MAIL });
	const source = openMaildirSource(store.spec);
	let readings = 0;
	const changing = changedSource(source, {
		openLarge(path) {
			const large = source.openLarge(path);
			if (large === null) return null;
			return {
				...large,
				*chunks() {
					readings++;
					for (const chunk of large.chunks()) yield readings > 2 ? Buffer.alloc(chunk.length, 'x') : chunk;
				},
			};
		},
	});
	const { result, findings } = await packFrom(changing, archive);
	expect({ findings, messages: result.messages }).toMatchObject({ findings: [], messages: { total: 4 } });
	expect(readdirSync(archive).filter((name) => name.startsWith('.tmp'))).toEqual([]);
	await expectWhole(archive, store);
});

test('a large message that changes while it is copied is a finding', async () => {
	const { store, archive, cur } = makePlace();
	store.put('anna/INBOX/4.large:2,', { content: LARGE_MAIL });
	const source = openMaildirSource(store.spec);
	const changing = changedSource(source, {
		openLarge(path) {
			const large = source.openLarge(path);
			if (large === null) return null;
			const change = once(() => writeFileSync(join(cur, '4.large:2,'), 'X', { flag: 'r+' }));
			return {
				...large,
				*chunks() {
					yield* large.chunks();
					change();
				},
			};
		},
	});
	const { result, findings } = await packFrom(changing, archive);
	expect(findings).toMatchObject([
		{ code: 'message-unreadable', subject: 'anna/INBOX/4.large', text: 'Cannot read message: it changed while it was read' },
	]);
	expect(result.messages).toMatchObject({ total: 3 });
	expect(readdirSync(archive).filter((name) => name.startsWith('.tmp'))).toEqual([]);
});

test('a large message that cannot be read is a finding, and the next pack tries again', async () => {
	const { store, archive, cur } = makePlace();
	store.put('anna/INBOX/4.large:2,', { content: LARGE_MAIL });
	const source = disturbed(store, {
		beforeOpening() {
			throw new MailsealError('io', 'Cannot read message "4.large": the disk reports a read error');
		},
	});
	const { result, findings } = await packFrom(source, archive);
	expect(findings).toMatchObject([{ code: 'message-unreadable', severity: 'error', subject: 'anna/INBOX/4.large' }]);
	expect(result.messages).toMatchObject({ total: 3 });
	utimesSync(cur, new Date(DAY_ZERO), new Date(DAY_ZERO));
	expect((await packOnce(archive, store.spec)).result.messages).toMatchObject({ total: 4, added: 1 });
	await expectWhole(archive, store);
});
