import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Codec, MailsealError, type ManifestLine } from '../domain/index.ts';
import { decodeItem } from './codec.ts';
import { damaged, damageOf } from './damage.ts';
import { parseEntryName } from './entry-names.ts';
import { gunzipPieces } from './gzip.ts';
import { type RangeSource, readExactly, readingAhead } from './range-source.ts';
import type { OpenBundle } from './reader.ts';

const AHEAD = 4 << 20;
/** Larger items are read and decoded in pieces. */
const LARGEST_STORED = 32 << 20;
const LARGEST_PLAIN = 128 << 20;

type Entry = OpenBundle['entries'][number];

/** What the bytes of an item must be once they are decoded. */
interface Expected {
	readonly type: 'message' | 'attachment';
	/** Null for a recipe: only with its attachments can the message be hashed. */
	readonly id: string | null;
	readonly size: number;
	readonly codec: Codec;
}

/** A damaged entry: `damage` is a stable code, `text` one sentence. */
export interface EntryDamage {
	readonly name: string;
	readonly damage: string;
	readonly text: string;
}

/**
 * Compares every entry with its CRC-32; with `decode`, also every whole message and attachment with its size and id, and every
 * recipe with its size. Gives what is damaged and goes on; throws what reading throws.
 */
export async function* verifyEntries(
	source: RangeSource,
	bundle: OpenBundle,
	options: { readonly decode: boolean; readonly signal: AbortSignal },
): AsyncGenerator<EntryDamage, void, undefined> {
	const { decode, signal } = options;
	const expectations = decode ? expectationsOf(bundle.lines) : new Map<string, Expected>();
	const ahead = readingAhead(source, { ahead: AHEAD });
	for (const entry of bundle.entries) {
		signal.throwIfAborted();
		const expected = expectations.get(itemOf(entry.name));
		try {
			const whole = entry.length <= LARGEST_STORED && (expected?.size ?? 0) <= LARGEST_PLAIN;
			await (whole ? checkWhole(ahead, { entry, expected }) : checkInPieces(ahead, { entry, expected, signal }));
		} catch (error) {
			const damage = damageOf(error);
			if (damage === undefined || damage === 'truncated' || !(error instanceof MailsealError)) throw error;
			yield { name: entry.name, damage, text: error.message };
		}
	}
}

function expectationsOf(lines: readonly ManifestLine[]): Map<string, Expected> {
	const expectations = new Map<string, Expected>();
	for (const line of lines) {
		if (line.type !== 'message' && line.type !== 'attachment') continue;
		const { type, id, size, codec } = line;
		const recipe = line.type === 'message' ? line.recipe : undefined;
		expectations.set(`${type} ${id}`, recipe === undefined ? { type, id, size, codec } : { type, id: null, size: recipe, codec });
	}
	return expectations;
}

function itemOf(name: string): string {
	const item = parseEntryName(name);
	return item === null ? '' : `${item.kind} ${item.id}`;
}

async function checkWhole(source: RangeSource, item: { readonly entry: Entry; readonly expected: Expected | undefined }): Promise<void> {
	const { entry, expected } = item;
	const stored = await readExactly(source, entry);
	if (crc32(stored) !== entry.crc32) throw wrongCrc(entry);
	if (expected === undefined) return;
	const plain = decodeItem(stored, expected);
	if (expected.id !== null && hash('sha256', plain, 'hex') !== expected.id) throw wrongHash(entry, expected);
}

async function checkInPieces(
	source: RangeSource,
	item: { readonly entry: Entry; readonly expected: Expected | undefined; readonly signal: AbortSignal },
): Promise<void> {
	const { entry, expected, signal } = item;
	let crc = 0;
	for await (const piece of pieces(source, entry, signal)) crc = crc32(piece, crc);
	if (crc !== entry.crc32) throw wrongCrc(entry);
	if (expected === undefined) return;
	const digest = createHash('sha256');
	const stored = pieces(source, entry, signal);
	let size = 0;
	for await (const piece of expected.codec === 'gzip' ? gunzipPieces(stored, { limit: expected.size, thing: 'item' }) : stored) {
		if (expected.id !== null) digest.update(piece);
		size += piece.length;
	}
	if (size !== expected.size) throw damaged('wrong-size', `Cannot decode item: it has ${size} bytes (${expected.size} were expected)`);
	if (expected.id !== null && digest.digest('hex') !== expected.id) throw wrongHash(entry, expected);
}

async function* pieces(source: RangeSource, entry: Entry, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
	const end = entry.offset + entry.length;
	for (let offset = entry.offset; offset < end; offset += AHEAD) {
		signal.throwIfAborted();
		yield await readExactly(source, { offset, length: Math.min(AHEAD, end - offset) });
	}
}

function wrongCrc(entry: Entry): Error {
	return damaged('wrong-crc', `Cannot read entry "${entry.name}": its bytes do not have its CRC-32`);
}

function wrongHash(entry: Entry, expected: Expected): Error {
	return damaged('wrong-hash', `Cannot read entry "${entry.name}": the SHA-256 of the ${expected.type} is not its id`);
}
