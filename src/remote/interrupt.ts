import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { MailsealError } from '../domain/index.ts';

/** What a call throws that was told to stop. */
export function interrupted(): MailsealError {
	return new MailsealError('interrupted', 'Interrupted: the target holds whole files alone', { hint: 'run the command again to go on' });
}

/** Ends a call that was told to stop, between two steps. */
export function throwIfAborted(signal: AbortSignal): void {
	if (signal.aborted) throw interrupted();
}

/** Lets everything that waits have its turn: a signal is heard only between two. */
export function turn(): Promise<void> {
	return new Promise((resolve) => {
		setImmediate(resolve);
	});
}

/** One signal ends a whole run, so hundreds of calls may wait for it: that is no leak to warn of. */
export function expectManyListeners(signal: AbortSignal): void {
	setMaxListeners(0, signal);
}

/** Waits so many milliseconds; throws `interrupted` as soon as `signal` is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
	throwIfAborted(signal);
	expectManyListeners(signal);
	try {
		await setTimeout(ms, undefined, { signal });
	} catch (error) {
		throwIfAborted(signal);
		throw error;
	}
}
