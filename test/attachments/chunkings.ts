/** The bytes in chunks of the given sizes, which are repeated. */
export function* inChunks(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
	let index = 0;
	for (let at = 0; at < bytes.length; index++) {
		const size = sizes[index % sizes.length] ?? 1;
		// A copy that is overwritten afterwards: whoever keeps a chunk would be found out.
		const chunk = Uint8Array.from(bytes.subarray(at, at + size));
		yield chunk;
		chunk.fill(0x2d);
		at += size;
	}
}

/** Whole, in odd chunks and byte by byte. */
export const CHUNKINGS: readonly (readonly [name: string, sizes: readonly number[]])[] = [
	['whole', [1 << 30]],
	['in odd chunks', [7, 1, 64, 3, 129, 2, 5]],
	['the first byte alone', [1, 1 << 30]],
	['byte by byte', [1]],
];
