import type { Catalog } from '../catalog/index.ts';
import { MailsealError, type MessageId, parseMessageRef } from '../domain/index.ts';
import { catalogAt } from './catalog-at.ts';
import type { Archive } from './open-archive.ts';
import { readMessage } from './read-stored.ts';
import type { ExtractedMessage } from './results.ts';

/** Finds one message and gives its exact bytes, proved against its id. */
export async function extract(
	archive: Archive,
	reference: string,
	options: { readonly at?: string; readonly now: number },
): Promise<ExtractedMessage> {
	const catalog = await catalogAt(archive, options);
	try {
		const id = resolve(catalog, reference);
		const copies = catalog.pack.copies(id);
		let first: Iterable<Uint8Array> | null = readMessage(archive.dir, id, copies);
		return {
			id,
			size: copies[0]?.size ?? 0,
			fileName: `${id}.eml`,
			chunks() {
				const bytes = first ?? readMessage(archive.dir, id, copies);
				first = null;
				return bytes;
			},
		};
	} finally {
		catalog.close();
	}
}

function resolve(catalog: Catalog, reference: string): MessageId {
	const parsed = parseMessageRef(reference);
	if (parsed.kind === 'id') return only(catalog.read.idsByPrefix(parsed.prefix), reference, 'give more digits');
	if (parsed.kind === 'message-id') {
		const found = catalog.read.idsByMessageId(parsed.value, 10);
		const listed = found.map((id) => id.slice(0, 12)).join(', ');
		return only(found, reference, `name one of them by its id: ${listed}`);
	}
	const found = byPlacement(catalog, parsed.text);
	if (found === null) throw notFound(reference);
	return found;
}

function only(found: readonly MessageId[], reference: string, hint: string): MessageId {
	const [first, second] = found;
	if (first === undefined) throw notFound(reference);
	if (second !== undefined)
		throw new MailsealError('not-found', `Cannot tell which message "${reference}" means: several have it`, { hint });
	return first;
}

function notFound(reference: string): MailsealError {
	return new MailsealError('not-found', `Cannot find message "${reference}" in the archive`, {
		hint: 'look for it with "mailseal search"; --at names an older snapshot',
	});
}

/** Folders hold slashes, keys sometimes do: every way to divide the text is tried. */
function byPlacement(catalog: Catalog, text: string): MessageId | null {
	const first = text.indexOf('/');
	const account = text.slice(0, first);
	for (let cut = text.lastIndexOf('/'); cut > first; cut = text.lastIndexOf('/', cut - 1)) {
		const folder = text.slice(first + 1, cut);
		const key = text.slice(cut + 1);
		const info = key.lastIndexOf(':2,');
		for (const candidate of info < 0 ? [key] : [key, key.slice(0, info)]) {
			const id = catalog.read.idByPlacement(account, folder, candidate);
			if (id !== null) return id;
		}
	}
	return null;
}
