import { MailsealError } from '../../src/domain/index.ts';
import type { BlobContent, BlobStore } from '../../src/remote/index.ts';

/** What a store is asked for. */
export type StoreOperation = 'top' | 'list' | 'stat' | 'readRange' | 'read' | 'create' | 'prove' | 'remove' | 'leftovers';

/**
 * How a call fails. `cut`: in the middle of what it moves, and at once where it moves nothing. `lost-answer`: it is carried out, and fails
 * nevertheless. `wrong`: it succeeds with other bytes, or a proof that tells of damage.
 */
export type StoreFault = 'unreachable' | 'no-space' | 'permission' | 'cut' | 'lost-answer' | 'wrong';

export interface StoreCall {
	readonly operation: StoreOperation;
	/** A blob, or the folder that is listed. */
	readonly name: string;
	/** How many calls came before. */
	readonly index: number;
}

export interface FaultyStore {
	readonly store: BlobStore;
	/** Everything it was asked for, in order. */
	readonly calls: readonly StoreCall[];
	/** The first call that failed; null where none did. */
	struck(): StoreCall | null;
}

/** A store whose calls fail as `choose` says; null lets a call pass. */
export function faultyStore(store: BlobStore, choose: (call: StoreCall) => StoreFault | null): FaultyStore {
	const calls: StoreCall[] = [];
	let struck: StoreCall | null = null;

	function begin(operation: StoreOperation, name: string): StoreFault | null {
		const call = { operation, name, index: calls.length };
		calls.push(call);
		const fault = choose(call);
		if (fault !== null) struck ??= call;
		if (fault === null || fault === 'cut' || fault === 'lost-answer' || fault === 'wrong') return fault;
		throw failure(fault, call);
	}

	async function call<Result>(operation: StoreOperation, name: string, work: () => Promise<Result>): Promise<Result> {
		const fault = begin(operation, name);
		if (fault === 'cut') throw failure('unreachable', { operation, name });
		const result = await work();
		if (fault === 'lost-answer') throw failure('unreachable', { operation, name });
		return result;
	}

	async function* stream<Item>(operation: StoreOperation, name: string, open: () => AsyncIterable<Item>): AsyncGenerator<Item, void> {
		const fault = begin(operation, name);
		const items: Item[] = [];
		for await (const item of open()) {
			if (fault === null) yield item;
			else items.push(item);
		}
		if (fault === null) return;
		if (fault === 'wrong') {
			for (const item of items) yield item instanceof Uint8Array ? (flipped(item) as Item) : item;
			return;
		}
		yield* items.slice(0, Math.floor(items.length / 2));
		throw failure('unreachable', { operation, name });
	}

	return {
		calls,
		struck: () => struck,
		store: {
			place: store.place,
			top: (limit, signal) => call('top', '', () => store.top(limit, signal)),
			list: (folder, signal) => stream('list', folder, () => store.list(folder, signal)),
			stat: (name, signal) => call('stat', name, () => store.stat(name, signal)),
			async readRange(name, range, signal) {
				const fault = begin('readRange', name);
				if (fault === 'cut' || fault === 'lost-answer') throw failure('unreachable', { operation: 'readRange', name });
				const bytes = await store.readRange(name, range, signal);
				return fault === 'wrong' ? flipped(bytes) : bytes;
			},
			read: (name, options) => stream('read', name, () => store.read(name, options)),
			async create(name, content, options) {
				const fault = begin('create', name);
				if (fault === 'cut') return store.create(name, cutShort(content, name), options);
				const created = await store.create(name, content, options);
				if (fault === 'lost-answer') throw failure('unreachable', { operation: 'create', name });
				return created;
			},
			async prove(name, expected, signal) {
				const fault = begin('prove', name);
				if (fault === 'cut' || fault === 'lost-answer') throw failure('unreachable', { operation: 'prove', name });
				if (fault === 'wrong') return { state: 'damaged', how: 'read', text: 'the test says so' };
				return store.prove(name, expected, signal);
			},
			remove: (name, signal) => call('remove', name, () => store.remove(name, signal)),
			leftovers: (signal) => stream('leftovers', '', () => store.leftovers(signal)),
			close: () => store.close(),
		},
	};
}

/** A store of which one call fails, counted from 0. */
export function failingAt(store: BlobStore, at: number, fault: StoreFault): FaultyStore {
	return faultyStore(store, ({ index }) => (index === at ? fault : null));
}

const TEXTS = {
	unreachable: 'the connection was cut',
	'no-space': 'the disk is full',
	permission: 'permission denied',
} as const;

function failure(code: keyof typeof TEXTS, { operation, name }: Pick<StoreCall, 'operation' | 'name'>): MailsealError {
	return new MailsealError(code, `Cannot ${operation} "${name}": ${TEXTS[code]} by the test`);
}

function flipped(bytes: Uint8Array): Uint8Array {
	const wrong = Uint8Array.from(bytes);
	const middle = wrong.length >> 1;
	wrong[middle] = (wrong[middle] ?? 0) ^ 1;
	return wrong;
}

/** Half of the bytes, and then the end of the connection. */
function cutShort(content: BlobContent, name: string): BlobContent {
	return {
		...content,
		async *open() {
			let left = content.size >> 1;
			for await (const piece of content.open()) {
				if (piece.length >= left) {
					yield piece.subarray(0, left);
					break;
				}
				left -= piece.length;
				yield piece;
			}
			throw failure('unreachable', { operation: 'create', name });
		},
	};
}
