import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Figure, Step } from '../../bench/run/backup-steps.ts';
import { toolsNamed } from '../../bench/run/backup-tools.ts';
import { growthPower, growthRows } from '../../bench/run/growth.ts';
import type { Row } from '../../bench/run/report.ts';
import { targetRows } from '../../bench/run/speed-targets.ts';
import { drawSteps, secondsText } from '../../bench/run/step-chart.ts';
import { openTools } from '../../bench/run/tool-field.ts';
import { benchProject } from '../support/bench-project.ts';
import { lacks } from '../support/needs.ts';

const BACKUPS: readonly Step[] = ['first', 'no-change', 'next-day', 'churn'];
const RESTORES: readonly Step[] = ['restore-account', 'restore-all'];

let folder: string;
let project: string;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-peers-'));
	project = benchProject(join(folder, 'project'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bench(name: string, ...words: readonly string[]): Written {
	const dir = join(folder, 'trees');
	const script = join(project, 'scripts', 'run-bench.mjs');
	const { status, stderr } = spawnSync(process.execPath, [script, name, '--small', '--dir', dir, ...words], { encoding: 'utf8' });
	expect(status, stderr).toBe(0);
	expect(readdirSync(dir).filter((one) => one.startsWith('run-'))).toEqual([]);
	return JSON.parse(readFileSync(join(project, 'bench', 'out', `${name}.json`), 'utf8')) as Written;
}

interface Written {
	readonly machine: string;
	readonly command: string;
	readonly versions: Readonly<Record<string, string>>;
	readonly figures: readonly Figure[];
	readonly rows: readonly Row[];
}

function figure(tool: string, of: Partial<Figure> = {}): Figure {
	const cost = { wall: 1, cpu: 1, peak: 1e6, written: 0 };
	return { tree: 'small', messages: 1000, step: 'first', cache: 'warm', tool, runs: 1, walls: [1], ...cost, ...of };
}

describe('bench peers', () => {
	let told: Written;
	let picture: string;

	beforeAll(() => {
		picture = join(folder, 'pictures', 'peers.svg');
		told = bench('peers', '--trees', 'real-life', '--picture', picture);
	}, 180_000);

	const tools: readonly (readonly [tool: string, steps: readonly Step[], needs: readonly string[]])[] = [
		['tar | sha256sum', ['first'], ['tar', 'sha256sum']],
		['mailseal', [...BACKUPS, 'extract', ...RESTORES], []],
		['rsync', [...BACKUPS, ...RESTORES], ['rsync']],
		['restic', [...BACKUPS, 'extract', ...RESTORES], ['restic']],
		['borg', [...BACKUPS, 'extract', ...RESTORES], ['borg']],
		['bup', [...BACKUPS, 'extract', ...RESTORES], ['bup']],
		['zip -0', [...BACKUPS, 'extract', ...RESTORES], ['zip', 'unzip']],
	];
	for (const [tool, steps, needs] of tools) {
		test.skipIf(lacks(...needs))(`has a figure of ${tool} for each step that it can do, and what came back was right`, () => {
			const own = told.figures.filter((one) => one.tool === tool);
			expect(own.map(({ step }) => step)).toEqual(steps);
			expect(told.versions[tool]).toMatch(/^[0-9]+\.[0-9]/);
			for (const one of own) {
				expect([one.step, one.runs, one.walls.length]).toEqual([one.step, one.step === 'extract' ? 2 : 1, one.runs]);
				expect(one.wall).toBeGreaterThan(0);
				expect(one.peak).toBeGreaterThan(1e6);
				const brings = one.step === 'extract' || RESTORES.includes(one.step);
				expect([one.step, one.differences]).toEqual([one.step, brings ? 0 : undefined]);
				const keeps = BACKUPS.includes(one.step) && tool !== 'tar | sha256sum';
				expect([one.step, (one.sizes?.bytes ?? 0) > 1e6]).toEqual([one.step, keeps]);
			}
		});
	}

	test('writes the machine, the command, a row for each target and a picture of all tools', () => {
		expect(told.machine).toContain('cores');
		expect(told.command).toContain('peers --small');
		expect(told.rows.length).toBeGreaterThan(10);
		for (const { verdict } of told.rows) expect(verdict).toMatch(/^(reached|missed|not measured)/);
		const svg = readFileSync(picture, 'utf8');
		expect(svg.startsWith('<svg ')).toBe(true);
		expect(svg).toContain('prefers-color-scheme:dark');
		for (const tool of Object.keys(told.versions)) expect(svg).toContain(`>${tool}<`);
	});
});

describe('bench scale', () => {
	test('tells of each size what a step costs and what the archive holds', { timeout: 120_000 }, () => {
		const told = bench('scale', '--sizes', '300,600', '--peers', 'rsync') as Written & { readonly held: readonly Record<string, number>[] };
		const steps: readonly Step[] = [...BACKUPS, 'reindex', 'extract', 'restore-all'];
		for (const messages of [300, 600]) {
			const own = told.figures.filter((one) => one.tool === 'mailseal' && one.messages === messages);
			expect(own.map(({ step }) => step)).toEqual(steps);
			expect(own.flatMap(({ differences }) => differences ?? [])).toEqual([0, 0]);
		}
		expect(told.held.map(({ messages }) => messages)).toEqual([300, 600]);
		for (const held of told.held) for (const [what, value] of Object.entries(held)) expect([what, value > 0]).toEqual([what, true]);
		expect(told.rows.find(({ figure: what }) => what === 'manifests MB')?.['power to 600']).toBeCloseTo(1, 0);
	});
});

describe('targetRows()', () => {
	const verdictOf = (rows: readonly Row[], text: string) => rows.find(({ target }) => String(target).startsWith(text))?.verdict;

	test('holds mailseal against the fastest, and measures nothing where one of them is missing', () => {
		const figures = [
			figure('mailseal', { step: 'churn' }),
			figure('rsync', { step: 'churn', wall: 11 }),
			figure('restic', { step: 'churn', wall: 40 }),
		];
		expect(verdictOf(targetRows(figures, 'peers'), '1 % churn')).toBe('not measured');
		const borg = (wall: number) => figure('borg', { step: 'churn', wall });
		const reached = targetRows([...figures, borg(30)], 'peers').find(({ target }) => String(target).startsWith('1 % churn'));
		expect([reached?.measured, reached?.against, reached?.verdict]).toEqual([11, 'rsync', 'reached']);
		expect(verdictOf(targetRows([...figures, borg(9)], 'peers'), '1 % churn')).toBe('missed');
	});

	test('says where fewer messages were looked at than a target is about', () => {
		const at = (messages: number) => [figure('mailseal', { step: 'no-change', messages, wall: 0.5 })];
		expect(verdictOf(targetRows(at(1000), 'scale'), 'no change at 1,000,000 messages: under')).toBe('reached, but of fewer messages');
		expect(verdictOf(targetRows(at(1_000_000), 'scale'), 'no change at 1,000,000 messages: under')).toBe('reached');
	});

	test('takes times of a warm cache, and of a cold one where the target says so', () => {
		const figures = [figure('mailseal', { step: 'extract', wall: 0.1 }), figure('mailseal', { step: 'extract', cache: 'cold', wall: 0.2 })];
		expect(verdictOf(targetRows(figures, 'peers'), 'extract, cold')).toBe('missed');
		expect(verdictOf(targetRows(figures.slice(0, 1), 'peers'), 'extract, cold')).toBe('not measured');
	});
});

describe('growthRows()', () => {
	test('tells with which power of the messages a figure grows', () => {
		const values = new Map([
			[100, 3],
			[1000, 30],
			[10_000, 3000],
		]);
		expect(growthPower(values, { before: 100, size: 1000 })).toBeCloseTo(1);
		expect(growthPower(values, { before: 1000, size: 10_000 })).toBeCloseTo(2);
		expect(growthRows([{ what: 'seconds', values }], [100, 1000, 20_000])).toEqual([
			{
				figure: 'seconds',
				'100': 3,
				'1,000': 30,
				'20,000': Number.NaN,
				'power to 1,000': expect.closeTo(1),
				'power to 20,000': Number.NaN,
			},
		]);
	});
});

describe('drawSteps()', () => {
	test('draws longer bars for more seconds, a column for each tree, and no cold run', () => {
		const svg = drawSteps({
			title: 'a & b',
			footer: '',
			figures: [
				figure('mailseal', { wall: 0.1 }),
				figure('rsync', { wall: 10 }),
				figure('borg', { cache: 'cold' }),
				figure('zip -0', { tree: 'other' }),
			],
		});
		const lengths = [...svg.matchAll(/<rect class="(?:own|other)"[^>]* width="([0-9.]+)"/g)].map((match) => Number(match[1]));
		expect(lengths.length).toBe(3);
		expect(lengths[1]).toBeGreaterThan(lengths[0] ?? 0);
		expect(svg).toContain('a &amp; b');
		expect(svg).toContain('other, 1,000 messages');
		expect(svg).not.toContain('borg');
		expect([secondsText(0.0854), secondsText(0.999), secondsText(3.21), secondsText(1240.4)]).toEqual(['85 ms', '1 s', '3.2 s', '1,240 s']);
	});
});

describe('openTools()', () => {
	test('leaves out what is not installed and says what it needs', () => {
		const path = process.env.PATH;
		process.env.PATH = folder;
		try {
			expect(openTools(['rsync', 'zip -0'], { tree: folder, repositories: folder })).toEqual({
				tools: [],
				missing: { rsync: 'rsync', 'zip -0': 'zip' },
			});
		} finally {
			process.env.PATH = path;
		}
	});
});

describe('toolsNamed()', () => {
	test('takes the first word of a name for it, keeps the order of the tables, and names one that is unknown', () => {
		expect(toolsNamed('zip,tar,mailseal')).toEqual(['tar | sha256sum', 'mailseal', 'zip -0']);
		expect(() => toolsNamed('mailseal,duplicity')).toThrow('"duplicity"');
	});
});
