import { createHash } from 'node:crypto';
import { MailsealError } from '../domain/index.ts';
import type { BlobContent } from './contract.ts';
import { throwIfAborted } from './interrupt.ts';

/**
 * The pieces of `content` on their way to a store, without empty ones. Throws `archive-damaged` where they do not have its size and SHA-256:
 * for too many bytes before the piece that has them, else after the last piece, so that a write that needs an end to show is never ended.
 */
export async function* checkedContent(
	content: BlobContent,
	{ name, signal }: { readonly name: string; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
	const hash = createHash('sha256');
	let size = 0;
	throwIfAborted(signal);
	for await (const piece of content.open()) {
		throwIfAborted(signal);
		size += piece.length;
		if (size > content.size) throw wrong(name, `it has more than ${content.size} bytes (${content.size} are right)`);
		if (piece.length === 0) continue;
		hash.update(piece);
		yield piece;
	}
	throwIfAborted(signal);
	if (size !== content.size) throw wrong(name, `it has ${size} bytes (${content.size} are right)`);
	const found = hash.digest('hex');
	if (found !== content.sha256) throw wrong(name, `its SHA-256 is ${found} (${content.sha256} is right)`);
}

function wrong(name: string, text: string): MailsealError {
	return new MailsealError('archive-damaged', `Cannot send "${name}": ${text}`, {
		hint: 'run "mailseal verify" to see what is damaged in the archive; the target is as it was',
	});
}
