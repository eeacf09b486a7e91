import type { AttachmentId, BundleId, Codec, ManifestLine, MessageId } from '../domain/index.ts';
import { checkContent } from './check-content.ts';
import { attachmentEntryName, MANIFEST_NAME, MARKER_NAME, messageEntryName } from './entry-names.ts';
import { planLayout } from './layout.ts';
import { encodeManifest } from './manifest-file.ts';
import { type ContentKind, encodeMarker } from './marker.ts';
import { type StoredBytes, writeZip } from './write-zip.ts';

/** A message as it lies in a bundle: whole, or as a recipe. */
export interface StoredMessage {
	readonly id: MessageId;
	readonly codec: Codec;
	readonly recipe: boolean;
	readonly stored: StoredBytes;
}

/** An attachment as it lies in a bundle. */
export interface StoredAttachment {
	readonly id: AttachmentId;
	readonly codec: Codec;
	readonly stored: StoredBytes;
}

/** What a bundle is made of; each message and each attachment has one line of its type. */
export interface BundleContent {
	readonly kind: ContentKind;
	readonly messages: readonly StoredMessage[];
	readonly attachments: readonly StoredAttachment[];
	readonly lines: readonly ManifestLine[];
}

/** Where the stored bytes of an item lie in the file of a bundle, in bytes. */
export interface Location {
	readonly offset: number;
	readonly length: number;
}

/** A bundle that is decided to the last byte and not yet written. */
export interface BundleDraft {
	/** Bytes of the whole file. */
	readonly size: number;
	/** Where the stored bytes of each message will lie. */
	readonly locations: ReadonlyMap<MessageId, Location>;
	/** Where the stored bytes of each attachment will lie. */
	readonly attachmentLocations: ReadonlyMap<AttachmentId, Location>;
	/** Gives the bytes to `sink`, which may keep them and must not change them; what `sink` or a streamed item throws is thrown. */
	write(sink: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<BundleId>;
}

/** Lays out a bundle: its marker, the messages and then the attachments in the order given, its manifest. */
export function composeBundle(content: BundleContent): BundleDraft {
	checkContent(content);
	const { kind, messages, attachments, lines } = content;
	const entries = [
		{ name: MARKER_NAME, stored: encodeMarker(kind) },
		...messages.map(({ id, codec, recipe, stored }) => ({ name: messageEntryName(id, { codec, recipe }), stored })),
		...attachments.map(({ id, codec, stored }) => ({ name: attachmentEntryName(id, codec), stored })),
		{ name: MANIFEST_NAME, stored: encodeManifest(lines) },
	];
	const { size, offsets } = planLayout(entries.map(({ name, stored }) => ({ nameLength: name.length, length: stored.length })));
	return {
		size,
		locations: locate(messages, offsets.slice(1)),
		attachmentLocations: locate(attachments, offsets.slice(1 + messages.length)),
		async write(sink, signal) {
			const { id, written } = await writeZip(entries, { sink, signal });
			if (written !== size) throw new Error(`Cannot write bundle: it came out at ${written} bytes (${size} were predicted)`);
			return id;
		},
	};
}

function locate<Id>(
	items: readonly { readonly id: Id; readonly stored: StoredBytes }[],
	offsets: readonly number[],
): ReadonlyMap<Id, Location> {
	return new Map(items.map(({ id, stored }, index) => [id, { offset: offsets[index] ?? 0, length: stored.length }]));
}
