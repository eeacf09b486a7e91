import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type BundleId, type Codec, MailsealError, type ManifestLine, type MessageId, parseBundleId } from '../domain/index.ts';
import { MANIFEST_NAME, MARKER_NAME, messageEntryName } from './entry-names.ts';
import { MAX_ENTRIES, planLayout } from './layout.ts';
import { encodeManifest } from './manifest-file.ts';
import { encodeMarker } from './marker.ts';
import { addBytes, addStream, openZip } from './yazl-file.ts';
import { asBuffer } from './zip-records.ts';

/** Messages that one bundle may hold, beside the marker and the manifest. */
export const MAX_MESSAGES = MAX_ENTRIES - 2;

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

export interface StoredMessage {
	readonly id: MessageId;
	readonly codec: Codec;
	readonly stored: Uint8Array | StreamedBytes;
}

/** A bundle that is decided to the last byte and not yet written. */
export interface BundleDraft {
	/** Bytes of the whole file. */
	readonly size: number;
	/** Where the stored bytes of each message will lie. */
	readonly locations: ReadonlyMap<MessageId, { readonly offset: number; readonly length: number }>;
	/** Gives the bytes to `sink`, which may keep them and must not change them; what `sink` or a streamed item throws is thrown. */
	write(sink: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<BundleId>;
}

interface Entry {
	readonly name: string;
	readonly stored: Uint8Array | StreamedBytes;
}

/** Lays out a bundle: its marker, the messages in the order given, its manifest. Each message has one line of type `message`. */
export function composeBundle(content: {
	readonly kind: 'messages' | 'volatile';
	readonly messages: readonly StoredMessage[];
	readonly lines: readonly ManifestLine[];
}): BundleDraft {
	const { kind, messages, lines } = content;
	checkContent(messages, lines);
	const entries: readonly Entry[] = [
		{ name: MARKER_NAME, stored: encodeMarker(kind) },
		...messages.map(({ id, codec, stored }) => ({ name: messageEntryName(id, codec), stored })),
		{ name: MANIFEST_NAME, stored: encodeManifest(lines) },
	];
	const layout = planLayout(entries.map(({ name, stored }) => ({ nameLength: name.length, length: stored.length })));
	const locations = new Map<MessageId, { offset: number; length: number }>();
	messages.forEach(({ id, stored }, index) => {
		locations.set(id, { offset: layout.offsets[index + 1] ?? 0, length: stored.length });
	});
	return {
		size: layout.size,
		locations,
		async write(sink, signal) {
			const { id, written } = await writeZip(entries, { sink, signal });
			if (written !== layout.size) {
				throw new Error(`Cannot write bundle: it came out at ${written} bytes (${layout.size} were predicted)`);
			}
			return id;
		},
	};
}

function checkContent(messages: readonly StoredMessage[], lines: readonly ManifestLine[]): void {
	if (messages.length > MAX_MESSAGES) {
		throw new Error(`Cannot compose bundle: it has ${messages.length} messages (${MAX_MESSAGES} at most)`);
	}
	const codecs = new Map<MessageId, Codec>();
	for (const { id, codec } of messages) {
		if (codecs.has(id)) throw new Error(`Cannot compose bundle: message "${id}" is there twice`);
		codecs.set(id, codec);
	}
	for (const line of lines) {
		if (line.type !== 'message') continue;
		if (codecs.get(line.id) !== line.codec) {
			throw new Error(`Cannot compose bundle: the line for message "${line.id}" has no message, has another codec, or is there twice`);
		}
		codecs.delete(line.id);
	}
	for (const id of codecs.keys()) throw new Error(`Cannot compose bundle: message "${id}" has no line in the manifest`);
}

async function writeZip(
	entries: readonly Entry[],
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
