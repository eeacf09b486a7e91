import { decodeItem, type StreamedBytes } from '../bundle/index.ts';
import type { Copy } from '../catalog/index.ts';
import { MailsealError, type MessageId } from '../domain/index.ts';
import { readRange } from '../platform/index.ts';
import { sha256, sha256Of } from './hash.ts';
import { bundlePath } from './layout.ts';
import { openRange } from './range.ts';

/** Items above this are read in pieces. Bytes. */
export const LARGE = 64 * 1024 * 1024;

const PIECE = 1024 * 1024;

/** The stored bytes of a copy, as they lie in its bundle. */
export function readCopy(dir: string, copy: Copy): Uint8Array {
	return readRange(bundlePath(dir, copy.sealed ? 'sealed' : 'volatile', copy.bundle), copy.offset, copy.length);
}

/** The stored bytes of a large copy in pieces, for carrying them into another bundle. */
export function streamCopy(dir: string, copy: Copy, crc32: number): StreamedBytes {
	return { length: copy.length, crc32, chunks: () => pieces(dir, copy) };
}

function* pieces(dir: string, copy: Copy): Iterable<Uint8Array> {
	const range = openRange(bundlePath(dir, copy.sealed ? 'sealed' : 'volatile', copy.bundle));
	try {
		for (let done = 0; done < copy.length; done += PIECE) {
			yield range.read(copy.offset + done, Math.min(PIECE, copy.length - done));
		}
	} finally {
		range.close();
	}
}

/** All bytes of a message, proved against its id before the first is given. Tries the other copies where one is damaged. */
export function readMessage(dir: string, id: MessageId, copies: readonly Copy[]): Iterable<Uint8Array> {
	let first: MailsealError | null = null;
	for (const copy of copies) {
		try {
			return readOne(dir, id, copy);
		} catch (error) {
			if (!(error instanceof MailsealError) || (error.code !== 'archive-damaged' && error.code !== 'not-found')) throw error;
			first ??= error;
		}
	}
	throw new MailsealError('archive-damaged', `Cannot read message ${id}: ${first?.message ?? 'no bundle has it'}`, {
		hint: 'run "mailseal verify" to see what is damaged, and put the bundle back from a copy of the archive',
		...(first === null ? {} : { cause: first }),
	});
}

function readOne(dir: string, id: MessageId, copy: Copy): Iterable<Uint8Array> {
	if (copy.codec === 'none' && copy.length > LARGE) {
		prove(id, sha256Of(pieces(dir, copy)), copy);
		return pieces(dir, copy);
	}
	const bytes = decodeItem(readCopy(dir, copy), { codec: copy.codec, size: copy.size });
	prove(id, sha256(bytes), copy);
	return [bytes];
}

function prove(id: MessageId, found: string, copy: Copy): void {
	if (found === id) return;
	throw new MailsealError('archive-damaged', `its bytes in bundle ${copy.bundle} have the SHA-256 ${found}`);
}
