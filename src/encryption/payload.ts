import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { damaged } from './damage.ts';

// C2SP age.md, "Payload": the nonce follows the header, then come chunks, each with its tag.

/** Bytes of the nonce that the key of a payload is derived with. */
export const NONCE = 16;
/** Plain bytes of every chunk but the last, which has 1 to so many; that of an empty file has none. */
export const CHUNK = 64 * 1024;
/** Bytes by which a chunk grows. */
export const TAG = 16;
/** Bytes of a chunk as it is stored. */
export const SEALED_CHUNK = CHUNK + TAG;

const ALGORITHM = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG } as const;

/** Bytes of an encrypted file. `headerLength` is what lies before the first chunk: header and nonce. */
export function sealedSize(plainSize: number, headerLength: number): number {
	if (!isSize(plainSize) || !isSize(headerLength)) throw new RangeError(`no sizes: ${plainSize}, ${headerLength}`);
	return headerLength + plainSize + TAG * Math.max(1, Math.ceil(plainSize / CHUNK));
}

/** Bytes of the plain file that an encrypted one of this size holds; a size that none has is `archive-damaged`. */
export function plainSize(sealedSize: number, headerLength: number): number {
	const chunks = chunksIn(sealedSize, headerLength);
	return sealedSize - headerLength - TAG * chunks;
}

/** Chunks in an encrypted file of this size; a size that none has is `archive-damaged`. */
export function chunksIn(sealedSize: number, headerLength: number): number {
	const size = sealedSize - headerLength;
	const chunks = Math.max(1, Math.ceil(size / SEALED_CHUNK));
	const last = size - (chunks - 1) * SEALED_CHUNK;
	if (!isSize(sealedSize) || !isSize(headerLength) || !isLastChunk(last, chunks - 1)) {
		throw damaged(
			'seal-size',
			`Cannot decrypt file: it has ${sealedSize} bytes, ${headerLength} of them before its content (no encrypted file has)`,
		);
	}
	return chunks;
}

/** True where the last chunk can have so many bytes: it is never empty, but for the only chunk of an empty file. */
export function isLastChunk(size: number, index: number): boolean {
	return size >= (index === 0 ? TAG : TAG + 1);
}

function isSize(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0;
}

/** Which chunk of a payload it is, counted from 0, and whether it is the last one. */
export interface ChunkPlace {
	readonly index: number;
	readonly last: boolean;
}

/** Encrypts and decrypts the chunks of one payload, in any order. */
export class ChunkCipher {
	readonly #key: KeyObject;
	readonly #nonce = Buffer.alloc(12);

	/** `nonce` is that of the payload. */
	constructor(fileKey: Uint8Array, nonce: Uint8Array) {
		this.#key = createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32)));
	}

	/** One place takes one plain chunk, ever: the tags of two would give away what forges a third. */
	seal(place: ChunkPlace, plain: Uint8Array): { readonly bytes: Uint8Array; readonly tag: Uint8Array } {
		const cipher = createCipheriv(ALGORITHM, this.#key, this.#nonceOf(place), OPTIONS);
		const bytes = cipher.update(plain);
		cipher.final();
		return { bytes, tag: cipher.getAuthTag() };
	}

	/** The plain bytes of a stored chunk, in a buffer of their own; `archive-damaged` where it is not what was encrypted at this place. */
	open(place: ChunkPlace, sealed: Uint8Array): Uint8Array {
		const end = sealed.length - TAG;
		const decipher = createDecipheriv(ALGORITHM, this.#key, this.#nonceOf(place), OPTIONS);
		decipher.setAuthTag(sealed.subarray(end));
		const plain = decipher.update(sealed.subarray(0, end));
		try {
			// Throws for one reason alone: the tag is another.
			decipher.final();
		} catch (error) {
			const which = place.last ? `${place.index + 1}, the last one,` : `${place.index + 1}`;
			throw damaged('seal-broken', `Cannot decrypt file: its chunk ${which} is not what was encrypted there`, error);
		}
		return plain;
	}

	/** Eleven bytes count, big-endian, and the twelfth marks the last chunk. A file of 2^53 bytes has no more than 2^37 chunks. */
	#nonceOf({ index, last }: ChunkPlace): Uint8Array {
		this.#nonce.writeUIntBE(index, 5, 6);
		this.#nonce[11] = last ? 1 : 0;
		return this.#nonce;
	}
}
