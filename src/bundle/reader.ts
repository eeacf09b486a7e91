import { crc32 } from 'node:zlib';
import type { AttachmentId, Codec, ManifestLine, MessageId } from '../domain/index.ts';
import { checkManifest, locateItems } from './check-items.ts';
import { damaged } from './damage.ts';
import { type DirectoryEntry, LONGEST_END, LONGEST_TAIL, readDirectory, type Tail } from './directory.ts';
import { MANIFEST_NAME, MARKER_NAME } from './entry-names.ts';
import { checkLocalHeaders } from './local-headers.ts';
import { decodeManifest } from './manifest-file.ts';
import { type ContentKind, decodeMarker, MARKER_LIMIT } from './marker.ts';
import { type RangeSource, readExactly, readingAhead } from './range-source.ts';
import { type End, parseEnd } from './zip-records.ts';

/** A bundle whose structure was found to be sound; nothing is said of the bytes of its messages and attachments. */
export interface OpenBundle {
	readonly kind: ContentKind;
	readonly lines: readonly ManifestLine[];
	/** Where the stored bytes of each message lie, and whether they are a recipe. */
	readonly messages: ReadonlyMap<
		MessageId,
		{ readonly offset: number; readonly length: number; readonly codec: Codec; readonly recipe: boolean }
	>;
	/** Where the stored bytes of each attachment lie. */
	readonly attachments: ReadonlyMap<AttachmentId, { readonly offset: number; readonly length: number; readonly codec: Codec }>;
	/** All entries in the order in which they lie; `offset` is where the data begins. */
	readonly entries: readonly { readonly name: string; readonly offset: number; readonly length: number; readonly crc32: number }[];
}

/**
 * Opens a bundle and checks that directory, manifest and (unless `localHeaders` is false) local headers agree to the last byte.
 * Throws MailsealError `archive-damaged` with a code in `details.damage`, or `format-newer`.
 */
export async function openBundle(
	source: RangeSource,
	options: {
		readonly localHeaders?: boolean;
		/** Bytes that are read first, from the end, where each byte takes its time; more are read if the directory is longer. Default: all that it can have. */
		readonly tail?: number;
	} = {},
): Promise<OpenBundle> {
	const { tail, end } = await readTail(source, Math.max(options.tail ?? LONGEST_TAIL, LONGEST_END));
	const directory = await readDirectory(tail, end);
	const marker = directory[0];
	if (marker?.name !== MARKER_NAME) {
		const missing = directory.every(({ name }) => name !== MARKER_NAME);
		if (missing) throw damaged('marker-missing', `Cannot open bundle: it has no entry "${MARKER_NAME}"`);
		throw damaged('marker-not-first', `Cannot open bundle: "${MARKER_NAME}" is not its first entry`);
	}
	if (marker.length > MARKER_LIMIT) throw damaged('bad-marker', `Cannot open bundle: "${MARKER_NAME}" has ${marker.length} bytes`);
	const kind = decodeMarker(await readChecked(readingAhead(source, { ahead: 0, first: tail }), marker));
	const items = locateItems(directory, kind);
	if (options.localHeaders !== false) await checkLocalHeaders(source, directory);
	const manifest = directory.at(-1);
	if (manifest?.name !== MANIFEST_NAME) {
		const missing = directory.every(({ name }) => name !== MANIFEST_NAME);
		if (missing) throw damaged('manifest-missing', `Cannot open bundle: it has no entry "${MANIFEST_NAME}"`);
		throw damaged('manifest-not-last', `Cannot open bundle: "${MANIFEST_NAME}" is not its last entry`);
	}
	const lines = decodeManifest(await readChecked(readingAhead(source, { ahead: 0, first: tail }), manifest));
	checkManifest(lines, { kind, ...items });
	const entries = directory.map(({ name, offset, length, crc32: crc }) => ({ name, offset, length, crc32: crc }));
	return { kind, lines, ...items, entries };
}

/** The end record, and the last bytes of the file: at least the directory. */
async function readTail(source: RangeSource, length: number): Promise<{ readonly tail: Tail; readonly end: End }> {
	const offset = Math.max(0, source.size - Math.min(length, LONGEST_TAIL));
	const bytes = await readExactly(source, { offset, length: source.size - offset });
	const end = parseEnd(bytes, source.size);
	const { directoryOffset } = end;
	// Beyond the longest tail there is no directory that would be accepted.
	if (directoryOffset >= offset || source.size - directoryOffset > LONGEST_TAIL) return { tail: { offset, bytes }, end };
	const before = await readExactly(source, { offset: directoryOffset, length: offset - directoryOffset });
	return { tail: { offset: directoryOffset, bytes: Buffer.concat([before, bytes]) }, end };
}

async function readChecked(source: RangeSource, entry: DirectoryEntry): Promise<Uint8Array> {
	const bytes = await readExactly(source, entry);
	if (crc32(bytes) !== entry.crc32) throw damaged('wrong-crc', `Cannot open bundle: entry "${entry.name}" does not have its CRC-32`);
	return bytes;
}
