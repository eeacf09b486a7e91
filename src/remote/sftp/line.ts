import { setMaxListeners } from 'node:events';
import type { MailsealError } from '../../domain/index.ts';
import { interrupted } from '../interrupt.ts';
import { Refusal, unreachable } from './errors.ts';
import type { Ask } from './requests.ts';

/** One call of the store under way: whatever it waits for fails at once where the connection is lost or the call is interrupted. */
export interface Call {
	readonly ask: Ask;
	/** Throws where the connection was lost or the call interrupted. */
	check(): void;
	/** Waits for something that several calls share. */
	wait<T>(shared: Promise<T>): Promise<T>;
	/** Stops listening for the signal. */
	end(): void;
}

/** A connection as long as it lives, with the calls that use it. */
export interface Line {
	/** Why it ended; null while it lives. */
	lost(): MailsealError | null;
	/** Ends every call under way with `error`; the first one counts. */
	lose(error: MailsealError): void;
	/** Without a signal, nothing but the end of the connection ends the call. */
	begin(signal: AbortSignal | null): Call;
}

/** The library's words where its socket has ended and that has not been told yet. */
const NO_SOCKET = 'Not connected';

type Settle = (error: MailsealError) => void;

/** A connection to `place` that has just been made. */
export function openLine(place: string): Line {
	const calls = new Set<Settle>();
	let lost: MailsealError | null = null;

	/** An error without the server's number is the library's word that no answer will come. */
	function asRefusal(error: Error): Error {
		if ('code' in error && typeof error.code === 'number') return new Refusal(error.code, error.message);
		return lost ?? unreachable(place, error);
	}

	function begin(signal: AbortSignal | null): Call {
		const waiting = new Set<Settle>();
		let failed: MailsealError | null = lost;
		function fail(error: MailsealError): void {
			failed ??= error;
			for (const settle of waiting) settle(failed);
			waiting.clear();
		}
		const abort = (): void => fail(interrupted());
		if (signal?.aborted === true) abort();
		if (signal !== null) {
			// One signal ends all calls of a run; Node takes more than ten listeners for a leak.
			setMaxListeners(0, signal);
			signal.addEventListener('abort', abort, { once: true });
		}
		calls.add(fail);

		/** `start` may give its value after the wait has ended, which is told by a false. */
		function waitFor<T>(start: (give: (value: T) => boolean, refuse: (error: unknown) => void) => void): Promise<T> {
			return new Promise<T>((resolve, reject) => {
				if (failed !== null) {
					reject(failed);
					return;
				}
				waiting.add(reject);
				start(
					(value) => {
						const waited = waiting.delete(reject);
						resolve(value);
						return waited;
					},
					(error) => {
						waiting.delete(reject);
						reject(error);
					},
				);
			});
		}

		return {
			ask: (send, late) =>
				waitFor((give, refuse) => {
					try {
						send((error, value) => {
							if (error) refuse(asRefusal(error));
							else if (!give(value) && lost === null) late?.(value);
						});
					} catch (error) {
						refuse(error instanceof Error && error.message === NO_SOCKET ? asRefusal(error) : error);
					}
				}),
			check() {
				if (failed !== null) throw failed;
			},
			wait: (shared) => waitFor((give, refuse) => void shared.then(give, refuse)),
			end() {
				signal?.removeEventListener('abort', abort);
				calls.delete(fail);
			},
		};
	}

	return {
		lost: () => lost,
		lose(error) {
			if (lost !== null) return;
			lost = error;
			for (const fail of [...calls]) fail(error);
		},
		begin,
	};
}
