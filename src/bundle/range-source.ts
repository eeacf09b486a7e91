import { damaged } from './damage.ts';

/** Bytes that can be read at any place, local or remote. */
export interface RangeSource {
	readonly size: number;
	/** Exactly `length` bytes at `offset`. */
	read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** Reads exactly so many bytes; a source that has fewer is `archive-damaged`. */
export async function readExactly(source: RangeSource, range: { readonly offset: number; readonly length: number }): Promise<Uint8Array> {
	const { offset, length } = range;
	const bytes = offset + length > source.size ? null : await source.read(offset, length);
	if (bytes?.length !== length) {
		throw damaged('truncated', `Cannot read bundle: it has ${source.size} bytes (${length} at byte ${offset} were expected)`);
	}
	return bytes;
}

/** A source that reads ahead `ahead` bytes at a time, for reading from front to back; `first` is what was read already. */
export function readingAhead(
	source: RangeSource,
	options: { readonly ahead: number; readonly first?: { readonly offset: number; readonly bytes: Uint8Array } },
): RangeSource {
	let held = options.first ?? { offset: 0, bytes: new Uint8Array(0) };
	return {
		size: source.size,
		async read(offset, length) {
			const from = offset - held.offset;
			if (from >= 0 && from + length <= held.bytes.length) return held.bytes.subarray(from, from + length);
			const range = { offset, length: Math.min(Math.max(length, options.ahead), source.size - offset) };
			held = { offset, bytes: await readExactly(source, range) };
			return held.bytes.subarray(0, length);
		},
	};
}
