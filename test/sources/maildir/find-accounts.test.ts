import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type AccountName, MailsealError, parseAccountName } from '../../../src/domain/index.ts';
import { openMaildirSource } from '../../../src/sources/index.ts';
import { makeFolder, temporaryDirectory } from '../../support/maildir.ts';

const SIGNAL = new AbortController().signal;

async function accountsOf(spec: string, account?: AccountName) {
	const list = await openMaildirSource(spec, account === undefined ? {} : { account }).accounts(SIGNAL);
	return { ...list, names: list.accounts.map((found) => found.account as string) };
}

describe('accounts()', () => {
	test.each([
		['alice/Maildir', 'alice'],
		['alice/.maildir', 'alice'],
		['alice/mail', 'alice'],
		['bob', 'bob'],
	])('names the one Maildir %s after its owner %s', async (path, name) => {
		const root = temporaryDirectory();
		makeFolder(join(root, path));
		const list = await accountsOf(join(root, path));
		expect(list).toMatchObject({ names: [name], complete: true, findings: [], accounts: [{ root: join(root, path) }] });
	});

	test('takes the name that the user gives, for one Maildir only', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'a'));
		const name = parseAccountName('alice@example.org');
		expect((await accountsOf(join(root, 'a'), name)).names).toEqual(['alice@example.org']);
		await expect(accountsOf(root, name)).rejects.toMatchObject({ code: 'usage' });
	});

	test('finds one account for each store in a directory of homes and Maildirs', async () => {
		const root = temporaryDirectory();
		for (const path of ['alice/Maildir', 'bob', 'carol@example.org/mail', 'dan/.maildir']) makeFolder(join(root, path));
		mkdirSync(join(root, 'not-mail', 'documents'), { recursive: true });
		mkdirSync(join(root, 'lost+found'));
		const list = await accountsOf(root);
		expect(list).toMatchObject({ names: ['alice', 'bob', 'carol@example.org', 'dan'], complete: true, findings: [] });
	});

	test('takes a Maildir whose INBOX lies elsewhere for one account, not for a directory of accounts', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'alice', 'Maildir', '.Sent'));
		expect((await accountsOf(join(root, 'alice', 'Maildir'))).names).toEqual(['alice']);
		expect((await accountsOf(root)).names).toEqual(['alice']);
	});

	test('finds accounts by pattern', async () => {
		const root = temporaryDirectory();
		for (const path of ['example.org/alice/Maildir', 'example.org/bob/Maildir', 'example.com/alice/Maildir', 'example.com/x/other']) {
			makeFolder(join(root, path));
		}
		expect(await accountsOf(`${root}/{domain}/{user}/Maildir`)).toMatchObject({
			names: ['alice@example.com', 'alice@example.org', 'bob@example.org'],
			complete: true,
			findings: [],
		});
	});

	test('takes levels apart that hold more than a placeholder, and repeated ones only where they agree', async () => {
		const root = temporaryDirectory();
		for (const path of ['example.org/mail-alice@example.org', 'example.org/mail-bob@example.com', 'example.org/eve@example.org']) {
			makeFolder(join(root, path));
		}
		expect((await accountsOf(`${root}/{domain}/mail-{user}@{domain}`)).names).toEqual(['alice@example.org']);
		expect((await accountsOf(`${root}/example.org/{account}`)).names).toEqual([
			'eve@example.org',
			'mail-alice@example.org',
			'mail-bob@example.com',
		]);
	});

	test('reads names that are not UTF-8 as Latin-1, and still finds the store', async () => {
		const root = temporaryDirectory();
		makeFolder(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x4d, 0xfc])]));
		const source = openMaildirSource(`${root}/{account}`);
		const { accounts } = await source.accounts(SIGNAL);
		expect(accounts).toEqual([{ account: 'M\u00fc', root: `${root}/M//fc` }]);
		const [account] = accounts;
		if (account === undefined) throw new Error('no account');
		expect((await source.look(account)).folders.map(({ folder }) => folder)).toEqual(['INBOX']);
	});

	test('follows a symbolic link that the user names, and gives paths without one', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'disk', 'store'));
		symlinkSync('disk/store', join(root, 'alice'));
		expect(await accountsOf(join(root, 'alice'))).toMatchObject({ names: ['alice'], accounts: [{ root: join(root, 'disk', 'store') }] });
	});

	test('does not follow a symbolic link inside a source: an owner could point it at the mail of others', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'homes', 'alice', 'Maildir'));
		makeFolder(join(root, 'bob', 'Maildir'));
		symlinkSync('../bob', join(root, 'homes', 'bob'));
		mkdirSync(join(root, 'homes', 'eve'));
		symlinkSync('../alice/Maildir', join(root, 'homes', 'eve', 'Maildir'));
		symlinkSync('/etc', join(root, 'homes', 'etc'));
		for (const spec of [`${root}/homes`, `${root}/homes/{user}/Maildir`]) {
			const list = await accountsOf(spec);
			expect(list).toMatchObject({ names: ['alice'], complete: false });
			expect(list.findings.map(({ code, subject }) => [code, subject.slice(root.length)]).sort()).toEqual([
				['symbolic-link', '/homes/bob'],
				['symbolic-link', '/homes/eve/Maildir'],
			]);
		}
	});

	test('counts nothing as removed where a store may be an unmounted disk', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'alice', 'Maildir'));
		mkdirSync(join(root, 'bob', 'Maildir'), { recursive: true });
		for (const spec of [root, `${root}/{user}/Maildir`]) {
			const list = await accountsOf(spec);
			expect(list).toMatchObject({ names: ['alice'], complete: false });
			expect(list.findings).toEqual([
				expect.objectContaining({ code: 'empty-directory', severity: 'note', subject: join(root, 'bob', 'Maildir') }),
			]);
		}
	});

	test('packs the first of two stores of one name, and says so', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'alice', 'Maildir'));
		makeFolder(join(root, 'alice', 'mail'));
		const list = await accountsOf(root);
		expect(list).toMatchObject({ names: ['alice'], complete: false, accounts: [{ root: join(root, 'alice', 'Maildir') }] });
		expect(list.findings.map(({ code }) => code)).toEqual(['duplicate-account']);
	});

	test('is an error where the source is gone: missing, emptied, without a store', async () => {
		const root = temporaryDirectory();
		for (const spec of [join(root, 'none'), join(root, 'none', '{user}'), root, join(root, '{user}')]) {
			await expect(accountsOf(spec), spec).rejects.toMatchObject({ code: 'source-gone', hint: expect.stringContaining('mounted') });
		}
		makeFolder(join(root, 'alice'));
		expect((await accountsOf(root)).names).toEqual(['alice']);
		for (const dir of ['cur', 'new', 'tmp']) rmSync(join(root, 'alice', dir), { recursive: true });
		await expect(accountsOf(join(root, 'alice'))).rejects.toMatchObject({ code: 'source-gone', retryable: true });
	});

	test('stops where the run is interrupted', async () => {
		const root = temporaryDirectory();
		makeFolder(join(root, 'alice'));
		const source = openMaildirSource(root);
		await expect(source.accounts(AbortSignal.abort())).rejects.toBeInstanceOf(MailsealError);
	});
});
