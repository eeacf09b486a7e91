import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { benchProject } from '../support/bench-project.ts';

test('bench profile tells which rooms of the built program take the time', { timeout: 120_000 }, () => {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-bench-profile-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const project = benchProject(join(folder, 'project'));
	const words = [join(project, 'scripts', 'run-bench.mjs'), 'profile', '--small', '--dir', join(folder, 'trees')];
	const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
	expect(status, stderr).toBe(0);
	const { rows } = JSON.parse(readFileSync(join(project, 'bench', 'out', 'profile-rooms.json'), 'utf8')) as {
		readonly rows: readonly { readonly room: string; readonly all: number }[];
	};
	for (const room of ['archive', 'bundle', 'catalog', 'sources'])
		expect(rows.find((row) => row.room === room)?.all, room).toBeGreaterThan(0);
});
