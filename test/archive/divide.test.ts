import { expect, test } from 'vitest';
import { divide } from '../../src/archive/divide.ts';
import { DEFAULT_BUNDLES } from '../../src/archive/index.ts';
import type { NewPlacement, Scan, ScannedAccount } from '../../src/archive/scan.ts';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { DEFAULT_POLICY, type PlacedWord, tenantOf, type Word } from '../../src/domain/index.ts';
import { openMaildirSource } from '../../src/sources/index.ts';
import { DAY, DAY_ZERO } from '../support/mail-store.ts';
import { bundleOf, messageOf, placedAt, placeOf } from '../support/words.ts';

const DUE = DAY_ZERO + DEFAULT_POLICY.quietPeriod;
const bundles = { ...DEFAULT_BUNDLES, target: 1000, linger: 10 * DAY };

interface NewMail {
	readonly place: string;
	readonly size: number;
	readonly at?: number;
	readonly flags?: PlacedWord['flags'];
	readonly known?: PlacedWord;
}

function scanOf(mail: readonly NewMail[], words: readonly Word[] = [], isNew = true): Scan {
	const source = openMaildirSource('maildir:/mail/{account}');
	const accounts = mail.map(({ place, size, at = DAY_ZERO, flags = ['seen'], known }): ScannedAccount => {
		const { account, folder, key } = placeOf(place);
		const listed = { key, flags, keywords: [], path: place };
		const added: NewPlacement[] = [{ listed, date: at, size, known: known ?? null }];
		const look = { folder, dir: '', signature: '' };
		return {
			account,
			tenant: tenantOf(account),
			source,
			root: { account, root: '/mail' },
			folders: [{ account, folder, look, facts: { dir: '' }, added, signature: '' }],
			words: [],
			signature: '',
			isNew,
		};
	});
	return { accounts, words, findings: [], counts: { accounts: 0, folders: 0, foldersRead: 0, changed: 0, removed: 0 } };
}

/** A catalog in which these messages wait in a volatile bundle. */
function waitingIn(...mail: { place: string; size: number; date?: string }[]): Catalog {
	const catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	const lines = mail.flatMap(({ place, size, date }) => [
		messageOf(place, { size }),
		placedAt(place, place, { date: date ?? new Date(DAY_ZERO).toISOString() }),
	]);
	catalog.apply(bundleOf('volatile', lines), { policy: DEFAULT_POLICY });
	return catalog;
}

/** Keys of what is sealed tonight, by tenant, and of what is new and stays volatile. */
function divided(seen: Scan, catalog: Catalog, now: number) {
	const { quiet, volatile, bytes } = divide(seen, { catalog, policy: DEFAULT_POLICY, bundles, now });
	return {
		sealed: quiet.map(({ tenant, waiting, incoming }) => [
			tenant,
			...waiting.map(({ key }) => key),
			...[...incoming].map(({ placement }) => placement.listed.key),
		]),
		volatile: volatile.map(({ placement }) => placement.listed.key),
		bytes,
	};
}

test('a tenant’s quiet mail is sealed once it fills a bundle, new and waiting mail together', () => {
	const catalog = waitingIn({ place: 'anna@example.org/INBOX/waits', size: 600 });
	const fills = scanOf([{ place: 'ben@example.org/INBOX/new', size: 400 }]);
	expect(divided(fills, catalog, DUE)).toEqual({ sealed: [['example.org', 'waits', 'new']], volatile: [], bytes: 400 });
	const short = scanOf([{ place: 'ben@example.org/INBOX/new', size: 399 }]);
	expect(divided(short, catalog, DUE)).toEqual({ sealed: [], volatile: ['new'], bytes: 399 });
	const other = scanOf([{ place: 'cleo@example.net/INBOX/new', size: 400 }]);
	expect(divided(other, catalog, DUE)).toEqual({ sealed: [], volatile: ['new'], bytes: 400 });
});

test('or once the longest due of it has lingered', () => {
	const catalog = waitingIn({ place: 'anna@example.org/INBOX/waits', size: 1 });
	expect(divided(scanOf([]), catalog, DUE + 10 * DAY - 1).sealed).toEqual([]);
	expect(divided(scanOf([]), catalog, DUE + 10 * DAY).sealed).toEqual([['example.org', 'waits']]);
	const old = scanOf([{ place: 'ben@example.org/INBOX/old', size: 1, at: DAY_ZERO - 10 * DAY }]);
	expect(divided(old, catalog, DUE).sealed).toEqual([['example.org', 'waits', 'old']]);
});

test('old mail that comes into a known account waits from tonight on, and gets no bundle of its own', () => {
	const old = scanOf([{ place: 'ben@example.org/INBOX/old', size: 1, at: DAY_ZERO - 400 * DAY }], [], false);
	const catalog = waitingIn();
	expect(divided(old, catalog, DUE)).toEqual({ sealed: [], volatile: ['old'], bytes: 1 });
	const line = placedAt('ben@example.org/INBOX/old', 'old', { date: new Date(DAY_ZERO - 400 * DAY).toISOString() });
	catalog.apply(bundleOf('volatile', [messageOf('old'), line]), { policy: DEFAULT_POLICY, now: DUE });
	expect(divided(scanOf([]), catalog, DUE + 10 * DAY - 1).sealed).toEqual([]);
	expect(divided(scanOf([]), catalog, DUE + 10 * DAY).sealed).toEqual([['example.org', 'old']]);
});

test('news about mail that is sealed already does not fill a bundle', () => {
	const catalog = waitingIn({ place: 'anna@example.org/INBOX/1', size: 5000 });
	catalog.apply(
		bundleOf('sealed', [
			messageOf('anna@example.org/INBOX/1', { size: 5000 }),
			placedAt('anna@example.org/INBOX/1', 'anna@example.org/INBOX/1'),
		]),
		null,
	);
	catalog.apply(bundleOf('volatile', [placedAt('anna@example.org/INBOX/1', 'anna@example.org/INBOX/1', { uid: 7 })]), {
		policy: DEFAULT_POLICY,
	});
	expect(divided(scanOf([]), catalog, DUE).sealed).toEqual([]);
});

test('new mail of a folder comes in the order of date and key, each time', () => {
	const seen = scanOf([{ place: 'anna@example.org/INBOX/first', size: 1000 }]);
	const folder = seen.accounts[0]?.folders[0];
	const [first] = folder?.added ?? [];
	if (folder === undefined || first === undefined) throw new Error('no mail');
	const added = ['c', 'a', 'b'].map((key) => ({ ...first, listed: { ...first.listed, key }, date: DAY_ZERO - (key === 'c' ? 1 : 0) }));
	Object.assign(folder, { added: [first, ...added] });
	const [mail] = divide(seen, { catalog: waitingIn(), policy: DEFAULT_POLICY, bundles, now: DUE }).quiet;
	for (let time = 0; time < 2; time++) {
		expect([...(mail?.incoming ?? [])].map(({ placement }) => placement.listed.key)).toEqual(['c', 'a', 'b', 'first']);
	}
});

test('tenants are judged apart and come in the order of their names', () => {
	const catalog = waitingIn({ place: 'x@b.example/INBOX/1', size: 2000 }, { place: 'x@a.example/INBOX/2', size: 2000 });
	const seen = scanOf([
		{ place: 'x@c.example/INBOX/3', size: 2000 },
		{ place: 'x@d.example/INBOX/4', size: 1 },
	]);
	expect(divided(seen, catalog, DUE)).toEqual({
		sealed: [
			['a.example', '2'],
			['b.example', '1'],
			['c.example', '3'],
		],
		volatile: ['4'],
		bytes: 2001,
	});
});

test('what is not due, what never is, and what was known under its key stay volatile', () => {
	const seen = scanOf([
		{ place: 'a@x.example/INBOX/recent', size: 5000, at: DAY_ZERO + 1 },
		{ place: 'a@x.example/INBOX/unread', size: 5000, flags: [] },
		{ place: 'a@x.example/INBOX/draft', size: 5000, flags: ['draft', 'seen'] },
		{ place: 'a@x.example/Trash/old', size: 5000 },
		{ place: 'a@x.example/INBOX/known', size: 5000, known: placedAt('a@x.example/INBOX/known', 'm') },
		{ place: 'a@x.example/INBOX/quiet', size: 5000 },
	]);
	expect(divided(seen, waitingIn(), DUE)).toMatchObject({
		sealed: [['x.example', 'quiet']],
		volatile: ['recent', 'unread', 'draft', 'old', 'known'],
	});
});

test('waiting mail that changed tonight is quiet no more', () => {
	const places = ['flagged', 'removed', 'same'].map((key) => `anna@example.org/INBOX/${key}`);
	const catalog = waitingIn(...places.map((place) => ({ place, size: 1000 })));
	const [flagged = '', removed = ''] = places;
	const words: Word[] = [placedAt(flagged, flagged, { flags: ['flagged'] }), { type: 'removed', ...placeOf(removed) }];
	expect(divided(scanOf([], words), catalog, DUE).sealed).toEqual([['example.org', 'same']]);
});
