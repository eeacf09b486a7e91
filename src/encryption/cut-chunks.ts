/** Cuts a stream into chunks of one size; only the last is shorter, and none is empty but that of an empty stream. */
export interface ChunkCutter {
	/** Takes the next piece, and gives the chunks that are complete and not the last; each is good until the next is asked for. */
	push(piece: Uint8Array): Iterable<Uint8Array>;
	/** The last chunk, when there are no more pieces. */
	last(): Uint8Array;
}

export function openChunkCutter(size: number): ChunkCutter {
	const held = new Uint8Array(size);
	let used = 0;
	return {
		*push(piece) {
			let at = 0;
			// A full chunk waits for a byte that follows it: only then is it certain not to be the last.
			while (piece.length - at > size - used) {
				if (used === 0) {
					at += size;
					yield piece.subarray(at - size, at);
				} else {
					held.set(piece.subarray(at, at + size - used), used);
					at += size - used;
					used = 0;
					yield held;
				}
			}
			held.set(piece.subarray(at), used);
			used += piece.length - at;
		},
		last: () => held.subarray(0, used),
	};
}
