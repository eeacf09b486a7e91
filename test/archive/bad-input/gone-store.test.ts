import { mkdirSync, readdirSync, renameSync, rmSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtFile } from '../../support/build-program.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';
import { callerOf, expectWhole, openFolder, type PackSaid } from '../../support/program.ts';
import { readTreeState } from '../../support/tree-state.ts';

const program = builtFile('src/cli/bin.ts');

function makePlace() {
	const folder = openFolder();
	const store = makeMailStore(join(folder, 'store'));
	for (const account of ['anna', 'bert', 'carl', 'dora']) {
		for (let number = 0; number < 6; number++) store.put(`${account}/INBOX/${number}.${account}:2,S`);
	}
	const caller = callerOf(program, { archive: join(folder, 'archive') });
	function pack(night: number, ...args: string[]) {
		const now = new Date(DAY_ZERO + night * DAY).toISOString();
		return caller.json<PackSaid>('pack', '--now', now, ...args, store.spec);
	}
	expect(pack(0)).toMatchObject({ code: 0, result: { messages: { total: 24 } } });
	return { store, caller, pack, before: readTreeState(store.root), away: join(folder, 'away') };
}

type Place = ReturnType<typeof makePlace>;

function emptyFolders({ store }: Place): void {
	for (const account of readdirSync(store.root)) {
		const cur = join(store.root, account, 'Maildir', 'cur');
		for (const name of readdirSync(cur)) unlinkSync(join(cur, name));
		utimesSync(cur, new Date(DAY_ZERO), new Date(DAY_ZERO));
	}
}

describe('a store that is gone', () => {
	it.each([
		['is not there at all', 'source-gone', ({ store, away }: Place) => renameSync(store.root, away)],
		[
			'is an empty folder, as where a disk is not mounted',
			'source-gone',
			({ store, away }: Place) => {
				renameSync(store.root, away);
				mkdirSync(store.root);
			},
		],
		['has no message left in any folder', 'mass-removal', emptyFolders],
		[
			'lacks half of its accounts',
			'mass-removal',
			({ store }: Place) => {
				for (const account of ['anna', 'bert']) store.removeAccount(account);
			},
		],
		[
			'lacks all accounts but one',
			'mass-removal',
			({ store }: Place) => {
				for (const account of ['anna', 'bert', 'carl']) store.removeAccount(account);
			},
		],
	])('%s: nothing is removed, exit 4', (_what, code, takeAway) => {
		const place = makePlace();
		takeAway(place);
		for (const args of [[], ['--dry-run'], ['--rescan']]) {
			const said = place.pack(1, ...args);
			expect(said).toMatchObject({ code: 4, error: { code } });
			expect(said.error?.hint).toMatch(/mounted/);
		}
		expectWhole(place.caller, place.before);
	});

	it('is believed with --allow-mass-removal, and the mail stays in the snapshot before', () => {
		const place = makePlace();
		emptyFolders(place);
		expect(place.pack(1, '--allow-mass-removal')).toMatchObject({ code: 0, result: { messages: { total: 0, removed: 24 } } });
		expectWhole(place.caller, place.store.root);
		const to = join(openFolder(), 'restored');
		expect(place.caller.run('restore', '--to', to, '--at', new Date(DAY_ZERO).toISOString()).code).toBe(0);
		expect(readTreeState(to).get('anna/')?.messages.size).toBe(6);
	});

	it('is believed with --allow-mass-removal where it is not there at all', () => {
		const place = makePlace();
		rmSync(place.store.root, { recursive: true });
		expect(place.pack(1, '--allow-mass-removal')).toMatchObject({ code: 0, result: { accounts: 0, messages: { total: 0, removed: 24 } } });
		expect(place.caller.json('verify', '--deep')).toMatchObject({ code: 0, findings: [] });
		const to = join(openFolder(), 'restored');
		expect(place.caller.run('restore', '--to', to, '--at', new Date(DAY_ZERO).toISOString()).code).toBe(0);
		expect(readTreeState(to)).toEqual(place.before);
	});

	it('is packed on when it is back', () => {
		const place = makePlace();
		renameSync(place.store.root, place.away);
		expect(place.pack(1).code).toBe(4);
		renameSync(place.away, place.store.root);
		expect(place.pack(2)).toMatchObject({ code: 0, result: { messages: { total: 24, added: 0, changed: 0, removed: 0 } } });
		expectWhole(place.caller, place.store.root);
	});

	it('is no matter where a single account is closed', () => {
		const place = makePlace();
		place.store.removeAccount('dora');
		expect(place.pack(1)).toMatchObject({ code: 0, result: { accounts: 3, messages: { total: 18, removed: 6 } } });
		expectWhole(place.caller, place.store.root);
	});
});

describe('a clock that jumped back', () => {
	it('is a finding, and every snapshot stays later than the one before it', () => {
		const place = makePlace();
		place.store.put('anna/INBOX/7.anna:2,S');
		expect(place.pack(10).code).toBe(0);
		place.store.put('anna/INBOX/8.anna:2,S');
		const back = place.pack(-400);
		expect(back).toMatchObject({
			code: 1,
			findings: [{ code: 'clock-went-back', severity: 'warning' }],
			result: { messages: { added: 1 } },
		});
		expectWhole(place.caller, place.store.root);
		place.store.put('anna/INBOX/9.anna:2,S');
		const forth = place.pack(11);
		expect(forth).toMatchObject({ code: 0, findings: [], result: { messages: { total: 27, added: 1 } } });
		expect(forth.result.snapshot > back.result.snapshot).toBe(true);
		expectWhole(place.caller, place.store.root);
	});
});
