import { existsSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { rebuildMessage } from '../attachments/index.ts';
import { decodeItem, type StoredBytes } from '../bundle/index.ts';
import type { AttachmentCopy, Catalog, Copy } from '../catalog/index.ts';
import {
	type AttachmentId,
	type AttachmentLine,
	type BundleId,
	type Finding,
	MailsealError,
	type MessageId,
	type MessageLine,
} from '../domain/index.ts';
import { sha256Of } from './hash.ts';
import { placePath } from './items.ts';
import { attachmentIds, locate, type StoredAt } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { hashFile } from './range.ts';
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
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly findings: Finding[];
}

/** A message as its bundles have it; null, with a finding, where no copy can be read. */
export function carry(message: MessageId, request: CarryRequest): Carried | null {
	const { archive, catalog, findings } = request;
	const at = locate(catalog, message);
	let problem: Finding | null = null;
	for (const copy of at.copies) {
		try {
			return { line: catalog.pack.messageLine(message, copy), stored: carriedBytes(archive, at, copy) };
		} catch (error) {
			problem ??= damageFinding(message, error);
		}
	}
	findings.push(problem ?? damageFinding(message, new MailsealError('archive-damaged', 'no bundle has it')));
	return null;
}

/** An attachment as its bundles have it; throws `archive-damaged` or `not-found` where no copy can be read. */
export function carryAttachment(id: AttachmentId, request: Pick<CarryRequest, 'archive' | 'catalog'>): CarriedAttachment {
	let problem: unknown = null;
	for (const copy of request.catalog.pack.attachmentCopies(id)) {
		try {
			const line = { type: 'attachment', id, size: copy.size, codec: copy.codec } as const;
			return { line, stored: carriedAttachmentBytes(request.archive, id, copy) };
		} catch (error) {
			if (!isDamage(error)) throw error;
			problem ??= error;
		}
	}
	throw problem ?? new MailsealError('archive-damaged', `its attachment ${id} is in no bundle`);
}

/** The stored bytes of a copy, proved against the message's id before they go into a new bundle. */
export function carriedBytes(archive: Archive, at: StoredAt, copy: Copy): StoredBytes {
	const { dir } = archive;
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
		// Nothing is fetched for a proof: the bundle that it comes from has its hash, and was whole when it was written.
		if (lacksAttachments(archive, at, copy)) proveByBundle(archive, copy);
		// A copy of an attachment is damaged: another one may do.
		else prove(rebuildMessage(item(), attachmentReader(dir, at, true)));
	}
	return stored;
}

/** The stored bytes of an attachment's copy, proved against its id. */
export function carriedAttachmentBytes({ dir }: Archive, id: AttachmentId, copy: AttachmentCopy): StoredBytes {
	const stored = storedBytes(dir, copy);
	const bytes = stored instanceof Uint8Array ? [decodeItem(stored, copy)] : stored.chunks();
	if (stored instanceof Uint8Array || copy.codec === 'none') {
		proveBytes(`attachment ${id}`, { right: id, found: sha256Of(bytes), bundle: copy.bundle });
	}
	return stored;
}

/** True where some attachment lies at a target only. */
function lacksAttachments({ dir, offsite }: Archive, at: StoredAt, copy: Copy): boolean {
	return attachmentIds(copy.attachments).some((id) => {
		const copies = at.attachments.get(id) ?? [];
		return copies.some(({ bundle }) => offsite.has(bundle)) && copies.every((one) => !existsSync(placePath(dir, one)));
	});
}

/** Bundles that were read from end to end and have the hash that is their name. */
const provedBundles = new WeakMap<Archive, Set<BundleId>>();

function proveByBundle(archive: Archive, copy: Copy): void {
	const proved = provedBundles.get(archive) ?? new Set();
	provedBundles.set(archive, proved);
	if (proved.has(copy.bundle)) return;
	const found = hashFile(placePath(archive.dir, copy));
	if (found !== copy.bundle) {
		throw new MailsealError('archive-damaged', `Cannot carry out of bundle ${copy.bundle}: its bytes have the SHA-256 ${found}`);
	}
	proved.add(copy.bundle);
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
