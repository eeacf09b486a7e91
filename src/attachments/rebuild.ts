import { Buffer } from 'node:buffer';
import type { AttachmentId } from '../domain/index.ts';
import { Base64Writer } from './base64-writer.ts';
import { ChunkCursor } from './chunk-cursor.ts';
import { type AttachmentPiece, badRecipe, LONGEST_RECIPE_LINE, parseRecipeLine } from './recipe.ts';

/** Bytes of a piece that is given as it is. */
const STEP = 1 << 16;

/** Gives the bytes of the attachment with this id, from the start at each call. */
export type ReadAttachment = (id: AttachmentId) => Iterable<Uint8Array>;

/**
 * The bytes of the message that a recipe with its literal bytes describes, in pieces of some 10 KB that the caller may keep. Throws
 * `archive-damaged` (bad-recipe) where the recipe cannot be followed, and whatever its sources throw.
 */
export function* rebuildMessage(recipe: Iterable<Uint8Array>, attachment: ReadAttachment): Iterable<Uint8Array> {
	for (const piece of rebuildPieces(recipe, attachment)) yield Buffer.from(piece);
}

/** The same bytes in pieces that are valid until the next one is asked for, and must not be changed. */
export function* rebuildPieces(recipe: Iterable<Uint8Array>, attachment: ReadAttachment): Iterable<Buffer> {
	const source = new ChunkCursor(recipe);
	try {
		const line = source.line(LONGEST_RECIPE_LINE);
		if (line === null) throw badRecipe(`it has no first line (of at most ${LONGEST_RECIPE_LINE} bytes)`);
		for (const piece of parseRecipeLine(line).pieces) {
			if ('literal' in piece) yield* exactly(source, piece.literal, 'it lacks literal bytes');
			else yield* rebuildPiece(piece, attachment);
		}
		if (source.next(1) !== null) throw badRecipe('literal bytes are left over');
	} finally {
		source.close();
	}
}

function* rebuildPiece({ attachment: id, size, base64 }: AttachmentPiece, attachment: ReadAttachment): Iterable<Buffer> {
	const source = new ChunkCursor(attachment(id));
	try {
		const bytes = exactly(source, size, `attachment "${id}" is shorter than the recipe says`);
		if (base64) {
			const writer = new Base64Writer(size, base64);
			for (const chunk of bytes) yield* writer.push(chunk);
			yield writer.end();
		} else {
			yield* bytes;
		}
		if (source.next(1) !== null) throw badRecipe(`attachment "${id}" is longer than the recipe says`);
	} finally {
		source.close();
	}
}

function* exactly(source: ChunkCursor, length: number, otherwise: string): Iterable<Buffer> {
	for (let left = length; left > 0; ) {
		const piece = source.next(Math.min(left, STEP));
		if (piece === null) throw badRecipe(otherwise);
		left -= piece.length;
		yield piece;
	}
}
