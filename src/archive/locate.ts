import type { AttachmentCopy, Catalog, Copy } from '../catalog/index.ts';
import type { AttachmentId, MessageId, PartFacts } from '../domain/index.ts';

/** A message with every place where its bytes lie, and those of the attachments that its recipes need. */
export interface StoredAt {
	readonly id: MessageId;
	readonly copies: readonly Copy[];
	readonly attachments: ReadonlyMap<AttachmentId, readonly AttachmentCopy[]>;
}

/** Ids of the attachments stored apart, each once, in order of use. */
export function attachmentIds(parts: readonly PartFacts[]): AttachmentId[] {
	const ids = new Set<AttachmentId>();
	for (const { id } of parts) if (id !== undefined) ids.add(id);
	return [...ids];
}

/** Where to read a message from; no copies where none is stored. */
export function locate(catalog: Catalog, id: MessageId): StoredAt {
	const copies = catalog.pack.copies(id);
	const attachments = new Map<AttachmentId, readonly AttachmentCopy[]>();
	for (const copy of copies) {
		for (const needed of attachmentIds(copy.attachments)) {
			if (!attachments.has(needed)) attachments.set(needed, catalog.pack.attachmentCopies(needed));
		}
	}
	// A sealed copy may lack attachments that a compaction took while nothing placed the message.
	const whole = copies.filter((copy) => attachmentIds(copy.attachments).every((needed) => (attachments.get(needed) ?? []).length > 0));
	return { id, copies: whole.length > 0 ? whole : copies, attachments };
}
