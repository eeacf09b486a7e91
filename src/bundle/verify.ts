import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { MailsealError, type MessageLine } from '../domain/index.ts';
import { decodeItem } from './codec.ts';
import { damaged, damageOf } from './damage.ts';
import { parseMessageEntryName } from './entry-names.ts';
import { gunzipPieces } from './gzip.ts';
import { type RangeSource, readExactly, readingAhead } from './range-source.ts';
import type { OpenBundle } from './reader.ts';

const AHEAD = 4 << 20;
/** Larger items are read and decoded in pieces. */
const LARGEST_STORED = 32 << 20;
const LARGEST_PLAIN = 128 << 20;

type Entry = OpenBundle['entries'][number];

/** A damaged entry: `damage` is a stable code, `text` one sentence. */
export interface EntryDamage {
	readonly name: string;
	readonly damage: string;
	readonly text: string;
}

/**
 * Compares every entry with its CRC-32; with `decode`, also every whole message with its size and id. Gives what is damaged and
 * goes on; throws what reading throws.
 */
export async function* verifyEntries(
	source: RangeSource,
	bundle: OpenBundle,
	options: { readonly decode: boolean; readonly signal: AbortSignal },
): AsyncGenerator<EntryDamage, void, undefined> {
	const { decode, signal } = options;
	const lines = new Map<string, MessageLine>();
	for (const line of bundle.lines) if (line.type === 'message') lines.set(line.id, line);
	const ahead = readingAhead(source, { ahead: AHEAD });
	for (const entry of bundle.entries) {
		signal.throwIfAborted();
		const line = decode ? lines.get(parseMessageEntryName(entry.name)?.id ?? '') : undefined;
		try {
			const whole = entry.length <= LARGEST_STORED && (line?.size ?? 0) <= LARGEST_PLAIN;
			await (whole ? checkWhole(ahead, { entry, line }) : checkInPieces(ahead, { entry, line, signal }));
		} catch (error) {
			const damage = damageOf(error);
			if (damage === undefined || damage === 'truncated' || !(error instanceof MailsealError)) throw error;
			yield { name: entry.name, damage, text: error.message };
		}
	}
}

async function checkWhole(source: RangeSource, item: { readonly entry: Entry; readonly line: MessageLine | undefined }): Promise<void> {
	const { entry, line } = item;
	const stored = await readExactly(source, entry);
	if (crc32(stored) !== entry.crc32) throw wrongCrc(entry);
	if (line === undefined) return;
	const plain = decodeItem(stored, line);
	if (hash('sha256', plain, 'hex') !== line.id) throw wrongHash(entry);
}

async function checkInPieces(
	source: RangeSource,
	item: { readonly entry: Entry; readonly line: MessageLine | undefined; readonly signal: AbortSignal },
): Promise<void> {
	const { entry, line, signal } = item;
	let crc = 0;
	for await (const piece of pieces(source, entry, signal)) crc = crc32(piece, crc);
	if (crc !== entry.crc32) throw wrongCrc(entry);
	if (line === undefined) return;
	const digest = createHash('sha256');
	const stored = pieces(source, entry, signal);
	let size = 0;
	for await (const piece of line.codec === 'gzip' ? gunzipPieces(stored, { limit: line.size, thing: 'item' }) : stored) {
		digest.update(piece);
		size += piece.length;
	}
	if (size !== line.size) throw damaged('wrong-size', `Cannot decode item: it has ${size} bytes (${line.size} were expected)`);
	if (digest.digest('hex') !== line.id) throw wrongHash(entry);
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

function wrongHash(entry: Entry): Error {
	return damaged('wrong-hash', `Cannot read entry "${entry.name}": the SHA-256 of the message is not its id`);
}
