import { readHeaderFacts } from '../attachments/index.ts';
import { encodeItem } from '../bundle/index.ts';
import type { BundleId, Codec, HeaderFacts, MessageId } from '../domain/index.ts';
import type { OpenMessage, ReadMessage, Unreadable } from '../sources/index.ts';
import { type CheckDepth, checkBundleFile, type Damage } from './check-bundle.ts';
import { sha256 } from './hash.ts';
import { type RestoreJob, type RestoreOutcome, restoreMessages } from './restore-task.ts';

/** One message as a thread has read, hashed and compressed it. */
export interface IngestedMessage {
	readonly id: MessageId;
	readonly size: number;
	readonly codec: Codec;
	readonly stored: Uint8Array;
	readonly headers: HeaderFacts;
	readonly date: number;
	readonly mode: number;
	readonly owner: readonly [uid: number, gid: number];
	readonly oddity?: ReadMessage['oddity'];
}

export type Ingested =
	| { readonly kind: 'message'; readonly message: IngestedMessage }
	/** Above the limit: to be read in pieces. */
	| { readonly kind: 'large' }
	| { readonly kind: 'unreadable'; readonly why: Unreadable; readonly text: string };

/** What a thread can be asked; the result has the same `type`. */
export type Task =
	| { readonly type: 'ingest'; readonly paths: readonly string[]; readonly compress: boolean; readonly limit: number }
	| { readonly type: 'check'; readonly path: string; readonly id: BundleId; readonly depth: CheckDepth }
	| { readonly type: 'restore'; readonly jobs: readonly RestoreJob[] };

export type TaskResult =
	| { readonly type: 'ingest'; readonly items: readonly Ingested[] }
	| { readonly type: 'check'; readonly bytes: number; readonly messages: number; readonly damages: readonly Damage[] }
	| { readonly type: 'restore'; readonly outcomes: readonly RestoreOutcome[] };

/** Carries out one task in the thread that calls. */
export async function runTask(task: Task, open: OpenMessage): Promise<TaskResult> {
	switch (task.type) {
		case 'ingest':
			return { type: 'ingest', items: task.paths.map((path) => ingest(path, { open, compress: task.compress, limit: task.limit })) };
		case 'check':
			return { type: 'check', ...(await checkBundleFile(task)) };
		case 'restore':
			return { type: 'restore', outcomes: restoreMessages(task.jobs) };
	}
}

function ingest(path: string, options: { open: OpenMessage; compress: boolean; limit: number }): Ingested {
	const read = options.open(path, options.limit);
	if ('unreadable' in read) return { kind: 'unreadable', why: read.unreadable, text: read.text };
	if (read.bytes === null) return { kind: 'large' };
	return {
		kind: 'message',
		message: {
			id: sha256(read.bytes) as MessageId,
			size: read.size,
			...encodeItem(read.bytes, { compress: options.compress }),
			headers: readHeaderFacts(read.bytes),
			date: read.date,
			mode: read.mode,
			owner: read.owner,
			...(read.oddity === undefined ? {} : { oddity: read.oddity }),
		},
	};
}

/** Buffers that a result can hand over without a copy, after moving all stored bytes of an ingest into one. */
export function packTransfer(result: TaskResult): { readonly result: TaskResult; readonly transfer: ArrayBuffer[] } {
	if (result.type !== 'ingest') return { result, transfer: [] };
	let total = 0;
	for (const item of result.items) if (item.kind === 'message') total += item.message.stored.length;
	const buffer = new ArrayBuffer(total);
	let offset = 0;
	const items = result.items.map((item): Ingested => {
		if (item.kind !== 'message') return item;
		const stored = new Uint8Array(buffer, offset, item.message.stored.length);
		stored.set(item.message.stored);
		offset += stored.length;
		return { kind: 'message', message: { ...item.message, stored } };
	});
	return { result: { type: 'ingest', items }, transfer: [buffer] };
}
