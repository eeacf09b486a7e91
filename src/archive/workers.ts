import { isMainThread, parentPort } from 'node:worker_threads';
import { type ErrorCode, MailsealError } from '../domain/index.ts';
import { type Answer, openThreads, type Question, sizeOf, type ThreadFailure, type Threads } from '../platform/index.ts';
import type { OpenMessage } from '../sources/index.ts';
import { openTaskRunner, packTransfer, type Task, type TaskResult } from './tasks.ts';

/** Threads that read, hash, compress, check and restore. */
export interface Workers {
	readonly width: number;
	run<T extends Task>(task: T): Promise<Extract<TaskResult, { type: T['type'] }>>;
	close(): Promise<void>;
}

/** `script`: the program's own file, which in a thread calls serveTasks; null runs everything in this thread. */
export function openWorkers(options: { readonly jobs: number; readonly script: string | URL | null; readonly open: OpenMessage }): Workers {
	const run = openTaskRunner(options.open);
	const threads: Threads<Task, TaskResult> = openThreads({
		jobs: options.jobs,
		script: options.script,
		// As if it came from a thread: a small message must not hold all that was read with it.
		work: async (task) => packTransfer(await run(task)).result,
		reviveError,
		here: { costOf, most: LITTLE },
	});
	return threads as Workers;
}

/** Work that is done before a thread has started, as much as ingesting so many bytes of mail. */
const LITTLE = 8 * 1024 * 1024;
/** To hash a bundle is so many times faster than to ingest as many bytes. */
const HASHING = 50;

function costOf(task: Task): number {
	if (task.type === 'ingest') return task.bytes;
	return task.type === 'check' && task.depth !== 'messages' ? (sizeOf(task.path) ?? 0) / HASHING : Number.POSITIVE_INFINITY;
}

/** Answers tasks in a worker thread, until the thread is ended. */
export function serveTasks(open: OpenMessage): void {
	const port = parentPort;
	if (isMainThread || port === null) throw new Error('serveTasks() belongs into a worker thread');
	const run = openTaskRunner(open);
	function answer(answer: Answer<TaskResult>, transfer: ArrayBuffer[] = []): void {
		port?.postMessage(answer, transfer);
	}
	port.on('message', ({ id, task }: Question<Task>) => {
		run(task).then(
			(done) => {
				const { result, transfer } = packTransfer(done);
				answer({ id, result }, transfer);
			},
			(error: unknown) => answer({ id, failure: describe(error) }),
		);
	});
}

function describe(error: unknown): ThreadFailure['failure'] {
	if (!(error instanceof Error)) return { message: String(error), stack: '', fields: {} };
	const fields = error instanceof MailsealError ? { code: error.code, hint: error.hint, details: error.details } : {};
	return { message: error.message, stack: error.stack ?? '', fields };
}

function reviveError({ message, stack, fields }: ThreadFailure['failure']): unknown {
	if (typeof fields.code !== 'string') {
		const error = new Error(message);
		error.stack = stack;
		return error;
	}
	return new MailsealError(fields.code as ErrorCode, message, {
		...(typeof fields.hint === 'string' ? { hint: fields.hint } : {}),
		details: (fields.details ?? {}) as Record<string, string | number>,
	});
}
