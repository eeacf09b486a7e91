import { MailsealError } from '../../domain/index.ts';
import type { BlobRange } from '../contract.ts';
import type { SftpCall } from './connection.ts';
import type { Handle } from './requests.ts';

/** Requests under way at once, and the bytes of each: two MiB together, which is what a window of OpenSSH's holds. */
interface Pace {
	readonly piece: number;
	readonly atOnce: number;
}

const LARGE: Pace = { piece: 255 * 1024, atOnce: 9 };
/** Below the 32 KiB that every server must take, with their headers (draft-ietf-secsh-filexfer-02, section 3). */
const SMALL: Pace = { piece: 31 * 1024, atOnce: 64 };

function paceOf({ large }: { readonly large: boolean }): Pace {
	return large ? LARGE : SMALL;
}

/** Keeps promises in the order in which they were made; none of them may fail unseen. */
function openQueue<T>(): { readonly length: number; push(promise: Promise<T>): void; next(): Promise<T> } {
	const waiting: Promise<T>[] = [];
	return {
		get length() {
			return waiting.length;
		},
		push(promise) {
			promise.catch(() => {});
			waiting.push(promise);
		},
		async next() {
			const first = waiting.shift();
			if (first === undefined) throw new Error('nothing is under way');
			return first;
		},
	};
}

export interface PumpOptions {
	readonly call: SftpCall;
	readonly large: boolean;
	/** Names the blob in errors. */
	readonly name: string;
}

/** Writes bytes that come in pieces of any size into an open file. */
export async function send(pieces: AsyncIterable<Uint8Array>, handle: Handle, { call, large }: PumpOptions): Promise<void> {
	const { piece, atOnce } = paceOf({ large });
	const underWay = openQueue<void>();
	/** Bytes that do not fill a piece yet. */
	const held = Buffer.allocUnsafeSlow(piece);
	let holding = 0;
	let sent = 0;

	async function write(bytes: Buffer): Promise<void> {
		if (underWay.length >= atOnce) await underWay.next();
		underWay.push(call.write(handle, bytes, sent));
		sent += bytes.length;
	}

	for await (const { buffer, byteOffset, length } of pieces) {
		const bytes = Buffer.from(buffer, byteOffset, length);
		for (let at = 0; at < length; ) {
			if (holding === 0 && length - at >= piece) {
				await write(bytes.subarray(at, at + piece));
				at += piece;
				continue;
			}
			const copied = bytes.copy(held, holding, at);
			at += copied;
			holding += copied;
			if (holding < piece) continue;
			await write(held);
			holding = 0;
		}
	}
	if (holding > 0) await write(held.subarray(0, holding));
	while (underWay.length > 0) await underWay.next();
}

/** Reads a range of an open file, in order, each piece in a buffer of its own. A file that ends before is `archive-damaged`. */
export async function* receive(handle: Handle, range: BlobRange, options: PumpOptions): AsyncGenerator<Buffer, void, undefined> {
	const { call, large } = options;
	const { piece, atOnce } = paceOf({ large });
	const end = range.offset + range.length;
	const underWay = openQueue<Buffer>();
	let asked = range.offset;
	while (asked < end || underWay.length > 0) {
		while (asked < end && underWay.length < atOnce) {
			const length = Math.min(piece, end - asked);
			underWay.push(readWhole(handle, { offset: asked, length }, options));
			asked += length;
		}
		const bytes = await underWay.next();
		call.check();
		yield bytes;
	}
}

/** Reads a range of an open file into one buffer. */
export async function receiveAll(handle: Handle, range: BlobRange, options: PumpOptions): Promise<Buffer> {
	const { piece } = paceOf(options);
	if (range.length <= piece) return readWhole(handle, range, options);
	const whole = Buffer.allocUnsafeSlow(range.length);
	let done = 0;
	for await (const bytes of receive(handle, range, options)) {
		whole.set(bytes, done);
		done += bytes.length;
	}
	return whole;
}

/** A server may give fewer bytes than it was asked for. */
async function readWhole(handle: Handle, { offset, length }: BlobRange, { call, name }: PumpOptions): Promise<Buffer> {
	const into = Buffer.allocUnsafeSlow(length);
	let at = 0;
	while (at < length) {
		const got = await call.read(handle, into, { at, length: length - at, offset: offset + at });
		if (got === 0) throw endsAt(name, { end: offset + at, wanted: offset + length });
		at += got;
	}
	return into;
}

/** The error for a blob that ends before a range does. */
export function endsAt(name: string, { end, wanted }: { readonly end: number; readonly wanted: number }): MailsealError {
	return new MailsealError('archive-damaged', `Cannot read "${name}": it ends at byte ${end} (${wanted} were expected)`);
}
