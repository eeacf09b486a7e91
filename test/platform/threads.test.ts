import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';

const ANSWERS = `require('node:worker_threads').parentPort.on('message', (task) =>
	require('node:worker_threads').parentPort.postMessage({ result: task }));`;

/** Closes threads that have tasks under way, again and again; at the end it says so. */
const CLOSES = `const { openThreads } = require('./threads.cjs');
(async () => {
	for (let round = 0; round < 30; round++) {
		const threads = openThreads({ jobs: 2, script: __dirname + '/answers.cjs', work: (task) => task, reviveError: Error });
		const tasks = Array.from({ length: 40 }, (_, task) => threads.run(task).catch(() => null));
		await tasks[round];
		await threads.close();
	}
	console.log('all closed');
})();`;

test('close() comes back, however many tasks are still answered meanwhile', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-threads-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	await build({
		entryPoints: [join(import.meta.dirname, '../../src/platform/threads.ts')],
		outfile: join(folder, 'threads.cjs'),
		bundle: true,
		platform: 'node',
		format: 'cjs',
	});
	writeFileSync(join(folder, 'answers.cjs'), ANSWERS);
	writeFileSync(join(folder, 'closes.cjs'), CLOSES);
	// A promise that nothing keeps alive ends the process without a word.
	const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'closes.cjs')], { encoding: 'utf8' });
	expect({ stdout, stderr, status }).toEqual({ stdout: 'all closed\n', stderr: '', status: 0 });
});
