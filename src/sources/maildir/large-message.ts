import { type BigIntStats, closeSync, fstatSync, readSync } from 'node:fs';
import { MailsealError } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import type { LargeMessage } from '../contract.ts';
import { diskPath, shownPath } from './disk-name.ts';
import { dateOf, modeOf, ownerOf } from './file-facts.ts';
import { openDescriptor } from './open-message.ts';
import { look } from './small-file.ts';

const CHUNK = 1024 * 1024;

/** Internal date and stored bytes of a message by its name alone; null where it is gone, no regular file, or may not be looked at. */
export function measureMessage(path: string): { readonly date: number; readonly size: number } | null {
	let stat: BigIntStats | undefined;
	try {
		stat = look(diskPath(path));
	} catch (error) {
		// One message never stops a pack: reading it gives the finding.
		if (error instanceof MailsealError && (error.code === 'permission' || error.code === 'io')) return null;
		throw error;
	}
	return stat?.isFile() === true ? { date: dateOf(stat), size: Number(stat.size) } : null;
}

/** Opens a message to read it in pieces as it lies; null where it is gone. Throws `permission` or `io`. */
export function openLargeMessage(path: string): LargeMessage | null {
	const opened = openDescriptor(path);
	if (typeof opened !== 'number') {
		if (opened.unreadable === 'vanished') return null;
		throw unreadable(path, opened);
	}
	const descriptor = opened;
	let isOpen = true;
	function close(): void {
		if (isOpen) closeSync(descriptor);
		isOpen = false;
	}
	try {
		const stat = fstatSync(descriptor, { bigint: true });
		if (!stat.isFile()) throw unreadable(path, { unreadable: 'not-a-file', text: 'it is not a regular file' });
		const size = Number(stat.size);
		return {
			size,
			date: dateOf(stat),
			mode: modeOf(stat),
			owner: ownerOf(stat),
			chunks: () => readChunks(path, { descriptor, size }),
			close,
		};
	} catch (error) {
		close();
		throw error;
	}
}

function* readChunks(path: string, file: { readonly descriptor: number; readonly size: number }): Generator<Uint8Array> {
	for (let position = 0; position < file.size; ) {
		const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, file.size - position));
		let got: number;
		try {
			got = readSync(file.descriptor, chunk, 0, chunk.length, position);
		} catch (error) {
			throw asMailsealError(error, 'read', shownPath(path));
		}
		if (got === 0) throw unreadable(path, { unreadable: 'io', text: `it ends at byte ${position} (${file.size} were there before)` });
		position += got;
		yield chunk.subarray(0, got);
	}
}

function unreadable(path: string, failure: { readonly unreadable: string; readonly text: string }): MailsealError {
	const code = failure.unreadable === 'permission' ? 'permission' : 'io';
	return new MailsealError(code, `Cannot read message "${path}": ${failure.text}`);
}
