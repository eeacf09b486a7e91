import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { checkedContent } from '../checked-content.ts';
import type { BlobContent } from '../contract.ts';

interface Sending {
	readonly name: string;
	readonly signal: AbortSignal;
}

/** Content on its way to a store. */
export interface SentBody {
	readonly stream: Readable;
	/** MD5 of what was sent, 32 hex digits, once all was proved; null before. */
	md5(): string | null;
	/** What the content threw; null where it did not. */
	failure(): unknown;
}

/** Pieces that wait for the network; they are large, and several blobs are under way at once. */
const PIECES_AHEAD = 2;

/**
 * Opens content as a stream. Its last piece leaves only when size and SHA-256 of all are right, so that no store can keep other bytes,
 * not even one that does not check. `onFailure` is called where the content cannot be read, or is not what it says.
 */
export function sendBody(content: BlobContent, options: Sending & { readonly onFailure: () => void }): SentBody {
	let failure: unknown = null;
	const { pieces, md5 } = heldContent(content, {
		...options,
		onFailure(error) {
			failure = error;
			options.onFailure();
		},
	});
	const stream = Readable.from(pieces, { highWaterMark: PIECES_AHEAD });
	// The SDK ends the stream with an error of the store's, which is none of the content's, and told by the call itself.
	stream.on('error', () => {});
	return { stream, md5, failure: () => failure };
}

/** Reads all of content and gives its MD5, 32 hex digits. */
export async function md5OfContent(content: BlobContent, sending: Sending): Promise<string> {
	const hash = createHash('md5');
	for await (const piece of checkedContent(content, sending)) hash.update(piece);
	return hash.digest('hex');
}

/** The pieces of content, the last when all are proved. */
function heldContent(
	content: BlobContent,
	sending: Sending & { readonly onFailure: (error: unknown) => void },
): { readonly pieces: AsyncGenerator<Uint8Array>; md5(): string | null } {
	let found: string | null = null;
	async function* pieces(): AsyncGenerator<Uint8Array> {
		const hash = createHash('md5');
		let held: Uint8Array | null = null;
		try {
			for await (const piece of checkedContent(content, sending)) {
				hash.update(piece);
				if (held !== null) yield held;
				held = piece;
			}
		} catch (error) {
			sending.onFailure(error);
			throw error;
		}
		found = hash.digest('hex');
		if (held !== null) yield held;
	}
	return { pieces: pieces(), md5: () => found };
}
