import { decodePart, type Leaf, splitMessage } from '../attachments/index.ts';
import type { Catalog } from '../catalog/index.ts';
import { formatSize, isFile, MailsealError, type MessageId, parseMessageRef } from '../domain/index.ts';
import { catalogAt } from './catalog-at.ts';
import { locate } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { readFetched } from './read-fetched.ts';
import { readMessage } from './read-stored.ts';
import type { Run } from './requests.ts';
import type { ExtractedMessage, ExtractedPart } from './results.ts';

/** As of when messages are extracted: as `at` of a list. */
export interface MomentRequest extends Partial<Run> {
	readonly at?: string;
	readonly now: number;
}

/** What messages of one moment are extracted with: an older moment is looked up once, and not for each message. */
export interface Extractor {
	/** Finds one message and gives its exact bytes, proved against its id. */
	extract(reference: string): Promise<ExtractedMessage>;
	/**
	 * Finds the parts of one message by file name and decodes them. `name`: a file name in any case and Unicode form, where `*` stands for
	 * any characters, or `part-N` for the N-th part. Throws `not-found` where none matches.
	 */
	extractParts(reference: string, name: string): Promise<ExtractedPart[]>;
	/** What was extracted can still be read after it. */
	close(): void;
}

/** Looks up a moment. */
export async function openExtractor(archive: Archive, request: MomentRequest): Promise<Extractor> {
	const catalog = await catalogAt(archive, request);
	const find = (reference: string): Promise<ExtractedMessage> => findMessage(archive, { catalog, reference, signal: request.signal });
	return {
		extract: find,
		extractParts: (reference, name) => findParts(reference, { name, find }),
		close: () => catalog.close(),
	};
}

/** One message, as an extractor gives it. */
export async function extract(archive: Archive, reference: string, request: MomentRequest): Promise<ExtractedMessage> {
	const extractor = await openExtractor(archive, request);
	try {
		return await extractor.extract(reference);
	} finally {
		extractor.close();
	}
}

/** Parts of one message, as an extractor gives them. */
export async function extractParts(
	archive: Archive,
	reference: string,
	request: MomentRequest & { readonly name: string },
): Promise<ExtractedPart[]> {
	const extractor = await openExtractor(archive, request);
	try {
		return await extractor.extractParts(reference, request.name);
	} finally {
		extractor.close();
	}
}

async function findMessage(
	archive: Archive,
	{ catalog, reference, signal }: { readonly catalog: Catalog; readonly reference: string; readonly signal: AbortSignal | undefined },
): Promise<ExtractedMessage> {
	const id = resolve(catalog, reference);
	const at = locate(catalog, id);
	let first: Iterable<Uint8Array> | null = await readFetched(archive, at, { catalog, signal: signal ?? new AbortController().signal });
	return {
		id,
		size: at.copies[0]?.size ?? 0,
		fileName: `${id}.eml`,
		chunks() {
			const bytes = first ?? readMessage(archive.dir, at);
			first = null;
			return bytes;
		},
	};
}

/** A message is taken into memory for its parts; none that mail servers let through comes near this. Bytes. */
const LARGEST_FOR_PARTS = 1024 ** 3;

interface NumberedPart {
	readonly leaf: Leaf;
	/** `part-N`: the N-th of the parts, in the order of the message. */
	readonly number: string;
	readonly name: string;
}

async function findParts(
	reference: string,
	options: { readonly name: string; readonly find: (reference: string) => Promise<ExtractedMessage> },
): Promise<ExtractedPart[]> {
	if (options.name === '')
		throw new MailsealError('usage', 'Cannot find an attachment without a name', { hint: 'give a file name, or "*" for all' });
	const { id, size, chunks } = await options.find(reference);
	if (size > LARGEST_FOR_PARTS) {
		throw new MailsealError('usage', `Cannot take attachments out of message ${id}: it has ${formatSize(size)} (1 GiB at most)`, {
			hint: 'extract the whole message and open it with a mail reader',
		});
	}
	const message = Buffer.concat([...chunks()]);
	const { leaves, messages, problem } = splitMessage(message);
	if (problem !== null) {
		throw new MailsealError(
			'not-found',
			`Cannot find an attachment "${options.name}" in message "${reference}": its parts cannot be read (${problem})`,
			{
				hint: 'extract the whole message and open it with a mail reader',
			},
		);
	}
	const forwarded = messages.filter((leaf) => isFile({ ...leaf, size: 0 }));
	const parts = [...leaves, ...forwarded]
		.sort((a, b) => a.start - b.start)
		.map((leaf, index): NumberedPart => ({ leaf, number: `part-${index + 1}`, name: leaf.name ?? `part-${index + 1}` }));
	// A mail of mails within each other would come out as often as it is deep.
	const isWithin = ({ leaf }: NumberedPart): boolean => forwarded.some(({ start, end }) => start < leaf.start && leaf.end <= end);
	const named = parts.filter(({ name, number }) => matches(name, options.name) || options.name === number);
	const matching = options.name.includes('*') ? named.filter((part) => !messages.includes(part.leaf) || !isWithin(part)) : named;
	if (matching.length === 0) throw noPart(reference, options.name, parts);
	return matching.map(({ leaf, name }) => ({ message: id, name, type: leaf.type, bytes: decodePart(message, leaf) }));
}

function matches(name: string, pattern: string): boolean {
	const text = comparable(name);
	const [first = '', ...rest] = comparable(pattern).split('*');
	if (!text.startsWith(first)) return false;
	const last = rest.pop();
	if (last === undefined) return text === first;
	let at = first.length;
	for (const piece of rest) {
		const found = text.indexOf(piece, at);
		if (found < 0) return false;
		at = found + piece.length;
	}
	return text.endsWith(last) && text.length - last.length >= at;
}

/** Macs write an umlaut as a letter and a mark. */
function comparable(name: string): string {
	return name.normalize('NFC').toLowerCase();
}

function noPart(reference: string, pattern: string, parts: readonly NumberedPart[]): MailsealError {
	const files = parts.filter(({ leaf }) => isFile({ ...leaf, size: 0 })).map(({ name, number }) => `${number} "${name}"`);
	return new MailsealError('not-found', `Cannot find an attachment "${pattern}" in message "${reference}"`, {
		hint:
			files.length === 0 ? 'the message has no attachments' : `it has ${files.slice(0, 10).join(', ')}${files.length > 10 ? ', ...' : ''}`,
	});
}

function resolve(catalog: Catalog, reference: string): MessageId {
	const parsed = parseMessageRef(reference);
	if (parsed.kind === 'id') return only(catalog, catalog.read.idsByPrefix(parsed.prefix), { reference, hint: 'give more digits' });
	if (parsed.kind === 'message-id') {
		const found = catalog.read.idsByMessageId(parsed.value, 10);
		const listed = found.map((id) => id.slice(0, 12)).join(', ');
		return only(catalog, found, { reference, hint: `name one of them by its id: ${listed}` });
	}
	const found = byPlacement(catalog, parsed.text);
	if (found === null) throw notFound(catalog, reference);
	return found;
}

function only(
	catalog: Catalog,
	found: readonly MessageId[],
	{ reference, hint }: { readonly reference: string; readonly hint: string },
): MessageId {
	const [first, second] = found;
	if (first === undefined) throw notFound(catalog, reference);
	if (second !== undefined)
		throw new MailsealError('not-found', `Cannot tell which message "${reference}" means: several have it`, { hint });
	return first;
}

function notFound(catalog: Catalog, reference: string): MailsealError {
	const [lack, ...more] = catalog.lacks();
	if (lack !== undefined) {
		const others = more.length === 0 ? '' : `, and ${more.length} more bundles`;
		throw new MailsealError('archive-damaged', `Cannot tell whether message "${reference}" is in the archive: ${lack.text}${others}`, {
			...(lack.hint === undefined ? {} : { hint: lack.hint }),
		});
	}
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
