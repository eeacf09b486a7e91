import { readHeaderFacts, type TakenApart, takeApart } from '../attachments/index.ts';
import { encodeItem } from '../bundle/index.ts';
import type { AttachmentLine, BundleId, Codec, HeaderFacts, MessageId, PartFacts } from '../domain/index.ts';
import type { OpenMessage, ReadMessage, Unreadable } from '../sources/index.ts';
import { type CheckDepth, type CheckedBundle, checkBundleFile } from './check-bundle.ts';
import { type EncodedAttachments, openEncodedAttachments } from './encoded-attachments.ts';
import { sha256 } from './hash.ts';
import type { StoredAt } from './locate.ts';
import { proveMessages } from './prove-messages.ts';
import { type RestoreBatch, type RestoreOutcome, restoreMessages } from './restore-task.ts';

/** One message as a thread has read, hashed and compressed it. */
export interface IngestedMessage {
	readonly id: MessageId;
	readonly size: number;
	readonly codec: Codec;
	/** Bytes of the recipe before compression; left out for a message that is kept whole. */
	readonly recipe?: number;
	readonly stored: Uint8Array;
	readonly parts: readonly PartFacts[];
	/** What the recipe needs, each once. */
	readonly attachments: readonly IngestedAttachment[];
	/** Why the message was not taken apart. */
	readonly problem: TakenApart['problem'];
	readonly headers: HeaderFacts;
	readonly date: number;
	readonly mode: number;
	readonly owner: readonly [uid: number, gid: number];
	readonly oddity?: ReadMessage['oddity'];
}

export interface IngestedAttachment {
	readonly line: AttachmentLine;
	readonly stored: Uint8Array;
}

export type Ingested =
	| { readonly kind: 'message'; readonly message: IngestedMessage }
	/** Above the limit: to be read in pieces. */
	| { readonly kind: 'large' }
	| { readonly kind: 'unreadable'; readonly why: Unreadable; readonly text: string };

export interface IngestTask {
	readonly type: 'ingest';
	readonly paths: readonly string[];
	/** Of all of them, as the store has them. */
	readonly bytes: number;
	readonly compress: boolean;
	/** Parts of at least so many bytes are stored apart. */
	readonly attachmentMin: number;
	/** Messages above so many bytes are left for reading in pieces. */
	readonly limit: number;
}

/** What a thread can be asked; the result has the same `type`. */
export type Task =
	| IngestTask
	| { readonly type: 'check'; readonly path: string; readonly id: BundleId; readonly depth: CheckDepth }
	| { readonly type: 'prove'; readonly dir: string; readonly messages: readonly StoredAt[] }
	| ({ readonly type: 'restore' } & RestoreBatch);

export type TaskResult =
	| { readonly type: 'ingest'; readonly items: readonly Ingested[] }
	| ({ readonly type: 'check' } & CheckedBundle)
	/** Why messages cannot be read, in the order given; null for one that can. */
	| { readonly type: 'prove'; readonly problems: readonly (string | null)[] }
	| { readonly type: 'restore'; readonly outcomes: readonly RestoreOutcome[] };

/** Carries out tasks in the thread that calls; what one learns of attachments is kept for the next. */
export function openTaskRunner(open: OpenMessage): (task: Task) => Promise<TaskResult> {
	const lately = openEncodedAttachments();
	return async (task) => {
		switch (task.type) {
			case 'ingest':
				return { type: 'ingest', items: ingestAll(task, { open, lately }) };
			case 'check':
				return { type: 'check', ...(await checkBundleFile(task)) };
			case 'prove':
				return { type: 'prove', problems: proveMessages(task.dir, task.messages) };
			case 'restore':
				return { type: 'restore', outcomes: restoreMessages(task) };
		}
	};
}

interface Tools {
	readonly open: OpenMessage;
	readonly lately: EncodedAttachments;
}

function ingestAll(task: IngestTask, tools: Tools): Ingested[] {
	// One file sent to many often comes many times in a row: it is handed over once.
	const encoded = new Map<string, IngestedAttachment>();
	const slab = openSlab(task);
	return task.paths.map((path) => ingest(path, { task, ...tools, encoded, slab }));
}

const LARGEST_SLAB = 4 << 20;
/** Bytes by which the messages of a task may have grown since they were listed. */
const GROWTH = 1 << 20;

/** Room for files one behind the other, since most mail is so small that finding room for each would take as long as reading it. */
interface Slab {
	/** Bytes that one more file may have; a file alone may have as many as any. */
	readonly left: number;
	allocate(length: number): Buffer;
}

function openSlab({ bytes, paths, limit }: IngestTask): Slab {
	const slab = Buffer.allocUnsafeSlow(Math.min(bytes, LARGEST_SLAB));
	let used = 0;
	let given = 0;
	return {
		get left() {
			return paths.length === 1 ? limit : Math.min(limit, Math.max(0, bytes + GROWTH - given));
		},
		allocate(length) {
			given += length;
			if (used + length > slab.length) return Buffer.allocUnsafeSlow(length);
			used += length;
			return slab.subarray(used - length, used);
		},
	};
}

interface Context extends Tools {
	readonly task: IngestTask;
	readonly encoded: Map<string, IngestedAttachment>;
	readonly slab: Slab;
}

/** Looked for again, and then read alone: a task in which each message grew to the limit would not fit into memory. */
const GREW: Ingested = { kind: 'unreadable', why: 'vanished', text: 'it grew since it was listed' };

function ingest(path: string, context: Context): Ingested {
	const { task, open, lately, encoded, slab } = context;
	const read = open(path, { limit: slab.left, allocate: slab.allocate });
	if ('unreadable' in read) return { kind: 'unreadable', why: read.unreadable, text: read.text };
	if (read.bytes === null) return read.size > task.limit ? { kind: 'large' } : GREW;
	const { recipe, parts, attachments, problem } = takeApart(read.bytes, { minimum: task.attachmentMin });
	const apart: IngestedAttachment[] = [];
	for (const [id, bytes] of attachments) {
		let attachment = encoded.get(id);
		if (attachment === undefined) {
			const { codec, stored } = task.compress ? lately.encode(id, bytes) : { codec: 'none' as const, stored: bytes };
			attachment = { line: { type: 'attachment', id, size: bytes.length, codec }, stored };
			encoded.set(id, attachment);
		}
		apart.push(attachment);
	}
	return {
		kind: 'message',
		message: {
			id: sha256(read.bytes) as MessageId,
			size: read.size,
			...encodeItem(recipe ?? read.bytes, task),
			...(recipe === null ? {} : { recipe: recipe.length }),
			parts,
			attachments: apart,
			problem,
			headers: readHeaderFacts(read.bytes),
			date: read.date,
			mode: read.mode,
			owner: read.owner,
			...(read.oddity === undefined ? {} : { oddity: read.oddity }),
		},
	};
}

/**
 * What a result can hand over to another thread without a copy. Messages of a task share one buffer; each attachment has its own,
 * since most of them are let go soon, and a piece would keep the whole.
 */
export function packTransfer(result: TaskResult): { readonly result: TaskResult; readonly transfer: ArrayBuffer[] } {
	if (result.type !== 'ingest') return { result, transfer: [] };
	const messages = result.items.flatMap((item) => (item.kind === 'message' ? [item.message] : []));
	const buffer = new ArrayBuffer(messages.reduce((total, { stored }) => total + stored.length, 0));
	const transfer = [buffer];
	const moved = new Map<Uint8Array, Uint8Array>();
	let offset = 0;

	function moveMessage(stored: Uint8Array): Uint8Array {
		const place = new Uint8Array(buffer, offset, stored.length);
		place.set(stored);
		offset += stored.length;
		return place;
	}

	function moveAttachment(stored: Uint8Array): Uint8Array {
		const known = moved.get(stored);
		if (known !== undefined) return known;
		// Bytes that are part of a message, or of a pool, are copied out of it.
		const own = ownBuffer(stored) ?? ownBuffer(new Uint8Array(stored));
		if (own === null) throw new Error('a copy has no buffer of its own');
		transfer.push(own);
		const place = new Uint8Array(own);
		moved.set(stored, place);
		return place;
	}

	const items = result.items.map((item): Ingested => {
		if (item.kind !== 'message') return item;
		const { message } = item;
		const attachments = message.attachments.map(({ line, stored }) => ({ line, stored: moveAttachment(stored) }));
		return { kind: 'message', message: { ...message, stored: moveMessage(message.stored), attachments } };
	});
	return { result: { type: 'ingest', items }, transfer };
}

/** The buffer of bytes that fill it. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer | null {
	return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? buffer : null;
}
