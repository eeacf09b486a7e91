import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readHeaderFacts } from '../attachments/index.ts';
import type { StoredMessage } from '../bundle/index.ts';
import { type Finding, formatInstant, MailsealError, type MessageId, type MessageLine, type PlacedWord } from '../domain/index.ts';
import type { LargeMessage, ListedPlacement } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import { placedState } from './compare-folder.ts';
import { LARGE } from './read-stored.ts';
import type { NewPlacement, ScannedAccount, ScannedFolder } from './scan.ts';
import type { Ingested, IngestedMessage } from './tasks.ts';
import type { Workers } from './workers.ts';

/** A new placement on its way into a bundle. */
export interface Incoming {
	readonly account: ScannedAccount;
	readonly folder: ScannedFolder;
	readonly placement: NewPlacement;
}

/** A message that was read: its word, its manifest line, its stored bytes. */
export interface Arrived {
	readonly incoming: Incoming;
	readonly word: PlacedWord;
	readonly line: MessageLine;
	readonly stored: StoredMessage['stored'];
	/** Lets go of what a large message holds open. */
	release(): void;
}

/** Why nothing arrived: the message is gone, or cannot be read and stays as it was. */
export interface Absent {
	readonly incoming: Incoming;
	readonly absent: 'gone' | 'unreadable';
}

export interface IngestRequest {
	readonly workers: Workers;
	readonly compress: boolean;
	readonly signal: AbortSignal;
	readonly findings: Finding[];
	/** Told of each message read, with its bytes. */
	readonly onRead: (bytes: number) => void;
}

const BATCH_MESSAGES = 64;
const BATCH_BYTES = 2 * 1024 * 1024;
/** Read ahead while a bundle is being written, so that the threads do not wait for it. Bytes, and batches for each that may run at once. */
const AHEAD_BYTES = 32 * 1024 * 1024;
const AHEAD_BATCHES = 12;
/** How often a message that was renamed while we came is looked for again. */
const TRIES = 5;

function* batches(incoming: Iterable<Incoming>): Iterable<Incoming[]> {
	let batch: Incoming[] = [];
	let bytes = 0;
	for (const one of incoming) {
		batch.push(one);
		bytes += one.placement.size;
		if (batch.length < BATCH_MESSAGES && bytes < BATCH_BYTES) continue;
		yield batch;
		batch = [];
		bytes = 0;
	}
	if (batch.length > 0) yield batch;
}

/** Reads, hashes and compresses messages in threads; gives them in the order asked for. */
export async function* ingestAll(incoming: Iterable<Incoming>, request: IngestRequest): AsyncIterable<Arrived | Absent> {
	const { workers, compress, signal } = request;
	const running: { batch: Incoming[]; bytes: number; items: Promise<readonly Ingested[]> }[] = [];
	let ahead = 0;
	const source = batches(incoming)[Symbol.iterator]();
	let ended = false;
	try {
		while (true) {
			while (!ended && (running.length < workers.width || (ahead < AHEAD_BYTES && running.length < workers.width * AHEAD_BATCHES))) {
				const next = source.next();
				if (next.done === true) {
					ended = true;
					break;
				}
				const batch = next.value;
				const paths = batch.map((one) => one.placement.listed.path);
				const items = workers.run({ type: 'ingest', paths, compress, limit: LARGE }).then((result) => result.items);
				// Taken up below, in order; until then a failure must not count as unhandled.
				items.catch(() => {});
				const bytes = batch.reduce((total, one) => total + one.placement.size, 0);
				running.push({ batch, bytes, items });
				ahead += bytes;
			}
			const first = running.shift();
			if (first === undefined) return;
			ahead -= first.bytes;
			throwIfAborted(signal);
			const items = await first.items;
			for (const [index, one] of first.batch.entries()) {
				const item = items[index];
				if (item !== undefined) yield await settle(one, item, request);
			}
		}
	} finally {
		await Promise.allSettled(running.map((one) => one.items));
	}
}

type Unread = Extract<Ingested, { kind: 'unreadable' }>;

async function settle(incoming: Incoming, first: Ingested, request: IngestRequest): Promise<Arrived | Absent> {
	const { account, folder, placement } = incoming;
	let { listed } = placement;
	let read = take(incoming, { listed, item: first, request });
	for (let tries = 0; 'why' in read && read.why === 'vanished' && tries < TRIES; tries++) {
		const found = await account.source.find(account.root, folder.look, listed.key);
		if (found === null) return { incoming, absent: 'gone' };
		listed = found;
		const { items } = await request.workers.run({ type: 'ingest', paths: [listed.path], compress: request.compress, limit: LARGE });
		const [item] = items;
		if (item !== undefined) read = take(incoming, { listed, item, request });
	}
	if (!('why' in read)) return read;
	folder.signature = null;
	request.findings.push(unreadableFinding(incoming, read));
	return { incoming, absent: 'unreadable' };
}

/** The message that was read, or why it was not. */
function take(incoming: Incoming, given: { listed: ListedPlacement; item: Ingested; request: IngestRequest }): Arrived | Unread {
	const { listed, item, request } = given;
	if (item.kind === 'unreadable') return item;
	if (item.kind === 'large') return takeLarge(incoming, listed, request);
	request.onRead(item.message.size);
	if (item.message.oddity !== undefined) request.findings.push(oddityFinding(incoming, item.message.oddity));
	return arrive(incoming, { listed, message: item.message, stored: item.message.stored, release() {} });
}

/** Much can happen to a large message between the look at it and the end of reading it. */
function takeLarge(incoming: Incoming, listed: ListedPlacement, request: IngestRequest): Arrived | Unread {
	try {
		const large = incoming.account.source.openLarge(listed.path);
		if (large === null) return { kind: 'unreadable', why: 'vanished', text: 'no such file' };
		return arriveLarge(incoming, { listed, large, request });
	} catch (error) {
		if (!(error instanceof MailsealError) || (error.code !== 'permission' && error.code !== 'io')) throw error;
		return { kind: 'unreadable', why: error.code, text: error.message };
	}
}

function arrive(
	incoming: Incoming,
	read: { listed: ListedPlacement; message: Omit<IngestedMessage, 'stored'>; stored: StoredMessage['stored']; release(): void },
): Arrived {
	const { message, stored, listed, release } = read;
	const { facts, account, folder } = incoming.folder;
	const mode = message.mode & 0o7777;
	const [uid, gid] = message.owner;
	const sameOwner = facts.owner !== undefined && facts.owner[0] === uid && facts.owner[1] === gid;
	return {
		incoming,
		word: {
			type: 'placed',
			account,
			folder,
			key: incoming.placement.listed.key,
			message: message.id,
			...placedState(listed),
			date: formatInstant(message.date),
			...(mode === 0o600 ? {} : { mode }),
			...(sameOwner ? {} : { owner: message.owner }),
		},
		line: { type: 'message', id: message.id, size: message.size, codec: message.codec, attachments: [], headers: message.headers },
		stored,
		release,
	};
}

/** Bytes of a large message in which its header is looked for. */
const HEADER_BYTES = 1024 * 1024;

function arriveLarge(incoming: Incoming, given: { listed: ListedPlacement; large: LargeMessage; request: IngestRequest }): Arrived {
	const { listed, large, request } = given;
	const hash = createHash('sha256');
	let crc = 0;
	let length = 0;
	let head: Uint8Array = new Uint8Array(0);
	try {
		for (const chunk of large.chunks()) {
			throwIfAborted(request.signal);
			if (length < HEADER_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEADER_BYTES - length)]);
			hash.update(chunk);
			crc = crc32(chunk, crc);
			length += chunk.length;
		}
	} catch (error) {
		large.close();
		throw error;
	}
	request.onRead(length);
	const message = {
		id: hash.digest('hex') as MessageId,
		size: length,
		codec: 'none' as const,
		headers: readHeaderFacts(head),
		date: large.date,
		mode: large.mode,
		owner: large.owner,
	};
	const stored = { length, crc32: crc, chunks: () => large.chunks() };
	return arrive(incoming, { listed, message, stored, release: () => large.close() });
}

function placeOf({ folder, placement }: Incoming): string {
	return `${folder.account}/${folder.folder}/${placement.listed.key}`;
}

function unreadableFinding(incoming: Incoming, item: Extract<Ingested, { kind: 'unreadable' }>): Finding {
	const odd = item.why === 'symbolic-link' || item.why === 'not-a-file';
	return {
		code: `message-${item.why === 'vanished' ? 'unsteady' : odd ? item.why : 'unreadable'}`,
		severity: odd ? 'warning' : 'error',
		subject: placeOf(incoming),
		text: item.text,
		hint: odd
			? 'it is not mail and was left out; remove it from the mail store'
			: 'make it readable and pack again; the next pack tries it anew',
	};
}

function oddityFinding(incoming: Incoming, oddity: NonNullable<IngestedMessage['oddity']>): Finding {
	const texts = {
		'unknown-compression': 'The message is compressed in a way that mailseal cannot undo; it was packed as it lies',
		'broken-compression': 'The message looks compressed but cannot be decompressed; it was packed as it lies',
		encrypted: 'The message is encrypted by the mail server; it was packed as it lies',
	};
	return { code: oddity, severity: oddity === 'broken-compression' ? 'warning' : 'note', subject: placeOf(incoming), text: texts[oddity] };
}
