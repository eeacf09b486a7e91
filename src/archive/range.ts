import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type { RangeSource } from '../bundle/index.ts';
import { MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import { sha256Of } from './hash.ts';

/** An open file that is read in ranges. */
export interface RangeFile extends RangeSource {
	read(offset: number, length: number): Uint8Array;
	close(): void;
}

const PIECE = 4 * 1024 * 1024;

/** All bytes of an open file, in pieces. */
export function* rangePieces(range: RangeFile): Iterable<Uint8Array> {
	for (let offset = 0; offset < range.size; offset += PIECE) yield range.read(offset, Math.min(PIECE, range.size - offset));
}

/** SHA-256 of a file in lower-case hex. */
export function hashFile(path: string): string {
	const range = openRange(path);
	try {
		return sha256Of(rangePieces(range));
	} finally {
		range.close();
	}
}

/** Opens a file for reads at any offset; throws `not-found` where it is missing. */
export function openRange(path: string): RangeFile {
	let descriptor: number;
	try {
		descriptor = openSync(path, 'r');
	} catch (error) {
		throw asMailsealError(error, 'read', path);
	}
	const { size } = fstatSync(descriptor);

	function readPart(room: Uint8Array, offset: number): number {
		try {
			return readSync(descriptor, room, 0, room.length, offset);
		} catch (error) {
			if (systemCode(error) !== 'EIO') throw asMailsealError(error, 'read', path);
			// A bad sector is damage like any other: there may be another copy of what lies on it, here or at a target.
			throw new MailsealError('archive-damaged', `Cannot read "${basename(path)}": the disk reports a read error behind byte ${offset}`, {
				details: { damage: 'bundle-unreadable' },
				cause: error,
			});
		}
	}

	return {
		size,
		read(offset, length) {
			const bytes = Buffer.allocUnsafe(length);
			let done = 0;
			while (done < length) {
				const got = readPart(bytes.subarray(done), offset + done);
				if (got === 0) {
					throw new MailsealError('archive-damaged', `Cannot read "${basename(path)}": it ends at byte ${offset + done}`, {
						details: { damage: 'truncated' },
					});
				}
				done += got;
			}
			return bytes;
		},
		close() {
			closeSync(descriptor);
		},
	};
}
