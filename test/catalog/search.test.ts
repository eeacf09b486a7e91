import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { DEFAULT_POLICY, type HeaderFacts, type ManifestLine, type PartFacts, parseSearchQuery } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { bundleOf, messageOf, placedAt } from '../support/words.ts';
import { attachmentId, bundleWith, partOf, recipeOf } from './attachment-lines.ts';

interface Mail extends HeaderFacts {
	readonly place: string;
	readonly at: string;
	readonly size: number;
}

/** A picture in the text, which nobody calls an attachment. */
const PICTURE: PartFacts = { id: attachmentId('picture'), type: 'image/png', size: 9000, disposition: 'inline' };

const MAILS: readonly Mail[] = [
	{
		place: 'anna@example.org/INBOX/roof',
		at: '2026-01-01',
		size: 1000,
		from: 'Bob Builder <bob@yard.example>',
		subject: 'The roof is done',
	},
	{
		place: 'anna@example.org/INBOX/bill',
		at: '2026-02-01',
		size: 2000,
		from: 'Carol <carol@bank.example>',
		subject: 'Rechnung für Müller',
	},
	{ place: 'anna@example.org/INBOX/naive', at: '2026-02-15', size: 2500, from: 'Zoë <zoe@cafe.example>', subject: 'A naïve résumé' },
	{
		place: 'anna@example.org/Projects/Alpha/plan',
		at: '2026-03-01',
		size: 3000,
		to: 'bob@yard.example',
		subject: 'done: is roof the plan',
	},
	{ place: 'anna@example.org/Projects/greek', at: '2026-03-05', size: 3500, subject: 'Γειά σου Κόσμε' },
	{ place: 'ben@example.org/projects/beta', at: '2026-04-01', size: 4000, cc: 'roof@list.example', subject: '明日の会議の資料について' },
	{
		place: 'ben@example.org/100%/share',
		at: '2026-05-01',
		size: 5000,
		subject: 'Invoices OR receipts',
		messageId: '<odd*"id@example.org>',
	},
	{ place: 'ben@example.org/100x/below/other', at: '2026-06-01', size: 6000, from: 'Иван <ivan@example.net>', subject: 'Отчёт за май' },
	{ place: 'ben@example.org/Kana/kana', at: '2025-01-01', size: 100, subject: 'ﾆｭｳｶｲｷﾄﾞｳ' },
];

let catalog: Catalog;

beforeAll(() => {
	catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	const lines: ManifestLine[] = [];
	for (const { place, at, size, ...headers } of MAILS) {
		lines.push(messageOf(place, { size, headers }), placedAt(place, place, { date: `${at}T12:00:00.000Z` }));
	}
	catalog.apply(bundleOf('volatile', lines), { policy: DEFAULT_POLICY });
});

/** The last parts of the places found, newest first. */
function found(query: string, limit = 100): string[] {
	return catalog.search(parseSearchQuery(query), limit).map(({ key }) => key);
}

test('words are found in any header and in any order, without regard to case', () => {
	expect(found('roof')).toEqual(['beta', 'plan', 'roof']);
	expect(found('DONE roof')).toEqual(['plan', 'roof']);
	expect(found('roof missing')).toEqual([]);
	expect(found('roo')).toEqual([]);
});

test('a phrase is found only where its words stand next to each other', () => {
	expect(found('"roof is done"')).toEqual(['roof']);
	expect(found('"is roof"')).toEqual(['plan']);
	expect(found('"done roof"')).toEqual([]);
});

test('a star lets the last word go on', () => {
	expect(found('roo*')).toEqual(['beta', 'plan', 'roof']);
	expect(found('"the roo"*')).toEqual(['roof']);
	expect(found('subject:inv*')).toEqual(['share']);
});

test('a minus leaves out what matches', () => {
	expect(found('roof -plan')).toEqual(['beta', 'roof']);
	expect(found('roof -from:bob')).toEqual(['beta', 'plan']);
	expect(found('roof -"roof is done"')).toEqual(['beta', 'plan']);
	expect(found('-roof account:anna@example.org')).toEqual(['greek', 'naive', 'bill']);
});

test('from:, to:, cc: and subject: look into one header only', () => {
	expect(found('bob')).toEqual(['plan', 'roof']);
	expect(found('from:bob')).toEqual(['roof']);
	expect(found('to:bob@yard.example')).toEqual(['plan']);
	expect(found('cc:roof')).toEqual(['beta']);
	expect(found('subject:"the plan"')).toEqual(['plan']);
	expect(found('from:bob subject:plan')).toEqual([]);
});

test('diacritics may be left out or given', () => {
	expect(found('muller')).toEqual(['bill']);
	expect(found('MÜLLER')).toEqual(['bill']);
	expect(found('Mu\u0308ller')).toEqual(['bill']);
	expect(found('"naive resume"')).toEqual(['naive']);
	expect(found('from:zoe')).toEqual(['naive']);
	expect(found('γεια')).toEqual(['greek']);
	expect(found('отчет')).toEqual(['other']);
});

test('a part of a Japanese subject is found, wherever it begins', () => {
	expect(found('会議')).toEqual(['beta']);
	expect(found('議の資')).toEqual(['beta']);
	expect(found('subject:"資料について"')).toEqual(['beta']);
	expect(found('料資')).toEqual([]);
	expect(found('会資')).toEqual([]);
	expect(found('明日*')).toEqual(['beta']);
	expect(found('カイキ')).toEqual(['kana']);
	expect(found('ガイキ')).toEqual([]);
});

test('before: is exclusive, after: inclusive, larger: and smaller: exclusive', () => {
	expect(found('before:2026-02-01T12:00:00Z')).toEqual(['roof', 'kana']);
	expect(found('after:2026-05-01T12:00:00Z')).toEqual(['other', 'share']);
	expect(found('after:2026-02-01 before:2026-03-01')).toEqual(['naive', 'bill']);
	expect(found('larger:5000')).toEqual(['other']);
	expect(found('smaller:2000')).toEqual(['roof', 'kana']);
	expect(found('larger:999 smaller:2001')).toEqual(['bill', 'roof']);
});

test('account: is exact; folder: takes what lies below, ignores case and knows no wildcards', () => {
	expect(found('account:ben@example.org roof')).toEqual(['beta']);
	expect(found('account:ben')).toEqual([]);
	expect(found('folder:projects')).toEqual(['beta', 'greek', 'plan']);
	expect(found('folder:Projects/Alpha')).toEqual(['plan']);
	expect(found('folder:Proj')).toEqual([]);
	expect(found('folder:100%')).toEqual(['share']);
	expect(found('folder:100_')).toEqual([]);
	expect(found('folder:100x folder:Projects/Alpha')).toEqual(['other', 'plan']);
});

test('message-id: is exact, odd characters and all', () => {
	expect(found('message-id:<odd*"id@example.org>')).toEqual(['share']);
	expect(found('message-id:odd')).toEqual([]);
});

test('the newest come first, and at most so many', () => {
	expect(found('after:2026-01-01', 3)).toEqual(['other', 'share', 'beta']);
});

test('words of the index’s own grammar are plain words', () => {
	expect(found('OR')).toEqual(['share']);
	expect(found('Invoices OR receipts')).toEqual(['share']);
	expect(found('roof NOT done')).toEqual([]);
	expect(found('"roof AND done"')).toEqual([]);
	expect(found('NEAR(roof')).toEqual([]);
});

test('a query of nothing but grammar characters around a word finds the word', () => {
	for (const query of ['"roof"', '(roof)', '^roof', '{subject}roof', '+roof+', 'roof;--', "roof'", 'roof\\', '[roof]', 'roof^2', '*roof']) {
		expect(() => found(query), query).not.toThrow();
	}
	for (const query of ['(roof)', '^roof', '+roof+', 'roof;--', "roof'", '[roof]', 'roof"']) {
		expect(found(query), query).toEqual(['beta', 'plan', 'roof']);
	}
});

test('no text whatever reaches the grammar of the index', () => {
	const text = fc.string({ unit: fc.constantFrom(...'"*^:(){}[]+-,\\\'\u0000ab N会ü\u0308\u200b;%_'), maxLength: 12 });
	const query = fc.record({
		field: fc.constantFrom('any' as const, 'from' as const, 'to' as const, 'cc' as const, 'subject' as const, 'filename' as const),
		text,
		phrase: fc.boolean(),
		prefix: fc.boolean(),
		not: fc.boolean(),
	});
	fc.assert(
		fc.property(fc.array(query, { maxLength: 3 }), text, (terms, folder) => {
			catalog.search({ terms, accounts: [folder], folders: [], messageId: folder }, 10);
			catalog.search({ terms, accounts: [], folders: folder === '' ? [] : [folder] }, 10);
		}),
		propertyRuns(),
	);
});

test('files are found by name, by plain words too, and has: tells who has any', () => {
	const other = openCatalog({ kind: 'memory' });
	other.begin();
	const mails: [string, ManifestLine][] = [
		['bare', messageOf('bare', { headers: { subject: 'the report is late' } })],
		['final', recipeOf('final', [partOf('1', { name: 'annual-report.pdf' }), partOf('2', { name: 'Übersicht.xlsx' })])],
		['draft', recipeOf('draft', [partOf('3', { name: 'reporting draft.doc' })], { headers: { subject: 'pdf to come' } })],
		['small', { ...messageOf('small'), attachments: [{ name: '会議の資料.pdf', type: 'application/pdf', size: 9 }] }],
		['nameless', { ...messageOf('nameless'), attachments: [{ type: 'text/plain', size: 9, disposition: 'attachment' }] }],
		['picture', recipeOf('picture', [PICTURE])],
	];
	other.apply(
		bundleWith('volatile', [...mails.map(([, line]) => line), ...mails.map(([name]) => placedAt(`a@x.example/INBOX/${name}`, name))]),
		{
			policy: DEFAULT_POLICY,
		},
	);
	const keys = (query: string): string[] => other.search(parseSearchQuery(query), 100).map(({ key }) => key);
	expect(keys('has:attachment')).toEqual(['draft', 'final', 'nameless', 'small']);
	expect(keys('-has:attachment')).toEqual(['bare', 'picture']);
	expect(keys('has:attachment subject:pdf')).toEqual(['draft']);
	expect(keys('filename:annual-report.pdf')).toEqual(['final']);
	expect(keys('filename:report.pdf')).toEqual(['final']);
	expect(keys('filename:pdf')).toEqual(['final', 'small']);
	expect(keys('filename:report')).toEqual(['final']);
	expect(keys('filename:report*')).toEqual(['draft', 'final']);
	expect(keys('filename:"reporting draft"')).toEqual(['draft']);
	expect(keys('-filename:pdf has:attachment')).toEqual(['draft', 'nameless']);
	expect(keys('filename:ubersicht')).toEqual(['final']);
	expect(keys('filename:資料')).toEqual(['small']);
	expect(keys('filename:"pdf übersicht"'), 'a phrase that spans two names').toEqual([]);
	expect(keys('report')).toEqual(['bare', 'final']);
	expect(keys('-pdf')).toEqual(['bare', 'nameless', 'picture']);
	other.close();
});

test('search finds nothing that is no longer placed, and each place of what is placed twice', () => {
	const other = openCatalog({ kind: 'memory' });
	other.begin();
	const message = messageOf('twice', { headers: { subject: 'twice' } });
	other.apply(bundleOf('sealed', [message, placedAt('a@x.example/INBOX/1', 'twice'), placedAt('b@x.example/INBOX/2', 'twice')]), {
		policy: DEFAULT_POLICY,
	});
	const query = parseSearchQuery('subject:twice');
	expect(other.search(query, 10).map(({ account }) => account)).toEqual(['a@x.example', 'b@x.example']);
	expect(other.placementsOf(message.id).map(({ key }) => key)).toEqual(['1', '2']);
	const { account, folder } = placedAt('a@x.example/INBOX/1', 'twice');
	other.apply(bundleOf('volatile', [{ type: 'removed', account, folder, key: '1' }]), { policy: DEFAULT_POLICY });
	expect(other.search(query, 10).map(({ account: name }) => name)).toEqual(['b@x.example']);
	other.close();
});
