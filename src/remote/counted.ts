import type { BlobContent, BlobStore } from './contract.ts';

/** What a store was asked for since it was opened, failed calls included. */
export interface StoreCounts {
	/** Listings begun, those for leftovers and of the top included. */
	readonly lists: number;
	readonly stats: number;
	/** Whole reads and ranges. */
	readonly reads: number;
	/** Bytes that came from the store, those it sent for a proof included. */
	readonly bytesRead: number;
	readonly creates: number;
	/** Bytes that the store took from what it was to write. */
	readonly bytesWritten: number;
	readonly proofs: number;
	readonly removes: number;
}

/** A store that counts what it is asked for; `counts` changes as it goes. */
export function counted(store: BlobStore): { readonly store: BlobStore; readonly counts: StoreCounts } {
	const counts = { lists: 0, stats: 0, reads: 0, bytesRead: 0, creates: 0, bytesWritten: 0, proofs: 0, removes: 0 };

	function countedContent(content: BlobContent): BlobContent {
		return {
			size: content.size,
			sha256: content.sha256,
			async *open() {
				for await (const piece of content.open()) {
					counts.bytesWritten += piece.length;
					yield piece;
				}
			},
		};
	}

	return {
		counts,
		store: {
			place: store.place,
			top(limit, signal) {
				counts.lists++;
				return store.top(limit, signal);
			},
			list(folder, signal) {
				counts.lists++;
				return store.list(folder, signal);
			},
			stat(name, signal) {
				counts.stats++;
				return store.stat(name, signal);
			},
			async readRange(name, range, signal) {
				counts.reads++;
				const bytes = await store.readRange(name, range, signal);
				counts.bytesRead += bytes.length;
				return bytes;
			},
			async *read(name, options) {
				counts.reads++;
				for await (const piece of store.read(name, options)) {
					counts.bytesRead += piece.length;
					yield piece;
				}
			},
			create(name, content, options) {
				counts.creates++;
				return store.create(name, countedContent(content), options);
			},
			async prove(name, expected, signal) {
				counts.proofs++;
				const proof = await store.prove(name, expected, signal);
				if (proof.state !== 'missing' && proof.how === 'read') counts.bytesRead += expected.size;
				return proof;
			},
			remove(name, signal) {
				counts.removes++;
				return store.remove(name, signal);
			},
			leftovers(signal) {
				counts.lists++;
				return store.leftovers(signal);
			},
			close: () => store.close(),
		},
	};
}
