import { MailsealError } from '../domain/index.ts';

/**
 * Does `work` for each item, `width` at a time, in order of their start. The first failure ends the others through the signal that
 * each is given, and is thrown once all have come to their end.
 */
export async function eachParallel<Item>(
	items: Iterable<Item>,
	options: { readonly width: number; readonly signal: AbortSignal; readonly work: (item: Item, signal: AbortSignal) => Promise<void> },
): Promise<void> {
	const stop = new AbortController();
	const signal = AbortSignal.any([options.signal, stop.signal]);
	const next = items[Symbol.iterator]();
	let failed = false;
	let failure: unknown;

	async function run(): Promise<void> {
		while (!signal.aborted) {
			try {
				const one = next.next();
				if (one.done === true) return;
				await options.work(one.value, signal);
			} catch (error) {
				if (!failed) failure = error;
				failed = true;
				stop.abort();
				return;
			}
		}
	}

	await Promise.all(Array.from({ length: Math.max(1, options.width) }, run));
	if (options.signal.aborted) {
		throw options.signal.reason instanceof MailsealError
			? options.signal.reason
			: new MailsealError('interrupted', 'Interrupted', { hint: 'run the command again to go on' });
	}
	if (failed) throw failure;
}
