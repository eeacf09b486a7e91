import { MailsealError } from '../domain/index.ts';
import { TAG } from './payload.ts';

/**
 * Keeps a key from encrypting two contents. Each chunk's nonce is its number, and two chunks under one nonce give away their
 * difference and the key of their tags. Other bytes have another tag, and so does a chunk that is the last in one content
 * and not in the other; the first tag of each chunk is kept, 16 bytes for 64 KiB, and the chunk goes out with no other.
 */
export class SeenTags {
	#tags = Buffer.alloc(1024 * TAG);
	#count = 0;

	/** To be called before the chunk is given out, in the order of the chunks. */
	check(index: number, tag: Uint8Array): void {
		const at = index * TAG;
		if (index < this.#count) {
			if (this.#tags.compare(tag, 0, TAG, at, at + TAG) === 0) return;
			throw new MailsealError('archive-damaged', `Cannot encrypt: chunk ${index + 1} of 64 KiB changed since it was read before`, {
				hint: 'run "mailseal verify" to see whether the file is whole, then run the command again',
				details: { damage: 'content-changed' },
			});
		}
		if (at === this.#tags.length) this.#tags = Buffer.concat([this.#tags, Buffer.alloc(at)]);
		this.#tags.set(tag, at);
		this.#count++;
	}
}
