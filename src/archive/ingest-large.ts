import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readHeaderFacts, type StreamedItem, takeApartStream } from '../attachments/index.ts';
import { encodeAttachment, encodeItem, type StoredBytes } from '../bundle/index.ts';
import { type Codec, MailsealError, type MessageId } from '../domain/index.ts';
import type { LargeMessage, ListedPlacement } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { type Arrived, arrive, type Incoming } from './arrive.ts';
import { sha256 } from './hash.ts';
import type { IngestRequest } from './ingest.ts';
import { problemFinding } from './ingest-findings.ts';

/** Bytes of a large message in which its header is looked for. */
const HEADER_BYTES = 1024 * 1024;

/** Each attachment of a large message is read out of it again: only so many are stored apart, the largest. */
const MOST_ATTACHMENTS = 64;

/** An item up to this size is taken into memory and compressed. Bytes. */
const SMALL = 1024 * 1024;

/** Reads a message that is too large for memory in pieces; what is stored of it is read from the store once more. */
export function arriveLarge(incoming: Incoming, given: { listed: ListedPlacement; large: LargeMessage; request: IngestRequest }): Arrived {
	const { listed, large, request } = given;
	try {
		const { head, ...whole } = readThrough(large, request);
		request.onRead(whole.length);
		const minimum = Math.max(request.attachmentMin, Math.ceil(whole.length / MOST_ATTACHMENTS));
		const apart = takeApartStream(() => large.chunks(), { minimum, check: () => throwIfAborted(request.signal) });
		if (apart.proved !== null && apart.proved !== whole.id) throw changed();
		if (apart.problem !== null) request.findings.push(problemFinding(incoming, apart.problem));
		const stored = { length: whole.length, crc32: whole.crc32, sha256: whole.id, chunks: () => large.chunks() };
		const message = {
			id: whole.id,
			size: whole.length,
			...(apart.recipe === null ? { codec: 'none' as const, stored } : encodeLarge(apart.recipe, encodeItem, request)),
			...(apart.recipe === null ? {} : { recipe: apart.recipe.length }),
			parts: apart.parts,
			attachments: [...apart.attachments].map(([id, item]) => {
				const { codec, stored } = encodeLarge(item, encodeAttachment, request);
				return { line: { type: 'attachment' as const, id, size: item.length, codec }, stored };
			}),
			headers: readHeaderFacts(head),
			date: large.date,
			mode: large.mode,
			owner: large.owner,
		};
		return arrive(incoming, { listed, message, release: () => large.close() });
	} catch (error) {
		large.close();
		throw error;
	}
}

function readThrough(
	large: LargeMessage,
	{ signal }: IngestRequest,
): { readonly id: MessageId; readonly length: number; readonly crc32: number; readonly head: Uint8Array } {
	const hash = createHash('sha256');
	let crc = 0;
	let length = 0;
	let head: Uint8Array = new Uint8Array(0);
	for (const chunk of large.chunks()) {
		throwIfAborted(signal);
		if (length < HEADER_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEADER_BYTES - length)]);
		hash.update(chunk);
		crc = crc32(chunk, crc);
		length += chunk.length;
	}
	return { id: hash.digest('hex') as MessageId, length, crc32: crc, head };
}

function encodeLarge(
	item: StreamedItem,
	encode: typeof encodeItem,
	{ compress }: IngestRequest,
): { readonly codec: Codec; readonly stored: StoredBytes } {
	if (item.length > SMALL) return { codec: 'none', stored: item };
	const bytes = Buffer.concat([...item.chunks()]);
	if (sha256(bytes) !== item.sha256) throw changed();
	return encode(bytes, { compress });
}

function changed(): MailsealError {
	return new MailsealError('io', 'Cannot read message: it changed while it was read', { retryable: true });
}
