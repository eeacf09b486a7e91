import { createHash } from 'node:crypto';
import { MailsealError } from '../domain/index.ts';
import type { LargeMessage } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { sha256Of } from './hash.ts';
import type { Archive } from './open-archive.ts';
import { openRange, rangePieces } from './range.ts';

/**
 * A copy that lies in the archive's folder without a name: a large message is read many times until its bundle is written, and whoever owns it
 * could change it meanwhile. Closes the original; throws `io` where that changes while it is copied.
 */
export function makeOwnCopy(
	large: LargeMessage,
	{ archive, signal }: { readonly archive: Archive; readonly signal: AbortSignal },
): LargeMessage {
	const file = archive.files.create(archive.dir);
	try {
		const hash = createHash('sha256');
		for (const chunk of large.chunks()) {
			throwIfAborted(signal);
			hash.update(chunk);
			file.write(chunk);
		}
		if (sha256Of(unlessAborted(large.chunks(), signal)) !== hash.digest('hex')) {
			throw new MailsealError('io', 'Cannot read message: it changed while it was read', { retryable: true });
		}
		const copy = openRange(file.temporaryPath);
		const { date, mode, owner } = large;
		let isOpen = true;
		function close(): void {
			if (isOpen) copy.close();
			isOpen = false;
		}
		return { size: copy.size, date, mode, owner, chunks: () => rangePieces(copy), close };
	} finally {
		file.discard();
		large.close();
	}
}

function* unlessAborted(chunks: Iterable<Uint8Array>, signal: AbortSignal): Iterable<Uint8Array> {
	for (const chunk of chunks) {
		throwIfAborted(signal);
		yield chunk;
	}
}
