import { crc32 } from 'node:zlib';
import { rebuildMessage } from '../attachments/index.ts';
import { decodeItem, type StoredBytes } from '../bundle/index.ts';
import type { AttachmentCopy, Catalog, Copy } from '../catalog/index.ts';
import { type AttachmentId, type AttachmentLine, type Finding, MailsealError, type MessageId, type MessageLine } from '../domain/index.ts';
import { sha256Of } from './hash.ts';
import { locate, type StoredAt } from './locate.ts';
import { attachmentReader, isDamage, LARGE, readCopy, streamCopy } from './read-stored.ts';

/** A message on its way from one bundle to another, compressed once and for all. */
export interface Carried {
	readonly line: MessageLine;
	readonly stored: StoredBytes;
}

export interface CarriedAttachment {
	readonly line: AttachmentLine;
	readonly stored: StoredBytes;
}

export interface CarryRequest {
	readonly dir: string;
	readonly catalog: Catalog;
	readonly findings: Finding[];
}

/** A message as its bundles have it; null, with a finding, where no copy can be read. */
export function carry(message: MessageId, request: CarryRequest): Carried | null {
	const { dir, catalog, findings } = request;
	const at = locate(catalog, message);
	let problem: Finding | null = null;
	for (const copy of at.copies) {
		try {
			return { line: catalog.pack.messageLine(message, copy), stored: carriedBytes(dir, at, copy) };
		} catch (error) {
			problem ??= damageFinding(message, error);
		}
	}
	findings.push(problem ?? damageFinding(message, new MailsealError('archive-damaged', 'no bundle has it')));
	return null;
}

/** An attachment as its bundles have it; throws `archive-damaged` or `not-found` where no copy can be read. */
export function carryAttachment(id: AttachmentId, request: Pick<CarryRequest, 'dir' | 'catalog'>): CarriedAttachment {
	let problem: unknown = null;
	for (const copy of request.catalog.pack.attachmentCopies(id)) {
		try {
			const line = { type: 'attachment', id, size: copy.size, codec: copy.codec } as const;
			return { line, stored: carriedAttachmentBytes(request.dir, id, copy) };
		} catch (error) {
			if (!isDamage(error)) throw error;
			problem ??= error;
		}
	}
	throw problem ?? new MailsealError('archive-damaged', `its attachment ${id} is in no bundle`);
}

/** The stored bytes of a copy, proved against the message's id before they go into a new bundle. */
export function carriedBytes(dir: string, at: StoredAt, copy: Copy): StoredBytes {
	const stored = storedBytes(dir, copy);
	const size = copy.recipe ?? copy.size;
	// Anew for each try: chunks can be gone through once.
	const item = (): Iterable<Uint8Array> =>
		stored instanceof Uint8Array ? [decodeItem(stored, { codec: copy.codec, size })] : stored.chunks();
	// A large item that is compressed is not ours: it is proved when it is read.
	if (!(stored instanceof Uint8Array) && copy.codec !== 'none') return stored;
	const prove = (bytes: Iterable<Uint8Array>): void =>
		proveBytes(`message ${at.id}`, { right: at.id, found: sha256Of(bytes), bundle: copy.bundle });
	if (copy.recipe === null) {
		prove(item());
		return stored;
	}
	try {
		prove(rebuildMessage(item(), attachmentReader(dir, at, false)));
	} catch (error) {
		if (!isDamage(error)) throw error;
		// A copy of an attachment is damaged: another one may do.
		prove(rebuildMessage(item(), attachmentReader(dir, at, true)));
	}
	return stored;
}

/** The stored bytes of an attachment's copy, proved against its id. */
export function carriedAttachmentBytes(dir: string, id: AttachmentId, copy: AttachmentCopy): StoredBytes {
	const stored = storedBytes(dir, copy);
	const bytes = stored instanceof Uint8Array ? [decodeItem(stored, copy)] : stored.chunks();
	if (stored instanceof Uint8Array || copy.codec === 'none') {
		proveBytes(`attachment ${id}`, { right: id, found: sha256Of(bytes), bundle: copy.bundle });
	}
	return stored;
}

function storedBytes(dir: string, copy: Copy | AttachmentCopy): StoredBytes {
	if (copy.length <= LARGE) return readCopy(dir, copy);
	let crc = 0;
	for (const piece of streamCopy(dir, copy, 0).chunks()) crc = crc32(piece, crc);
	return streamCopy(dir, copy, crc);
}

function proveBytes(what: string, { right, found, bundle }: { right: string; found: string; bundle: string }): void {
	if (found === right) return;
	throw new MailsealError('archive-damaged', `Cannot carry ${what}: its bytes in bundle ${bundle} have the SHA-256 ${found}`);
}

/** What to say of a message that could not be carried; any other kind of error is thrown on. */
export function damageFinding(message: MessageId | AttachmentId, error: unknown): Finding {
	if (!isDamage(error)) throw error;
	return {
		code: 'message-damaged',
		severity: 'error',
		subject: message,
		text: `Message ${message} was not taken into another bundle, since no copy of it can be read: ${error.message}`,
		hint: 'run "mailseal verify", and put the damaged bundle back from a copy of the archive',
	};
}
