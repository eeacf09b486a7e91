import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ListedFacts, listedLines, listedPlacement, openCatalog } from '../../src/catalog/index.ts';
import { FLAGS, parseAccountName, parseFolderName } from '../../src/domain/index.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { idOf } from '../support/words.ts';
import { bundleWith } from './attachment-lines.ts';

const ACCOUNT = parseAccountName('anna@example.org');
const FOLDER = parseFolderName('INBOX');

/** Few characters, so that fields of one placement are made of the same as those of the next. */
const anyText = fc.string({ unit: fc.constantFrom('a', ',', ':', '\0', '\n', '"', '\\', 'é', '😀'), maxLength: 4 });
const nameText = anyText.map((text) => text.replaceAll('\0', ''));

const facts: fc.Arbitrary<ListedFacts> = fc.record(
	{
		key: nameText.filter((text) => text !== ''),
		flags: fc.subarray([...FLAGS]),
		keywords: fc.uniqueArray(anyText, { maxLength: 2 }),
		uid: fc.integer({ min: 1, max: 0xffff_ffff }),
		dir: fc.constantFrom('cur' as const, 'new' as const),
		info: nameText.filter((text) => text !== ''),
		uidlist: anyText.filter((text) => text !== ''),
	},
	{ requiredKeys: ['key', 'flags', 'keywords'] },
);

test('a placement as the catalog tells it is the text of what a listing found, and of nothing else', () => {
	fc.assert(
		fc.property(fc.uniqueArray(facts, { selector: ({ key }) => key, minLength: 1, maxLength: 8 }), (all) => {
			const catalog = openCatalog({ kind: 'memory' });
			const words = all.map((one) => ({
				type: 'placed' as const,
				account: ACCOUNT,
				folder: FOLDER,
				message: idOf('a message'),
				date: '2026-01-01T00:00:00.000Z',
				...one,
			}));
			catalog.begin();
			catalog.apply(bundleWith('volatile', words), null);
			const folder = catalog.pack.folders(ACCOUNT).get(FOLDER);
			if (folder === undefined) throw new Error('the folder is not there');
			const lines = catalog.pack.placementLines(folder);
			expect(new Set(lines)).toEqual(new Set(all.map(listedLines())));
			expect(new Set(lines).size).toBe(all.length);
			const byKey = new Map(lines.map(listedPlacement).map((placement) => [placement.key, placement]));
			for (const one of all) expect(byKey.get(one.key)).toEqual(one);
			catalog.close();
		}),
		propertyRuns(200),
	);
});

test('a text gives back all that a listing found: no two that differ have the same', () => {
	fc.assert(
		fc.property(facts, (one) => {
			expect(listedPlacement(listedLines()(one))).toEqual(one);
		}),
		propertyRuns(200),
	);
});
