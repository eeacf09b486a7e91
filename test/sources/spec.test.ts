import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSourceSpec } from '../../src/sources/index.ts';
import { temporaryDirectory } from '../support/maildir.ts';

describe('parseSourceSpec()', () => {
	test.each([
		['maildir:/var/vmail/{domain}/{user}/Maildir', '/var/vmail/{domain}/{user}/Maildir'],
		['/var/vmail/', '/var/vmail'],
		['maildir:mail', resolve('mail')],
		['./odd:name', resolve('odd:name')],
		['/srv/a:b', '/srv/a:b'],
		['maildir:/srv/{odd', '/srv/{odd'],
	])('reads %s', (text, path) => {
		expect(parseSourceSpec(text)).toEqual({ type: 'maildir', path });
	});

	test.each([
		['mbox:/var/mail/alice', /kind mbox/],
		['mdbox:/srv/x', /kind mdbox/],
		['zimbra:/opt/zimbra', /kind Zimbra/],
		['ftp:/srv/x', /"ftp" is no kind of mail store/],
		['maildir:', /names no path/],
		['', /names no path/],
		['/srv/{name}', /\{name\} is no placeholder/],
		['/srv/{domain}/Maildir', /\{domain\} alone/],
	])('refuses %s', (text, message) => {
		expect(() => parseSourceSpec(text)).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) }));
	});

	test('sees by itself that a path is a store of another kind', () => {
		const root = temporaryDirectory();
		writeFileSync(join(root, 'inbox'), 'From alice\n');
		mkdirSync(join(root, 'sdbox', 'mailboxes'), { recursive: true });
		mkdirSync(join(root, 'mdbox', 'mailboxes'), { recursive: true });
		mkdirSync(join(root, 'mdbox', 'storage'), { recursive: true });
		expect(() => parseSourceSpec(join(root, 'inbox'))).toThrow(/kind mbox/);
		expect(() => parseSourceSpec(join(root, 'sdbox'))).toThrow(/kind dbox/);
		expect(() => parseSourceSpec(join(root, 'mdbox'))).toThrow(/kind mdbox/);
		expect(parseSourceSpec(`maildir:${root}/inbox`).type).toBe('maildir');
	});
});
