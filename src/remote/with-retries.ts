import { MailsealError } from '../domain/index.ts';
import type { BlobContent, BlobFacts, BlobStore } from './contract.ts';
import { throwIfAborted } from './interrupt.ts';

/** A call that failed and is tried again. */
export interface Retry {
	/** For people: what failed, and which try comes next. */
	readonly text: string;
	/** How many tries without any progress there were, from 1 on. */
	readonly attempt: number;
	readonly error: MailsealError;
}

export interface RetryOptions {
	/** How often a call is tried in all, at least once. A transfer or a listing that got further counts from the start. */
	readonly tries: number;
	/** Milliseconds to wait after so many tries, from 1 on. */
	delay(attempt: number): number;
	/** Waits; is to end as soon as `signal` is aborted. */
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	onRetry?(retry: Retry): void;
}

/** Delays for `withRetries()`: any up to `base`, then twice as many, ... and `most` at most. Milliseconds; `random` gives 0 to 1. */
export function backoff(options: { readonly base: number; readonly most: number; random(): number }): (attempt: number) => number {
	return (attempt) => options.random() * Math.min(options.most, options.base * 2 ** (attempt - 1));
}

/** Tries calls again that failed for a reason that may pass: `retryable` says which. Any other error is thrown at once. */
export function withRetries(store: BlobStore, options: RetryOptions): BlobStore {
	/** Waits for the next try, or throws the error where there is none. */
	async function waitAfter(error: unknown, { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal }): Promise<void> {
		throwIfAborted(signal);
		// A full disk does not empty itself in a minute, and every try would send all of a bundle.
		if (!(error instanceof MailsealError) || !error.retryable || error.code === 'no-space') throw error;
		if (attempt >= options.tries) throw lastOf(error, attempt);
		options.onRetry?.({ text: `${error.message}; try ${attempt + 1} of ${options.tries} follows`, attempt, error });
		try {
			await options.sleep(options.delay(attempt), signal);
		} finally {
			throwIfAborted(signal);
		}
	}

	async function retry<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
		for (let attempt = 1; ; attempt++) {
			try {
				return await call();
			} catch (error) {
				await waitAfter(error, { attempt, signal });
			}
		}
	}

	/** Goes on after a failure with what `open` gives then; whatever was given counts as progress. `isNew` says what is given. */
	async function* resume<T>(
		signal: AbortSignal,
		{ open, isNew }: { readonly open: () => AsyncIterable<T>; readonly isNew: (item: T) => boolean },
	): AsyncGenerator<T, void> {
		for (let attempt = 1; ; attempt++) {
			try {
				for await (const item of open()) {
					if (!isNew(item)) continue;
					attempt = 1;
					yield item;
				}
				return;
			} catch (error) {
				await waitAfter(error, { attempt, signal });
			}
		}
	}

	/** A listing begins anew; what was given before is not given again. */
	function relist(signal: AbortSignal, open: () => AsyncIterable<BlobFacts>): AsyncGenerator<BlobFacts, void> {
		const given = new Set<string>();
		return resume(signal, { open, isNew: ({ name }) => given.size < given.add(name).size });
	}

	return {
		place: store.place,
		top: (limit, signal) => retry(signal, () => store.top(limit, signal)),
		list: (folder, signal) => relist(signal, () => store.list(folder, signal)),
		stat: (name, signal) => retry(signal, () => store.stat(name, signal)),
		readRange: (name, range, signal) => retry(signal, () => store.readRange(name, range, signal)),
		read(name, { offset = 0, signal }) {
			let at = offset;
			return resume(signal, {
				open: () => store.read(name, { offset: at, signal }),
				isNew(piece) {
					at += piece.length;
					return piece.length > 0;
				},
			});
		},
		create(name, content, options) {
			const { given, failure } = noting(content);
			return retry(options.signal, async () => {
				try {
					return await store.create(name, given, options);
				} catch (error) {
					// What the content itself throws is no trouble of this store, and its own reader has tried again.
					if (error instanceof MailsealError && error === failure()) throw new Final(error);
					throw error;
				}
			}).catch((error: unknown) => {
				throw error instanceof Final ? error.reason : error;
			});
		},
		prove: (name, expected, signal) => retry(signal, () => store.prove(name, expected, signal)),
		remove: (name, signal) => retry(signal, () => store.remove(name, signal)),
		leftovers: (signal) => relist(signal, () => store.leftovers(signal)),
		close: () => store.close(),
	};
}

/** Ends the tries with an error that may be retryable by itself. */
class Final extends Error {
	readonly reason: MailsealError;

	constructor(reason: MailsealError) {
		super(reason.message);
		this.reason = reason;
	}
}

/** A content that remembers what went wrong with reading it. */
function noting(content: BlobContent): { readonly given: BlobContent; failure(): unknown } {
	let failed: unknown;
	return {
		given: {
			...content,
			async *open() {
				try {
					yield* content.open();
				} catch (error) {
					failed = error;
					throw error;
				}
			},
		},
		failure: () => failed,
	};
}

function lastOf(error: MailsealError, tries: number): MailsealError {
	if (tries === 1) return error;
	return new MailsealError(error.code, `${error.message}, at the last of ${tries} tries too`, {
		cause: error,
		retryable: error.retryable,
		details: error.details,
		...(error.hint === undefined ? {} : { hint: error.hint }),
	});
}
