import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { THROUGH_TRASH } from '../../bench/mail/year-habits.ts';
import { openYear, type Year } from '../../bench/mail/year-life.ts';
import type { YearDay } from '../../bench/mail/year-mail.ts';
import { sharesOf } from '../../bench/mail/year-shares.ts';
import { axisTop, bytesText, spread } from '../../bench/run/chart.ts';
import { lostFiles, scanFiles, sizeOfScan, writtenBytes } from '../../bench/run/file-changes.ts';
import type { Row } from '../../bench/run/report.ts';
import { keptNights, mayBeKept, RETENTION_EVERY } from '../../bench/run/retention.ts';
import type { Step } from '../../bench/run/year-ledger.ts';
import { rulesNamed } from '../../bench/run/year-rules.ts';
import { makeTree } from '../../bench/tree.ts';
import { benchProject } from '../support/bench-project.ts';
import { compareTreeStates, readTreeState } from '../support/tree-state.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const START = Date.UTC(2025, 0, 1, 2);

let folder: string;
let lived: { readonly root: string; readonly year: Year; readonly days: readonly YearDay[] };

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-year-'));
	const root = join(folder, 'lived');
	lived = { root, ...liveAt(root, 60) };
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function liveAt(root: string, nights: number): { readonly year: Year; readonly days: YearDay[] } {
	makeTree({ root, seed: 5, accounts: 3, messages: 150, domain: 'example.org', now: START });
	const year = openYear({ root, seed: 5, start: START, nights, deliveries: 8 });
	return { year, days: Array.from({ length: nights }, (_, day) => year.live(day + 1)) };
}

function total(days: readonly YearDay[], what: keyof YearDay): number {
	return days.reduce((sum, day) => sum + Number(day[what]), 0);
}

describe('openYear()', () => {
	test('lets the same nights pass in two copies of a tree', () => {
		const [one, other] = [join(folder, 'one'), join(folder, 'other')];
		expect(liveAt(one, 40).days).toEqual(liveAt(other, 40).days);
		expect(compareTreeStates(readTreeState(one), readTreeState(other))).toEqual([]);
	});

	test('delivers, reads, relabels, moves and deletes, and leaves exactly the mail that it did not expunge', () => {
		const { root, year, days } = lived;
		const inTree = [...readTreeState(root).values()].flatMap(({ messages }) => [...messages.keys()]);
		expect(inTree.length).toBe(150 + total(days, 'delivered') - total(days, 'expunged'));
		expect(inTree.length).toBe(year.mails.filter(({ place }) => place !== undefined).length);
		for (const what of ['read', 'relabelled', 'moved', 'deleted', 'expunged'] as const)
			expect([what, total(days, what)]).not.toEqual([what, 0]);
		expect(days.flatMap(({ spree }, index) => (spree ? [index + 1] : []))).toEqual([15, 30, 45]);
		expect(total(days, 'deleted')).toBe(year.mails.filter(({ deleted }) => deleted !== undefined).length);
	});

	test('empties Trash after fourteen nights and Junk after thirty', () => {
		const { year } = lived;
		const inTrash = year.mails.filter(({ place }) => place?.directory === '.Trash');
		expect(inTrash.length).toBeGreaterThan(0);
		for (const { deleted } of inTrash) expect(deleted).toBeGreaterThan(60 - 14);
		const spam = year.mails.filter(({ sort, came }) => sort === 'spam' && came <= 30);
		expect(spam.length).toBeGreaterThan(10);
		for (const { came, deleted, place } of spam) expect([deleted, place]).toEqual([came + 30, undefined]);
		const byHand = year.mails.filter(({ sort, deleted }) => sort !== 'spam' && sort !== 'before' && deleted !== undefined && deleted > 46);
		const share = byHand.filter(({ place }) => place !== undefined).length / byHand.length;
		expect(Math.abs(share - THROUGH_TRASH)).toBeLessThan(0.25);
	});

	test('has a spree delete a fifth of the old mail of an account', () => {
		const { year } = lived;
		const inSpree = year.mails.filter((mail) => mail.inSpree);
		expect(inSpree.length).toBeGreaterThan(5);
		for (const { came, deleted } of inSpree) {
			expect([15, 30, 45]).toContain(deleted);
			expect((deleted ?? 0) - came).toBeGreaterThan(30);
		}
		const shares = sharesOf(year.mails, 60);
		expect(shares.oldDeletedInSprees).toBeGreaterThan(0);
		expect(shares.oldDeleted).toBeGreaterThanOrEqual(shares.oldDeletedInSprees);
	});
});

describe('keptNights()', () => {
	test('keeps thirty days and the last night of each of twelve months', () => {
		const all = Array.from({ length: 366 }, (_, night) => night);
		const kept = keptNights(all, START);
		// Nights count from 1 January: 58 is the last of February, 365 is in January again.
		expect(kept.slice(0, 3)).toEqual([58, 89, 119]);
		expect(kept.filter((night) => night > 335)).toEqual(all.slice(336));
		expect(kept.length).toBe(40);
	});
});

describe('mayBeKept()', () => {
	test('has every night that a retention every seventh night leaves, whenever the year is cut off', () => {
		let kept: number[] = [];
		for (let night = 0; night <= 400; night++) {
			kept.push(night);
			if (night > 0 && night % RETENTION_EVERY === 0) kept = keptNights(kept, START);
			const recorded = mayBeKept(night, START);
			expect(
				kept.filter((one) => !recorded.has(one)),
				`night ${night}`,
			).toEqual([]);
		}
	});
});

describe('scanFiles()', () => {
	test('counts a rewritten file as a whole, a kept one not at all, and two names of one file once', () => {
		const place = join(folder, 'scanned');
		cpSync(join(ROOT, 'bench', 'run'), place, { recursive: true, preserveTimestamps: true });
		const before = scanFiles(place);
		expect(writtenBytes(before, scanFiles(place))).toBe(0);
		rmSync(join(place, 'bytes.ts'));
		writeFileSync(join(place, 'chart.ts'), 'shorter');
		writeFileSync(join(place, 'new.ts'), 'new');
		const after = scanFiles(place);
		expect(writtenBytes(before, after)).toBe('shorter'.length + 'new'.length);
		expect(lostFiles(before, after)).toEqual({ gone: ['bytes.ts'], changed: ['chart.ts'] });
		const facts = { inode: 1, bytes: 10, mtime: 0 };
		expect(
			sizeOfScan(
				new Map([
					['a', facts],
					['b', facts],
				]),
			),
		).toEqual({ files: 1, bytes: 10 });
	});
});

describe('the picture', () => {
	test('keeps labels apart and above the foot, and lets one line leave that is far above the others', () => {
		expect(spread([10, 12, 50], { step: 10, lowest: 100 })).toEqual([10, 20, 50]);
		expect(spread([95, 98, 99], { step: 10, lowest: 100 })).toEqual([80, 90, 100]);
		expect([axisTop([10, 15, 30]), axisTop([10, 15, 40]), axisTop([7])]).toEqual([30, 15, 7]);
		expect([bytesText(1_234_567_890), bytesText(45_600_000)]).toEqual(['1.23 GB', '45.6 MB']);
	});
});

describe('bench year', { timeout: 120_000 }, () => {
	test('adds up: what is shipped is what came to lie offsite, and restores are right', () => {
		const project = benchProject(join(folder, 'project'));
		const dir = join(folder, 'trees');
		const picture = join(folder, 'pictures', 'year.svg');
		const peers = process.env.SLOW === undefined ? ['--without', 'restic,borg,bup'] : [];
		const words = ['--small', '--nights', '7', '--rules', 'quiet-7d', '--dir', dir, '--picture', picture, ...peers];
		const { status, stderr } = spawnSync(process.execPath, [join(project, 'scripts', 'run-bench.mjs'), 'year', ...words], {
			encoding: 'utf8',
		});
		expect(status, stderr).toBe(0);
		expect(readdirSync(dir).filter((name) => name.startsWith('run-'))).toEqual([]);

		type Written = {
			readonly rows: readonly Row[];
			readonly checks: readonly Row[];
			readonly delivered: readonly number[];
			readonly steps: Readonly<Record<string, readonly Step[]>>;
		};
		const told = JSON.parse(readFileSync(join(project, 'bench', 'out', 'year.json'), 'utf8')) as Written;
		const others = process.env.SLOW === undefined ? [] : ['restic', 'borg', 'bup'];
		expect(told.rows.map(({ program }) => program)).toEqual(['mailseal quiet-7d', ...others, 'rsync --link-dest']);
		expect(told.delivered.length).toBe(8);
		for (const { program, ...row } of told.rows) {
			if (row['shipped MB'] === 'not installed') continue;
			const steps = told.steps[String(program)] ?? [];
			const shipped = steps.filter(({ night }) => night > 0).reduce((sum, step) => sum + step.shipped, 0) / 1e6;
			expect(row['shipped MB']).toBeCloseTo(shipped, 9);
			expect(row['shipped/delivered']).toBeCloseTo((shipped * 1e6) / told.delivered.reduce((sum, bytes) => sum + bytes, 0), 9);
			expect(shipped).toBeGreaterThan(0.01);
			// Nothing that lies there came from nowhere.
			expect(Number(row['offsite MB'])).toBeLessThanOrEqual(shipped + Number(row['first night MB']) + 1e-9);
		}
		for (const check of told.checks) expect([check.program, check.restored, check.differences]).toEqual([check.program, '0, 4, 7', 0]);
		const svg = readFileSync(picture, 'utf8');
		expect(svg.startsWith('<svg ')).toBe(true);
		for (const { program } of told.rows) expect(svg).toContain(String(program));

		const [one, other, joined] = ['one.json', 'other.json', 'joined.svg'].map((name) => join(folder, name)) as [string, string, string];
		const text = JSON.stringify(told);
		writeFileSync(one, text);
		writeFileSync(other, text.replaceAll('mailseal quiet-7d', 'another'));
		const script = join(project, 'scripts', 'run-bench.mjs');
		const drawn = spawnSync(process.execPath, [script, 'year-picture', '--from', `${one},${other}`, '--picture', joined], {
			encoding: 'utf8',
		});
		expect(drawn.status, drawn.stderr).toBe(0);
		for (const name of ['mailseal quiet-7d', 'another']) expect(readFileSync(joined, 'utf8')).toContain(name);
		writeFileSync(other, JSON.stringify({ ...told, delivered: [...told.delivered, 1] }));
		expect(spawnSync(process.execPath, [script, 'year-picture', '--from', `${one},${other}`]).status).not.toBe(0);
	});
});

describe('rulesNamed()', () => {
	test('knows all rules, one or several, and joins of them, and names one that is unknown', () => {
		expect(rulesNamed('all').length).toBeGreaterThan(11);
		expect(rulesNamed('quiet,defaults').map(({ name }) => name)).toEqual(['quiet', 'defaults']);
		expect(rulesNamed('quiet+below-0.8')).toEqual([
			{ name: 'quiet+below-0.8', pack: ['--seal-attachments', 'quiet'], compact: ['--below', '0.8'] },
		]);
		expect(() => rulesNamed('never')).toThrow('"never"');
	});
});
