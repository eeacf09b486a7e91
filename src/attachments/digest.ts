import { hash } from 'node:crypto';
import { type AttachmentId, parseAttachmentId } from '../domain/index.ts';

/** The id of an attachment with these bytes. */
export function attachmentIdOf(bytes: Uint8Array): AttachmentId {
	return parseAttachmentId(hash('sha256', bytes, 'hex'));
}
