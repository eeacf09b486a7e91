import { Buffer, isUtf8 } from 'node:buffer';
import { type AttachmentId, MailsealError, parseAttachmentId } from '../domain/index.ts';
import { type Base64Form, charactersBeforeLast, type LineRun, MOST_RUNS } from './base64-form.ts';

/** Bytes of the longest first line of a recipe, its LF included; a thousand attachments of 64 runs each need a third. */
export const LONGEST_RECIPE_LINE = 8 << 20;

const LINE_END = /^(?=[\r\t ]*\n)[\r\n\t ]{1,4}$/;
const LAST = /^[A-Za-z0-9+/=]{1,8}$/;

/** Bytes of a message that an attachment gives: as they are, or as base64 text. */
export interface AttachmentPiece {
	readonly attachment: AttachmentId;
	/** Bytes of the attachment, at least 1. */
	readonly size: number;
	readonly base64?: Base64Form;
}

/** The next `literal` bytes of the literal bytes, or an attachment. */
export type Piece = { readonly literal: number } | AttachmentPiece;

/** How a message is rebuilt byte for byte: its first line, which the literal bytes follow. */
export interface Recipe {
	/** Bytes of the message. */
	readonly size: number;
	readonly pieces: readonly Piece[];
}

/** The first line of a recipe, its LF included. */
export function encodeRecipeLine(recipe: Recipe): Buffer {
	return Buffer.from(`${recipeText(recipe)}\n`);
}

/** Reads the first line of a recipe without its LF; throws `archive-damaged` (bad-recipe) where it is not what an encoder writes. */
export function parseRecipeLine(line: Buffer): Recipe {
	const text = line.toString('utf8');
	let recipe: Recipe;
	try {
		recipe = recipeOf(isUtf8(line) ? JSON.parse(text) : undefined);
	} catch (error) {
		if (error instanceof SyntaxError) throw badRecipe('its first line is not JSON');
		throw error;
	}
	// Order of fields, white space, doubled fields and forms of numbers are all settled by writing it again.
	if (recipeText(recipe) !== text) throw badRecipe('its first line is not in the one form that a recipe has');
	return recipe;
}

/** The error for a recipe that cannot be followed. */
export function badRecipe(what: string): MailsealError {
	return new MailsealError('archive-damaged', `Cannot rebuild message from its recipe: ${what}`, { details: { damage: 'bad-recipe' } });
}

/** Bytes of the message that a piece stands for. */
export function pieceLength(piece: Piece): number {
	if ('literal' in piece) return piece.literal;
	return piece.base64 ? textLength(piece.size, piece.base64) : piece.size;
}

/** Characters of base64 text without the ends of its lines. */
function characterCount(size: number, last: string | undefined): number {
	return charactersBeforeLast(size) + (last?.length ?? 4);
}

function textLength(size: number, { lines, last }: Base64Form): number {
	return lines.reduce((length, [count, , end]) => length + count * end.length, characterCount(size, last));
}

function recipeText({ size, pieces }: Recipe): string {
	return JSON.stringify({ recipe: 1, size, pieces: pieces.map(pieceFields) });
}

function pieceFields(piece: Piece): object {
	if ('literal' in piece) return { literal: piece.literal };
	const { attachment, size, base64 } = piece;
	if (!base64) return { attachment, size };
	const { lines, last } = base64;
	return { attachment, size, base64: { lines, ...(last !== undefined && { last }) } };
}

function recipeOf(value: unknown): Recipe {
	const fields = fieldsOf(value, 'its first line');
	if (fields.recipe !== 1) throw badRecipe('it is of a version that is not known');
	if (!Array.isArray(fields.pieces)) throw badRecipe('it has no pieces');
	const size = countOf(fields.size, { what: 'size', least: 0 });
	const pieces = fields.pieces.map(pieceOf);
	let length = 0;
	for (const piece of pieces) length += pieceLength(piece);
	if (length !== size) throw badRecipe(`its pieces are ${length} bytes long (${size} are in the message)`);
	return { size, pieces };
}

function pieceOf(value: unknown): Piece {
	const fields = fieldsOf(value, 'a piece');
	if (fields.literal !== undefined) return { literal: countOf(fields.literal, { what: 'literal', least: 1 }) };
	const attachment = idOf(fields.attachment);
	const size = countOf(fields.size, { what: 'size', least: 1 });
	return fields.base64 === undefined ? { attachment, size } : { attachment, size, base64: formOf(fields.base64, size) };
}

function formOf(value: unknown, size: number): Base64Form {
	const { lines: given, last } = fieldsOf(value, 'base64');
	if (last !== undefined && !(typeof last === 'string' && LAST.test(last))) throw badRecipe('a last group is not base64');
	if (!Array.isArray(given) || given.length > MOST_RUNS)
		throw badRecipe(`the lines of a piece are not a list of at most ${MOST_RUNS} runs`);
	const lines = given.map(runOf);
	let left = characterCount(size, last);
	let before: LineRun | undefined;
	for (const run of lines) {
		if (before && before[1] === run[1] && before[2] === run[2]) throw badRecipe('two runs of equal lines are not merged');
		left -= run[0] * run[1];
		before = run;
		if (left <= 0) throw badRecipe('the lines of a piece are longer than its text');
	}
	return last === undefined ? { lines } : { lines, last };
}

function runOf(value: unknown): LineRun {
	if (!Array.isArray(value) || value.length !== 3) throw badRecipe('a run of lines is not a count, a width and an end');
	const [count, width, end] = value;
	if (typeof end !== 'string' || !LINE_END.test(end)) throw badRecipe('the end of a line is not made of 1 to 4 CR, LF, space and tab');
	return [countOf(count, { what: 'count', least: 1 }), countOf(width, { what: 'width', least: 1 }), end];
}

function fieldsOf(value: unknown, what: string): Record<string, unknown> {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRecipe(`${what} is not an object`);
	return value as Record<string, unknown>;
}

function countOf(value: unknown, { what, least }: { readonly what: string; readonly least: number }): number {
	if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
		throw badRecipe(`"${what}" is not a whole number of at least ${least}`);
	return value;
}

function idOf(value: unknown): AttachmentId {
	if (typeof value !== 'string') throw badRecipe('a piece is neither literal nor an attachment');
	try {
		return parseAttachmentId(value);
	} catch (error) {
		if (error instanceof MailsealError) throw badRecipe('an attachment id is not 64 lower-case hex digits');
		throw error;
	}
}
