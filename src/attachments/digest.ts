import * as crypto from 'node:crypto';
import { type AttachmentId, parseAttachmentId } from '../domain/index.ts';

// In Node 20.12 and later; the types of Node 20 lack it.
const oneShot = (crypto as unknown as { hash(algorithm: string, data: Uint8Array, encoding: 'hex'): string }).hash;

/** The id of an attachment with these bytes. */
export function attachmentIdOf(bytes: Uint8Array): AttachmentId {
	return parseAttachmentId(oneShot('sha256', bytes, 'hex'));
}
