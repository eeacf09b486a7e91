import { describe, expect, it } from 'vitest';
import type { DiffResult, MessageRow, PackResult, PlanResult, SnapshotRow, StatusResult, VerifyResult } from '../../src/archive/index.ts';
import { drawChanges } from '../../src/cli/change-rows.ts';
import { drawContract, drawPack, drawPlan, drawRestore, drawStatus, drawVerify } from '../../src/cli/human.ts';
import { drawFound, drawMessages, drawSnapshots } from '../../src/cli/rows.ts';
import { parseAccountName, parseFolderName, parseMessageId, parseSnapshotName } from '../../src/domain/index.ts';
import { recordIo } from '../support/recorded-io.ts';

const snapshot = parseSnapshotName('20261123T021500Z-0a1b2c3d');
const packed: PackResult = {
	snapshot,
	parent: null,
	accounts: 2,
	messages: { total: 1_234_567, added: 120, changed: 30, removed: 4 },
	sealed: { confirmed: 12_480, new: 3, newBytes: 190_000_000, rewrittenBytes: 0 },
	volatile: { bundles: 2, bytes: 41_000_000, newBytes: 1_000_000 },
	attachments: { total: 0, new: 0, sharedBytes: 0 },
	scan: { folders: 8000, foldersRead: 12, filesRead: 120, bytesRead: 3_200_000 },
	seconds: 1.8,
};
const DAY = 24 * 3600 * 1000;

describe('drawPack()', () => {
	it('ends with the cost contract', () => {
		const contract = '12,480 sealed bundles confirmed, 3 new (190 MB), volatile 41 MB, 0 sealed bytes rewritten, 1.8 s';
		expect(drawContract(packed)).toBe(contract);
		expect([...drawPack(packed)]).toEqual([
			'snapshot  20261123T021500Z-0a1b2c3d',
			'messages  1,234,567 in 2 accounts: 120 added, 30 changed, 4 removed',
			'read      12 of 8,000 folders, 120 files (3.2 MB)',
			contract,
		]);
	});

	it('says that a dry run wrote nothing', () => {
		expect([...drawPack({ ...packed, snapshot: null })][0]).toBe('dry run: nothing was written');
	});

	it('tells attachments stored apart where there are any', () => {
		const lines = [...drawPack({ ...packed, attachments: { total: 1200, new: 30, sharedBytes: 4_100_000 } })];
		expect(lines.at(-2)).toBe('attached  1,200 stored apart, 30 new, 4.1 MB saved by sharing');
		expect(lines).toHaveLength(5);
	});

	it('tells rewritten bytes to the byte, since there must be none', () => {
		expect(drawContract({ ...packed, sealed: { ...packed.sealed, rewrittenBytes: 1234 } })).toContain('1,234 sealed bytes rewritten');
	});
});

describe('drawPlan()', () => {
	it('marks the period in force and gives each reason in words', () => {
		const result: PlanResult = {
			now: '2026-11-23T02:15:00.000Z',
			accounts: 1,
			folders: 2,
			messages: 10,
			bytes: 5000,
			rows: [7, 30].map((days) => ({
				quietPeriod: days * DAY,
				sealedMessages: 8,
				sealedBytes: 4000,
				volatileMessages: 2,
				volatileBytes: 1000,
			})),
			reasons: [{ reason: 'never-folder', seal: false, messages: 2, bytes: 1000 }],
			policy: { quietPeriod: 30 * DAY, unreadPeriod: 90 * DAY, never: ['Trash', 'bad\u001b[2J'] },
		};
		const text = [...drawPlan(result)].join('\n');
		expect(text).toContain('10 messages (5.0 kB) in 2 folders of 1 account, judged at 2026-11-23 02:15 UTC');
		expect(text).toMatch(/^30d +8 +4\.0 kB +2 +1\.0 kB +in force$/m);
		expect(text).toMatch(/^7d .*[^e]$/m);
		expect(text).toContain('never Trash, bad\\x1b[2J');
		expect(text).toMatch(/^volatile +2 +1\.0 kB +in a folder that is never sealed$/m);
	});
});

describe('drawStatus()', () => {
	const status: StatusResult = {
		archive: '/a\u001b[2J',
		id: 'ab'.repeat(16),
		snapshot: { name: snapshot, time: '2026-11-23T02:15:00.000Z' },
		snapshots: 7,
		accounts: 1,
		folders: 2,
		messages: 3,
		bytes: 4,
		sealed: { bundles: 1, bytes: 5 },
		volatile: { bundles: 0, bytes: 0 },
		sharedBytes: 0,
		attachments: { total: 1200, bytes: 5_200_000_000, sharedBytes: 3_100_000_000 },
		targets: [],
		next: ['mailseal verify'],
	};

	it('tells the age of the newest snapshot and what to do next', () => {
		const text = [...drawStatus(status, Date.UTC(2026, 10, 24, 5))].join('\n');
		expect(text).toContain('snapshot  20261123T021500Z-0a1b2c3d, 1 day ago, 7 snapshots in all');
		expect(text).toContain('archive   /a\\x1b[2J');
		expect(text).toContain('next      mailseal verify');
	});

	it('tells attachments stored apart, and what storing each once saves', () => {
		expect([...drawStatus(status, 0)]).toContain('attached  1,200 stored apart (5.2 GB), 3.1 GB saved by storing each once');
	});

	it('tells of each target how old it is, what it lacks, and what only it has', () => {
		const synced = { time: '2026-11-20T03:00:00.000Z', snapshot };
		const targets = [
			{ target: 's3://bucket/mail', synced, behind: 3, dropped: { bundles: 12, bytes: 800_000_000 } },
			{ target: '/mnt/x\u001b[2J', synced: null, behind: 7, dropped: { bundles: 0, bytes: 0 } },
		];
		const lines = [...drawStatus({ ...status, targets }, Date.UTC(2026, 10, 24, 5))];
		expect(lines).toContain('target    s3://bucket/mail, 4 days ago, 3 snapshots behind, 12 sealed bundles (800 MB) only there');
		expect(lines).toContain('target    /mnt/x\\x1b[2J, never to its end, 7 snapshots behind');
	});

	it('says so before the first pack', () => {
		expect([...drawStatus({ ...status, snapshot: null }, 0)].join('\n')).toContain('snapshot  none yet');
	});
});

describe('drawVerify() and drawRestore()', () => {
	it('list what is damaged and missing, and end with a summary', () => {
		const result: VerifyResult = {
			mode: 'deep',
			snapshots: 2,
			bundles: 1,
			offsite: 0,
			messages: 1200,
			bytes: 41e9,
			damaged: ['d1'],
			missing: ['m1', 'm2'],
			seconds: 12,
		};
		expect([...drawVerify(result)]).toEqual([
			'damaged  d1',
			'missing  m1',
			'missing  m2',
			'deep: 2 snapshots, 1 bundle, 1,200 messages, 41 GB read, 1 damaged, 2 missing, 12.0 s',
		]);
		const [last] = [...drawVerify({ ...result, mode: 'full', messages: 0, damaged: [], missing: [] })];
		expect(last).toBe('full: 2 snapshots, 1 bundle, 41 GB read, 0 damaged, 0 missing, 12.0 s');
	});

	it('tell a dry run from a restore', () => {
		const result = { snapshot, accounts: 1, folders: 2, written: 3, present: 4, bytes: 5000, seconds: 0.1, dryRun: true };
		expect([...drawRestore(result, '/to')].slice(-2)).toEqual([
			'3 messages (5.0 kB) would be written, 4 there already, in 2 folders of 1 account, 0.1 s',
			'dry run: nothing was written',
		]);
		expect([...drawRestore({ ...result, dryRun: false }, '/to')].at(-1)).toContain('3 messages (5.0 kB) written, 4 there already');
	});
});

describe('message rows', () => {
	const row: MessageRow = {
		account: parseAccountName('alice@example.org'),
		folder: parseFolderName('INBOX'),
		key: '1763863200.M1P2.host',
		id: parseMessageId('5f1d0c3a9b27'.padEnd(64, '0')),
		size: 4321,
		date: '2026-11-22T10:00:00.000Z',
		flags: ['answered', 'seen'],
		keywords: [],
		from: 'Mallory \u001b]0;x\u0007 <m@example.com>',
		subject: `${'long '.repeat(40)}end`,
	};

	it('come in full and without titles into a pipe', () => {
		expect([...drawFound([row], recordIo().stdout)]).toEqual([
			`2026-11-22 10:00    alice@example.org/INBOX  Mallory \\x1b]0;x\\x07 <m@example.com>  ${row.subject}  5f1d0c3a9b27`,
		]);
	});

	it('carry a mark where files came with the message', () => {
		const out = recordIo({ terminal: true, columns: 100 }).stdout;
		expect([...drawMessages([{ ...row, files: 2 }], out)][1]).toMatch(/^2026-11-22 10:00 {2}4\.3 kB {2}AS@ /);
		const [titles, found, plain] = [...drawFound([{ ...row, files: 1 }, row], out)];
		expect(titles).toMatch(/^DATE +@ +FOLDER +FROM +SUBJECT +ID$/);
		expect(found).toMatch(/^2026-11-22 10:00 {2}@ {2}alice@/);
		expect(plain).toMatch(/^2026-11-22 10:00 {5}alice@/);
	});

	it('come with titles and fit into a terminal', () => {
		const lines = [...drawMessages([row], recordIo({ terminal: true, columns: 100 }).stdout)];
		expect(lines).toHaveLength(2);
		expect(lines[0]).toMatch(/^DATE +SIZE +FLAGS +FOLDER +FROM +SUBJECT +ID$/);
		expect(lines[1]).toMatch(/^2026-11-22 10:00 {2}4\.3 kB {2}AS .*… {2}5f1d0c3a9b27$/);
		expect(lines[1]?.length).toBe(100);
	});
});

describe('snapshot rows', () => {
	const row: SnapshotRow = {
		name: snapshot,
		time: '2026-11-23T02:15:00.000Z',
		accounts: 52,
		messages: 1_234_567,
		bytes: 98_000_000_000,
		bundles: 12_485,
		skipped: 1000,
	};

	it('tell what each night changed, its tags, and which ones a prune wrote', () => {
		const changes = { added: 120, changed: 30, removed: 4 };
		expect([...drawSnapshots([row, { ...row, changes }, { ...row, record: true, tags: ['a', 'b'] }], recordIo().stdout)]).toEqual([
			'20261123T021500Z-0a1b2c3d  1,234,567  98 GB              1,000',
			'20261123T021500Z-0a1b2c3d  1,234,567  98 GB  120  30  4  1,000',
			'20261123T021500Z-0a1b2c3d  1,234,567  98 GB              1,000  prune, a, b',
		]);
	});

	it('fit into 100 columns after a first night of millions', () => {
		const changes = { added: 9_999_999, changed: 1_234_567, removed: 1_234_567 };
		const lines = [...drawSnapshots([{ ...row, changes, tags: ['before-the-move'] }], recordIo({ terminal: true, columns: 100 }).stdout)];
		expect(lines[0]).toMatch(/^SNAPSHOT +MESSAGES +SIZE +ADDED +CHANGED +REMOVED +SKIPPED +NOTES$/);
		expect(lines[1]).toMatch(/ {2}before/);
		for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
	});
});

describe('drawChanges()', () => {
	const [account, inbox, trash] = [parseAccountName('alice@example.org'), parseFolderName('INBOX'), parseFolderName('Trash')];
	const row = {
		...{ account, folder: inbox, key: '1.k', id: parseMessageId('5f1d0c3a9b27'.padEnd(64, '0')), size: 4321 },
		...{ date: '2026-11-22T10:00:00.000Z', flags: [], keywords: [], from: 'Bob \u001b[2J', subject: 'Invoice' },
	} as const;
	const result: DiffResult = {
		before: { snapshot: parseSnapshotName('20261122T021500Z-9f8e7d6c'), time: '2026-11-22T02:15:00.000Z' },
		after: { snapshot, time: '2026-11-23T02:15:00.000Z' },
		counts: {
			accounts: { made: 1, removed: 0 },
			folders: { made: 2, removed: 1 },
			messages: { added: 1200, copied: 1, moved: 2, flagged: 1, removed: 3 },
			bytes: { added: 5_000_000, removed: 4321 },
		},
		rows: [
			{ change: 'account-made', account },
			{ change: 'folder-removed', account, folder: trash },
			{ ...row, change: 'added' },
			{ ...row, change: 'copied' },
			{ ...row, change: 'removed' },
			{ ...row, change: 'moved', folder: trash, was: { folder: inbox, key: '1.k' } },
			{ ...row, change: 'moved', was: { folder: inbox, key: '0.k' } },
			{ ...row, change: 'flagged', set: { flags: ['flagged', 'seen'], keywords: ['$label'] }, unset: { flags: ['draft'], keywords: [] } },
		],
		more: false,
	};

	it('has one line with a sign for each change, and one for what they come to', () => {
		const lines = [...drawChanges(result, { out: recordIo().stdout })].map((line) => line.replaceAll(/ {2,}/g, '  '));
		expect(lines).toEqual([
			'+  account  alice@example.org',
			'-  folder  alice@example.org/Trash',
			'+  alice@example.org/INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'+  copy  alice@example.org/INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'-  alice@example.org/INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'>  alice@example.org/Trash < INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'>  alice@example.org/INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'~  +FS +$label -d  alice@example.org/INBOX  Bob \\x1b[2J  Invoice  5f1d0c3a9b27',
			'20261122T021500Z-9f8e7d6c to 20261123T021500Z-0a1b2c3d: 1,200 added, 1 copied (5.0 MB), 3 removed (4.3 kB), 2 moved, 1 flagged, ' +
				'2 folders made, 1 folder removed, 1 account made',
		]);
	});

	it('leaves the account out where the call names it, and fits into a terminal', () => {
		const out = recordIo({ terminal: true, columns: 80 }).stdout;
		const lines = [...drawChanges(result, { out, account })].slice(0, -1);
		expect(lines[6]).toMatch(/^> +Trash < INBOX +Bob/);
		for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
	});
});
