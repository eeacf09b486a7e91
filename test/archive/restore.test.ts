import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MailsealError } from '../../src/domain/index.ts';
import { filesBelow, packOnce, restoreOnce, temporaryFolder } from '../support/archive.ts';
import { DAY, DAY_ZERO, type MailStore, makeMailStore } from '../support/mail-store.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const ANNA = 'anna@example.org';

async function packedMail(): Promise<{ store: MailStore; dir: string }> {
	const store = makeMailStore();
	const dir = join(temporaryFolder(), 'archive');
	store.put(`${ANNA}/INBOX/old:2,S`, { at: DAY_ZERO - 400 * DAY });
	store.put(`${ANNA}/INBOX/new`);
	store.put(`${ANNA}/Projects/Alpha/1:2,S`);
	store.put(`${ANNA}/Projects/Alpha/Deep/2:2,S`);
	store.put(`${ANNA}/Projects2/3:2,S`);
	store.write(`${ANNA}/INBOX/subscriptions`, 'Projects/Alpha\n');
	store.put('ben@example.org/INBOX/4:2,FS');
	await packOnce(dir, store.spec, { now: DAY_ZERO + DAY });
	return { store, dir };
}

/** Mail files below a folder: `account/.Folder/cur/name`. */
function mailBelow(to: string): string[] {
	return [...filesBelow(to).keys()].filter((path) => /(^|\/)(cur|new)\//.test(path)).sort();
}

test('everything comes back as it was, for each account', async () => {
	const { store, dir } = await packedMail();
	const to = temporaryFolder();
	const { result, findings } = await restoreOnce(dir, to);
	expect(findings).toEqual([]);
	expect(result).toMatchObject({ accounts: 2, folders: 5, written: 6, present: 0, dryRun: false });
	expect(compareTreeStates(readTreeState(store.root), readTreeState(to))).toEqual([]);
});

test('a selection is an account, or a folder with all below it, but not one that merely begins alike', async () => {
	const { dir } = await packedMail();
	const restored = async (...selections: string[]) => {
		const to = temporaryFolder();
		await restoreOnce(dir, to, { selections });
		return mailBelow(to);
	};
	expect(await restored('ben@example.org')).toEqual(['ben@example.org/cur/4:2,FS']);
	expect(await restored(`${ANNA}/Projects`)).toEqual([`${ANNA}/.Projects.Alpha.Deep/cur/2:2,S`, `${ANNA}/.Projects.Alpha/cur/1:2,S`]);
	expect(await restored(`${ANNA}/Projects/Alpha/Deep`)).toEqual([`${ANNA}/.Projects.Alpha.Deep/cur/2:2,S`]);
	expect(await restored(`${ANNA}/INBOX`, `${ANNA}/Projects2`)).toEqual([
		`${ANNA}/.Projects2/cur/3:2,S`,
		`${ANNA}/cur/old:2,S`,
		`${ANNA}/new/new`,
	]);
	expect(await restored(`${ANNA}/INBOX`, ANNA)).toHaveLength(5);
});

test('files of the account as a whole come back with the whole account only', async () => {
	const { dir } = await packedMail();
	const [whole, part] = [temporaryFolder(), temporaryFolder()];
	await restoreOnce(dir, whole, { selections: [ANNA] });
	await restoreOnce(dir, part, { selections: [`${ANNA}/INBOX`] });
	expect(existsSync(join(whole, ANNA, 'subscriptions'))).toBe(true);
	expect(existsSync(join(part, ANNA, 'subscriptions'))).toBe(false);
});

test('what is not in the archive is not found, and nothing is made', async () => {
	const { dir } = await packedMail();
	for (const selection of ['nobody@example.org', `${ANNA}/Nothing`, `${ANNA}/Proj`]) {
		const to = join(temporaryFolder(), 'to');
		const error = await restoreOnce(dir, to, { selections: [selection] }).catch((thrown: unknown) => thrown);
		expect(error, selection).toBeInstanceOf(MailsealError);
		expect(error).toMatchObject({ code: 'not-found', hint: expect.stringContaining('mailseal ls') });
		expect(existsSync(to)).toBe(false);
	}
});

test('an older snapshot restores the mail of then', async () => {
	const { store, dir } = await packedMail();
	store.remove('ben@example.org/INBOX/4:2,FS');
	store.put('ben@example.org/INBOX/5:2,S');
	store.rename(`${ANNA}/INBOX/old:2,S`, `${ANNA}/INBOX/old:2,FS`);
	await packOnce(dir, store.spec, { now: DAY_ZERO + 2 * DAY });
	const [then, now] = [temporaryFolder(), temporaryFolder()];
	const selections = ['ben@example.org', `${ANNA}/INBOX`];
	await restoreOnce(dir, then, { selections, at: '2026-01-02' });
	await restoreOnce(dir, now, { selections });
	expect(mailBelow(then)).toEqual([`${ANNA}/cur/old:2,S`, `${ANNA}/new/new`, 'ben@example.org/cur/4:2,FS']);
	expect(mailBelow(now)).toEqual([`${ANNA}/cur/old:2,FS`, `${ANNA}/new/new`, 'ben@example.org/cur/5:2,S']);
});

test('a second restore adds nothing and changes nothing', async () => {
	const { dir } = await packedMail();
	const to = temporaryFolder();
	await restoreOnce(dir, to);
	const before = filesBelow(to);
	const { result } = await restoreOnce(dir, to);
	expect(result).toMatchObject({ written: 0, present: 6, bytes: 0 });
	expect(filesBelow(to)).toEqual(before);
});

test('a restore into a store that has some of it adds the rest, overwrites nothing and makes no duplicates', async () => {
	const { store, dir } = await packedMail();
	const to = temporaryFolder();
	const inbox = join(to, ANNA);
	for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(inbox, name), { recursive: true });
	// Read since, under other flags; and another message under a key that the archive knows.
	writeFileSync(join(inbox, 'cur', 'old:2,FRS'), store.read(`${ANNA}/INBOX/old:2,S`));
	writeFileSync(join(inbox, 'cur', 'mine:2,S'), 'Subject: mine\n\nmine\n');
	const before = filesBelow(to);
	const { result } = await restoreOnce(dir, to, { selections: [`${ANNA}/INBOX`] });
	expect(result).toMatchObject({ written: 1, present: 1 });
	expect(readdirSync(join(inbox, 'cur')).sort()).toEqual(['mine:2,S', 'old:2,FRS']);
	expect(readdirSync(join(inbox, 'new'))).toEqual(['new']);
	for (const [path, stamp] of before) expect(filesBelow(to).get(path), path).toBe(stamp);
});

test('a message whose base name is there counts as present and is not touched, whatever its flags and bytes', async () => {
	const { dir } = await packedMail();
	const to = temporaryFolder();
	await restoreOnce(dir, to, { selections: ['ben@example.org'] });
	const cur = join(to, 'ben@example.org', 'cur');
	renameSync(join(cur, '4:2,FS'), join(cur, '4:2,'));
	writeFileSync(join(cur, '4:2,'), 'theirs');
	const { result } = await restoreOnce(dir, to, { selections: ['ben@example.org'] });
	expect(result).toMatchObject({ written: 0, present: 1 });
	expect(mailBelow(to)).toEqual(['ben@example.org/cur/4:2,']);
	expect(readFileSync(join(cur, '4:2,'), 'utf8')).toBe('theirs');
});

test('a message moved within the restored store since is there under its new name, and is added where it was', async () => {
	const { dir } = await packedMail();
	const to = temporaryFolder();
	await restoreOnce(dir, to, { selections: [ANNA] });
	const top = join(to, ANNA);
	renameSync(join(top, '.Projects2', 'cur', '3:2,S'), join(top, '.Projects.Alpha', 'cur', 'moved:2,S'));
	const { result } = await restoreOnce(dir, to, { selections: [ANNA] });
	expect(result).toMatchObject({ written: 1, present: 4 });
	expect(mailBelow(to).filter((path) => /moved|3:2/.test(path))).toEqual([
		`${ANNA}/.Projects.Alpha/cur/moved:2,S`,
		`${ANNA}/.Projects2/cur/3:2,S`,
	]);
});

test('a dry run says what a restore would write, and writes nothing', async () => {
	const { dir } = await packedMail();
	const to = join(temporaryFolder(), 'to');
	const dry = await restoreOnce(dir, to, { dryRun: true });
	expect(existsSync(to)).toBe(false);
	const { result } = await restoreOnce(dir, to);
	const { seconds: _a, ...planned } = dry.result;
	const { seconds: _b, ...done } = result;
	expect(planned).toEqual({ ...done, dryRun: true });
});

test('nothing is restored into the archive itself', async () => {
	const { dir } = await packedMail();
	for (const to of [dir, join(dir, 'bundles', 'here'), join(dir, 'x', '..', 'y')]) {
		await expect(restoreOnce(dir, to), to).rejects.toMatchObject({ code: 'usage' });
	}
});

test('as mbox: one file a folder; one that is there already is never changed, and that is said', async () => {
	const { dir } = await packedMail();
	const to = temporaryFolder();
	const { result } = await restoreOnce(dir, to, { as: 'mbox' });
	expect(result).toMatchObject({ written: 6, folders: 5 });
	const before = filesBelow(to);
	expect([...before.keys()].sort()).toEqual([
		`${ANNA}/INBOX.mbox`,
		`${ANNA}/Projects/Alpha.mbox`,
		`${ANNA}/Projects/Alpha/Deep.mbox`,
		`${ANNA}/Projects2.mbox`,
		'ben@example.org/INBOX.mbox',
	]);
	const again = await restoreOnce(dir, to, { as: 'mbox' });
	expect(again.result.written).toBe(0);
	const refused = again.findings.filter(({ severity }) => severity === 'error').map(({ code, subject }) => `${code} ${subject}`);
	expect(refused.sort()).toEqual([...before.keys()].map((path) => `restore-folder-refused ${path.replace('.mbox', '')}`).sort());
	expect(filesBelow(to)).toEqual(before);
});
