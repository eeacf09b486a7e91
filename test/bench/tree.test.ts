import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { folderDirectory } from '../../bench/mail/maildir.ts';
import { makeTree, type TreeOptions } from '../../bench/tree.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const NOW = Date.UTC(2026, 5, 1, 2);
const folders: string[] = [];

afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function emptyFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-tree-test-'));
	folders.push(folder);
	return folder;
}

function smallTree(options: Partial<TreeOptions> = {}) {
	return makeTree({
		root: emptyFolder(),
		seed: 7,
		accounts: 3,
		messages: 300,
		bytes: 'small',
		domain: 'example.org',
		now: NOW,
		...options,
	});
}

function messagePaths(root: string): string[] {
	return readdirSync(root, { recursive: true, encoding: 'utf8' })
		.filter((path) => /\/(cur|new)\/[^/]+$/.test(path))
		.sort();
}

describe('makeTree()', () => {
	test('gives the same bytes, names, modes and times for a seed, directories included', () => {
		const one = smallTree();
		const other = smallTree();
		expect(compareTreeStates(readTreeState(one.root), readTreeState(other.root))).toEqual([]);
		const entries = readdirSync(one.root, { recursive: true, encoding: 'utf8' }).sort();
		expect(readdirSync(other.root, { recursive: true, encoding: 'utf8' }).sort()).toEqual(entries);
		for (const entry of entries) {
			const [left, right] = [statSync(join(one.root, entry)), statSync(join(other.root, entry))];
			expect([entry, right.mtimeMs, right.mode]).toEqual([entry, left.mtimeMs, left.mode]);
			if (left.isFile()) expect(readFileSync(join(other.root, entry)).equals(readFileSync(join(one.root, entry)))).toBe(true);
		}
	});

	test('gives other mail for another seed', () => {
		const one = new Set(
			[...readTreeState(smallTree().root).values()].flatMap((folder) => [...folder.messages.values()].map((file) => file.sha256)),
		);
		const other = [...readTreeState(smallTree({ seed: 8 }).root).values()].flatMap((folder) => [...folder.messages.values()]);
		expect(other.filter((file) => one.has(file.sha256))).toEqual([]);
	});

	test('writes as many messages as it is asked for, and counts bytes truly', () => {
		for (const messages of [0, 1, 17, 300]) {
			const tree = smallTree({ messages });
			const paths = messagePaths(tree.root);
			expect(paths).toHaveLength(messages);
			expect(tree.messages).toBe(messages);
			expect(tree.bytes).toBe(paths.reduce((sum, path) => sum + statSync(join(tree.root, path)).size, 0));
		}
	});

	test('keeps near the profile real-life: 43 kB a message, nine tenths of it attachments', () => {
		const tree = smallTree({ messages: 2000, bytes: 'real-life', accounts: 5 });
		const perMessage = tree.bytes / tree.messages;
		expect(perMessage).toBeGreaterThan(1.65e9 / 38_000 / 1.15);
		expect(perMessage).toBeLessThan((1.65e9 / 38_000) * 1.15);
		expect(tree.attachmentBytes / tree.bytes).toBeGreaterThan(0.87);
		expect(tree.attachmentBytes / tree.bytes).toBeLessThan(0.93);
	});

	test('keeps near the profile small: 3.6 kB a message', () => {
		const tree = smallTree({ messages: 5000, accounts: 5 });
		const perMessage = tree.bytes / tree.messages;
		expect(perMessage).toBeGreaterThan(1.03e9 / 286_000 / 1.05);
		expect(perMessage).toBeLessThan((1.03e9 / 286_000) * 1.05);
	});

	test('names files with their true size and virtual size, and sets flags in the order of ASCII', () => {
		const { root } = smallTree();
		for (const path of messagePaths(root)) {
			const match = /\/(cur|new)\/\d+\.M\d+P\d+\.mx1\.example\.org,S=(\d+),W=(\d+)(:2,(D?F?P?R?S?T?[a-z]*))?$/.exec(path);
			const bytes = readFileSync(join(root, path));
			const feeds = bytes.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
			expect([path, Number(match?.[2]), Number(match?.[3])]).toEqual([path, bytes.length, bytes.length + feeds]);
			expect(match?.[1] === 'new').toBe(match?.[4] === undefined);
		}
	});

	test('gives every message a uid, ascending in the order of the names, and every keyword letter a name', () => {
		for (const [name, folder] of readTreeState(smallTree().root)) {
			const bases = [...folder.messages.keys()].map((path) => path.slice(4).replace(/:.*/, '')).sort(byNumber);
			const uids = bases.map((base) => Number(folder.uids?.lines.get(base)));
			expect([name, uids]).toEqual([name, [...uids].sort((left, right) => left - right)]);
			expect(uids.every((uid) => uid > 0 && uid < (folder.uids?.next ?? 0))).toBe(true);
			for (const path of folder.messages.keys()) {
				for (const letter of /:2,[A-Z]*([a-z]*)/.exec(path)?.[1] ?? '') {
					expect(folder.keywords.get(String(letter.charCodeAt(0) - 97))).toBeDefined();
				}
			}
		}
	});

	test('shares attachments between accounts, and repeats no message', () => {
		const { root } = smallTree({ messages: 2500, bytes: 'real-life', accounts: 4 });
		const accountsOf = new Map<string, Set<string>>();
		const messages = new Set<string>();
		for (const path of messagePaths(root)) {
			const text = readFileSync(join(root, path), 'latin1');
			messages.add(text);
			for (const part of text.matchAll(/Content-Transfer-Encoding: base64\nContent-Disposition: [^\n]+\n\n([A-Za-z0-9+/=\n]+?)\n\n--/g)) {
				const body = part[1] ?? '';
				const rows = body.split('\n');
				expect(rows.slice(0, -1).every((row) => row.length === 76)).toBe(true);
				const owners = accountsOf.get(body) ?? new Set();
				accountsOf.set(body, owners.add(path.split('/')[0] ?? ''));
			}
		}
		expect(messages.size).toBe(2500);
		expect(accountsOf.size).toBeGreaterThan(100);
		expect([...accountsOf.values()].filter((owners) => owners.size > 1).length).toBeGreaterThan(accountsOf.size / 10);
	});

	test('writes messages with headers that answer each other, encoded subjects, and no line that breaks a header', () => {
		const { root } = smallTree();
		const heads = messagePaths(root).map((path) => readFileSync(join(root, path), 'latin1').split('\n\n', 1)[0] ?? '');
		for (const head of heads) {
			for (const line of head.split('\n')) expect(line).toMatch(/^([A-Za-z-]+: |[ \t]+\S)/);
			expect(head).toMatch(/^Message-ID: <[^<>\s]+>$/m);
			expect(Number.isNaN(Date.parse(/^Date: (.*)$/m.exec(head)?.[1] ?? ''))).toBe(false);
		}
		const ids = new Set(heads.map((head) => /^Message-ID: (.*)$/m.exec(head)?.[1]));
		expect(ids.size).toBe(heads.length);
		const answers = heads.map((head) => /^In-Reply-To: (.*)$/m.exec(head)?.[1]).filter((id) => id !== undefined);
		expect(answers.length).toBeGreaterThan(30);
		expect(answers.every((id) => ids.has(id))).toBe(true);
		expect(heads.filter((head) => /^Subject: .*=\?UTF-8\?[BQ]\?/m.test(head)).length).toBeGreaterThan(5);
	});

	test('spreads dates over five years, most of them recent, and reads what is old', () => {
		const { root } = smallTree({ messages: 1500 });
		const ages = messagePaths(root).map((path) => (NOW - statSync(join(root, path)).mtimeMs) / 86_400_000);
		expect(Math.min(...ages)).toBeGreaterThan(0);
		expect(Math.max(...ages)).toBeGreaterThan(4 * 365);
		expect(Math.max(...ages)).toBeLessThanOrEqual(5 * 366);
		expect(ages.filter((age) => age < 365).length).toBeGreaterThan(ages.length / 3);
		const unread = messagePaths(root).filter((path) => path.includes('/Maildir/cur/') && !/:2,[A-Z]*S/.test(path));
		const read = messagePaths(root).filter((path) => path.includes('/Maildir/cur/') && /:2,[A-Z]*S/.test(path));
		expect(read.length).toBeGreaterThan(8 * unread.length);
		expect(messagePaths(root).some((path) => path.includes('/new/'))).toBe(true);
	});

	test('spreads accounts over several domains', () => {
		const tree = smallTree({ accounts: 4, domain: ['one.example', 'two.example'] });
		expect(tree.accounts.map((account) => account.split('@')[1])).toEqual(['one.example', 'two.example', 'one.example', 'two.example']);
		expect(readdirSync(tree.root).sort()).toEqual([...tree.accounts].sort());
	});

	test('refuses to write over an account that is there', () => {
		const root = emptyFolder();
		const { accounts } = smallTree({ root, messages: 5 });
		expect(() => smallTree({ root, messages: 5 })).toThrow('EEXIST');
		expect(readdirSync(root).sort()).toEqual([...accounts].sort());
	});
});

describe('makeTree() with logos', () => {
	test('leaves trees without them as they always were, to the byte', () => {
		const pins = {
			small: '04aa7c594c3a1ad88160c615008e9d6b21fe318a5821a03a41007abe83aef236',
			'real-life': 'c3ba13aab9535edba8c488caae26a287542e55d243ba4b95e27581a783814c1e',
		};
		for (const bytes of ['small', 'real-life'] as const) {
			const hash = createHash('sha256');
			for (const [name, folder] of readTreeState(smallTree({ bytes }).root)) {
				hash.update(JSON.stringify([name, folder], (_, value: unknown) => (value instanceof Map ? [...value] : value)));
			}
			expect([bytes, hash.digest('hex')]).toEqual([bytes, pins[bytes]]);
		}
	});

	test('gives the same bytes for a seed', () => {
		const [one, other] = [smallTree({ logos: true }), smallTree({ logos: true })];
		expect(compareTreeStates(readTreeState(one.root), readTreeState(other.root))).toEqual([]);
		expect(one.bytes).toBe(messagePaths(one.root).reduce((sum, path) => sum + statSync(join(one.root, path)).size, 0));
	});

	test('changes only messages of firms, about a third of them, and nothing else of the tree', () => {
		const [plain, signed] = [smallTree({ messages: 900 }), smallTree({ messages: 900, logos: true })];
		let business = 0;
		let changed = 0;
		for (const [before, after] of pairsOf(plain.root, signed.root)) {
			const from = /^From: .*@([a-z.]+)>?$/m.exec(before)?.[1] ?? '';
			const firm = !['mail.example.com', 'lists.example.edu'].includes(from);
			if (firm) business++;
			if (before === after) continue;
			expect(firm).toBe(true);
			expect(after.split('\n\n', 1)[0]?.replace(/^Content-[\s\S]*/m, '')).toBe(
				before.split('\n\n', 1)[0]?.replace(/^Content-[\s\S]*/m, ''),
			);
			changed++;
		}
		expect(changed / business).toBeGreaterThan(0.28);
		expect(changed / business).toBeLessThan(0.39);
	});

	test('hangs one or two small pictures on them, shown by their HTML, of which few are different', () => {
		const { root } = smallTree({ messages: 900, logos: true });
		const part =
			/Content-Disposition: inline; filename="image00[12]\.png"; size=(\d+)\nContent-ID: <([^>]+)>\nContent-Transfer-Encoding: base64\n\n([A-Za-z0-9+/=\n]+?)\n\n--/g;
		const used = new Map<string, number>();
		const counts = new Set<number>();
		for (const path of messagePaths(root)) {
			const text = readFileSync(join(root, path), 'latin1');
			const logos = [...text.matchAll(part)];
			if (logos.length > 0) counts.add(logos.length);
			expect((text.match(/multipart\/related/g) ?? []).length).toBe(logos.length > 0 ? 1 : 0);
			for (const [, size, contentId, body = ''] of logos) {
				const bytes = Buffer.from(body, 'base64');
				expect(bytes.length).toBe(Number(size));
				expect(bytes.length).toBeGreaterThanOrEqual(1024);
				expect(bytes.length).toBeLessThanOrEqual(12 * 1024);
				expect(bytes.toString('latin1', 1, 4)).toBe('PNG');
				expect(text).toContain(`<img src="cid:${contentId}"`);
				used.set(body, (used.get(body) ?? 0) + 1);
			}
		}
		expect([...counts].sort()).toEqual([1, 2]);
		const uses = [...used.values()].reduce((sum, count) => sum + count, 0);
		expect(uses).toBeGreaterThan(150);
		expect(used.size).toBeLessThan(uses / 2);
		expect(Math.max(...used.values())).toBeGreaterThan(20);
	});
});

describe('folderDirectory()', () => {
	test('spells levels as Dovecot does, in modified UTF-7', () => {
		expect(folderDirectory('INBOX')).toBe('');
		expect(folderDirectory('Projects/Alpha')).toBe('.Projects.Alpha');
		expect(folderDirectory('Übung')).toBe('.&ANw-bung');
		expect(folderDirectory('A&B')).toBe('.A&-B');
		expect(folderDirectory('😀')).toBe('.&2D3eAA-');
	});
});

/** The messages of two trees of one seed, each with its like. */
function pairsOf(left: string, right: string): [string, string][] {
	const [ones, others] = [left, right].map((root) => {
		const paths = messagePaths(root).map((path) => ({ path, name: path.replace(/,S=\d+,W=\d+/, '') }));
		return new Map(paths.map(({ path, name }) => [name, readFileSync(join(root, path), 'latin1')]));
	});
	expect([...(others?.keys() ?? [])].sort()).toEqual([...(ones?.keys() ?? [])].sort());
	return [...(ones ?? [])].map(([name, text]) => [text, others?.get(name) ?? '']);
}

function byNumber(left: string, right: string): number {
	const [a, b] = [left, right].map((name) => Number.parseInt(name, 10));
	const [c, d] = [left, right].map((name) => Number(/M(\d+)/.exec(name)?.[1]));
	return (a ?? 0) - (b ?? 0) || (c ?? 0) - (d ?? 0);
}
