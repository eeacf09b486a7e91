import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** Carries out tasks of one kind, in worker threads or in this one. */
export interface Threads<Task, Result> {
	/** How many tasks are worth having under way at once. */
	readonly width: number;
	run(task: Task): Promise<Result>;
	/** Ends the threads; tasks under way are given up. */
	close(): Promise<void>;
}

interface Waiting<Result> {
	resolve(result: Result): void;
	reject(error: unknown): void;
}

interface Thread<Result> {
	readonly worker: Worker;
	/** By the number of the question. */
	readonly waiting: Map<number, Waiting<Result>>;
}

/** What a thread is sent. */
export interface Question<Task> {
	readonly id: number;
	readonly task: Task;
}

/** What a thread sends back, with the number of its question. */
export type Answer<Result> = { readonly id: number } & ({ readonly result: Result } | ThreadFailure);

/** A task that failed in a thread: errors lose their class on the way, so the caller puts it back from `fields`. */
export interface ThreadFailure {
	readonly failure: { readonly message: string; readonly stack: string; readonly fields: Readonly<Record<string, unknown>> };
}

export interface ThreadOptions<Task, Result> {
	/** Worker threads; 0 runs every task here, when it is given. */
	readonly jobs: number;
	/** The file that a thread loads; null runs every task here. */
	readonly script: string | URL | null;
	/** The work itself, for tasks that run here. */
	readonly work: (task: Task) => Result | Promise<Result>;
	readonly reviveError: (failure: ThreadFailure['failure']) => unknown;
	/** Tasks run here until they would have cost `most` together: to start a thread takes longer than a little work does. */
	readonly here?: { readonly costOf: (task: Task) => number; readonly most: number };
}

/** What a task makes is gone with it: more room for it would only make the program larger. */
const YOUNG_MB = 16;

/** Between two tasks signals are heard: whoever interrupts need not wait for all of them. */
async function runHere<Task, Result>(task: Task, work: (task: Task) => Result | Promise<Result>): Promise<Result> {
	await turn();
	return work(task);
}

/** Opens threads; each is started when a task first finds all others busy. */
export function openThreads<Task, Result>(options: ThreadOptions<Task, Result>): Threads<Task, Result> {
	const { jobs, script, work, here = { costOf: () => Number.POSITIVE_INFINITY, most: 0 } } = options;
	if (jobs <= 0 || script === null) {
		return {
			width: 1,
			run: (task) => runHere(task, work),
			async close() {},
		};
	}
	const threads = new Set<Thread<Result>>();
	let closing = false;
	let next = 0;
	let spent = 0;

	function start(): Thread<Result> {
		const worker = new Worker(script as string | URL, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
		const thread: Thread<Result> = { worker, waiting: new Map() };
		function giveUp(error: unknown): void {
			threads.delete(thread);
			for (const one of thread.waiting.values()) one.reject(error);
			thread.waiting.clear();
		}
		worker.on('message', (answer: Answer<Result>) => {
			// A task that waits for a disk is overtaken by the next: answers come in any order.
			const one = thread.waiting.get(answer.id);
			if (one === undefined) return;
			thread.waiting.delete(answer.id);
			// While its end is awaited, a thread that answers once more must keep the process alive: it would exit in the middle, with 0.
			if (thread.waiting.size === 0 && !closing) worker.unref();
			if ('failure' in answer) one.reject(options.reviveError(answer.failure));
			else one.resolve(answer.result);
		});
		worker.on('error', giveUp);
		worker.on('exit', () => giveUp(new Error('a worker thread ended before its task')));
		threads.add(thread);
		return thread;
	}

	function choose(): Thread<Result> {
		let best: Thread<Result> | undefined;
		for (const one of threads) if (best === undefined || one.waiting.size < best.waiting.size) best = one;
		return best === undefined || (best.waiting.size > 0 && threads.size < jobs) ? start() : best;
	}

	return {
		width: jobs * 2,
		async run(task) {
			if (threads.size === 0) {
				spent += here.costOf(task);
				if (spent <= here.most) return runHere(task, work);
			}
			const { worker, waiting } = choose();
			const id = next++;
			return new Promise<Result>((resolve, reject) => {
				waiting.set(id, { resolve, reject });
				worker.ref();
				worker.postMessage({ id, task } satisfies Question<Task>);
			});
		},
		async close() {
			closing = true;
			await Promise.all([...threads].map((thread) => thread.worker.terminate()));
		},
	};
}
