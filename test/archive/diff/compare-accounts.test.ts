import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccountState, compareAccounts, NO_ACCOUNT, type PlacementChange } from '../../../src/archive/diff/compare-accounts.ts';
import type { PlacementState } from '../../../src/catalog/index.ts';
import { type FolderName, parseFolderName } from '../../../src/domain/index.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { idOf } from '../../support/words.ts';

const FOLDERS = ['INBOX', 'Archive', 'Archive/2026'].map(parseFolderName);
const INBOX = FOLDERS[0] as FolderName;

/** Few of everything, so that the same message comes in many places and the same place with many messages. */
const placement: fc.Arbitrary<PlacementState> = fc.record(
	{
		folder: fc.constantFrom(...FOLDERS),
		key: fc.constantFrom('1.a', '2.b', '3.c', '4.d'),
		message: fc.constantFrom('red', 'green', 'blue').map(idOf),
		flags: fc.subarray(['flagged' as const, 'seen' as const]),
		keywords: fc.subarray(['$label', 'later']),
	},
	{ noNullPrototype: true },
);
const state = fc
	.record({
		placements: fc.uniqueArray(placement, { selector: placeName, maxLength: 9 }),
		empty: fc.subarray([...FOLDERS]),
	})
	.map(({ placements, empty }) => accountOf(placements, empty));

function placeName({ folder, key }: PlacementState): string {
	return `${folder}\n${key}`;
}

function accountOf(placements: readonly PlacementState[], empty: readonly FolderName[] = []): AccountState {
	return {
		folders: new Set([...empty, ...placements.map(({ folder }) => folder)]),
		placements: (folder) => new Map(placements.filter((one) => one.folder === folder).map((one) => [one.key, one])),
		hasMessage: (id) => placements.some(({ message }) => message === id),
	};
}

function placementsOf(account: AccountState): PlacementState[] {
	return [...account.folders].flatMap((folder) => [...account.placements(folder).values()]);
}

/** What goes is taken before what comes is put, since two messages may have changed places. */
function applied(account: AccountState, changes: readonly PlacementChange[]): Map<string, PlacementState> {
	const places = new Map(placementsOf(account).map((one) => [placeName(one), one]));
	for (const change of changes) {
		if (!('before' in change)) continue;
		expect(places.get(placeName(change.before))).toEqual(change.before);
		places.delete(placeName(change.before));
	}
	for (const change of changes) {
		if (!('after' in change)) continue;
		expect(places.has(placeName(change.after))).toBe(false);
		places.set(placeName(change.after), change.after);
	}
	return places;
}

/** The way back: a copy that goes is removed as any other. */
function turnedAround(change: PlacementChange): string {
	const { before, after } = { before: undefined, after: undefined, ...change };
	return JSON.stringify([after ?? null, before ?? null]);
}

function asIs(change: PlacementChange): string {
	const { before, after } = { before: undefined, after: undefined, ...change };
	return JSON.stringify([before ?? null, after ?? null]);
}

function inbox(key: string, message: string, folder = 'INBOX', seen = false): PlacementState {
	return { folder: parseFolderName(folder), key, message: idOf(message), flags: seen ? ['seen'] : [], keywords: [] };
}

function told(before: readonly PlacementState[], after: readonly PlacementState[]): string[] {
	const name = ({ folder, key }: PlacementState): string => `${folder}/${key}`;
	return compareAccounts(accountOf(before), accountOf(after)).placements.map((change) => {
		const places = [...('before' in change ? [name(change.before)] : []), ...('after' in change ? [name(change.after)] : [])];
		return `${change.change} ${[...new Set(places)].join(' > ')}`;
	});
}

describe('compareAccounts()', () => {
	it('gives what makes the one state of the other', () => {
		fc.assert(
			fc.property(state, state, (before, after) => {
				const { placements, foldersMade, foldersRemoved } = compareAccounts(before, after);
				const wanted = new Map(placementsOf(after).map((one) => [placeName(one), one]));
				expect(applied(before, placements)).toEqual(wanted);
				const folders = new Set([...before.folders, ...foldersMade]);
				for (const folder of foldersRemoved) expect(folders.delete(folder)).toBe(true);
				expect(folders).toEqual(after.folders);
			}),
			propertyRuns(),
		);
	});

	it('finds nothing between a state and itself', () => {
		fc.assert(
			fc.property(state, (same) => {
				expect(compareAccounts(same, same)).toEqual({ foldersMade: [], foldersRemoved: [], placements: [] });
			}),
			propertyRuns(),
		);
	});

	it('tells the same of the way back, turned around', () => {
		fc.assert(
			fc.property(state, state, (before, after) => {
				const there = compareAccounts(before, after);
				const back = compareAccounts(after, before);
				expect(back.placements.map(turnedAround).sort()).toEqual(there.placements.map(asIs).sort());
				expect([back.foldersMade, back.foldersRemoved]).toEqual([there.foldersRemoved, there.foldersMade]);
			}),
			propertyRuns(),
		);
	});

	it('calls nothing added or removed where a message only moved, and copied only what the account had', () => {
		fc.assert(
			fc.property(state, state, (before, after) => {
				const { placements } = compareAccounts(before, after);
				for (const change of placements) {
					if (change.change === 'added') expect(before.hasMessage(change.after.message)).toBe(false);
					if (change.change === 'copied') expect(before.hasMessage(change.after.message)).toBe(true);
					const { change: kind } = change;
					if (kind === 'moved') expect(change.before.message).toBe(change.after.message);
					if (kind === 'flagged') expect(placeName(change.before)).toBe(placeName(change.after));
				}
				const messages = (kind: PlacementChange['change']): string[] =>
					placements.flatMap((change) => (change.change === kind ? [('after' in change ? change.after : change.before).message] : []));
				const lost = new Set(messages('removed'));
				expect([...messages('added'), ...messages('copied')].filter((id) => lost.has(id as never))).toEqual([]);
			}),
			propertyRuns(),
		);
	});

	it('takes an account that is not there for an empty one', () => {
		const only = accountOf([inbox('1', 'red')]);
		expect(compareAccounts(NO_ACCOUNT, only)).toMatchObject({ foldersMade: [INBOX], placements: [{ change: 'added' }] });
		expect(compareAccounts(only, NO_ACCOUNT)).toMatchObject({ foldersRemoved: [INBOX], placements: [{ change: 'removed' }] });
	});

	it('pairs what was moved with the place of the same key', () => {
		const before = [inbox('1', 'red'), inbox('2', 'red')];
		expect(told(before, [inbox('2', 'red', 'Archive')])).toEqual(['moved INBOX/2 > Archive/2', 'removed INBOX/1']);
		expect(told(before, [inbox('2', 'red', 'Archive'), inbox('1', 'red', 'Trash')])).toEqual([
			'moved INBOX/2 > Archive/2',
			'moved INBOX/1 > Trash/1',
		]);
	});

	it('tells a copy from a message that is new', () => {
		const before = [inbox('1', 'red')];
		expect(told(before, [inbox('1', 'red'), inbox('2', 'red', 'Archive')])).toEqual(['copied Archive/2']);
		expect(told(before, [inbox('2', 'red', 'Archive'), inbox('3', 'red', 'Trash')])).toEqual([
			'moved INBOX/1 > Archive/2',
			'copied Trash/3',
		]);
		expect(told(before, [...before, inbox('2', 'green'), inbox('3', 'green')])).toEqual(['added INBOX/2', 'added INBOX/3']);
	});

	it('sees two messages that changed places, and another message under a name that was taken', () => {
		expect(told([inbox('1', 'red'), inbox('2', 'green')], [inbox('1', 'green'), inbox('2', 'red')])).toEqual([
			'moved INBOX/2 > INBOX/1',
			'moved INBOX/1 > INBOX/2',
		]);
		expect(told([inbox('1', 'red')], [inbox('1', 'green')])).toEqual(['removed INBOX/1', 'added INBOX/1']);
	});

	it('calls a place flagged where only its flags or keywords are others', () => {
		expect(told([inbox('1', 'red')], [inbox('1', 'red', 'INBOX', true)])).toEqual(['flagged INBOX/1']);
		expect(told([inbox('1', 'red')], [{ ...inbox('1', 'red'), keywords: ['later'] }])).toEqual(['flagged INBOX/1']);
		expect(told([inbox('1', 'red')], [inbox('1', 'red', 'Archive', true)])).toEqual(['moved INBOX/1 > Archive/1']);
	});
});
