import type { ExtractedPart, Extractor } from '../archive/index.ts';
import { MailsealError } from '../domain/index.ts';
import type { Answer, Call } from './call.ts';
import { eachMessage } from './each-message.ts';
import { openPlaces } from './place-files.ts';
import { printable, printablePieces } from './text.ts';

interface ExtractedAttachment {
	readonly message: string;
	/** As the message gives it; the file's own name is made safe. */
	readonly name: string;
	readonly type: string;
	readonly size: number;
	readonly file: string;
	/** False where the file was there already, with the same bytes. */
	readonly written: boolean;
}

const PIECE = 64 * 1024;
const NAMES_SHOWN = 10;

/** Writes the one part of a message that matches to standard output. Throws `usage` where several do. */
export async function attachmentToStandardOutput(
	call: Call,
	from: { readonly extractor: Extractor; readonly reference: string; readonly name: string },
): Promise<Answer> {
	const { stdout, signal } = call.io;
	const parts = await from.extractor.extractParts(from.reference, from.name);
	const [part] = parts;
	if (part === undefined || parts.length > 1) throw severalParts(parts, from.name);
	// The bar would stand amid the file.
	call.progress.end();
	// A terminal obeys escape sequences, and anyone can send some; a file or a pipe gets the exact bytes.
	for (const piece of stdout.terminal ? printablePieces(piecesOf(part.bytes)) : piecesOf(part.bytes)) {
		signal.throwIfAborted();
		if (stdout.closed) break;
		await stdout.write(piece);
	}
	return { result: { message: part.message, name: part.name, type: part.type, size: part.bytes.length }, findings: [], lines: [] };
}

function severalParts(parts: readonly ExtractedPart[], pattern: string): MailsealError {
	const names = parts.slice(0, NAMES_SHOWN).map(({ name }) => `"${name}"`);
	const shown = `${names.join(', ')}${parts.length > NAMES_SHOWN ? ', ...' : ''}`;
	return new MailsealError(
		'usage',
		`Cannot write ${parts.length} attachments "${pattern}" to standard output: it takes one (they are ${shown})`,
		{ hint: 'name a folder with -o DIR, give more of the name, or give the place of one, such as part-2' },
	);
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

/** Writes every part that matches, of all messages that the call names, into a folder under its own name. */
export async function attachmentsToFolder(
	call: Call,
	what: { readonly extractor: Extractor; readonly folder: string; readonly name: string },
): Promise<Answer> {
	const { files } = call.services;
	files.makeFolder(what.folder);
	const places = openPlaces(files, what.folder);
	const { items, ...rest } = await eachMessage<ExtractedAttachment>(call, async (reference) => {
		const parts = await what.extractor.extractParts(reference, what.name);
		return parts.map((part) => {
			call.io.signal.throwIfAborted();
			const { message, name, type, bytes } = part;
			return { message, name, type, size: bytes.length, ...places.place(name, bytes) };
		});
	});
	const lines = items.map(({ file, written }) => `${printable(file)}${written ? '' : ' (there already)'}`);
	return { result: { attachments: items }, lines, ...rest };
}
