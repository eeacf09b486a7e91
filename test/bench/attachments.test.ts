import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { openLargeMessage } from '../../bench/mail/large-message.ts';
import { catalogBytes, decodedBy } from '../../bench/run/archive-facts.ts';
import { attachmentStarts, base64LeavesOf } from '../../bench/run/base64-leaves.ts';
import { countFiles } from '../../bench/run/bytes.ts';
import { listMail, makeMaildirOf } from '../../bench/run/mail-files.ts';
import { PEERS, storeWith } from '../../bench/run/peers.ts';

const folders: string[] = [];

afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function emptyFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-attachments-'));
	folders.push(folder);
	return folder;
}

function fill(folder: string, files: Readonly<Record<string, string>>): void {
	for (const [path, text] of Object.entries(files)) {
		mkdirSync(join(folder, path, '..'), { recursive: true });
		writeFileSync(join(folder, path), text);
	}
}

describe('listMail()', () => {
	test('finds the messages of Maildirs and of folders of .eml files, and nothing else', () => {
		const folder = emptyFolder();
		fill(folder, {
			'b.eml': '',
			'below/a.eml': '',
			'notes.txt': '',
			'x/Maildir/cur/1.M1:2,S': '',
			'x/Maildir/.Sent/new/2.M2': '',
			'x/Maildir/tmp/3.M3': '',
			'x/Maildir/dovecot-uidlist': '',
		});
		expect(listMail(folder).map((path) => path.slice(folder.length + 1))).toEqual([
			'b.eml',
			'below/a.eml',
			'x/Maildir/.Sent/new/2.M2',
			'x/Maildir/cur/1.M1:2,S',
		]);
	});
});

describe('makeMaildirOf()', () => {
	test('copies each mail byte for byte, read and a year old, whatever the time of its file', () => {
		const mail = emptyFolder();
		fill(mail, { 'a.eml': 'Subject: a\r\n\r\none', 'b.eml': 'Subject: b\n\ntwo\n' });
		const root = emptyFolder();
		expect(makeMaildirOf(mail, root)).toEqual({ messages: 2, bytes: 17 + 16 });
		const copies = listMail(root);
		expect(copies.map((path) => readFileSync(path, 'latin1'))).toEqual(['Subject: a\r\n\r\none', 'Subject: b\n\ntwo\n']);
		for (const path of copies) {
			expect(path).toMatch(/\/mail@example\.org\/Maildir\/cur\/\d+\.M\d+P1\.mx1\.example\.org,S=\d+:2,S$/);
			expect(new Date(statSync(path).mtimeMs).toISOString().slice(0, 10)).toBe('2025-06-01');
		}
	});
});

describe('catalogBytes()', () => {
	test('counts the catalog with what SQLite keeps beside it, and nothing else', () => {
		const archive = emptyFolder();
		fill(archive, { 'catalog.sqlite': '12345', 'catalog.sqlite-wal': '123', 'mailseal.json': '{}', 'bundles/sealed/ab/x.zip': '1' });
		expect(catalogBytes(archive)).toEqual({ files: 2, bytes: 8 });
	});
});

describe('decodedBy()', () => {
	test('names the attachments that a recipe writes as base64, zipped or not', () => {
		const line =
			'{"recipe":1,"size":9,"pieces":[{"literal":2},{"attachment":"aa","size":3,"base64":{"lines":[]}},{"attachment":"bb","size":1}]}';
		expect(decodedBy(Buffer.from(`${line}\n{"attachment"`))).toEqual(['aa']);
		expect(decodedBy(gzipSync(`${line}\n`))).toEqual(['aa']);
	});
});

describe('base64LeavesOf()', () => {
	function messageWith(...bodies: readonly string[]): Buffer {
		const parts = bodies.map((body, n) => `Content-Type: image/png; name="${n}.png"\nContent-Transfer-Encoding: base64\n\n${body}\n--b\n`);
		return Buffer.from(`Content-Type: multipart/mixed; boundary=b\n\n--b\n${parts.join('')}Content-Type: text/plain\n\nhello\n--b--\n`);
	}
	const base64 = createHash('sha512').update('a file').digest('base64');

	test('tells of each base64 part whether it is stored decoded, and if not, why', () => {
		const lines = base64.replace(/.{20}/g, '$&\r\n');
		const message = messageWith(`\n${lines}\n\n`, base64, `${base64.slice(0, 40)}!!${base64.slice(40)}`);
		expect(base64LeavesOf(message, { minimum: 64 })).toEqual([
			{ how: 'decoded', bytes: 64 },
			{ how: 'decoded', bytes: 64 },
			{ how: 'as it stands: junk', bytes: 90 },
		]);
	});

	test('leaves out what is too small', () => {
		expect(base64LeavesOf(messageWith(base64), { minimum: 65 })).toEqual([]);
	});
});

describe('attachmentStarts()', () => {
	test('finds where in the message each attachment stands, whatever its lines and its last group', () => {
		const pieces = [
			{ literal: 10 },
			{ attachment: 'aa', size: 7, base64: { lines: [[2, 4, '\r\n']], last: 'QR' } },
			{ attachment: 'bb', size: 5 },
			{ literal: 3 },
			{ attachment: 'aa', size: 7, base64: {} },
		];
		const recipe = Buffer.from(`${JSON.stringify({ recipe: 1, size: 1, pieces })}\nliteral`);
		// 12 characters and two line ends, two characters fewer at the end; then five bytes, and three.
		expect([...attachmentStarts(recipe)]).toEqual([
			[10, true],
			[24, false],
			[32, true],
		]);
	});
});

describe('openLargeMessage()', () => {
	test('gives the same bytes at each call, in lines of the width asked for', () => {
		const open = openLargeMessage({ encoding: 'base64', size: 200_000, columns: 72, end: '\r\n' });
		const [one, other] = [Buffer.concat([...open()]), Buffer.concat([...open()])];
		expect(one.equals(other)).toBe(true);
		const body = /\n\n([A-Za-z0-9+/\r\n]+)\n--=_large--\n$/.exec(one.toString('latin1'))?.[1] ?? '';
		expect(body.length).toBeGreaterThanOrEqual(200_000);
		const rows = body.split('\r\n');
		expect(rows.pop()).toBe('');
		expect(rows.every((row) => row.length === 72)).toBe(true);
		expect(new Set(rows).size).toBe(rows.length);
	});
});

describe('storeWith()', () => {
	test('stores a tree with each program that is installed, counts its repository, and leaves nothing elsewhere', () => {
		const tree = emptyFolder();
		const text = Array.from({ length: 400 }, (_, n) => createHash('sha256').update(String(n)).digest('base64')).join('\n');
		fill(tree, { 'a/one': text, 'b/two': `${text}!` });
		const { HOME } = process.env;
		const home = emptyFolder();
		try {
			process.env.HOME = home;
			for (const peer of PEERS) {
				const folder = emptyFolder();
				const result = storeWith(peer, { tree, folder });
				if (result === null) {
					console.warn(`skipped: needs ${peer}`);
					continue;
				}
				expect([peer, result.bytes]).toEqual([peer, countFiles(join(folder, peer)).bytes]);
				expect(result.bytes).toBeGreaterThan(10_000);
				expect(result.cost.wall).toBeGreaterThan(0);
				expect(result.version).toMatch(/^\d+\.\d+/);
				if (peer !== 'bup') expect([peer, result.stored]).toEqual([peer, 2]);
			}
		} finally {
			process.env.HOME = HOME;
		}
		expect(readdirSync(home)).toEqual([]);
	});

	test('says of a program that is not installed that it is missing', () => {
		const { PATH } = process.env;
		try {
			process.env.PATH = emptyFolder();
			expect(storeWith('restic', { tree: emptyFolder(), folder: emptyFolder() })).toBeNull();
		} finally {
			process.env.PATH = PATH;
		}
	});
});
