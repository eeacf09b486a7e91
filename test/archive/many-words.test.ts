import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inOrder, MAX_WORDS } from '../../src/archive/bundle-builder.ts';
import type { Word } from '../../src/domain/index.ts';
import { type ControlFile, type MailSource, openMaildirSource } from '../../src/sources/index.ts';
import { packOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { relistedSource } from '../support/changed-source.ts';
import { listedBundles, wordsIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';
import { placedAt, placeOf } from '../support/words.ts';

/** A source whose account has these files beside its mail. */
function withControls(store: MailStore, controls: readonly ControlFile[]): MailSource {
	return relistedSource(openMaildirSource(store.spec), (listing) => listing, {
		controls: async () => ({ controls, findings: [], complete: true }),
	});
}

function controlFiles(count: number, content: string): ControlFile[] {
	const date = new Date(DAY_ZERO).toISOString();
	return Array.from({ length: count }, (_, n) => ({ path: `sieve/${String(n).padStart(6, '0')}`, content, date }));
}

test('a pack of more words than one bundle may have writes several, and they rebuild to the same catalog', async () => {
	const store = makeMailStore();
	for (let n = 0; n < 4; n++) store.put(`anna/INBOX/${n}.a:2,S`);
	const archive = join(temporaryFolder(), 'archive');
	const pack = (night: number, controls: readonly ControlFile[]) =>
		packOnce(archive, store.spec, { sources: [withControls(store, controls)], now: DAY_ZERO + night * DAY });

	const first = await pack(0, controlFiles(MAX_WORDS + 50, 'YQ=='));
	expect(first).toMatchObject({ findings: [], result: { volatile: { bundles: 2 }, messages: { total: 4 } } });
	for (const { lines } of await listedBundles(archive)) expect(wordsIn(lines).length).toBeLessThanOrEqual(MAX_WORDS);
	// Compares the catalog with one built anew from the bundles.
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);

	// As many removals; what was cut before is dead now.
	store.remove('anna/INBOX/3.a:2,S');
	const second = await pack(1, controlFiles(30, 'Yg=='));
	expect(second).toMatchObject({ findings: [], result: { messages: { total: 3, removed: 1 } } });
	const listed = await listedBundles(archive);
	expect(listed.length).toBeGreaterThan(2);
	for (const { lines } of listed) expect(wordsIn(lines).length).toBeLessThanOrEqual(MAX_WORDS);
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
});

test('a pack of large files beside the mail writes several bundles: a manifest is read whole into memory', async () => {
	const store = makeMailStore();
	store.put('anna/INBOX/1.a:2,S');
	const archive = join(temporaryFolder(), 'archive');
	const controls = controlFiles(100, 'YWJj'.repeat(1 << 18));
	const first = await packOnce(archive, store.spec, { sources: [withControls(store, controls)], now: DAY_ZERO });
	expect(first).toMatchObject({ findings: [], result: { volatile: { bundles: 2 }, messages: { total: 1 } } });
	const counts = (await listedBundles(archive)).map(({ lines }) => lines.filter(({ type }) => type === 'control').length);
	expect(counts).toEqual([64, 36]);
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
});

test('inOrder() puts removals before what is made anew, from the inside out, and keeps the order of equals', () => {
	const place = placeOf('anna/INBOX/1.a');
	const { account, folder } = place;
	const words: Word[] = [
		placedAt('anna/INBOX/2.a', 'two'),
		{ type: 'control', account, path: 'a', date: '2026-01-01T00:00:00.000Z', content: '' },
		{ type: 'folder', account, folder, dir: '' },
		{ type: 'account', account, source: 'maildir:/mail', layout: 'maildir++' },
		{ type: 'account-removed', account },
		{ type: 'folder-removed', account, folder },
		{ type: 'control-removed', account, path: 'a' },
		{ type: 'removed', ...place },
		placedAt('anna/INBOX/1.a', 'one'),
	];
	const before = [...words];
	expect(wordsIn(inOrder(words))).toEqual([
		'removed anna/INBOX/1.a',
		'control-removed anna/a',
		'folder-removed anna/INBOX',
		'account-removed anna',
		'account anna',
		'folder anna/INBOX',
		'control anna/a',
		'placed anna/INBOX/2.a',
		'placed anna/INBOX/1.a',
	]);
	expect(words).toEqual(before);
});
