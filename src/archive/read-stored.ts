import { rebuildMessage } from '../attachments/index.ts';
import { decodeItem, type StreamedBytes } from '../bundle/index.ts';
import type { AttachmentCopy, Copy } from '../catalog/index.ts';
import { type AttachmentId, MailsealError } from '../domain/index.ts';
import { sha256Of } from './hash.ts';
import { type OpenItem, openItem, type Place } from './items.ts';
import type { StoredAt } from './locate.ts';

/** Items above this are read in pieces. Bytes. */
export const LARGE = 64 * 1024 * 1024;

const PIECE = 1024 * 1024;

/** The stored bytes of a copy, as they lie in its bundle. */
export function readCopy(dir: string, copy: Place): Uint8Array {
	return readWhole((place) => openItem(dir, place), copy);
}

function readWhole(open: OpenItem, copy: Place): Uint8Array {
	const item = open(copy);
	try {
		return item.read(0, copy.length);
	} finally {
		item.close();
	}
}

/** The stored bytes of a large copy in pieces, for carrying them into another bundle. */
export function streamCopy(dir: string, copy: Place, crc32: number): StreamedBytes {
	return { length: copy.length, crc32, chunks: () => pieces((place) => openItem(dir, place), copy) };
}

function* pieces(open: OpenItem, copy: Place): Iterable<Uint8Array> {
	const item = open(copy);
	try {
		for (let done = 0; done < copy.length; done += PIECE) yield item.read(done, Math.min(PIECE, copy.length - done));
	} finally {
		item.close();
	}
}

/** The bytes of an item of `size` bytes, decoded; a large one in pieces. */
function itemPieces(open: OpenItem, copy: Place, size: number): Iterable<Uint8Array> {
	if (copy.codec === 'none' && copy.length > LARGE) return pieces(open, copy);
	return [decodeItem(readWhole(open, copy), { codec: copy.codec, size })];
}

/** All bytes of a message, proved against its id before the first is given. Tries the other copies where one is damaged. */
export function readMessage(dir: string, at: StoredAt): Iterable<Uint8Array> {
	return readMessageFrom((place) => openItem(dir, place), at);
}

/** The same, with items opened by `open`. */
export function readMessageFrom(open: OpenItem, at: StoredAt): Iterable<Uint8Array> {
	let first: MailsealError | null = null;
	for (const copy of at.copies) {
		try {
			return readProved(open, at, copy);
		} catch (error) {
			first ??= damageIn(error);
		}
	}
	throw new MailsealError('archive-damaged', `Cannot read message ${at.id}: ${first?.message ?? 'no bundle has it'}`, {
		hint: 'run "mailseal verify" to see what is damaged, and put the bundle back from a copy of the archive',
		...(first === null ? {} : { cause: first }),
	});
}

/** True where an error tells of damaged or missing bytes. */
export function isDamage(error: unknown): error is MailsealError {
	return error instanceof MailsealError && (error.code === 'archive-damaged' || error.code === 'not-found');
}

/** The error where it tells of damaged or missing bytes; any other is thrown on. */
function damageIn(error: unknown): MailsealError {
	if (isDamage(error)) return error;
	throw error;
}

function readProved(open: OpenItem, at: StoredAt, copy: Copy): Iterable<Uint8Array> {
	if (copy.recipe === null) return readOne(at, copy, () => itemPieces(open, copy, copy.size));
	const { recipe } = copy;
	const rebuild = (careful: boolean): Iterable<Uint8Array> =>
		readOne(at, copy, () => rebuildMessage(itemPieces(open, copy, recipe), attachmentsFrom(open, at, careful)));
	try {
		return rebuild(false);
	} catch (error) {
		damageIn(error);
		return rebuild(true);
	}
}

function readOne(at: StoredAt, copy: Copy, decode: () => Iterable<Uint8Array>): Iterable<Uint8Array> {
	const bytes = copy.size > LARGE ? () => atMost(copy, decode()) : [...atMost(copy, decode())];
	const found = sha256Of(typeof bytes === 'function' ? bytes() : bytes);
	if (found !== at.id) throw new MailsealError('archive-damaged', `its bytes in bundle ${copy.bundle} have the SHA-256 ${found}`);
	return typeof bytes === 'function' ? bytes() : bytes;
}

/** A forged recipe gives more than the message has: it is stopped there, and not when the memory is full. */
function* atMost({ size, bundle }: Copy, pieces: Iterable<Uint8Array>): Iterable<Uint8Array> {
	let length = 0;
	for (const piece of pieces) {
		length += piece.length;
		if (length > size)
			throw new MailsealError('archive-damaged', `its recipe in bundle ${bundle} gives more than the ${size} bytes of the message`);
		yield piece;
	}
}

/**
 * Reads attachments for a recipe. The message's own id proves them all; `careful` proves each by itself, so that a damaged copy
 * gives way to the next one, or is named.
 */
export function attachmentReader(dir: string, at: StoredAt, careful: boolean): (id: AttachmentId) => Iterable<Uint8Array> {
	return attachmentsFrom((place) => openItem(dir, place), at, careful);
}

function attachmentsFrom(open: OpenItem, at: StoredAt, careful: boolean): (id: AttachmentId) => Iterable<Uint8Array> {
	return (id) => {
		let first: MailsealError | null = null;
		for (const copy of at.attachments.get(id) ?? []) {
			try {
				if (careful) proveAttachment(open, id, copy);
				return itemPieces(open, copy, copy.size);
			} catch (error) {
				first ??= damageIn(error);
			}
		}
		throw new MailsealError('archive-damaged', `its attachment ${id} cannot be read: ${first?.message ?? 'no bundle has it'}`);
	};
}

function proveAttachment(open: OpenItem, id: AttachmentId, copy: AttachmentCopy): void {
	const found = sha256Of(itemPieces(open, copy, copy.size));
	if (found !== id) throw new MailsealError('archive-damaged', `its bytes in bundle ${copy.bundle} have the SHA-256 ${found}`);
}
