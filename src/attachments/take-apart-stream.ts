import { Buffer } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type AttachmentId, MailsealError, type PartFacts, parseAttachmentId } from '../domain/index.ts';
import type { Base64Text } from './base64-form.ts';
import { Base64Reader } from './base64-reader.ts';
import { ChunkCursor } from './chunk-cursor.ts';
import { composeRecipe, type FoundPart, factsOf, isFileLeaf, MOST_PARTS_OF_LINE } from './compose-recipe.ts';
import { rebuildPieces } from './rebuild.ts';
import { badRecipe, encodeRecipeLine } from './recipe.ts';
import { type Leaf, openSplitter, type SplitProblem, type SplitResult } from './splitter.ts';

/** Bytes taken from the source at once. */
const STEP = 1 << 20;

/** An item too large for memory: its length and checksums are known, its bytes come in pieces, from the start at each call. */
export interface StreamedItem {
	readonly length: number;
	readonly crc32: number;
	/** In lower-case hex. */
	readonly sha256: string;
	chunks(): Iterable<Uint8Array>;
}

/** The same as TakenApart, of a message too large for memory. */
export interface TakenApartStream {
	readonly recipe: StreamedItem | null;
	/** SHA-256 of the bytes that the recipe was proved against, in lower-case hex; null where there is no recipe. */
	readonly proved: string | null;
	readonly parts: readonly PartFacts[];
	readonly attachments: ReadonlyMap<AttachmentId, StreamedItem>;
	readonly problem: SplitProblem | 'recipe-mismatch' | null;
}

type Open = () => Iterable<Uint8Array>;

/** What reading a body through gave: of its bytes once decoded where `text` is there. */
interface Survey {
	readonly size: number;
	readonly id: AttachmentId;
	readonly crc32: number;
	readonly text?: Base64Text;
}

/**
 * Takes apart a message of which `open` gives the bytes from the start at each call, with the same result as in memory. Reads it four or five
 * times, and once more for each item that is read, and holds a few MB. `check` is called for each chunk; what it or the source throws is thrown.
 */
export function takeApartStream(open: Open, options: { readonly minimum: number; readonly check: () => void }): TakenApartStream {
	const read = (): Iterable<Uint8Array> => checked(open(), options.check);
	const { leaves, messages, problem, size } = splitStream(read);
	if (problem !== null) return { recipe: null, proved: null, parts: [], attachments: new Map(), problem };
	const minimum = Math.max(1, options.minimum);
	const wanted = leaves.filter((leaf) => isFileLeaf(leaf) || leaf.end - leaf.start >= minimum);
	const surveys = surveyBodies(read, wanted);
	const parts: FoundPart[] = [];
	const attachments = new Map<AttachmentId, StreamedItem>();
	for (const leaf of wanted) {
		const survey = surveys.get(leaf);
		if (survey === undefined) continue;
		const isApart = survey.size >= minimum;
		if (parts.length === MOST_PARTS_OF_LINE) break;
		if (!isApart && !isFileLeaf(leaf)) continue;
		const found = { leaf, size: survey.size, ...(survey.text && { text: survey.text }) };
		parts.push(isApart ? { ...found, id: survey.id } : found);
		if (isApart && !attachments.has(survey.id)) attachments.set(survey.id, itemOf(read, { leaf, survey }));
	}
	const asWhole = { recipe: null, proved: null, parts: factsOf(parts, { whole: true, messages }), attachments: new Map() };
	if (attachments.size === 0) return { ...asWhole, problem: null };
	const proof = proveRecipe(read, { size, parts });
	if (proof === null) return { ...asWhole, problem: 'recipe-mismatch' };
	return { ...proof, parts: factsOf(parts, { whole: false, messages }), attachments, problem: null };
}

function* checked(chunks: Iterable<Uint8Array>, check: () => void): Iterable<Uint8Array> {
	for (const chunk of chunks) {
		check();
		yield chunk;
	}
}

function splitStream(read: Open): SplitResult & { readonly size: number } {
	const splitter = openSplitter();
	let size = 0;
	for (const chunk of read()) {
		splitter.push(chunk);
		size += chunk.length;
	}
	return { ...splitter.end(), size };
}

/** Reads the bodies of these leaves, which are in the order of the message; once more those that turn out to be no base64. */
function surveyBodies(read: Open, leaves: readonly Leaf[]): Map<Leaf, Survey> {
	const surveys = new Map<Leaf, Survey>();
	const others: Leaf[] = [];
	forEachBody(read, leaves, (leaf, body) => {
		const survey = leaf.encoding === 'base64' ? surveyText(body) : surveyBytes(body);
		if (survey) surveys.set(leaf, survey);
		else others.push(leaf);
	});
	forEachBody(read, others, (leaf, body) => surveys.set(leaf, surveyBytes(body)));
	return surveys;
}

function forEachBody(read: Open, leaves: readonly Leaf[], take: (leaf: Leaf, body: Iterable<Buffer>) => void): void {
	if (leaves.length === 0) return;
	const source = new ChunkCursor(read());
	try {
		let at = 0;
		for (const leaf of leaves) {
			source.skip(leaf.start - at);
			take(leaf, upTo(source, leaf.end - leaf.start));
			at = leaf.end;
		}
	} finally {
		source.close();
	}
}

function surveyText(body: Iterable<Buffer>): Survey | null {
	const tally = openTally();
	const reader = new Base64Reader(tally.add);
	for (const piece of body) reader.push(piece);
	const text = reader.end();
	return typeof text === 'string' ? null : { ...tally.end(), text };
}

function surveyBytes(body: Iterable<Buffer>): Survey {
	const tally = openTally();
	for (const piece of body) tally.add(piece);
	return tally.end();
}

function openTally(): { add(bytes: Buffer): void; end(): Survey } {
	const hash = createHash('sha256');
	let size = 0;
	let crc = 0;
	return {
		add(bytes) {
			hash.update(bytes);
			crc = crc32(bytes, crc);
			size += bytes.length;
		},
		end: () => ({ size, id: parseAttachmentId(hash.digest('hex')), crc32: crc }),
	};
}

function itemOf(read: Open, { leaf, survey }: { readonly leaf: Leaf; readonly survey: Survey }): StreamedItem {
	return {
		length: survey.size,
		crc32: survey.crc32,
		sha256: survey.id,
		*chunks() {
			const source = new ChunkCursor(read());
			try {
				source.skip(leaf.start);
				yield* bodyBytes(source, { leaf, isText: survey.text !== undefined });
			} finally {
				source.close();
			}
		},
	};
}

/** The bytes of a leaf whose body begins at the cursor, decoded where it is base64 text; the caller may keep them. */
function* bodyBytes(source: ChunkCursor, { leaf, isText }: { readonly leaf: Leaf; readonly isText: boolean }): Iterable<Buffer> {
	const body = upTo(source, leaf.end - leaf.start);
	if (!isText) {
		yield* body;
		return;
	}
	let pieces: Buffer[] = [];
	const reader = new Base64Reader((piece) => pieces.push(Buffer.from(piece)));
	for (const piece of body) {
		reader.push(piece);
		yield* pieces;
		pieces = [];
	}
	reader.end();
	yield* pieces;
}

function* upTo(source: ChunkCursor, length: number): Iterable<Buffer> {
	for (let left = length; left > 0; ) {
		const piece = source.next(Math.min(left, STEP));
		if (piece === null) return;
		left -= piece.length;
		yield piece;
	}
}

/** The recipe, or null where what a reader will make of it is not the message. */
function proveRecipe(
	read: Open,
	{ size, parts }: { readonly size: number; readonly parts: readonly FoundPart[] },
): { readonly recipe: StreamedItem; readonly proved: string } | null {
	const { recipe, literals } = composeRecipe(size, parts);
	const line = encodeRecipeLine(recipe);

	function* chunks(): Iterable<Buffer> {
		yield line;
		const source = new ChunkCursor(read());
		try {
			let at = 0;
			for (const { start, end } of literals) {
				source.skip(start - at);
				yield* upTo(source, end - start);
				at = end;
			}
		} finally {
			source.close();
		}
	}

	let crc = 0;
	const recipeHash = createHash('sha256');
	function* counted(): Iterable<Buffer> {
		for (const chunk of hashed(recipeHash, chunks())) {
			crc = crc32(chunk, crc);
			yield chunk;
		}
	}

	const bodies = new ChunkCursor(read());
	const hash = createHash('sha256');
	try {
		if (!isSame(hashed(hash, rebuildPieces(counted(), bodiesInOrder(bodies, parts))), read)) return null;
	} catch (error) {
		if (error instanceof MailsealError && error.details.damage === 'bad-recipe') return null;
		throw error;
	} finally {
		bodies.close();
	}
	const length = line.length + literals.reduce((sum, { start, end }) => sum + end - start, 0);
	return { recipe: { length, crc32: crc, sha256: recipeHash.digest('hex'), chunks }, proved: hash.digest('hex') };
}

function* hashed(hash: Hash, pieces: Iterable<Buffer>): Iterable<Buffer> {
	for (const piece of pieces) {
		hash.update(piece);
		yield piece;
	}
}

/** The attachments as they are asked for, one after the other out of one reading: to start anew for each would take a thousand readings. */
function bodiesInOrder(source: ChunkCursor, parts: readonly FoundPart[]): () => Iterable<Buffer> {
	const apart = parts.filter(({ id }) => id !== undefined).values();
	let at = 0;
	return () => {
		const { value } = apart.next();
		if (value === undefined) return [];
		const { leaf, id, text } = value;
		source.skip(leaf.start - at);
		at = leaf.end;
		return asBefore(id, bodyBytes(source, { leaf, isText: text !== undefined }));
	};
}

/** Whoever owns the file may change it between two readings: the recipe is proved with bytes that have the id which it names. */
function* asBefore(id: AttachmentId | undefined, pieces: Iterable<Buffer>): Iterable<Buffer> {
	const hash = createHash('sha256');
	yield* hashed(hash, pieces);
	if (hash.digest('hex') !== id) throw badRecipe(`attachment "${id}" has other bytes than before`);
}

function isSame(pieces: Iterable<Buffer>, read: Open): boolean {
	const message = new ChunkCursor(read());
	try {
		for (const piece of pieces) {
			let at = 0;
			while (at < piece.length) {
				const bytes = message.next(piece.length - at);
				if (bytes === null || bytes.compare(piece, at, at + bytes.length) !== 0) return false;
				at += bytes.length;
			}
		}
		return message.next(1) === null;
	} finally {
		message.close();
	}
}
