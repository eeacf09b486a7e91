import type { AttachmentId, PartFacts } from '../domain/index.ts';
import type { Base64Text } from './base64-form.ts';
import type { Piece, Recipe } from './recipe.ts';
import type { Leaf } from './splitter.ts';

/** Parts that the manifest's line of a message holds at most; further leaves stay in the message. */
export const MOST_PARTS_OF_LINE = 1000;

/** A leaf that is stored apart, or that is a file. */
export interface FoundPart {
	readonly leaf: Leaf;
	/** Bytes: of the body once decoded where `text` is there, otherwise of the body. */
	readonly size: number;
	/** Left out where the body is taken as it stands. */
	readonly text?: Base64Text;
	/** Left out where the leaf stays in the message. */
	readonly id?: AttachmentId;
}

/** True for a leaf that people call an attachment, whatever its size. */
export function isFileLeaf({ name, disposition }: Leaf): boolean {
	return name !== undefined || disposition === 'attachment';
}

/** The recipe of a message of `size` bytes, and what of the message are its literal bytes. */
export function composeRecipe(
	size: number,
	parts: readonly FoundPart[],
): { readonly recipe: Recipe; readonly literals: readonly { readonly start: number; readonly end: number }[] } {
	const pieces: Piece[] = [];
	const literals: { start: number; end: number }[] = [];
	let at = 0;

	function addLiteral(end: number): void {
		if (end === at) return;
		pieces.push({ literal: end - at });
		literals.push({ start: at, end });
	}

	for (const { leaf, size: length, text, id } of parts) {
		if (id === undefined) continue;
		addLiteral(leaf.start + (text?.start ?? 0));
		pieces.push(text ? { attachment: id, size: length, base64: text.form } : { attachment: id, size: length });
		at = text ? leaf.start + text.end : leaf.end;
	}
	addLiteral(size);
	return { recipe: { size, pieces }, literals };
}

/**
 * What the manifest says of these parts, and of messages inside the message that are files, in the order of the message; of those
 * that are files only, without ids, where it is kept whole.
 */
export function factsOf(
	parts: readonly FoundPart[],
	options: { readonly whole: boolean; readonly messages: readonly Leaf[] },
): PartFacts[] {
	const own: readonly FoundPart[] = options.whole ? parts.filter(({ leaf }) => isFileLeaf(leaf)) : parts;
	const forwarded = options.messages.filter(isFileLeaf).map((leaf): FoundPart => ({ leaf, size: leaf.end - leaf.start }));
	const shown = [...own, ...forwarded.slice(0, MOST_PARTS_OF_LINE - own.length)].sort((a, b) => a.leaf.start - b.leaf.start);
	return shown.map(({ leaf: { name, type, disposition }, size, id }) => ({
		...(id !== undefined && !options.whole && { id }),
		...(name !== undefined && { name }),
		type,
		size,
		...(disposition && { disposition }),
	}));
}
