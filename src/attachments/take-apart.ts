import { Buffer } from 'node:buffer';
import type { AttachmentId, PartFacts } from '../domain/index.ts';
import { readEqualLines } from './base64-fast.ts';
import type { Base64Text } from './base64-form.ts';
import { Base64Reader, type Base64Result } from './base64-reader.ts';
import { composeRecipe, type FoundPart, factsOf, isFileLeaf, MOST_PARTS_OF_LINE } from './compose-recipe.ts';
import { attachmentIdOf } from './digest.ts';
import { rebuildPieces } from './rebuild.ts';
import { encodeRecipeLine } from './recipe.ts';
import { type Leaf, type SplitProblem, splitMessage } from './splitter.ts';

/** A message without its attachments, and those. */
export interface TakenApart {
	/** First line and literal bytes; null where the message is kept whole: nothing is large enough, or there is a problem. */
	readonly recipe: Uint8Array | null;
	/** Parts stored apart, and parts that are files, in the order of the message; without ids where `recipe` is null. */
	readonly parts: readonly PartFacts[];
	/** Each once, in the order of first use; parts of the message where it holds them as they are. Empty where `recipe` is null. */
	readonly attachments: ReadonlyMap<AttachmentId, Uint8Array>;
	readonly problem: SplitProblem | 'recipe-mismatch' | null;
}

interface Body {
	readonly bytes: Buffer;
	readonly text?: Base64Text;
}

/** Takes the leaves of at least `minimum` bytes out of a message; what it gives was proved to rebuild the message byte for byte. */
export function takeApart(message: Uint8Array, options: { readonly minimum: number }): TakenApart {
	const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
	const { leaves, messages, problem } = splitMessage(bytes);
	if (problem !== null) return { recipe: null, parts: [], attachments: new Map(), problem };
	const minimum = Math.max(1, options.minimum);
	// Text that only looks like base64 fails the proof: then each byte is looked at, which costs several times as much.
	for (const readBody of [readBodyFast, readBodyStrictly]) {
		const { parts, attachments } = findParts(leaves, { message: bytes, minimum, readBody });
		if (attachments.size === 0) return { recipe: null, parts: factsOf(parts, { whole: true, messages }), attachments, problem: null };
		const recipe = encodeRecipe(bytes, parts);
		if (isProved(recipe, { message: bytes, attachments })) {
			return { recipe, parts: factsOf(parts, { whole: false, messages }), attachments, problem: null };
		}
	}
	const { parts } = findParts(leaves, { message: bytes, minimum: Number.POSITIVE_INFINITY, readBody: readBodyStrictly });
	return { recipe: null, parts: factsOf(parts, { whole: true, messages }), attachments: new Map(), problem: 'recipe-mismatch' };
}

function findParts(
	leaves: readonly Leaf[],
	options: { readonly message: Buffer; readonly minimum: number; readonly readBody: (body: Buffer, minimum: number) => Body },
): { readonly parts: FoundPart[]; readonly attachments: Map<AttachmentId, Buffer> } {
	const { message, minimum, readBody } = options;
	const parts: FoundPart[] = [];
	const attachments = new Map<AttachmentId, Buffer>();
	for (const leaf of leaves) {
		if (parts.length === MOST_PARTS_OF_LINE) break;
		const isFile = isFileLeaf(leaf);
		if (!isFile && leaf.end - leaf.start < minimum) continue;
		const body = message.subarray(leaf.start, leaf.end);
		const { bytes, text } = leaf.encoding === 'base64' ? readBody(body, minimum) : { bytes: body };
		const isApart = bytes.length >= minimum;
		if (!isApart && !isFile) continue;
		const found = { leaf, size: bytes.length, ...(text && { text }) };
		if (!isApart) {
			parts.push(found);
			continue;
		}
		const id = attachmentIdOf(bytes);
		parts.push({ ...found, id });
		if (!attachments.has(id)) attachments.set(id, bytes);
	}
	return { parts, attachments };
}

/** What is not proved later, because it stays in the message, is looked at byte by byte at once. */
function readBodyFast(body: Buffer, minimum: number): Body {
	const fast = readEqualLines(body);
	return fast && fast.bytes.length >= minimum ? fast : readBodyStrictly(body);
}

function readBodyStrictly(body: Buffer): Body {
	const { text, bytes } = decodeBase64(body);
	return typeof text === 'string' ? { bytes: body } : { bytes, text };
}

/** What a base64 body holds, each byte of it looked at. */
export function decodeBase64(body: Buffer): { readonly text: Base64Result; readonly bytes: Buffer } {
	const bytes = Buffer.allocUnsafeSlow(Math.ceil((body.length * 3) / 4));
	let length = 0;
	const reader = new Base64Reader((piece) => {
		length += piece.copy(bytes, length);
	}, body.length);
	reader.push(body);
	return { text: reader.end(), bytes: bytes.subarray(0, length) };
}

function encodeRecipe(message: Buffer, parts: readonly FoundPart[]): Buffer {
	const { recipe, literals } = composeRecipe(message.length, parts);
	return Buffer.concat([encodeRecipeLine(recipe), ...literals.map(({ start, end }) => message.subarray(start, end))]);
}

/** True where a reader of this recipe will get the message byte for byte. */
export function isProved(
	recipe: Uint8Array,
	{ message, attachments }: { readonly message: Buffer; readonly attachments: ReadonlyMap<AttachmentId, Uint8Array> },
): boolean {
	let at = 0;
	try {
		for (const piece of rebuildPieces([recipe], (id) => [attachments.get(id) ?? new Uint8Array()])) {
			const end = at + piece.length;
			if (end > message.length || piece.compare(message, at, end) !== 0) return false;
			at = end;
		}
	} catch {
		// Whatever it is that keeps this message from being rebuilt, it is kept whole.
		return false;
	}
	return at === message.length;
}
