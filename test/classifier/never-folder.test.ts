import { describe, expect, it } from 'vitest';
import { isNeverFolder } from '../../src/classifier/never-folder.ts';
import { parseFolderName } from '../../src/domain/index.ts';

function matches(folder: string, never: string): boolean {
	return isNeverFolder(parseFolderName(folder), [never]);
}

describe('isNeverFolder()', () => {
	it.each(['Trash', 'TRASH', 'trash/2020', 'Trash/a/b', 'INBOX/Trash', 'inbox/tRASH', 'INBOX/Trash/2020'])(
		'takes %s for Trash',
		(folder) => {
			expect(matches(folder, 'Trash')).toBe(true);
		},
	);

	it.each(['INBOX', 'Trashed', 'My Trash', 'Projects/Trash', 'INBOX/Projects/Trash', 'Tras', 'INBOX/Trashy', 'INBOXTrash'])(
		'does not take %s for Trash',
		(folder) => {
			expect(matches(folder, 'Trash')).toBe(false);
		},
	);

	it('compares each level of a name that has several', () => {
		expect(matches('lists/NOISE/daily', 'Lists/Noise')).toBe(true);
		expect(matches('INBOX/Lists/Noise', 'lists/noise')).toBe(true);
		expect(matches('Lists', 'Lists/Noise')).toBe(false);
		expect(matches('Noise', 'Lists/Noise')).toBe(false);
	});

	it('knows letters beyond ASCII in either case and either normal form', () => {
		expect(matches('PAPIERKÖRBE', 'Papierkörbe')).toBe(true);
		expect(matches('Papierko\u0308rbe/Alt', 'Papierkörbe')).toBe(true);
		expect(matches('ΚΆΔΟΣ', 'κάδος')).toBe(true);
		expect(matches('Корзина', 'КОРЗИНА')).toBe(true);
	});

	it('matches nothing without rules, or with an empty one', () => {
		expect(isNeverFolder(parseFolderName('Trash'), [])).toBe(false);
		expect(matches('Trash', '')).toBe(false);
		expect(matches('INBOX', '')).toBe(false);
	});
});
