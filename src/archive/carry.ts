import { crc32 } from 'node:zlib';
import { decodeItem, type StoredMessage } from '../bundle/index.ts';
import type { Catalog, Copy } from '../catalog/index.ts';
import { type Finding, MailsealError, type MessageId, type MessageLine } from '../domain/index.ts';
import { sha256, sha256Of } from './hash.ts';
import { LARGE, readCopy, streamCopy } from './read-stored.ts';

/** A message on its way from one bundle to another, compressed once and for all. */
export interface Carried {
	readonly line: MessageLine;
	readonly stored: StoredMessage['stored'];
}

/** A message as its bundles have it; null, with a finding, where no copy can be read. */
export function carry(
	message: MessageId,
	request: { readonly dir: string; readonly catalog: Catalog; readonly findings: Finding[] },
): Carried | null {
	const { dir, catalog, findings } = request;
	let problem: Finding | null = null;
	for (const copy of catalog.pack.copies(message)) {
		try {
			return { line: catalog.pack.messageLine(message, copy.codec), stored: carriedBytes(dir, message, copy) };
		} catch (error) {
			problem ??= damageFinding(message, error);
		}
	}
	findings.push(problem ?? damageFinding(message, new MailsealError('archive-damaged', 'no bundle has it')));
	return null;
}

/** The stored bytes of a copy, proved against the message's id before they go into a new bundle. */
export function carriedBytes(dir: string, message: MessageId, copy: Copy): StoredMessage['stored'] {
	if (copy.length > LARGE) {
		const streamed = streamCopy(dir, copy, 0);
		if (copy.codec === 'none') prove(message, sha256Of(streamed.chunks()), copy);
		let crc = 0;
		for (const piece of streamed.chunks()) crc = crc32(piece, crc);
		return streamCopy(dir, copy, crc);
	}
	const stored = readCopy(dir, copy);
	prove(message, sha256(decodeItem(stored, copy)), copy);
	return stored;
}

function prove(message: MessageId, found: string, copy: Copy): void {
	if (found === message) return;
	throw new MailsealError(
		'archive-damaged',
		`Cannot carry message ${message}: its bytes in bundle ${copy.bundle} have the SHA-256 ${found}`,
	);
}

/** What to say of a message that could not be carried; any other kind of error is thrown on. */
export function damageFinding(message: MessageId, error: unknown): Finding {
	if (!(error instanceof MailsealError) || (error.code !== 'archive-damaged' && error.code !== 'not-found')) throw error;
	return {
		code: 'message-damaged',
		severity: 'error',
		subject: message,
		text: `Message ${message} stays in its volatile bundle, since it cannot be read there: ${error.message}`,
		hint: 'run "mailseal verify", and put the damaged bundle back from a copy of the archive',
	};
}
