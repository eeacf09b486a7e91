import { type Codec, MailsealError } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { gunzip, gzip } from './gzip.ts';

/** Up to here an attachment is tried as a whole: looking at samples first would cost as much. */
const SMALL = 16 << 10;
/** No attachment above this is compressed. */
const LARGEST_ATTACHMENT = 64 << 20;
const SAMPLES = 4;
const SAMPLE = 4 << 10;

/** An item as it is to be stored. */
export interface EncodedItem {
	readonly codec: Codec;
	readonly stored: Uint8Array;
}

/** The bytes to store for a message or recipe; one that would not shrink by a tenth, or not come back, stays as it is. */
export function encodeItem(bytes: Uint8Array, options: { readonly compress: boolean }): EncodedItem {
	return encodeAs('message', bytes, options);
}

function encodeAs(kind: 'message' | 'attachment', bytes: Uint8Array, options: { readonly compress: boolean }): EncodedItem {
	if (options.compress) {
		const stored = gzip(bytes, kind);
		if (pays(stored.length, bytes.length) && givesBack(stored, bytes)) return { codec: 'gzip', stored };
	}
	return { codec: 'none', stored: bytes };
}

/** Undone once, by another program than made it: neither an error of a compressor nor one of the memory must be found out years later. */
function givesBack(stored: Uint8Array, bytes: Uint8Array): boolean {
	try {
		return Buffer.compare(gunzip(stored, { limit: bytes.length, thing: 'item' }), bytes) === 0;
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		return false;
	}
}

/**
 * The bytes to store for an attachment, compressed only where that makes it smaller by a tenth. Most are pictures and archives
 * that would not shrink, so above 16 KiB samples of the content decide whether that is tried; above 64 MiB it never is.
 */
export function encodeAttachment(bytes: Uint8Array, options: { readonly compress: boolean }): EncodedItem {
	const compress = options.compress && bytes.length <= LARGEST_ATTACHMENT && (bytes.length <= SMALL || samplesShrink(bytes));
	return encodeAs('attachment', bytes, { compress });
}

/** The samples lie in the middle of equal slices: first and last bytes are often tables unlike the rest. */
function samplesShrink(bytes: Uint8Array): boolean {
	const slice = bytes.length / SAMPLES;
	let shrunk = 0;
	for (let index = 0; index < SAMPLES; index++) {
		const start = Math.floor((index + 0.5) * slice) - SAMPLE / 2;
		shrunk += gzip(bytes.subarray(start, start + SAMPLE), 'sample').length;
	}
	return pays(shrunk, SAMPLES * SAMPLE);
}

function pays(shrunk: number, length: number): boolean {
	return shrunk * 10 <= length * 9;
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
