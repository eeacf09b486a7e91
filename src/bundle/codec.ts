import type { Codec } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { gunzip, gzip } from './gzip.ts';

/** The bytes to store for an item; one that would not shrink by a tenth stays as it is. */
export function encodeItem(
	bytes: Uint8Array,
	options: { readonly compress: boolean },
): { readonly codec: Codec; readonly stored: Uint8Array } {
	if (options.compress) {
		const stored = gzip(bytes);
		if (stored.length * 10 <= bytes.length * 9) return { codec: 'gzip', stored };
	}
	return { codec: 'none', stored: bytes };
}

/** The bytes of an item, `size` of them exactly. Bytes that do not give that are `archive-damaged`. */
export function decodeItem(stored: Uint8Array, options: { readonly codec: Codec; readonly size: number }): Uint8Array {
	const { codec, size } = options;
	const plain = codec === 'gzip' ? gunzip(stored, { limit: size, thing: 'item' }) : stored;
	if (plain.length !== size) {
		throw damaged('wrong-size', `Cannot decode item: it has ${plain.length} bytes (${size} were expected)`);
	}
	return plain;
}
