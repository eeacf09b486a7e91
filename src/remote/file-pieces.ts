import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { MailsealError } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import type { BlobContent, BlobRange } from './contract.ts';
import { turn } from './interrupt.ts';

/** Large enough that the calls cost nothing, small enough that others have their turn between two. Bytes. */
const PIECE = 1024 * 1024;

/** Calls that wait: handing each read of a file to a thread costs twice the reading and hashing of its bytes. */
export interface OpenFile {
	readonly path: string;
	readonly descriptor: number;
	/** Bytes. */
	readonly size: number;
}

/** Opens a file to read it; a link in its place is not followed (ELOOP). Whoever opens it closes it. */
export function openToRead(path: string): OpenFile {
	const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
	try {
		return { path, descriptor, size: fstatSync(descriptor).size };
	} catch (error) {
		closeSync(descriptor);
		throw error;
	}
}

export function closeFile({ descriptor }: OpenFile): void {
	closeSync(descriptor);
}

/** Reads bytes from `offset` on into `buffer`, at least one; gives how many. */
export function readInto(buffer: Uint8Array, { path, descriptor, size }: OpenFile, offset: number): number {
	const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, size - offset), offset);
	if (count > 0) return count;
	throw new MailsealError('archive-damaged', `Cannot read "${path}": it ends at byte ${offset} (it had ${size} bytes)`);
}

/** The bytes of an open file from `offset` on. Each piece has memory of its own; between two, others have their turn. */
export async function* piecesOf(file: OpenFile, offset: number): AsyncGenerator<Uint8Array, void> {
	for (let at = offset; at < file.size; ) {
		if (at > offset) await turn();
		const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, file.size - at));
		const count = readInto(buffer, file, at);
		at += count;
		yield buffer.subarray(0, count);
	}
}

/** Exactly so many bytes of an open file; one that ends before is `archive-damaged`. */
export function exactlyOf(file: OpenFile, { offset, length }: BlobRange): Uint8Array {
	if (offset + length > file.size) {
		throw new MailsealError(
			'archive-damaged',
			`Cannot read "${file.path}": it ends at byte ${file.size} (${offset + length} were expected)`,
		);
	}
	const bytes = Buffer.allocUnsafeSlow(length);
	for (let done = 0; done < length; ) done += readInto(bytes.subarray(done), file, offset + done);
	return bytes;
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
				const file = openToRead(path);
				try {
					yield* piecesOf(file, 0);
				} finally {
					closeFile(file);
				}
			} catch (error) {
				throw asMailsealError(error, 'read', path);
			}
		},
	};
}
