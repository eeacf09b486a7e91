import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtFile, NODE_PATH } from '../../support/build-program.ts';
import { DAY_ZERO, type MailStore, makeMailStore } from '../../support/mail-store.ts';
import { type Caller, callerOf, codesOf, expectWhole, openFolder, type PackSaid } from '../../support/program.ts';
import { readTreeState } from '../../support/tree-state.ts';

const NOBODY = 65534;
const program = builtFile('src/cli/bin.ts');

/** Root may read everything; the program can only be denied something as somebody else. */
const canBeDenied =
	process.getuid?.() === 0 &&
	spawnSync(process.execPath, ['-e', 'require("better-sqlite3")'], { env: { NODE_PATH }, cwd: '/', uid: NOBODY, gid: NOBODY }).status === 0;
if (!canBeDenied) console.warn('skipped: needs root, and a Node that everybody may run');

/** A store and an archive that belong to somebody who is not root, and what calls the program as them. */
function makePlace(): { readonly store: MailStore; readonly archive: string; readonly nobody: Caller } {
	const place = openFolder();
	const store = makeMailStore(join(place, 'store'));
	for (const folder of ['INBOX', 'Sub', 'Other']) for (const key of ['1', '2', '3']) store.put(`anna/${folder}/${key}.${folder}:2,S`);
	store.put('bert/INBOX/1.bert:2,S');
	const archive = join(place, 'archive');
	chmodSync(join(program.path, '..'), 0o755);
	giveAway(place);
	return { store, archive, nobody: callerOf(program, { archive, uid: NOBODY }) };
}

function giveAway(path: string): void {
	chownSync(path, NOBODY, NOBODY);
	for (const name of readdirSync(path, { recursive: true })) chownSync(join(path, String(name)), NOBODY, NOBODY);
}

function deny(path: string, mode = 0): void {
	chownSync(path, 0, 0);
	chmodSync(path, mode);
}

function allow(path: string, mode: number): void {
	chmodSync(path, mode);
	chownSync(path, NOBODY, NOBODY);
}

function packOf({ nobody, store }: ReturnType<typeof makePlace>, ...args: string[]) {
	return nobody.json<PackSaid>('pack', '--now', new Date(DAY_ZERO).toISOString(), ...args, store.spec);
}

describe.skipIf(!canBeDenied)('a mail store that may not be read everywhere', () => {
	it('loses one message to a finding, and gets it once it can be read', () => {
		const place = makePlace();
		const file = join(place.store.root, 'anna/Maildir/.Sub/cur/2.Sub:2,S');
		deny(file);
		for (const total of [9, 9]) {
			const { code, result, findings } = packOf(place);
			expect(code).toBe(1);
			expect(result.messages.total).toBe(total);
			expect(findings).toMatchObject([{ code: 'message-unreadable', severity: 'error', subject: 'anna/Sub/2.Sub' }]);
		}
		allow(file, 0o600);
		expect(packOf(place)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 10, added: 1 } } });
		expectWhole(place.nobody, place.store.root);
	});

	it.each([
		['may not be entered', '', 0],
		['may be listed but not entered', '', 0o444],
		['has a cur that may not be listed', 'cur', 0],
		['has a cur that may be entered but not listed', 'cur', 0o111],
	])('goes on without a folder that %s, and removes nothing of it', (_what, inner, mode) => {
		const place = makePlace();
		expect(packOf(place).code).toBe(0);
		const whole = readTreeState(place.store.root);
		const folder = join(place.store.root, 'anna/Maildir/.Sub');
		// The denied folder has news too, so that it has to be looked at.
		place.store.put('anna/Sub/4.Sub:2,S');
		place.store.remove('anna/Sub/1.Sub:2,S');
		place.store.put('anna/INBOX/4.INBOX:2,S');
		giveAway(join(place.store.root, 'anna'));
		deny(join(folder, inner), mode);
		const denied = packOf(place);
		expect(denied.error).toBeUndefined();
		expect(codesOf(denied.findings).length).toBeGreaterThan(0);
		for (const finding of denied.findings) expect(finding.code).toMatch(/^(folder|message|control)-unreadable$/);
		expect(denied).toMatchObject({ code: 1, result: { messages: { total: 11, added: 1, removed: 0 } } });
		const restored = join(openFolder(), 'r');
		callerOf(program, { archive: place.archive }).run('restore', '--to', restored);
		expect([...(readTreeState(restored).get('anna/.Sub')?.messages.keys() ?? [])]).toEqual([
			...(whole.get('anna/.Sub')?.messages.keys() ?? []),
		]);
		allow(join(folder, inner), 0o700);
		expect(packOf(place)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 11, added: 1, removed: 1 } } });
		expectWhole(place.nobody, place.store.root);
	});

	it('sees what is gone from a folder whose cur may be listed but not entered, and gets what is new in it later', () => {
		const place = makePlace();
		expect(packOf(place).code).toBe(0);
		const cur = join(place.store.root, 'anna/Maildir/.Sub/cur');
		place.store.put('anna/Sub/4.Sub:2,S');
		place.store.remove('anna/Sub/1.Sub:2,S');
		giveAway(join(place.store.root, 'anna'));
		deny(cur, 0o444);
		const denied = packOf(place);
		expect(denied).toMatchObject({ code: 1, result: { messages: { total: 9, added: 0, removed: 1 } } });
		expect(denied.findings).toMatchObject([{ code: 'message-unreadable', subject: 'anna/Sub/4.Sub' }]);
		allow(cur, 0o700);
		expect(packOf(place)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 10, added: 1, removed: 0 } } });
		expectWhole(place.nobody, place.store.root);
	});

	it('goes on without an account that may not be entered, and removes nothing of it', () => {
		const place = makePlace();
		expect(packOf(place).code).toBe(0);
		const maildir = join(place.store.root, 'anna/Maildir');
		deny(maildir);
		const denied = packOf(place);
		expect(denied).toMatchObject({ code: 1, result: { messages: { total: 10, added: 0, removed: 0 } } });
		expect(denied.findings).toMatchObject([{ code: 'account-unreadable' }]);
		allow(maildir, 0o700);
		expect(packOf(place)).toMatchObject({ code: 0, findings: [] });
		expectWhole(place.nobody, place.store.root);
	});

	it('is an error with exit 4 where nothing at all may be read', () => {
		const place = makePlace();
		expect(packOf(place).code).toBe(0);
		const before = readTreeState(place.store.root);
		deny(place.store.root);
		expect(packOf(place)).toMatchObject({ code: 4, error: { code: 'permission' } });
		allow(place.store.root, 0o700);
		expectWhole(place.nobody, before);
	});

	it('gives a message that cannot be read only its finding, not the time of the whole folder', () => {
		const place = makePlace();
		const file = join(place.store.root, 'anna/Maildir/.Sub/cur/2.Sub:2,S');
		expect(packOf(place).code).toBe(0);
		// A message that is packed already is not opened again.
		deny(file);
		utimesSync(file, new Date(DAY_ZERO), new Date(DAY_ZERO));
		expect(packOf(place)).toMatchObject({ code: 0, findings: [], result: { messages: { total: 10, removed: 0 } } });
		expect(packOf(place, '--rescan')).toMatchObject({
			code: 1,
			findings: [{ code: 'message-unreadable' }],
			result: { messages: { total: 10, removed: 0 } },
		});
	});
});

describe.skipIf(!canBeDenied)('an archive of somebody else', () => {
	it('is refused with exit 4', () => {
		const place = makePlace();
		expect(packOf(place).code).toBe(0);
		const other = callerOf(program, { archive: place.archive, uid: NOBODY - 1 });
		for (const args of [['pack', place.store.spec], ['ls', 'accounts'], ['verify'], ['restore', '--to', join(openFolder(), 'r')]]) {
			const { code, error } = other.json(...args);
			expect({ code, error }, args[0]).toMatchObject({ code: 4, error: { code: 'permission' } });
		}
		expect(existsSync(join(place.archive, 'mailseal.json'))).toBe(true);
	});
});
