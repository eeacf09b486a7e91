import { beforeAll, expect, test } from 'vitest';
import { type BundleToApply, type Catalog, openCatalog } from '../../src/catalog/index.ts';
import { type BundleKind, DEFAULT_POLICY, type ManifestLine, parseAccountName } from '../../src/domain/index.ts';
import { placedAt, placeOf } from '../support/words.ts';
import { attachmentId, attachmentOf, bundleWith, partOf, recipeOf } from './attachment-lines.ts';

let catalog: Catalog;
const bundles: BundleToApply[] = [];

function apply(kind: BundleKind, ...lines: ManifestLine[]): void {
	const bundle = bundleWith(kind, lines);
	catalog.apply(bundle, { policy: DEFAULT_POLICY });
	bundles.push(bundle);
}

const ANNA = parseAccountName('anna@example.org');
const CLEO = parseAccountName('cleo@example.net');

/** Bundles by number: 0 sealed attachments, 1 sealed messages, 2 and 3 volatile. */
beforeAll(() => {
	catalog = openCatalog({ kind: 'memory' });
	catalog.begin();
	apply('sealed', attachmentOf('report', 1000), attachmentOf('logo', 10));
	apply(
		'sealed',
		recipeOf('red', [
			partOf('report', { size: 1000, name: 'Report.pdf' }),
			partOf('logo', { size: 10, name: 'logo.png', type: 'image/png' }),
		]),
		placedAt('anna@example.org/INBOX/1', 'red'),
		placedAt('anna@example.org/Sent/2', 'red'),
	);
	apply(
		'volatile',
		recipeOf('blue', [partOf('report', { size: 1000, name: 'Copy of Report.pdf' }), partOf('plan', { size: 7000 })]),
		recipeOf('green', [partOf('report', { size: 1000, name: 'Report.pdf' }), partOf('logo', { size: 10, name: 'logo.png' })]),
		recipeOf('gone', [partOf('report', { size: 1000, name: 'nobody sees this.pdf' }), partOf('secret')]),
		attachmentOf('plan', 7000),
		attachmentOf('secret'),
		attachmentOf('report', 1000),
		placedAt('ben@example.org/INBOX/1', 'blue'),
		placedAt('cleo@example.net/INBOX/1', 'green'),
		placedAt('cleo@example.net/INBOX/2', 'gone'),
	);
	apply(
		'volatile',
		...['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name): ManifestLine[] => [
			recipeOf(name, [
				partOf('many', { size: 2, name: `${name}.txt`, type: `text/${name}` }),
				partOf('many', { size: 2, name: `${name}.txt` }),
			]),
		]),
		attachmentOf('many', 2),
		attachmentOf('plan', 7000),
		{ type: 'removed', ...placeOf('cleo@example.net/INBOX/2') },
		...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => placedAt(`ben@example.org/INBOX/${name}`, name)),
	);
});

function idAt(index: number) {
	return bundles[index]?.ref.id;
}

test('listAttachments() puts what saves most first, with its messages and accounts of the whole archive', () => {
	const rows = catalog.read.listAttachments({});
	expect(rows).toStrictEqual([
		{
			id: attachmentId('report'),
			size: 1000,
			type: 'application/pdf',
			names: ['Report.pdf', 'Copy of Report.pdf'],
			messages: 3,
			accounts: 3,
			savedBytes: 2000,
			bundle: idAt(0),
			kind: 'sealed',
		},
		{
			id: attachmentId('logo'),
			size: 10,
			type: 'image/png',
			names: ['logo.png'],
			messages: 2,
			accounts: 2,
			savedBytes: 10,
			bundle: idAt(0),
			kind: 'sealed',
		},
		{
			id: attachmentId('many'),
			size: 2,
			type: 'text/a',
			names: ['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt'],
			messages: 6,
			accounts: 1,
			savedBytes: 10,
			bundle: idAt(3),
			kind: 'volatile',
		},
		{
			id: attachmentId('plan'),
			size: 7000,
			type: 'application/pdf',
			names: ['plan'],
			messages: 1,
			accounts: 1,
			savedBytes: 0,
			bundle: idAt(3),
			kind: 'volatile',
		},
	]);
});

test('listAttachments() of an account lists what its mail uses, and its limit cuts what saves least', () => {
	expect(catalog.read.listAttachments({ account: CLEO }).map(({ id, messages }) => [id, messages])).toEqual([
		[attachmentId('report'), 3],
		[attachmentId('logo'), 2],
	]);
	expect(catalog.read.listAttachments({ limit: 2 })).toEqual(catalog.read.listAttachments({}).slice(0, 2));
	expect(catalog.read.listAttachments({ account: parseAccountName('nobody@example.org') })).toEqual([]);
});

test('attachmentBundles() names the bundles that a reader takes attachments from, and no others', () => {
	const sealed = { id: idAt(0), kind: 'sealed', size: bundles[0]?.ref.size, attachments: 2, bytes: 1010 };
	const newest = { id: idAt(3), kind: 'volatile', size: bundles[3]?.ref.size, attachments: 2, bytes: 7002 };
	expect(catalog.read.attachmentBundles({})).toEqual([sealed, newest]);
	expect(catalog.read.attachmentBundles({ account: ANNA })).toEqual([sealed]);
	expect(catalog.read.attachmentBundles({ account: parseAccountName('ben@example.org') })).toEqual([
		{ ...sealed, attachments: 1, bytes: 1000 },
		newest,
	]);
});

test('attachmentTotals() counts the attachments of placed messages', () => {
	expect(catalog.read.attachmentTotals()).toEqual({ attachments: 4, bytes: 8012, sharedBytes: 2020 });
});

test('listBundles() counts attachments, and what is alive of both kinds', () => {
	expect(catalog.read.listBundles({}).map(({ id, messages, attachments, live }) => [id, messages, attachments, live])).toEqual([
		[idAt(0), 0, 2, 2],
		[idAt(1), 1, 0, 1],
		[idAt(2), 3, 3, 2],
		[idAt(3), 6, 2, 8],
	]);
});

test('listMessages() tells how many files a message has, and nothing where it has none', () => {
	const files = new Map(catalog.read.listMessages({ account: CLEO }).map((row) => [row.key, row.files]));
	expect(files).toEqual(new Map([['1', 2]]));
	apply('volatile', { ...recipeOf('inline', [{ id: attachmentId('many'), type: 'image/png', size: 2, disposition: 'inline' }]) });
	apply('volatile', placedAt('dora@example.org/INBOX/1', 'inline'));
	expect(catalog.read.listMessages({ account: parseAccountName('dora@example.org') })[0]).not.toHaveProperty('files');
});
