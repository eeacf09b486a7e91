import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type BundleId, MailsealError, parseBundleId } from '../domain/index.ts';
import { addBytes, addStream, openZip } from './yazl-file.ts';
import { asBuffer } from './zip-records.ts';

/** yazl refuses to take more in one buffer. */
const LARGEST_BUFFER = 0x3fffffff;
const STAGE = 1 << 20;
const DIRECT = 1 << 16;

/** An item too large for memory: its length and CRC-32 are known, its bytes come in pieces, from the start at each call. */
export interface StreamedBytes {
	readonly length: number;
	readonly crc32: number;
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
	let written = 0;
	const stage = openStage((bytes) => {
		signal.throwIfAborted();
		digest.update(bytes);
		sink(bytes);
		written += bytes.length;
	});
	const output = new Writable({
		write: (chunk: Buffer, _encoding, done) => attempt(() => stage.add(chunk), done),
		final: (done) => attempt(() => stage.drain(), done),
	});
	const zip = openZip();
	const readers: Readable[] = [];
	try {
		signal.throwIfAborted();
		for (const { name, stored } of entries) {
			if (stored instanceof Uint8Array && stored.length <= LARGEST_BUFFER) {
				addBytes(zip, { name, bytes: asBuffer(stored) });
				continue;
			}
			const item = stored instanceof Uint8Array ? inPieces(stored) : stored;
			addStream(zip, { name, length: item.length, crc32: item.crc32 }, () => {
				const reader = openReader(name, item);
				// pipe() forwards no errors: without this a failing item would hang the bundle for ever.
				reader.on('error', (error) => zip.outputStream.destroy(error));
				readers.push(reader);
				return reader;
			});
		}
		zip.on('error', (error) => zip.outputStream.destroy(error));
		zip.end();
		await pipeline(zip.outputStream, output);
	} finally {
		for (const reader of readers) reader.destroy();
	}
	return { id: parseBundleId(digest.digest('hex')), written };
}

function attempt(work: () => void, done: (error?: Error | null) => void): void {
	try {
		work();
	} catch (error) {
		done(error instanceof Error ? error : new Error('Cannot write bundle: it was aborted', { cause: error }));
		return;
	}
	done();
}

/** Gathers small pieces, so that headers and small mails do not cost a write each. A piece given on is never written to again. */
function openStage(forward: (bytes: Uint8Array) => void): { add(chunk: Uint8Array): void; drain(): void } {
	let buffer = Buffer.alloc(0);
	let used = 0;
	function drain(): void {
		if (used > 0) forward(buffer.subarray(0, used));
		buffer = buffer.subarray(used);
		used = 0;
	}
	return {
		drain,
		add(chunk) {
			if (chunk.length >= DIRECT) {
				drain();
				forward(chunk);
				return;
			}
			if (used + chunk.length > buffer.length) {
				drain();
				buffer = Buffer.allocUnsafeSlow(STAGE);
			}
			buffer.set(chunk, used);
			used += chunk.length;
		},
	};
}

function inPieces(bytes: Uint8Array): StreamedBytes {
	return {
		length: bytes.length,
		crc32: crc32(bytes),
		*chunks() {
			for (let offset = 0; offset < bytes.length; offset += STAGE) yield bytes.subarray(offset, offset + STAGE);
		},
	};
}

/** A stream over an item that fails where the item is not what it promised to be; the headers are written by then. */
function openReader(name: string, item: StreamedBytes): Readable {
	let iterator: Iterator<Uint8Array> | undefined;
	let length = 0;
	let crc = 0;
	function changed(found: string): MailsealError {
		return new MailsealError('io', `Cannot write bundle entry "${name}": it gave ${found} (it changed while it was read)`, {
			retryable: true,
		});
	}
	function next(): Uint8Array | null {
		iterator ??= item.chunks()[Symbol.iterator]();
		for (;;) {
			const { value, done } = iterator.next();
			if (done === true) {
				if (length !== item.length) throw changed(`${length} bytes instead of ${item.length}`);
				if (crc !== item.crc32) throw changed('bytes with another CRC-32');
				return null;
			}
			length += value.length;
			if (length > item.length) throw changed(`more than ${item.length} bytes`);
			crc = crc32(value, crc);
			if (value.length > 0) return value;
		}
	}
	return new Readable({
		read() {
			try {
				this.push(next());
			} catch (error) {
				this.destroy(error instanceof Error ? error : new Error(`Cannot read bundle entry "${name}"`, { cause: error }));
			}
		},
		destroy(error, done) {
			iterator?.return?.();
			done(error);
		},
	});
}
