import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { liveOneDay } from '../../bench/life.ts';
import { makeTree } from '../../bench/tree.ts';
import { type Archive, listFolders, listMessages, type MessageRow, openExtractor, search } from '../../src/archive/index.ts';
import { archiveAt, packOnce } from '../support/archive.ts';
import { fastFolder, SMALL_BUNDLES } from '../support/eventful-night.ts';
import { openRemote, restoreFrom, syncOnce } from '../support/target.ts';
import { compareTreeStates, type FolderState, readTreeState } from '../support/tree-state.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 8, 1, 2);
const SEED = 31;
const NIGHTS = 7;
const NOW = START + 100 * DAY;

let place = '';
/** The mail store on each night, by the snapshot of that night. */
const trees = new Map<string, Map<string, FolderState>>();

beforeAll(async () => {
	place = fastFolder();
	const root = join(place, 'store');
	makeTree({ root, seed: SEED, accounts: 3, messages: 90, bytes: 'small', domain: ['example.org', 'example.net'], now: START });
	const happened = { flagged: 0, keyworded: 0, moved: 0, expunged: 0, foldersRenamed: 0, foldersDeleted: 0 };
	for (let day = 0; day < NIGHTS; day++) {
		const now = START + day * DAY;
		if (day > 0) {
			const report = liveOneDay({ root, seed: SEED, day, now, churn: 0.3, bytes: 'small' });
			for (const key of Object.keys(happened) as (keyof typeof happened)[]) happened[key] += report[key];
		}
		const { result } = await packOnce(join(place, 'archive'), `maildir:${root}/{account}/Maildir`, {
			now,
			bundles: SMALL_BUNDLES,
			attachmentMin: 1500,
		});
		trees.set(String(result.snapshot), readTreeState(root));
	}
	// A life in which one of these never happens proves nothing of it.
	expect(Object.entries(happened).filter(([, times]) => times === 0)).toEqual([]);
	await syncOnce(join(place, 'archive'), join(place, 'target'));
});

afterAll(() => rmSync(place, { recursive: true, force: true }));

const FLAGS: Readonly<Record<string, string>> = { D: 'draft', F: 'flagged', P: 'passed', R: 'answered', S: 'seen', T: 'deleted' };

/** RFC 3501, 5.1.3: `.Entw&APw-rfe` is `Entwürfe`. */
function folderName(directory: string): string {
	if (directory === '') return 'INBOX';
	const utf16 = (code: string): string => Buffer.from(code.replaceAll(',', '/'), 'base64').swap16().toString('utf16le');
	return directory
		.slice(1)
		.replaceAll('.', '/')
		.replace(/&([^-]*)-/g, (_all, code: string) => (code === '' ? '&' : utf16(code)));
}

/** What a mail store shows of each message, read without mailseal; sorted lines. */
function messagesOf(tree: ReadonlyMap<string, FolderState>): string[] {
	return [...tree].flatMap(([name, { messages, uids, keywords }]) => {
		const [account = '', directory = ''] = name.split('/');
		return [...messages].map(([path, { sha256, mtime }]) => {
			const [key = '', letters = ''] = path.slice(4).split(':2,');
			const known = [...letters].map((letter) => FLAGS[letter] ?? keywords.get(String(letter.charCodeAt(0) - 97)));
			const uid = Number.parseInt(uids?.lines.get(key) ?? '', 10);
			return lineOf({ account, folder: folderName(directory), key, id: sha256, date: mtime, marks: known.map(String), uid });
		});
	});
}

function lineOf({ marks, uid, ...rest }: { readonly marks: readonly string[]; readonly uid: number } & Readonly<Record<string, unknown>>) {
	const { account, folder, key, id, date } = rest;
	// Some forwarded mail has both the flag and its keyword of IMAP.
	return JSON.stringify([account, folder, key, id, date, [...marks].sort(), Number.isNaN(uid) ? null : uid]);
}

function shownAs({ account, folder, key, id, date, flags, keywords, uid }: MessageRow): string {
	return lineOf({ account, folder, key, id, date: Date.parse(date), marks: [...flags, ...keywords], uid: uid ?? Number.NaN });
}

function foldersOf(tree: ReadonlyMap<string, FolderState>): string[] {
	return [...tree].map(([name, { messages, uids }]) => {
		const [account = '', directory = ''] = name.split('/');
		return JSON.stringify([account, folderName(directory), messages.size, Number(uids?.validity), uids?.next]);
	});
}

async function flawsAt(archive: Archive, at: string): Promise<string[]> {
	const tree = trees.get(at) ?? new Map<string, FolderState>();
	const request = { at, now: NOW };
	const { rows } = (await listMessages(archive, request)).result;
	expect(rows.map(shownAs).sort()).toEqual(messagesOf(tree).sort());
	const folders = (await listFolders(archive, request)).result.rows;
	expect(
		folders
			.map(({ account, folder, messages, uidValidity, uidNext }) => JSON.stringify([account, folder, messages, uidValidity, uidNext]))
			.sort(),
	).toEqual(foldersOf(tree).sort());
	for (const account of new Set(rows.map((row) => row.account))) {
		const found = await search(archive, { query: `account:${account}`, limit: 1000, ...request });
		expect(found.result.rows.map(shownAs).sort()).toEqual(
			rows
				.filter((row) => row.account === account)
				.map(shownAs)
				.sort(),
		);
	}
	const extractor = await openExtractor(archive, request);
	try {
		for (const { account, folder, key, id } of rows.filter((_row, index) => index % 7 === 0)) {
			const message = await extractor.extract(`${account}/${folder}/${key}`);
			expect(message.id).toBe(id);
			expect(
				createHash('sha256')
					.update(Buffer.concat([...message.chunks()]))
					.digest('hex'),
			).toBe(id);
		}
	} finally {
		extractor.close();
	}
	const { findings, tree: restored } = await restoreFrom(archive, request);
	return [...findings.map(({ text }) => text), ...compareTreeStates(tree, restored)];
}

describe('ls, search, extract and restore', () => {
	it('show each night as it was', async () => {
		for (const name of trees.keys()) expect(await flawsAt(archiveAt(join(place, 'archive')), name), name).toEqual([]);
	});

	it('show each night as it was by a target alone, in any order', async () => {
		const cache = join(place, 'cache');
		const names = [...trees.keys()];
		for (const index of [3, 0, 6, 2, 5, 1, 4]) {
			const at = names[index] ?? '';
			const { archive, findings } = await openRemote(join(place, 'target'), { cache, wanted: { kind: 'moments', at: [at], now: NOW } });
			expect(findings).toEqual([]);
			expect(await flawsAt(archive, at), at).toEqual([]);
		}
	});

	it('do not find in one night what came later or went before', async () => {
		const archive = archiveAt(join(place, 'archive'));
		const names = [...trees.keys()];
		const idsOf = (name: string): Set<string> =>
			new Set([...(trees.get(name)?.values() ?? [])].flatMap(({ messages }) => [...messages.values()].map(({ sha256 }) => sha256)));
		const [first, last] = [names[0] ?? '', names.at(-1) ?? ''];
		const later = [...idsOf(last)].filter((id) => !idsOf(first).has(id));
		const gone = [...idsOf(first)].filter((id) => !idsOf(last).has(id));
		expect(Math.min(later.length, gone.length)).toBeGreaterThan(0);
		const extractor = await openExtractor(archive, { at: first, now: NOW });
		for (const id of later) await expect(extractor.extract(id)).rejects.toMatchObject({ code: 'not-found' });
		for (const id of gone) expect((await extractor.extract(id)).id).toBe(id);
		extractor.close();
		for (const [at, absent] of [
			[first, later],
			[last, gone],
		] as const) {
			const { rows } = (await listMessages(archive, { at, now: NOW })).result;
			expect(rows.filter(({ id }) => absent.includes(id))).toEqual([]);
		}
	});
});
