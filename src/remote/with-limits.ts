import type { BlobContent, BlobStore } from './contract.ts';
import { openSlots } from './slots.ts';

export interface LimitOptions {
	/** For all transfers together, at least 1; without it there is no limit. */
	readonly bytesPerSecond?: number;
	/** How many calls are under way at most, at least 1; without it there is no limit. */
	readonly concurrent?: number;
	/** Milliseconds from any moment on; never runs backwards. */
	now(): number;
	/** Waits; throws as soon as `signal` is aborted. */
	sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** How many bytes may pass at once after a rest, and how many at most pass in one go: those of a tenth of a second. */
const SHARE = 0.1;

/**
 * Holds a store to a number of bytes a second, up and down together, and to a number of calls under way. A listing takes part only while it
 * waits for the store, so that a loop over it may make calls; a read does to its end. Bytes that a store reads for a proof are counted
 * when it has said them.
 */
export function withLimits(store: BlobStore, options: LimitOptions): BlobStore {
	const slots = openSlots(options.concurrent ?? Number.POSITIVE_INFINITY);
	const bytes = openBucket(options);

	async function call<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
		const free = await slots.take(signal);
		try {
			return await work();
		} finally {
			free();
		}
	}

	async function* stepwise<T>(signal: AbortSignal, open: () => AsyncIterable<T>): AsyncGenerator<T, void> {
		const iterator = open()[Symbol.asyncIterator]();
		try {
			for (;;) {
				const step = await call(signal, () => iterator.next());
				if (step.done === true) return;
				yield step.value;
			}
		} finally {
			await iterator.return?.();
		}
	}

	function slowed(content: BlobContent, signal: AbortSignal): BlobContent {
		return { size: content.size, sha256: content.sha256, open: () => bytes.pass(content.open(), signal) };
	}

	return {
		place: store.place,
		top: (limit, signal) => call(signal, () => store.top(limit, signal)),
		list: (folder, signal) => stepwise(signal, () => store.list(folder, signal)),
		stat: (name, signal) => call(signal, () => store.stat(name, signal)),
		readRange: (name, range, signal) =>
			call(signal, async () => {
				await bytes.take(range.length, signal);
				return store.readRange(name, range, signal);
			}),
		async *read(name, { offset = 0, signal }) {
			const free = await slots.take(signal);
			try {
				yield* bytes.pass(store.read(name, { offset, signal }), signal);
			} finally {
				free();
			}
		},
		create: (name, content, rest) => call(rest.signal, () => store.create(name, slowed(content, rest.signal), rest)),
		prove: (name, expected, signal) =>
			call(signal, async () => {
				const proof = await store.prove(name, expected, signal);
				if (proof.state !== 'missing' && proof.how === 'read') await bytes.take(expected.size, signal);
				return proof;
			}),
		remove: (name, signal) => call(signal, () => store.remove(name, signal)),
		leftovers: (signal) => stepwise(signal, () => store.leftovers(signal)),
		close: () => store.close(),
	};
}

interface Bucket {
	/** Waits until so many bytes may pass. */
	take(count: number, signal: AbortSignal): Promise<void>;
	/** The same pieces, in smaller ones where they are large for the limit, none before its time. */
	pass(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

function openBucket({ bytesPerSecond: rate, now, sleep }: LimitOptions): Bucket {
	if (rate === undefined) return { take: async () => {}, pass: (pieces) => pieces };
	const most = Math.max(1, Math.floor(rate * SHARE));
	/** When all bytes that were asked for will have passed, at the rate that is allowed; milliseconds. */
	let passed = Number.NEGATIVE_INFINITY;

	const msEach = 1000 / rate;
	async function take(count: number, signal: AbortSignal): Promise<void> {
		const time = now();
		passed = Math.max(passed, time - SHARE * 1000) + count * msEach;
		if (passed > time) await sleep(passed - time, signal);
	}

	return {
		take,
		async *pass(pieces, signal) {
			for await (const piece of pieces) {
				for (let at = 0; at < piece.length; at += most) {
					const part = piece.subarray(at, at + most);
					await take(part.length, signal);
					yield part;
				}
			}
		},
	};
}
