import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { countFiles } from '../../bench/run/bytes.ts';
import { type CpuProfile, readModules, spentTime } from '../../bench/run/cpu-profile.ts';
import { measure, measureShell, median, medianCost } from '../../bench/run/measure.ts';

import { openTree, openWorkplace } from '../../bench/run/workplace.ts';

const folders: string[] = [];

afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function emptyFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-test-'));
	folders.push(folder);
	return folder;
}

describe('measure()', () => {
	test('tells the memory and processor time of the child, not of itself', () => {
		const idle = measure(process.execPath, ['-e', '0']);
		const busy = measure(process.execPath, [
			'-e',
			// By its own processor time: on a busy machine 300 ms on the wall may be few of it.
			'const b = Buffer.alloc(300e6, 1); while (process.cpuUsage().user < 300e3) b[0]++',
		]);
		expect(idle.status).toBe(0);
		expect(idle.peak).toBeGreaterThan(20e6);
		expect(idle.peak).toBeLessThan(150e6);
		expect(busy.peak - idle.peak).toBeGreaterThan(280e6);
		expect(busy.user + busy.system).toBeGreaterThan(0.25);
		expect(busy.wall).toBeGreaterThan(0.3);
	});

	test('gives output, status and errors of the child', () => {
		const ran = measure('sh', ['-c', 'echo out; echo err >&2; exit 3']);
		expect([ran.stdout.toString(), ran.stderr, ran.status]).toEqual(['out\n', 'err\n', 3]);
		expect(() => measureShell('false')).toThrow('Cannot run "false": it ended with 1');
	});
});

describe('median()', () => {
	test('is the middle, or the mean of the two in the middle', () => {
		expect(median([9, 1, 2])).toBe(2);
		expect(median([4, 1, 2, 9])).toBe(3);
		const cost = { wall: 1, user: 2, system: 3, peak: 4, written: 5 };
		expect(medianCost([cost, { ...cost, wall: 9, peak: 9 }, { ...cost, wall: 2 }])).toEqual({
			...{ wall: 2, user: 2, system: 3, peak: 9, written: 5 },
		});
	});
});

describe('countFiles()', () => {
	test('sums the files of all folders below', () => {
		const folder = emptyFolder();
		writeFileSync(join(folder, 'a'), '12345');
		measureShell('mkdir -p "$1/b/c"; printf 123 > "$1/b/c/d"', folder);
		expect(countFiles(folder)).toEqual({ files: 2, bytes: 8 });
	});
});

describe('spentTime()', () => {
	test('gives time in Node and in V8 to the room that called it, and counts idleness apart', () => {
		const bundle = join(emptyFolder(), 'program.cjs');
		writeFileSync(bundle, 'start\n// src/bundle/zip.ts\nfunction zip\n// ../node_modules/yazl/src/index.js\nfunction yazl\n');
		const frame = (id: number, options: { name: string; url?: string; line?: number; children?: number[] }) => ({
			id,
			callFrame: { functionName: options.name, url: options.url ?? '', lineNumber: options.line ?? -1 },
			children: options.children ?? [],
		});
		const url = `file://${bundle}`;
		const profile: CpuProfile = {
			nodes: [
				frame(1, { name: '(root)', children: [2, 5, 6, 7] }),
				frame(2, { name: 'zip', url, line: 2, children: [3, 4] }),
				frame(3, { name: 'writeSync', url: 'node:fs', line: 5 }),
				frame(4, { name: '', url, line: 4 }),
				frame(5, { name: '(idle)' }),
				frame(6, { name: '(garbage collector)' }),
				frame(7, { name: 'tick', url: 'node:internal/timers' }),
			],
			samples: [2, 3, 3, 4, 5, 6, 7],
			timeDeltas: [1000, 2000, 3000, 4000, 5000, 6000, 7000],
		};
		const spent = spentTime(profile, { bundle: 'program.cjs', moduleAt: readModules(bundle) });
		expect(Object.fromEntries(spent.rooms)).toEqual({ bundle: 6, yazl: 4, '(garbage collector)': 6, '(Node)': 7 });
		expect(Object.fromEntries(spent.functions)).toEqual({
			'src/bundle/zip.ts: zip': 1,
			'node:fs: writeSync': 5,
			'node_modules/yazl/src/index.js: (anonymous)': 4,
			'(garbage collector)': 6,
			'node:internal/timers: tick': 7,
		});
		expect([spent.busy, spent.idle]).toEqual([23, 5]);
	});
});

describe('openTree()', () => {
	test('makes a tree once, again when it was cut off, and leaves it when the work is done', () => {
		const dir = emptyFolder();
		const workplace = openWorkplace(new Map([['dir', dir]]));
		const { root } = openTree(workplace, { accounts: 2, messages: 20, bytes: 'small' });
		const inode = () => statSync(root).ino;
		const first = inode();
		expect(openTree(workplace, { messages: 20, bytes: 'small', accounts: 2 }).root).toBe(root);
		expect(inode()).toBe(first);
		rmSync(`${root}.json`);
		writeFileSync(join(root, 'left-over'), '');
		openTree(workplace, { accounts: 2, messages: 20, bytes: 'small' });
		expect(existsSync(join(root, 'left-over'))).toBe(false);
		workplace.close();
		expect(existsSync(workplace.scratch)).toBe(false);
		expect(countFiles(root).files).toBeGreaterThan(20);
	});
});
