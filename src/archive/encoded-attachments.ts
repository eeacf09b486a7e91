import { type EncodedItem, encodeAttachment } from '../bundle/index.ts';
import type { AttachmentId } from '../domain/index.ts';

/** Stored bytes that a thread keeps. */
const MOST_BYTES = 16 << 20;
/** Attachments of which a thread knows how they are stored. */
const MOST = 50_000;

/** What a thread has compressed lately: one file sent to many is compressed once, or found out once not to shrink. */
export interface EncodedAttachments {
	/** What encodeAttachment() gives, in bytes of its own where they are compressed. */
	encode(id: AttachmentId, bytes: Uint8Array): EncodedItem;
}

export function openEncodedAttachments(): EncodedAttachments {
	/** Null for one that is stored as it is. The one used longest ago comes first. */
	const known = new Map<AttachmentId, Uint8Array | null>();
	let held = 0;

	function remember(id: AttachmentId, stored: Uint8Array | null): void {
		known.delete(id);
		known.set(id, stored);
	}

	function forgetOldest(): void {
		for (const [id, stored] of known) {
			if (known.size <= MOST && held <= MOST_BYTES) return;
			known.delete(id);
			held -= stored?.length ?? 0;
		}
	}

	return {
		encode(id, bytes) {
			const before = known.get(id);
			if (before !== undefined) {
				remember(id, before);
				return before === null ? { codec: 'none', stored: bytes } : { codec: 'gzip', stored: before.slice() };
			}
			const item = encodeAttachment(bytes, { compress: true });
			if (item.codec === 'gzip' && item.stored.length > MOST_BYTES) return item;
			// A copy: what is given out may be handed to another thread and is gone from this one then.
			const kept = item.codec === 'gzip' ? item.stored.slice() : null;
			remember(id, kept);
			held += kept?.length ?? 0;
			forgetOldest();
			return item;
		},
	};
}
