import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
	type Archive,
	type ChangeRow,
	type DiffRequest,
	type DiffResult,
	diff,
	listAccounts,
	listFolders,
	listMessages,
	listSnapshots,
	type PlacementRow,
	type SnapshotRow,
} from '../../../src/archive/index.ts';
import { parseAccountName, parseFolderName } from '../../../src/domain/index.ts';
import { archiveAt, packOnce } from '../../support/archive.ts';
import { fastFolder } from '../../support/eventful-night.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { openDice, openRandomLife } from '../../support/random-life.ts';
import { openRemote, quickFolder, syncOnce } from '../../support/target.ts';

const NOW = DAY_ZERO + 100 * DAY;
const LIVES = propertyRuns(4).numRuns;
const NIGHTS = 6;

async function diffOf(archive: Archive, before: string, after: string, request: Partial<DiffRequest> = {}): Promise<DiffResult> {
	const { result, findings } = await diff(archive, { before, after, now: NOW, ...request });
	expect(findings).toEqual([]);
	return result;
}

/** One state as lists show it: accounts, folders, and placements as lines of what a diff compares. */
interface State {
	readonly accounts: Set<string>;
	readonly folders: Set<string>;
	readonly placements: Map<string, string>;
}

function placeOf(account: string, folder: string, key: string): string {
	return [account, folder, key].join('\n');
}

function lineOf({ id, size, flags, keywords }: Pick<PlacementRow, 'id' | 'size' | 'flags' | 'keywords'>): string {
	return JSON.stringify({ id, size, flags: [...flags].sort(), keywords: [...keywords].sort() });
}

async function stateAt(archive: Archive, at: string): Promise<State> {
	const request = { at, now: NOW };
	return {
		accounts: new Set((await listAccounts(archive, request)).result.rows.map(({ account }) => account)),
		folders: new Set((await listFolders(archive, request)).result.rows.map(({ account, folder }) => placeOf(account, folder, ''))),
		placements: new Map(
			(await listMessages(archive, request)).result.rows.map((row) => [placeOf(row.account, row.folder, row.key), lineOf(row)]),
		),
	};
}

function take(from: { delete(name: string): boolean }, name: string): void {
	if (!from.delete(name)) throw new Error(`the diff takes away what is not there: ${name}`);
}

function isPlacement(row: ChangeRow): row is PlacementRow {
	return 'key' in row;
}

/** What a row says of the placement before. */
function lineBefore({ set, unset, ...row }: PlacementRow): string {
	const before = (now: readonly string[], more: readonly string[] = [], less: readonly string[] = []): readonly never[] =>
		[...now.filter((one) => !more.includes(one)), ...less] as never[];
	return lineOf({
		...row,
		flags: before(row.flags, set?.flags, unset?.flags),
		keywords: before(row.keywords, set?.keywords, unset?.keywords),
	});
}

function apply(state: State, rows: readonly ChangeRow[]): State {
	const accounts = new Set(state.accounts);
	const folders = new Set(state.folders);
	const placements = new Map(state.placements);
	for (const row of rows) {
		if (row.change === 'account-made') accounts.add(row.account);
		else if (row.change === 'account-removed') take(accounts, row.account);
		else if (row.change === 'folder-made') folders.add(placeOf(row.account, row.folder, ''));
		else if (row.change === 'folder-removed') take(folders, placeOf(row.account, row.folder, ''));
		else if (isPlacement(row) && row.change !== 'added' && row.change !== 'copied') {
			const { folder, key } = row.was ?? row;
			const place = placeOf(row.account, folder, key);
			expect(placements.get(place)).toBe(lineBefore(row));
			take(placements, place);
		}
	}
	for (const row of rows.filter(isPlacement)) {
		if (row.change === 'removed') continue;
		const place = placeOf(row.account, row.folder, row.key);
		expect(placements.has(place), place).toBe(false);
		placements.set(place, lineOf(row));
	}
	return { accounts, folders, placements };
}

/** One end of a change as a line, so that two lists can be compared. */
function endsOf(rows: readonly ChangeRow[]): (readonly [string, string])[] {
	return rows.map((row) => {
		if (!isPlacement(row)) {
			const name = JSON.stringify(Object.entries(row).filter(([key]) => key !== 'change'));
			return row.change.endsWith('made') ? ['', name] : [name, ''];
		}
		const { folder, key } = row.was ?? row;
		const before = row.change === 'added' || row.change === 'copied' ? '' : `${placeOf(row.account, folder, key)} ${lineBefore(row)}`;
		const after = row.change === 'removed' ? '' : `${placeOf(row.account, row.folder, row.key)} ${lineOf(row)}`;
		return [before, after];
	});
}

function sortedPairs(pairs: readonly (readonly [string, string])[]): string[] {
	return pairs.map((pair) => JSON.stringify(pair)).sort();
}

/** What the counts of a diff say of messages and bytes must be what the snapshots say. */
function expectSums({ counts, rows }: DiffResult, before: SnapshotRow | undefined, after: SnapshotRow | undefined): void {
	const { messages, bytes, accounts } = counts;
	expect(messages.added + messages.copied - messages.removed).toBe(Number(after?.messages) - Number(before?.messages));
	expect(bytes.added - bytes.removed).toBe(Number(after?.bytes) - Number(before?.bytes));
	expect(accounts.made - accounts.removed).toBe(Number(after?.accounts) - Number(before?.accounts));
	const counted = new Map<string, number>(Object.entries(messages));
	for (const change of counted.keys()) expect(rows.filter((row) => row.change === change)).toHaveLength(counted.get(change) ?? 0);
}

test.each(Array.from({ length: LIVES }, (_, index) => index + 1))(
	'between any two random nights, a diff leads from the one state to the other and back, here and at a target: seed %i',
	async (seed) => {
		const dice = openDice(seed);
		const place = fastFolder();
		try {
			const life = openRandomLife(join(place, 'store'), { dice, note: () => {} });
			const dir = join(place, 'archive');
			const policy = { quietPeriod: 3 * DAY, unreadPeriod: 8 * DAY, never: ['Trash'] };
			for (let night = 0; night < NIGHTS; night++) {
				const now = DAY_ZERO + night * DAY;
				life.liveOneDay(now);
				await packOnce(dir, life.store.spec, { now, policy, bundles: { target: 3000, max: 4000, linger: DAY }, allowMassRemoval: true });
			}
			await syncOnce(dir, join(place, 'target'));
			const cache = join(place, 'cache');
			const archive = archiveAt(dir);
			const { rows: snapshots } = (await listSnapshots(archive, { now: NOW })).result;
			const states = new Map<string, State>();
			for (const { name } of snapshots) states.set(name, await stateAt(archive, name));
			for (const [index, { changes, messages }] of snapshots.entries())
				expect(Number(changes?.added) - Number(changes?.removed)).toBe(messages - (snapshots[index - 1]?.messages ?? 0));
			for (const [index, from] of snapshots.entries()) {
				for (const to of snapshots.slice(index)) {
					const there = await diffOf(archive, from.name, to.name);
					const back = await diffOf(archive, to.name, from.name);
					const [before, after] = [states.get(from.name) as State, states.get(to.name) as State];
					expect(apply(before, there.rows)).toEqual(after);
					expect(apply(after, back.rows)).toEqual(before);
					expect(sortedPairs(endsOf(back.rows).map(([one, other]) => [other, one]))).toEqual(sortedPairs(endsOf(there.rows)));
					expectSums(there, from, to);
					expect(there).toMatchObject({ before: { snapshot: from.name, time: from.time }, after: { snapshot: to.name }, more: false });
					if (from === to) expect(there.rows).toEqual([]);
					if (!dice.happens(30)) continue;
					const wanted = { kind: 'moments', at: [from.name, to.name], now: NOW } as const;
					const remote = await openRemote(join(place, 'target'), { cache, wanted });
					expect(await diffOf(remote.archive, from.name, to.name)).toEqual(there);
				}
			}
		} finally {
			rmSync(place, { recursive: true, force: true });
		}
	},
);

const ANNA = 'anna@example.org';
let dir = '';
let names: string[] = [];

beforeAll(async () => {
	const store = makeMailStore(quickFolder());
	dir = join(quickFolder(), 'archive');
	store.put(`${ANNA}/INBOX/1.k:2,`, { subject: 'Read and kept' });
	store.put(`${ANNA}/INBOX/2.k:2,S`, { subject: 'Filed' });
	store.put(`${ANNA}/INBOX/3.k:2,S`, { subject: 'Deleted' });
	store.put(`${ANNA}/Old/4.k:2,S`, { subject: 'In a folder that goes' });
	store.put('ben@example.org/INBOX/5.k:2,S', { subject: 'Of an account that goes' });
	await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	store.write(`${ANNA}/INBOX/dovecot-keywords`, '0 $label\n');
	store.rename(`${ANNA}/INBOX/1.k:2,`, `${ANNA}/INBOX/1.k:2,FSa`);
	store.rename(`${ANNA}/INBOX/2.k:2,S`, `${ANNA}/Projects/2.k:2,RS`);
	store.remove(`${ANNA}/INBOX/3.k:2,S`);
	store.removeFolder(ANNA, 'Old');
	store.removeAccount('ben@example.org');
	store.put('cleo@example.org/INBOX/6.k:2,', { subject: 'New' });
	await packOnce(dir, store.spec, { now: DAY_ZERO + 2 * DAY, allowMassRemoval: true });
	names = (await listSnapshots(archiveAt(dir), { now: NOW })).result.rows.map(({ name }) => name);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a diff names each change, with what lists show of the message', async () => {
	const { rows, counts } = await diffOf(archiveAt(dir), '2026-01-02', 'latest');
	expect(rows).toMatchObject([
		{ change: 'folder-made', account: ANNA, folder: 'Projects' },
		{ change: 'folder-removed', account: ANNA, folder: 'Old' },
		{
			change: 'flagged',
			folder: 'INBOX',
			key: '1.k',
			flags: ['flagged', 'seen'],
			set: { flags: ['flagged', 'seen'], keywords: ['$label'] },
		},
		{ change: 'removed', folder: 'INBOX', key: '3.k', subject: 'Deleted', messageId: '<3.k@test.example>' },
		{ change: 'removed', folder: 'Old', key: '4.k' },
		{
			change: 'moved',
			folder: 'Projects',
			key: '2.k',
			was: { folder: 'INBOX', key: '2.k' },
			set: { flags: ['answered'] },
			unset: { flags: [] },
		},
		{ change: 'account-removed', account: 'ben@example.org' },
		{ change: 'folder-removed', account: 'ben@example.org', folder: 'INBOX' },
		{ change: 'removed', account: 'ben@example.org', key: '5.k' },
		{ change: 'account-made', account: 'cleo@example.org' },
		{ change: 'folder-made', account: 'cleo@example.org', folder: 'INBOX' },
		{ change: 'added', account: 'cleo@example.org', key: '6.k', subject: 'New', flags: [] },
	]);
	const sizes = (change: string): number =>
		rows.filter((row) => row.change === change).reduce((sum, row) => sum + (isPlacement(row) ? row.size : 0), 0);
	expect(counts).toEqual({
		accounts: { made: 1, removed: 1 },
		folders: { made: 2, removed: 2 },
		messages: { added: 1, copied: 0, moved: 1, flagged: 1, removed: 3 },
		bytes: { added: sizes('added'), removed: sizes('removed') },
	});
	expect(rows.find(({ change }) => change === 'added')).not.toHaveProperty('set');
});

test('a limit cuts the rows and not the counts', async () => {
	const all = await diffOf(archiveAt(dir), names[0] ?? '', names[1] ?? '');
	const cut = await diffOf(archiveAt(dir), names[0] ?? '', names[1] ?? '', { limit: 3 });
	expect(cut).toEqual({ ...all, rows: all.rows.slice(0, 3), more: true });
	expect((await diffOf(archiveAt(dir), names[0] ?? '', names[1] ?? '', { limit: all.rows.length })).more).toBe(false);
});

test('a diff of one folder has what came into it and what left it', async () => {
	const of = async (folder: string): Promise<string[]> => {
		const request = { account: parseAccountName(ANNA), folder: parseFolderName(folder) };
		return (await diffOf(archiveAt(dir), '2026-01-02', 'latest', request)).rows.map(({ change }) => change);
	};
	expect(await of('INBOX')).toEqual(['flagged', 'removed', 'moved']);
	expect(await of('Projects')).toEqual(['folder-made', 'moved']);
	expect(await of('Old')).toEqual(['folder-removed', 'removed']);
	expect(await of('Nothing')).toEqual([]);
});

test('a diff of one account tells of no other, also of one that is only in one of the snapshots', async () => {
	const of = async (account: string): Promise<string[]> => {
		const { rows } = await diffOf(archiveAt(dir), '2026-01-02', 'latest', { account: parseAccountName(account) });
		expect(new Set(rows.map((row) => row.account))).toEqual(new Set([account]));
		return rows.map(({ change }) => change);
	};
	expect(await of('ben@example.org')).toEqual(['account-removed', 'folder-removed', 'removed']);
	expect(await of('cleo@example.org')).toEqual(['account-made', 'folder-made', 'added']);
	for (const after of ['latest', '2026-01-02']) {
		const wrong = diff(archiveAt(dir), { before: '2026-01-02', after, account: parseAccountName('bne@example.org'), now: NOW });
		await expect(wrong).rejects.toMatchObject({ code: 'not-found', message: 'Cannot find account "bne@example.org" in either snapshot' });
	}
});

test('a moment before the first snapshot is not found, on either side', async () => {
	for (const [before, after] of [
		['2025-01-01', 'latest'],
		['latest', '2025-01-01'],
	] as const) {
		await expect(diff(archiveAt(dir), { before, after, now: NOW })).rejects.toMatchObject({ code: 'not-found' });
	}
});

test('a diff that is told to stop stops', async () => {
	const stop = new AbortController();
	stop.abort();
	await expect(diff(archiveAt(dir), { before: '2026-01-02', after: 'latest', now: NOW, signal: stop.signal })).rejects.toMatchObject({
		code: 'interrupted',
	});
});

test('a snapshot says what its pack found, which comes to the messages that it has more or less than its parent', async () => {
	const [first, second] = (await listSnapshots(archiveAt(dir), { now: NOW })).result.rows;
	expect(first?.changes).toEqual({ added: 5, changed: 0, removed: 0 });
	// What moved is one that came and one that went.
	expect(second?.changes).toEqual({ added: 2, changed: 1, removed: 4 });
});
