import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractParts, listAttachments, listMessages, search } from '../../../src/archive/index.ts';
import { parseAccountName } from '../../../src/domain/index.ts';
import { archiveAt, packOnce, temporaryFolder } from '../../support/archive.ts';
import { fileBytes, mailWith } from '../../support/attached-mail.ts';
import { DAY, DAY_ZERO, makeMailStore } from '../../support/mail-store.ts';

const NOW = DAY_ZERO + 40 * DAY;
const REPORT = fileBytes('report', 20_000);
const LOGO = fileBytes('logo', 900);

async function archiveOf(content: string | Uint8Array): Promise<string> {
	const store = makeMailStore();
	const archive = join(temporaryFolder(), 'archive');
	store.put('anna@example.org/INBOX/1.a:2,S', { content });
	await packOnce(archive, store.spec, { now: NOW, bundles: { linger: 0 } });
	return archive;
}

async function namesOf(archive: string, name: string): Promise<string[]> {
	const parts = await extractParts(archiveAt(archive), 'anna@example.org/INBOX/1.a', { name, now: NOW });
	return parts.map((part) => part.name);
}

const FILES = [
	{ name: 'report.pdf', bytes: REPORT },
	{ name: 'logo.png', bytes: LOGO },
	{ name: 'report.pdf', bytes: fileBytes('another', 9000) },
];

test('extractParts() finds files by name in any case, by pattern and by number, stored apart or not', async () => {
	const archive = await archiveOf(mailWith(FILES, { subject: 'three files' }));
	expect(await namesOf(archive, 'LOGO.PNG')).toEqual(['logo.png']);
	expect(await namesOf(archive, 're*.pdf')).toEqual(['report.pdf', 'report.pdf']);
	expect(await namesOf(archive, 'part-1')).toEqual(['part-1']);
	expect(await namesOf(archive, '*')).toEqual(['part-1', 'report.pdf', 'logo.png', 'report.pdf']);
	const [second] = await extractParts(archiveAt(archive), 'anna@example.org/INBOX/1.a', { name: 'part-2', now: NOW });
	expect(Buffer.from(second?.bytes ?? '').equals(REPORT)).toBe(true);
	for (const [pattern, code] of [
		['', 'usage'],
		['re*png', 'not-found'],
		['part-5', 'not-found'],
	] as const) {
		await expect(namesOf(archive, pattern), pattern).rejects.toMatchObject({ code });
	}
	await expect(namesOf(archive, 'x')).rejects.toMatchObject({ hint: 'it has part-2 "report.pdf", part-3 "logo.png", part-4 "report.pdf"' });
});

test('extractParts() takes two forms of one letter for the same', async () => {
	const archive = await archiveOf(mailWith([{ name: 'U\u0308bersicht.pdf', bytes: LOGO }], { subject: 'an umlaut' }));
	expect(await namesOf(archive, '\u00dcbersicht.pdf')).toEqual(['U\u0308bersicht.pdf']);
});

const FORWARDED = [
	'Subject: Fwd',
	'Content-Type: multipart/mixed; boundary=b',
	'',
	'--b',
	'',
	'See below.',
	'--b',
	'Content-Type: message/rfc822; name="Original.eml"',
	'Content-Disposition: attachment; filename="Original.eml"',
	'',
	'Subject: the original',
	'',
	'Hello',
	'--b--',
	'',
].join('\n');

test('a mail that was forwarded as a file counts as a file, is found by its name, and comes out as it was', async () => {
	const archive = archiveAt(await archiveOf(FORWARDED));
	expect((await listMessages(archive, { now: NOW })).result.rows).toMatchObject([{ files: 1 }]);
	for (const query of ['has:attachment', 'filename:original.eml']) {
		expect((await search(archive, { query, limit: 10, now: NOW })).result.rows, query).toHaveLength(1);
	}
	const [part] = await extractParts(archive, 'anna@example.org/INBOX/1.a', { name: 'Original.eml', now: NOW });
	expect(Buffer.from(part?.bytes ?? '').toString()).toBe('Subject: the original\n\nHello');
});

test('a pattern takes a mail of mails within each other once, and a name takes any of them', async () => {
	const header = (name: string) => `Content-Type: message/rfc822; name=${name}.eml\n\n`;
	const archive = await archiveOf(`${header('outer')}${header('middle')}${header('inner')}Subject: x\n\nHello`);
	expect(await namesOf(archive, '*')).toEqual(['outer.eml', 'part-4']);
	expect(await namesOf(archive, 'inner.eml')).toEqual(['inner.eml']);
});

test('where the parts of a message cannot be read, that is said, and not that it has none', async () => {
	const archive = await archiveOf(`Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\nx\n'.repeat(10_001)}`);
	await expect(namesOf(archive, 'x')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('mime-too-many-parts') });
});

test('an account that the archive does not know is an error, and no empty list', async () => {
	const archive = archiveAt(await archiveOf(FORWARDED));
	const request = { account: parseAccountName('anne@example.org'), now: NOW };
	for (const list of [listAttachments, listMessages]) await expect(list(archive, request)).rejects.toMatchObject({ code: 'not-found' });
});
