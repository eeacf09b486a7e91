import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MailsealError, needsAttention } from '../../src/domain/index.ts';
import { type MailSource, openMaildirSource } from '../../src/sources/index.ts';
import { packOnce, restoreOnce, temporaryFolder, verifyOnce } from '../support/archive.ts';
import { changedSource, relistedSource } from '../support/changed-source.ts';
import { listedBundles, wordsIn } from '../support/listed-bundles.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const INBOX = 'anna/INBOX';

function makePlace() {
	const store = makeMailStore();
	store.put(`${INBOX}/1.a:2,Sa`);
	store.put(`${INBOX}/2.a:2,S`);
	store.put('anna/Sub/3.a:2,S');
	store.write(`${INBOX}/dovecot-uidlist`, '3 V1234567890 N9 Gabcdef\n7 W100 :1.a\n8 :2.a\n');
	store.write(`${INBOX}/dovecot-keywords`, '0 urgent\n');
	store.write(`${INBOX}/dovecot-acl`, 'user=bert lr\n');
	store.write(`${INBOX}/subscriptions`, 'Sub\n');
	return { store, archive: join(temporaryFolder(), 'archive') };
}

async function expectRestored(archive: string, tree: Map<string, FolderState>): Promise<void> {
	expect((await verifyOnce(archive, 'deep')).findings).toEqual([]);
	const to = temporaryFolder();
	expect((await restoreOnce(archive, to)).findings).toEqual([]);
	expect(compareTreeStates(tree, readTreeState(to))).toEqual([]);
}

/** A source of which the tables of uids and keywords cannot be read tonight. */
function withoutTables(store: MailStore): MailSource {
	return relistedSource(openMaildirSource(store.spec), (listing) => {
		const { uidValidity: _validity, uidNext: _next, uidlist: _list, ...facts } = listing.facts;
		const placements = [...listing.placements].map(([key, { uid: _uid, uidlist: _fields, ...placement }]) => {
			return [key, { ...placement, keywords: placement.keywords.map((_, index) => `unknown-${index}`) }] as const;
		});
		return { ...listing, facts, placements: new Map(placements), tablesComplete: false, signature: null };
	});
}

/** A source of which control files cannot be read tonight. */
function withoutControls(store: MailStore): MailSource {
	return relistedSource(
		openMaildirSource(store.spec),
		(listing) => ({ ...listing, controls: [], controlsComplete: false, signature: null }),
		{ controls: async () => ({ controls: [], findings: [], complete: false }) },
	);
}

/** A source of which no message name could be read tonight. */
function withoutNames(store: MailStore): MailSource {
	return relistedSource(openMaildirSource(store.spec), (listing) => ({
		...listing,
		placements: new Map(),
		complete: false,
		signature: null,
	}));
}

describe.each([
	['tables of uids and keywords', withoutTables],
	['control files and subscriptions', withoutControls],
	['directories of messages', withoutNames],
])('%s that cannot be read', (_what, without) => {
	it.each([{ rescan: false }, { rescan: true }])('leave everything as it was, without a word: %j', async ({ rescan }) => {
		const { store, archive } = makePlace();
		const tree = readTreeState(store.root);
		await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
		const before = await listedBundles(archive);
		const { result, findings } = await packOnce(archive, store.spec, { sources: [without(store)], now: DAY_ZERO + 2 * DAY, rescan });
		expect(findings).toEqual([]);
		expect(result.messages).toEqual({ total: 3, added: 0, changed: 0, removed: 0 });
		expect(result.scan.foldersRead).toBe(2);
		expect(await listedBundles(archive)).toEqual(before);
		await expectRestored(archive, tree);
		// Nothing was put off: what they say is compared again as soon as they can be read.
		const again = await packOnce(archive, store.spec, { now: DAY_ZERO + 3 * DAY });
		expect(again.result.messages).toEqual({ total: 3, added: 0, changed: 0, removed: 0 });
		await expectRestored(archive, tree);
	});
});

it('a flag that changes while the tables cannot be read is news, and the uid and the keywords stay', async () => {
	const { store, archive } = makePlace();
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
	store.rename(`${INBOX}/1.a:2,Sa`, `${INBOX}/1.a:2,FSa`);
	const { result } = await packOnce(archive, store.spec, { sources: [withoutTables(store)], now: DAY_ZERO + 2 * DAY });
	expect(result.messages).toMatchObject({ added: 0, changed: 1, removed: 0 });
	const newest = (await listedBundles(archive)).at(-1);
	expect(newest?.lines).toMatchObject([
		{
			type: 'placed',
			key: '1.a',
			uid: 7,
			keywords: ['urgent'],
			flags: ['flagged', 'seen'],
			since: new Date(DAY_ZERO + 2 * DAY).toISOString(),
		},
	]);
	await expectRestored(archive, readTreeState(store.root));
});

it('a message whose uid is read again after a night without tables is not taken for changed', async () => {
	const { store, archive } = makePlace();
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
	for (const night of [2, 3]) await packOnce(archive, store.spec, { sources: [withoutTables(store)], now: DAY_ZERO + night * DAY });
	await packOnce(archive, store.spec, { now: DAY_ZERO + 4 * DAY, rescan: true });
	const lines = (await listedBundles(archive)).flatMap((bundle) => bundle.lines);
	expect(lines.filter((line) => line.type === 'placed').filter((word) => word.since !== undefined)).toEqual([]);
	expect(wordsIn(lines).filter((word) => word.startsWith('placed'))).toHaveLength(3);
});

it('a table on disk that is no file keeps uids and keywords of the real store', async () => {
	const { store, archive } = makePlace();
	const tree = readTreeState(store.root);
	await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
	const top = join(store.root, 'anna/Maildir');
	const kept = new Map(['dovecot-uidlist', 'dovecot-keywords', 'subscriptions'].map((name) => [name, readFileSync(join(top, name))]));
	for (const name of kept.keys()) {
		rmSync(join(top, name));
		mkdirSync(join(top, name));
	}
	utimesSync(join(top, 'cur'), new Date(DAY_ZERO), new Date(DAY_ZERO));
	const { result } = await packOnce(archive, store.spec, { now: DAY_ZERO + 2 * DAY });
	expect(result.messages).toEqual({ total: 3, added: 0, changed: 0, removed: 0 });
	await expectRestored(archive, tree);
	for (const [name, bytes] of kept) {
		rmSync(join(top, name), { recursive: true });
		writeFileSync(join(top, name), bytes, { mode: 0o600 });
	}
	expect(existsSync(join(top, 'subscriptions'))).toBe(true);
	expect((await packOnce(archive, store.spec, { now: DAY_ZERO + 3 * DAY })).result.messages).toMatchObject({ changed: 0, removed: 0 });
});

describe.each(['look', 'controls'] as const)('an account whose %s() cannot be read', (method) => {
	it.each(['permission', 'io'] as const)('for %s stays as it was, and the others are packed', async (code) => {
		const store = makeMailStore();
		for (const account of ['anna', 'bert', 'cleo']) store.put(`${account}/INBOX/1.${account}:2,S`);
		const archive = join(temporaryFolder(), 'archive');
		await packOnce(archive, store.spec, { now: DAY_ZERO + DAY });
		const before = readTreeState(store.root);
		for (const account of ['anna', 'bert', 'cleo']) store.put(`${account}/INBOX/2.${account}:2,S`);
		const source = openMaildirSource(store.spec);
		const failing = changedSource(source, {
			[method]: (account: { account: string }) => {
				if (account.account === 'bert') throw new MailsealError(code, 'Cannot list "bert": the disk reports a read error');
				return source[method](account as never);
			},
			// Its account's files have changed too, so that they are asked for.
			...(method === 'look' ? {} : { look: async (account) => ({ ...(await source.look(account)), controlSignature: 'another' }) }),
		});
		const { result, findings } = await packOnce(archive, store.spec, { sources: [failing], now: DAY_ZERO + 2 * DAY });
		expect(findings).toMatchObject([{ code: 'account-unreadable', severity: 'error', subject: 'bert' }]);
		// What needs attention makes the program end with 1.
		expect(findings.every(needsAttention)).toBe(true);
		expect(result.messages).toEqual({ total: 5, added: 2, changed: 0, removed: 0 });
		const after = readTreeState(store.root);
		await expectRestored(archive, new Map([...after, ...[...before].filter(([folder]) => folder.startsWith('bert/'))]));
		const again = await packOnce(archive, store.spec, { now: DAY_ZERO + 3 * DAY });
		expect(again).toMatchObject({ findings: [], result: { messages: { total: 6, added: 1, removed: 0 } } });
		await expectRestored(archive, after);
	});

	it('for a reason that nobody foresaw ends the pack', async () => {
		const store = makeMailStore();
		store.put('anna/INBOX/1.a:2,S');
		const failing = changedSource(openMaildirSource(store.spec), {
			[method]: () => {
				throw new TypeError('a bug');
			},
		});
		await expect(packOnce(join(temporaryFolder(), 'archive'), store.spec, { sources: [failing] })).rejects.toThrow('a bug');
	});
});
