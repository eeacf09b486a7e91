import { createHash } from 'node:crypto';
import type { BundleToApply } from '../../src/catalog/index.ts';
import {
	type AttachmentId,
	type AttachmentLine,
	type BundleKind,
	type HeaderFacts,
	type ManifestLine,
	type MessageLine,
	type PartFacts,
	parseAttachmentId,
} from '../../src/domain/index.ts';
import { bundleOf, messageOf } from '../support/words.ts';

/** Bytes of a made-up attachment, where nothing else is said. */
export const ATTACHMENT_SIZE = 5000;

/** The id of a made-up attachment. */
export function attachmentId(name: string): AttachmentId {
	return parseAttachmentId(createHash('sha256').update(`attachment ${name}`).digest('hex'));
}

/** The line of a made-up attachment; its stored bytes are as many as its size. */
export function attachmentOf(name: string, size = ATTACHMENT_SIZE): AttachmentLine {
	return { type: 'attachment', id: attachmentId(name), size, codec: 'none' };
}

/** A part of that content, stored apart; named as its content is where nothing else is said. */
export function partOf(content: string, facts: Partial<PartFacts> = {}): PartFacts {
	return { id: attachmentId(content), name: content, type: 'application/pdf', size: ATTACHMENT_SIZE, disposition: 'attachment', ...facts };
}

/** The line of a made-up message that is stored as a recipe: of these parts, or of one part for each content. */
export function recipeOf(
	name: string,
	parts: readonly (string | PartFacts)[],
	facts: { readonly size?: number; readonly headers?: HeaderFacts } = {},
): MessageLine {
	const { type, id, size, codec, headers } = messageOf(name, facts);
	return { type, id, size, codec, recipe: 50, attachments: parts.map((part) => (typeof part === 'string' ? partOf(part) : part)), headers };
}

/** A bundle of these lines; attachments lie behind the messages, one behind the other. */
export function bundleWith(kind: BundleKind, lines: readonly ManifestLine[]): BundleToApply {
	const bundle = bundleOf(kind, lines);
	const attachmentLocations = new Map<AttachmentId, { offset: number; length: number }>();
	let offset = bundle.ref.size;
	for (const line of lines) {
		if (line.type !== 'attachment') continue;
		attachmentLocations.set(line.id, { offset, length: line.size });
		offset += line.size;
	}
	return { ...bundle, ref: { ...bundle.ref, size: offset }, attachmentLocations };
}
