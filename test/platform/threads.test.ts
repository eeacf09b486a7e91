import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { openThreads, type Threads } from '../../src/platform/index.ts';

const ANSWERS = `const port = require('node:worker_threads').parentPort;
port.on('message', ({ id, task }) => port.postMessage({ id, result: task }));`;

/** Keeps its questions until the last of four, then answers the last first; fails those that ask for it. */
const ANSWERS_BACKWARDS = `const port = require('node:worker_threads').parentPort;
let kept = [];
port.on('message', (question) => {
	kept.push(question);
	if (kept.length < 4) return;
	for (const { id, task } of kept.reverse()) {
		if (task.startsWith('fail')) port.postMessage({ id, failure: { message: task, stack: '', fields: {} } });
		else port.postMessage({ id, result: 'done: ' + task });
	}
	kept = [];
});`;

/** Tells which thread answers; ends in the way that a task names. */
const MORTAL = `const { parentPort: port, threadId } = require('node:worker_threads');
port.on('message', ({ id, task }) => {
	if (task === 'exit') process.exit(3);
	if (task === 'throw') setImmediate(() => { throw new Error('the thread broke'); });
	if (task === 'tell') port.postMessage({ id, result: String(threadId) });
});`;

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

function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'mailseal-threads-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return folder;
}

function threadsOf(script: string, jobs: number): Threads<string, string> {
	const path = join(temporaryFolder(), 'script.cjs');
	writeFileSync(path, script);
	const threads = openThreads<string, string>({
		jobs,
		script: path,
		work: () => 'not in a thread',
		reviveError: ({ message }) => new RangeError(message),
	});
	onTestFinished(() => threads.close());
	return threads;
}

test('answers reach whoever asked, in whatever order they come', async () => {
	const threads = threadsOf(ANSWERS_BACKWARDS, 1);
	const answers = await Promise.allSettled(['first', 'fail second', 'third', 'fourth'].map((task) => threads.run(task)));
	expect(answers).toEqual([
		{ status: 'fulfilled', value: 'done: first' },
		{ status: 'rejected', reason: new RangeError('fail second') },
		{ status: 'fulfilled', value: 'done: third' },
		{ status: 'fulfilled', value: 'done: fourth' },
	]);
});

test.each([
	['exit', 'a worker thread ended before its task'],
	['throw', 'the thread broke'],
])('a thread that dies of %j fails all its tasks, and the next task gets a new thread', async (task, message) => {
	const threads = threadsOf(MORTAL, 1);
	const first = await threads.run('tell');
	const ended = await Promise.allSettled([threads.run('silent'), threads.run(task), threads.run('silent')]);
	expect(ended.map((one) => (one.status === 'rejected' ? one.reason.message : one.value))).toEqual([message, message, message]);
	const second = await threads.run('tell');
	expect(Number(second)).toBeGreaterThan(Number(first));
});

test('a thread that dies leaves the tasks of the others alone', async () => {
	const threads = threadsOf(MORTAL, 2);
	const died = threads.run('exit');
	const told = threads.run('tell');
	await expect(died).rejects.toThrow('ended before its task');
	expect(Number(await told)).toBeGreaterThan(0);
});

test('close() comes back, however many tasks are still answered meanwhile', async () => {
	const folder = temporaryFolder();
	await build({
		entryPoints: [join(import.meta.dirname, '../../src/platform/threads.ts')],
		outfile: join(folder, 'threads.cjs'),
		bundle: true,
		platform: 'node',
		format: 'cjs',
	});
	writeFileSync(join(folder, 'answers.cjs'), ANSWERS);
	writeFileSync(join(folder, 'closes.cjs'), CLOSES);
	// A promise that nothing keeps alive ends the process without a word; a task that nobody answers would keep it for ever.
	const call = spawnSync(process.execPath, [join(folder, 'closes.cjs')], { encoding: 'utf8', timeout: 30_000 });
	expect({ stdout: call.stdout, stderr: call.stderr, status: call.status }).toEqual({ stdout: 'all closed\n', stderr: '', status: 0 });
});

test('tasks run here until they have cost as much as may be, and then in threads', async () => {
	const path = join(temporaryFolder(), 'script.cjs');
	writeFileSync(path, ANSWERS);
	const costOf = (task: string): number => task.length;
	const threads = openThreads<string, string>({
		...{ jobs: 2, script: path, work: (task) => `here: ${task}`, reviveError: ({ message }) => new Error(message) },
		here: { costOf, most: 5 },
	});
	onTestFinished(() => threads.close());
	const results = await Promise.all(['abc', 'de', 'f', 'g'].map((task) => threads.run(task)));
	expect(results).toEqual(['here: abc', 'here: de', 'f', 'g']);
});
