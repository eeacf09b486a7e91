import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MailsealError } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import type { BlobContent, BlobRange } from './contract.ts';

/** Large enough that the calls cost nothing, small enough that reading, hashing and writing go on side by side. Bytes. */
const PIECE = 1024 * 1024;

export interface OpenFile {
	readonly path: string;
	readonly handle: FileHandle;
	/** Bytes. */
	readonly size: number;
}

/** Opens a file to read it; a link in its place is not followed (ELOOP). */
export async function openToRead(path: string): Promise<OpenFile> {
	const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
	try {
		return { path, handle, size: (await handle.stat()).size };
	} catch (error) {
		await handle.close();
		throw error;
	}
}

/** Reads some bytes, at least one. */
async function readAt({ path, handle, size }: OpenFile, { offset, length }: BlobRange): Promise<Uint8Array> {
	const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, offset);
	if (bytesRead > 0) return buffer.subarray(0, bytesRead);
	throw new MailsealError('archive-damaged', `Cannot read "${path}": it ends at byte ${offset} (it had ${size} bytes)`);
}

/** The bytes of an open file from `offset` on. The next piece is read while the last one is used; each has memory of its own. */
export async function* piecesOf(file: OpenFile, offset: number): AsyncGenerator<Uint8Array, void> {
	function start(at: number): Promise<Uint8Array> | null {
		if (at >= file.size) return null;
		const reading = readAt(file, { offset: at, length: Math.min(PIECE, file.size - at) });
		// Where nobody asks for this piece, its failure has nobody to tell.
		reading.catch(() => {});
		return reading;
	}
	let at = offset;
	let reading = start(at);
	try {
		while (reading !== null) {
			const piece = await reading;
			at += piece.length;
			reading = start(at);
			yield piece;
		}
	} finally {
		// The file is not closed while it is read.
		await Promise.allSettled([reading]);
	}
}

/** Exactly so many bytes of an open file; one that ends before is `archive-damaged`. */
export async function exactlyOf(file: OpenFile, { offset, length }: BlobRange): Promise<Uint8Array> {
	if (offset + length > file.size) {
		throw new MailsealError(
			'archive-damaged',
			`Cannot read "${file.path}": it ends at byte ${file.size} (${offset + length} were expected)`,
		);
	}
	const pieces: Uint8Array[] = [];
	for (let done = 0; done < length; ) {
		const piece = await readAt(file, { offset: offset + done, length: length - done });
		pieces.push(piece);
		done += piece.length;
	}
	const [first, ...more] = pieces;
	return first === undefined || more.length > 0 ? Buffer.concat(pieces) : first;
}

/** A file as content for a store; its size and SHA-256 are what it must have, and are not looked up. */
export function fileContent({
	path,
	size,
	sha256,
}: {
	readonly path: string;
	readonly size: number;
	readonly sha256: string;
}): BlobContent {
	return {
		size,
		sha256,
		async *open() {
			try {
				const file = await openToRead(path);
				try {
					yield* piecesOf(file, 0);
				} finally {
					await file.handle.close();
				}
			} catch (error) {
				throw asMailsealError(error, 'read', path);
			}
		},
	};
}
