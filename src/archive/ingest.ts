import { type Finding, MailsealError } from '../domain/index.ts';
import type { LargeMessage, ListedPlacement } from '../sources/index.ts';
import { throwIfAborted } from './abort.ts';
import type { Arrived, Incoming } from './arrive.ts';
import { arrive } from './arrive.ts';
import { oddityFinding, problemFinding, unreadableFinding } from './ingest-findings.ts';
import { arriveLarge } from './ingest-large.ts';
import { LARGE } from './read-stored.ts';
import type { Ingested, IngestTask } from './tasks.ts';
import type { Workers } from './workers.ts';

/** Why nothing arrived: the message is gone, or cannot be read and stays as it was. */
export interface Absent {
	readonly incoming: Incoming;
	readonly absent: 'gone' | 'unreadable';
}

export interface IngestRequest {
	readonly workers: Workers;
	readonly compress: boolean;
	/** Parts of at least so many bytes are stored apart. */
	readonly attachmentMin: number;
	readonly signal: AbortSignal;
	readonly findings: Finding[];
	/** A large message that nobody else can change. */
	readonly ownCopy: (large: LargeMessage) => LargeMessage;
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
	const { workers, signal } = request;
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
				const bytes = batch.reduce((total, one) => total + one.placement.size, 0);
				const items = workers.run(taskOf(paths, bytes, request)).then((result) => result.items);
				// Taken up below, in order; until then a failure must not count as unhandled.
				items.catch(() => {});
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

function taskOf(paths: readonly string[], bytes: number, { compress, attachmentMin }: IngestRequest): IngestTask {
	return { type: 'ingest', paths, bytes, compress, attachmentMin, limit: LARGE };
}

type Unread = Extract<Ingested, { kind: 'unreadable' }>;

async function settle(incoming: Incoming, first: Ingested, request: IngestRequest): Promise<Arrived | Absent> {
	const { folder, placement } = incoming;
	let { listed } = placement;
	let read = take(incoming, { listed, item: first, request });
	for (let tries = 0; 'why' in read && read.why === 'vanished' && tries < TRIES; tries++) {
		const found = await findAgain(incoming);
		if (found === null) return { incoming, absent: 'gone' };
		if ('why' in found) {
			read = found;
			break;
		}
		listed = found;
		const { items } = await request.workers.run(taskOf([listed.path], placement.size, request));
		const [item] = items;
		if (item !== undefined) read = take(incoming, { listed, item, request });
	}
	if (!('why' in read)) return read;
	folder.signature = null;
	request.findings.push(unreadableFinding(incoming, read));
	return { incoming, absent: 'unreadable' };
}

/** The message under its present name; null where it is gone. */
async function findAgain({ account, folder, placement }: Incoming): Promise<ListedPlacement | Unread | null> {
	try {
		return await account.source.find(account.root, folder.look, placement.listed.key);
	} catch (error) {
		return asUnread(error);
	}
}

/** One message that cannot be read never stops a pack. */
function asUnread(error: unknown): Unread {
	if (!(error instanceof MailsealError) || (error.code !== 'permission' && error.code !== 'io')) throw error;
	return { kind: 'unreadable', why: error.code, text: error.message };
}

/** The message that was read, or why it was not. */
function take(incoming: Incoming, given: { listed: ListedPlacement; item: Ingested; request: IngestRequest }): Arrived | Unread {
	const { listed, item, request } = given;
	if (item.kind === 'unreadable') return item;
	if (item.kind === 'large') return takeLarge(incoming, listed, request);
	request.onRead(item.message.size);
	if (item.message.oddity !== undefined) request.findings.push(oddityFinding(incoming, item.message.oddity));
	if (item.message.problem !== null) request.findings.push(problemFinding(incoming, item.message.problem));
	return arrive(incoming, { listed, message: item.message, release() {} });
}

/** Much can happen to a large message between the look at it and the end of reading it. */
function takeLarge(incoming: Incoming, listed: ListedPlacement, request: IngestRequest): Arrived | Unread {
	try {
		const large = incoming.account.source.openLarge(listed.path);
		if (large === null) return { kind: 'unreadable', why: 'vanished', text: 'no such file' };
		return arriveLarge(incoming, { listed, large: request.ownCopy(large), request });
	} catch (error) {
		return asUnread(error);
	}
}
