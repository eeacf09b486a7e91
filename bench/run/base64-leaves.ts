import { readFileSync } from 'node:fs';
import { splitMessage, takeApart } from '../../src/attachments/index.ts';
import { decodeBase64 } from '../../src/attachments/take-apart.ts';
import { MEGA } from './bytes.ts';
import type { Row } from './report.ts';

interface Piece {
	readonly literal?: number;
	readonly attachment?: string;
	readonly size?: number;
	readonly base64?: { readonly lines?: readonly (readonly [count: number, width: number, end: string])[]; readonly last?: string };
}

const LINE_FEED = 0x0a;

/** How each base64 part of at least `minimum` bytes is stored, a row for each way; `share` is of all these parts. */
export function countLeaves(paths: readonly string[], options: { readonly minimum: number }): Row[] {
	const counts = new Map<string, { leaves: number; bytes: number }>();
	for (const path of paths) {
		const message = readFileSync(path);
		for (const { how, bytes } of base64LeavesOf(message, options)) {
			const count = counts.get(how) ?? { leaves: 0, bytes: 0 };
			counts.set(how, { leaves: count.leaves + 1, bytes: count.bytes + bytes });
		}
	}
	const all = [...counts.values()].reduce((sum, { leaves }) => sum + leaves, 0);
	return [...counts]
		.sort(([, left], [, right]) => right.leaves - left.leaves)
		.map(([how, { leaves, bytes }]) => ({ 'stored as': how, leaves, MB: bytes / MEGA, share: leaves / all }));
}

/** The base64 parts of a message that have at least `minimum` bytes (decoded, where that can be undone), and what became of each. */
export function base64LeavesOf(
	message: Uint8Array,
	options: { readonly minimum: number },
): { readonly how: string; readonly bytes: number }[] {
	const leaves = splitMessage(message).leaves.filter(({ encoding }) => encoding === 'base64');
	if (leaves.length === 0) return [];
	const { recipe, problem } = takeApart(message, options);
	const starts = recipe === null ? new Map<number, boolean>() : attachmentStarts(recipe);
	return leaves.flatMap(({ start, end }) => {
		const body = Buffer.from(message.buffer, message.byteOffset + start, end - start);
		const { text } = decodeBase64(body);
		const bytes = typeof text === 'string' ? body.length : text.size;
		if (bytes < options.minimum) return [];
		const at = [...starts.keys()].find((piece) => piece >= start && piece < end);
		const reason = typeof text === 'string' ? text : 'not told';
		if (at === undefined) return [{ how: `in the message: ${problem ?? reason}`, bytes }];
		return [{ how: starts.get(at) === true ? 'decoded' : `as it stands: ${reason}`, bytes }];
	});
}

/** Starts, in the message, of the pieces that are attachments, and whether they are written as base64. */
export function attachmentStarts(recipe: Uint8Array): Map<number, boolean> {
	const line = Buffer.from(recipe.buffer, recipe.byteOffset, recipe.indexOf(LINE_FEED)).toString();
	const starts = new Map<number, boolean>();
	let at = 0;
	for (const piece of (JSON.parse(line) as { readonly pieces: readonly Piece[] }).pieces) {
		if (piece.attachment !== undefined) starts.set(at, piece.base64 !== undefined);
		at += lengthOf(piece);
	}
	return starts;
}

/** Bytes of the message that the piece stands for. */
function lengthOf({ literal, size = 0, base64 }: Piece): number {
	if (literal !== undefined) return literal;
	if (base64 === undefined) return size;
	const text = Math.ceil(size / 3) * 4 + (base64.last === undefined ? 0 : base64.last.length - 4);
	return (base64.lines ?? []).reduce((sum, [count, , end]) => sum + count * end.length, text);
}
