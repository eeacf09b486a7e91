import { setMaxListeners } from 'node:events';
import { throwIfAborted } from '../interrupt.ts';
import type { LoadedClient } from './client.ts';
import { asStoreError, type Deed } from './errors.ts';

/** A bucket, and the client that reaches it. */
export interface Bucket {
	/** The store as the user names it. */
	readonly place: string;
	readonly name: string;
	/** What every key begins with: empty, or levels that end with a slash. */
	readonly prefix: string;
	readonly habits: Habits;
	load(): Promise<LoadedClient>;
}

/** What is known of how a store behaves; it grows as the store is used. */
export interface Habits {
	/** False where the store refuses `If-None-Match`. */
	onlyNew: boolean;
	/** True until the store is known to look at `If-None-Match`: in buckets with versions, some take it and do not. */
	lookFirst: boolean;
	/** False where entity tags look like MD5 and are not, as with some encryption at the store. */
	tagIsMd5: boolean;
	/** False where the store refuses the headers for checksums. */
	checksums: boolean;
}

/** What is hoped of a store before it has answered. */
export function newHabits(): Habits {
	return { onlyNew: true, lookFirst: true, tagIsMd5: true, checksums: true };
}

/** A signal of a call's own, which the caller's ends too. */
export interface CallSignal {
	readonly signal: AbortSignal;
	/** Ends what the call has still under way. */
	cut(): void;
	/** Lets go of the caller's signal. */
	release(): void;
}

/** Begins a call that `signal` can end, and that can end itself. */
export function beginCall(signal: AbortSignal): CallSignal {
	const own = new AbortController();
	const cut = (): void => own.abort();
	listenToMany(signal);
	signal.addEventListener('abort', cut, { once: true });
	if (signal.aborted) cut();
	return { signal: own.signal, cut, release: () => signal.removeEventListener('abort', cut) };
}

/** Many calls hang on the one signal of a run; Node would take that for a leak, and say so. */
function listenToMany(signal: AbortSignal): void {
	setMaxListeners(0, signal);
}

export interface Request<Output> {
	/** A verb and its object: `read "bundles/ab/one.zip"`. */
	readonly action: string;
	readonly signal: AbortSignal;
	send(client: LoadedClient, options: { readonly abortSignal: AbortSignal }): Promise<Output>;
}

/** What errors of a call say of it. */
export function deedOf(bucket: Bucket, action: string): Deed {
	return { action, place: bucket.place, bucket: bucket.name };
}

/** Sends one request and waits for the answer, but not for a body. */
export async function ask<Output>(bucket: Bucket, { action, signal, send }: Request<Output>): Promise<Output> {
	throwIfAborted(signal);
	listenToMany(signal);
	try {
		return await send(await bucket.load(), { abortSignal: signal });
	} catch (error) {
		throwIfAborted(signal);
		throw asStoreError(error, deedOf(bucket, action));
	}
}
