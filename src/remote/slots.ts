import { expectManyListeners, interrupted, throwIfAborted } from './interrupt.ts';

/** Places for calls, given in the order in which they were asked for. */
export interface Slots {
	/** Waits for a place, and gives the function that leaves it; throws `interrupted` as soon as `signal` is aborted. */
	take(signal: AbortSignal): Promise<() => void>;
}

export function openSlots(count: number): Slots {
	let free = count;
	const waiting = new Set<() => void>();

	function leave(): void {
		const [next] = waiting;
		if (next === undefined) free++;
		else {
			waiting.delete(next);
			next();
		}
	}

	return {
		async take(signal) {
			throwIfAborted(signal);
			if (free > 0) {
				free--;
				return leave;
			}
			expectManyListeners(signal);
			await new Promise<void>((resolve, reject) => {
				function give(): void {
					signal.removeEventListener('abort', abort);
					resolve();
				}
				function abort(): void {
					waiting.delete(give);
					reject(interrupted());
				}
				waiting.add(give);
				signal.addEventListener('abort', abort, { once: true });
			});
			return leave;
		},
	};
}
