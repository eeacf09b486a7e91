import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type DayReport, liveOneDay } from '../../bench/life.ts';
import { makeTree } from '../../bench/tree.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const NOW = Date.UTC(2026, 5, 1, 2);
const DAY = 86_400_000;
const folders: string[] = [];
let pattern = '';

beforeAll(() => {
	pattern = writeTree(mkdtempSync(join(tmpdir(), 'mailseal-life-pattern-')));
});

afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

afterAll(() => rmSync(pattern, { recursive: true, force: true }));

function emptyFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-life-test-'));
	folders.push(folder);
	return folder;
}

function freshTree(): string {
	return writeTree(emptyFolder());
}

function writeTree(root: string): string {
	return makeTree({ root, seed: 3, accounts: 3, messages: 200, bytes: 'small', domain: 'example.org', now: NOW }).root;
}

function live(root: string, options: { days: number; seed?: number; churn?: number }): DayReport[] {
	return Array.from({ length: options.days }, (_, night) => {
		const day = night + 1;
		return liveOneDay({ root, seed: options.seed ?? 3, day, now: NOW + day * DAY, churn: options.churn ?? 0.05 });
	});
}

function total(reports: readonly DayReport[], what: keyof DayReport): number {
	return reports.reduce((sum, report) => sum + report[what], 0);
}

/** What Dovecot relies on in any tree. */
function expectValid(name: string, folder: FolderState): void {
	const bases = [...folder.messages.keys()].map((path) => path.slice(4).replace(/:.*/, ''));
	expect([name, new Set(bases).size]).toEqual([name, bases.length]);
	const uids = bases.map((base) => Number(folder.uids?.lines.get(base)));
	expect(uids.every((uid) => uid > 0 && uid < (folder.uids?.next ?? 0))).toBe(true);
	expect(new Set(uids).size).toBe(uids.length);
	for (const path of folder.messages.keys()) {
		expect(path).toMatch(/^(new\/[^:]+|cur\/[^:]+:2,D?F?P?R?S?T?[a-z]*)$/);
		for (const letter of /:2,[A-Z]*([a-z]*)/.exec(path)?.[1] ?? '') {
			expect(folder.keywords.get(String(letter.charCodeAt(0) - 97))).toBeDefined();
		}
	}
}

describe('liveOneDay()', () => {
	test('lets the same thirty days pass in two copies of a tree', () => {
		const [one, other] = [freshTree(), freshTree()];
		expect(live(one, { days: 30 })).toEqual(live(other, { days: 30 }));
		expect(compareTreeStates(readTreeState(one), readTreeState(other))).toEqual([]);
		const folderTimes = (root: string) =>
			readdirSync(root, { recursive: true, encoding: 'utf8' })
				.filter((path) => /\/(cur|new)$/.test(path))
				.sort()
				.map((path) => [path, statSync(join(root, path)).mtimeMs]);
		expect(folderTimes(one)).toEqual(folderTimes(other));
	});

	test('lets everything happen within thirty days, and keeps the tree valid every night', () => {
		const root = freshTree();
		const reports: DayReport[] = [];
		for (let day = 1; day <= 30; day++) {
			reports.push(liveOneDay({ root, seed: 3, day, now: NOW + day * DAY, churn: 0.05 }));
			for (const [name, folder] of readTreeState(root)) expectValid(name, folder);
		}
		const happenings = Object.keys(reports[0] ?? {}) as (keyof DayReport)[];
		for (const happening of happenings) expect([happening, total(reports, happening)]).not.toEqual([happening, 0]);
	});

	test('changes the time of cur or new exactly where a name changed', () => {
		const root = freshTree();
		const before = readTreeState(root);
		const timesOf = () =>
			new Map(
				readdirSync(root, { recursive: true, encoding: 'utf8' })
					.filter((path) => /\/Maildir\/(.*\/)?(cur|new)$/.test(path))
					.map((path) => [path, statSync(join(root, path)).mtimeMs]),
			);
		const oldTimes = timesOf();
		// Seed 5 makes, renames and deletes no folder on its first day.
		const [report] = live(root, { days: 1, seed: 5, churn: 0.02 });
		expect([report?.foldersMade, report?.foldersRenamed, report?.foldersDeleted]).toEqual([0, 0, 0]);
		const after = readTreeState(root);
		let changed = 0;
		for (const [path, time] of timesOf()) {
			const [account = '', , ...rest] = path.split('/');
			const dir = rest.pop() ?? '';
			const folder = `${account}/${rest.join('/')}`;
			const names = (state: typeof before) =>
				[...(state.get(folder)?.messages.keys() ?? [])]
					.filter((name) => name.startsWith(`${dir}/`))
					.sort()
					.join();
			const differs = names(before) !== names(after);
			expect([path, time !== oldTimes.get(path)]).toEqual([path, differs]);
			if (differs) changed++;
		}
		expect(changed).toBeGreaterThan(2);
	});

	test('never writes into a file that is there, so that a copy of hard links keeps its original', () => {
		const before = readTreeState(pattern);
		const root = emptyFolder();
		linkTree(pattern, root);
		live(root, { days: 10, churn: 0.1 });
		expect(compareTreeStates(before, readTreeState(pattern))).toEqual([]);
		expect(compareTreeStates(before, readTreeState(root))).not.toEqual([]);
	});

	test('leaves uidlists as Dovecot does: with a next uid that lags behind, and with names that are gone', () => {
		const root = freshTree();
		live(root, { days: 5, churn: 0.1 });
		let lagging = 0;
		let gone = 0;
		for (const [name, folder] of readTreeState(root)) {
			const [account = '', directory = ''] = name.split('/');
			const [header = '', ...rows] = readFileSync(join(root, account, 'Maildir', directory, 'dovecot-uidlist'), 'utf8')
				.trimEnd()
				.split('\n');
			if (Number(/ N(\d+)/.exec(header)?.[1]) < (folder.uids?.next ?? 0)) lagging++;
			gone += rows.length - (folder.uids?.lines.size ?? 0);
		}
		expect(lagging).toBeGreaterThan(0);
		expect(gone).toBeGreaterThan(0);
	});

	test('does as many things as the churn asks for, for any seed and day', () => {
		const day = fc.record({ seed: fc.nat(1000), day: fc.integer({ min: 1, max: 1000 }), perMille: fc.integer({ min: 1, max: 200 }) });
		fc.assert(
			fc.property(day, ({ seed, day, perMille }) => {
				const root = freshTree();
				const report = liveOneDay({ root, seed, day, now: NOW + day * DAY, churn: perMille / 1000 });
				const { foldersMade, foldersRenamed, foldersDeleted, deliveredBytes, ...things } = report;
				const steps = Object.values(things).reduce((sum, count) => sum + count, 0);
				expect(steps).toBe(Math.max(1, Math.round((200 * perMille) / 1000)));
				for (const [name, folder] of readTreeState(root)) expectValid(name, folder);
				rmSync(root, { recursive: true });
			}),
			{ seed: 11, numRuns: process.env.SLOW ? 200 : 5 },
		);
	});
});

function linkTree(from: string, to: string): void {
	mkdirSync(to, { recursive: true });
	for (const entry of readdirSync(from, { withFileTypes: true })) {
		const [source, target] = [join(from, entry.name), join(to, entry.name)];
		if (entry.isDirectory()) linkTree(source, target);
		else linkSync(source, target);
	}
	const { atimeMs, mtimeMs } = statSync(from);
	utimesSync(to, atimeMs / 1000, mtimeMs / 1000);
}
