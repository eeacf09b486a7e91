import { appendFileSync, chmodSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asNobody } from '../../support/as-nobody.ts';
import { open } from '../../support/open-maildir.ts';

describe('controls()', () => {
	test('keeps files of the account, scripts of its home first', async () => {
		const opened = await open({
			'': {
				files: {
					subscriptions: 'V\t2\n\nINBOX\n',
					'dovecot-uidvalidity': '5c7cf9cb',
					'dovecot-uidvalidity.5c7cf9cb': '',
					maildirsize: 'x',
					'sieve/own.sieve': 'keep;',
					'dovecot-uidvalidity.bak': '',
				},
			},
		});
		const home = dirname(opened.root);
		mkdirSync(join(home, 'sieve', 'deep'), { recursive: true });
		writeFileSync(join(home, 'sieve', 'deep', 'main.sieve'), 'stop;');
		writeFileSync(join(home, 'sieve', 'main.svbin'), 'compiled');
		symlinkSync('sieve/deep/main.sieve', join(home, '.dovecot.sieve'));
		writeFileSync(join(home, 'subscriptions'), 'of something else');
		const { controls, findings } = await opened.source.controls(opened.account);
		expect(findings).toEqual([]);
		expect(controls.map(({ path, link }) => [path, link])).toEqual([
			['.dovecot.sieve', 'sieve/deep/main.sieve'],
			['dovecot-uidvalidity', undefined],
			['dovecot-uidvalidity.5c7cf9cb', undefined],
			['sieve/deep/main.sieve', undefined],
			['sieve/own.sieve', undefined],
			['subscriptions', undefined],
		]);
		expect(Buffer.from(controls.at(-1)?.content ?? '', 'base64').toString()).toBe('V\t2\n\nINBOX\n');
	});

	test('does not enter a directory of scripts that is a symbolic link', async () => {
		const opened = await open({ '': {} });
		mkdirSync(join(opened.root, '..', '..', 'other'));
		writeFileSync(join(opened.root, '..', '..', 'other', 'secret.sieve'), 'x');
		symlinkSync('../other', join(dirname(opened.root), 'sieve'));
		const { controls, findings, complete } = await opened.source.controls(opened.account);
		expect({ controls, complete }).toEqual({ controls: [], complete: false });
		expect(findings).toMatchObject([{ code: 'control-left-out', severity: 'note', subject: join(dirname(opened.root), 'sieve') }]);
	});

	test('say which of two scripts of one name is left out, without asking for attention', async () => {
		const opened = await open({ '': { files: { '.dovecot.sieve': 'keep;' } } });
		writeFileSync(join(dirname(opened.root), '.dovecot.sieve'), 'stop;');
		const { controls, findings } = await opened.source.controls(opened.account);
		expect(controls).toMatchObject([{ path: '.dovecot.sieve', content: Buffer.from('stop;').toString('base64') }]);
		expect(findings).toMatchObject([{ code: 'control-left-out', severity: 'note', subject: join(opened.root, '.dovecot.sieve') }]);
	});

	test('do without scripts that may not be read', async () => {
		const opened = await open({ '': { files: { subscriptions: 'V\t2\n\n', 'sieve/own.sieve': 'keep;', 'sieve/deep/a.sieve': 'stop;' } } });
		for (const path of [opened.root, dirname(opened.root), dirname(dirname(opened.root))]) chmodSync(path, 0o755);
		chmodSync(join(opened.root, 'sieve'), 0o744);
		const { controls, findings } = await asNobody(() => opened.source.controls(opened.account));
		expect(controls).toEqual([]);
		expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(['control-unreadable', 'control-left-out']));
		expect((await asNobody(() => opened.source.look(opened.account))).controlSignature).toContain('sieve');
	});

	test('have a signature that changes with each of them, and never repeats right after a change', async () => {
		let now = Date.now() + 60_000;
		const opened = await open({ '': { files: { subscriptions: 'a\n', 'sieve/own.sieve': 'keep;' } } }, () => now);
		const signature = async () => (await opened.source.look(opened.account)).controlSignature;
		let before = await signature();
		expect(await signature()).toBe(before);
		const changes = [
			() => writeFileSync(join(opened.root, 'subscriptions'), 'bb\n'),
			() => writeFileSync(join(dirname(opened.root), '.dovecot.sieve'), 'stop;'),
			() => appendFileSync(join(opened.root, 'sieve', 'own.sieve'), 'x'),
			() => unlinkSync(join(opened.root, 'sieve', 'own.sieve')),
		];
		for (const [index, change] of changes.entries()) {
			change();
			const after = await signature();
			expect(after, `change ${index}`).not.toBe(before);
			before = after;
		}
		now = Date.now();
		writeFileSync(join(opened.root, 'subscriptions'), 'ccc\n');
		before = await signature();
		now += 1;
		expect(await signature()).not.toBe(before);
	});
});
