import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type BundleId, MailsealError, parseBundleId } from '../domain/index.ts';
import { encodeEnd, writeCentralRecord, writeLocalHeader, type ZipEntry } from './zip-encode.ts';
import { CENTRAL_RECORD, LOCAL_HEADER, ZIP64_CENTRAL_EXTRA, ZIP64_LOCAL_EXTRA } from './zip-records.ts';

const STAGE = 1 << 20;
const DIRECT = 1 << 16;
/** After so many bytes signals are heard: whoever interrupts need not wait for the end of a large item. */
const TURN = 16 << 20;

/** An item too large for memory: its length and CRC-32 are known, its bytes come in pieces, from the start at each call. */
export interface StreamedBytes {
	readonly length: number;
	readonly crc32: number;
	/** In lower-case hex, for bytes that somebody else may change meanwhile: anyone can make others of the same CRC-32. */
	readonly sha256?: string;
	chunks(): Iterable<Uint8Array>;
}

/** The bytes of an item as they lie in a bundle, in memory or in pieces. */
export type StoredBytes = Uint8Array | StreamedBytes;

/** Gives a zip of these entries to `sink`; throws what `sink` or a streamed entry throws, and `io` where an entry is not what it promised. */
export async function writeZip(
	entries: readonly { readonly name: string; readonly stored: StoredBytes }[],
	options: { readonly sink: (bytes: Uint8Array) => void; readonly signal: AbortSignal },
): Promise<{ readonly id: BundleId; readonly written: number }> {
	const { sink, signal } = options;
	const digest = createHash('sha256');
	const stage = openStage((bytes) => {
		signal.throwIfAborted();
		digest.update(bytes);
		sink(bytes);
	});
	let turned = 0;
	const isTurnDue = (): boolean => stage.written - turned >= TURN;
	async function giveTurn(): Promise<void> {
		turned = stage.written;
		await turn();
		signal.throwIfAborted();
	}
	signal.throwIfAborted();
	const directory: (ZipEntry & { readonly headerOffset: number })[] = [];
	for (const { name, stored } of entries) {
		const entry = {
			name,
			size: stored.length,
			crc32: stored instanceof Uint8Array ? crc32(stored) : stored.crc32,
			headerOffset: stage.written,
		};
		directory.push(entry);
		stage.record(LOCAL_HEADER + name.length + ZIP64_LOCAL_EXTRA, (to, at) => writeLocalHeader(to, at, entry));
		if (stored instanceof Uint8Array) stage.add(stored);
		else
			for (const piece of asPromised(name, stored)) {
				stage.add(piece);
				if (isTurnDue()) await giveTurn();
			}
		if (isTurnDue()) await giveTurn();
	}
	const directoryOffset = stage.written;
	for (const entry of directory) {
		stage.record(CENTRAL_RECORD + entry.name.length + ZIP64_CENTRAL_EXTRA, (to, at) => writeCentralRecord(to, at, entry));
	}
	stage.add(encodeEnd({ entryCount: directory.length, directoryOffset, directorySize: stage.written - directoryOffset }));
	stage.drain();
	return { id: parseBundleId(digest.digest('hex')), written: stage.written };
}

interface Stage {
	/** Bytes taken in so far. */
	readonly written: number;
	add(bytes: Uint8Array): void;
	/** Has a record of at most so many bytes written in place; `write` gives the place behind it. */
	record(most: number, write: (to: Buffer, at: number) => number): void;
	drain(): void;
}

/** Gathers small pieces, so that headers and small mails do not cost a write each. A piece given on is never written to again. */
function openStage(forward: (bytes: Uint8Array) => void): Stage {
	let buffer = Buffer.alloc(0);
	let used = 0;
	let given = 0;
	function give(bytes: Uint8Array): void {
		given += bytes.length;
		forward(bytes);
	}
	function drain(): void {
		if (used > 0) give(buffer.subarray(0, used));
		buffer = buffer.subarray(used);
		used = 0;
	}
	function makeRoom(length: number): void {
		if (used + length <= buffer.length) return;
		drain();
		buffer = Buffer.allocUnsafeSlow(STAGE);
	}
	return {
		get written() {
			return given + used;
		},
		drain,
		record(most, write) {
			makeRoom(most);
			used = write(buffer, used);
		},
		add(bytes) {
			if (bytes.length >= DIRECT) {
				drain();
				give(bytes);
				return;
			}
			makeRoom(bytes.length);
			buffer.set(bytes, used);
			used += bytes.length;
		},
	};
}

/** The pieces of an item; fails where it is not what it promised to be, which its header says already. */
function* asPromised(name: string, item: StreamedBytes): Generator<Uint8Array, void, undefined> {
	const digest = item.sha256 === undefined ? null : createHash('sha256');
	let length = 0;
	let crc = 0;
	function changed(found: string): MailsealError {
		return new MailsealError('io', `Cannot write bundle entry "${name}": it gave ${found} (it changed while it was read)`, {
			retryable: true,
		});
	}
	for (const piece of item.chunks()) {
		length += piece.length;
		if (length > item.length) throw changed(`more than ${item.length} bytes`);
		crc = crc32(piece, crc);
		digest?.update(piece);
		if (piece.length > 0) yield piece;
	}
	if (length !== item.length) throw changed(`${length} bytes instead of ${item.length}`);
	if (crc !== item.crc32) throw changed('bytes with another CRC-32');
	if (digest !== null && digest.digest('hex') !== item.sha256) throw changed('bytes with another SHA-256');
}
