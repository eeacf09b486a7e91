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
}

/** Opens threads; each is started when a task first finds all others busy. */
export function openThreads<Task, Result>(options: ThreadOptions<Task, Result>): Threads<Task, Result> {
	const { jobs, script, work } = options;
	if (jobs <= 0 || script === null) {
		return {
			width: 1,
			async run(task) {
				return work(task);
			},
			async close() {},
		};
	}
	const threads: { worker: Worker; waiting: Waiting<Result>[] }[] = [];
	let closing = false;

	function start(): { worker: Worker; waiting: Waiting<Result>[] } {
		const worker = new Worker(script as string | URL);
		const thread = { worker, waiting: [] as Waiting<Result>[] };
		worker.on('message', (message: { result: Result } | ThreadFailure) => {
			const next = thread.waiting.shift();
			if (next === undefined) return;
			// While its end is awaited, a thread that answers once more must keep the process alive: it would exit in the middle, with 0.
			if (thread.waiting.length === 0 && !closing) worker.unref();
			if ('failure' in message) next.reject(options.reviveError(message.failure));
			else next.resolve(message.result);
		});
		worker.on('error', (error) => {
			for (const one of thread.waiting.splice(0)) one.reject(error);
		});
		worker.on('exit', () => {
			for (const one of thread.waiting.splice(0)) one.reject(new Error('a worker thread ended before its task'));
		});
		threads.push(thread);
		return thread;
	}

	return {
		width: jobs * 2,
		run(task) {
			let thread = threads.reduce<(typeof threads)[number] | undefined>(
				(best, one) => (best === undefined || one.waiting.length < best.waiting.length ? one : best),
				undefined,
			);
			if (thread === undefined || (thread.waiting.length > 0 && threads.length < jobs)) thread = start();
			const chosen = thread;
			return new Promise<Result>((resolve, reject) => {
				chosen.waiting.push({ resolve, reject });
				chosen.worker.ref();
				chosen.worker.postMessage(task);
			});
		},
		async close() {
			closing = true;
			await Promise.all(threads.map((thread) => thread.worker.terminate()));
		},
	};
}
