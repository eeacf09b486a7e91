import { createHash } from 'node:crypto';
import { MailsealError } from '../../domain/index.ts';
import { beginSealing, openSealed, openSealedStream } from '../../encryption/index.ts';
import type { BlobContent } from '../../remote/index.ts';
import { isDamage } from '../read-stored.ts';
import { digestOf } from './content.ts';
import type { Target } from './open-target.ts';

/** What is to be stored for some content: itself, or an age file. */
export interface ToStore {
	readonly content: BlobContent;
	/** SHA-256 of the age file, for its name; null at a target without encryption. */
	readonly sealedHash: string | null;
}

/** Prepares content for a target. Sealing it twice, once to hash and once to send, gives the same bytes: nothing has to be kept between. */
export async function toStore(target: Target, content: BlobContent, signal: AbortSignal): Promise<ToStore> {
	if (target.encryption === 'none') return { content, sealedHash: null };
	const { recipients } = target.keys;
	if (recipients === null) throw new Error('sealing needs recipients');
	const sealing = await beginSealing(recipients);
	const { sha256, size } = await digestOf(sealing.seal(proved(content)), { signal });
	// Sealing refuses other bytes than those of the first time.
	const open = (): AsyncIterable<Uint8Array> => sealing.seal(content.open());
	return { content: { size, sha256, open }, sealedHash: sha256 };
}

/** What goes into an age file cannot be looked at again here: it must have its hash before. */
async function* proved({ size, sha256, open }: BlobContent): AsyncGenerator<Uint8Array, void, undefined> {
	const digest = createHash('sha256');
	let length = 0;
	for await (const piece of open()) {
		digest.update(piece);
		length += piece.length;
		yield piece;
	}
	const found = digest.digest('hex');
	if (length === size && found === sha256) return;
	throw new MailsealError('archive-damaged', `its ${length} bytes have the SHA-256 ${found} (${size} bytes with ${sha256} are right)`);
}

/** Throws `permission` where what lies at the target cannot be opened. */
export function needIdentities(target: Target): void {
	if (target.encryption === 'none' || target.keys.identities.length > 0) return;
	throw new MailsealError('permission', `Cannot read what lies at "${target.store.place}": it is encrypted, and no identity is given`, {
		hint: 'give --identity FILE with the secret key that belongs to one of the recipients',
	});
}

/** True where a copy is of no use, so that another one is tried: damaged, missing, or encrypted for somebody else, as anybody could put there. */
export function isPoorCopy(error: unknown): error is MailsealError {
	return isDamage(error) || (error instanceof MailsealError && error.code === 'permission' && error.details.recipients !== undefined);
}

/** Bytes at a target that are read at any place. */
export interface OpenedBlob {
	/** Bytes of the content itself. */
	readonly size: number;
	read(offset: number, length: number): Promise<Uint8Array>;
	/** The first bytes of an age file, which need not be fetched again; null for a plain blob. */
	readonly head: Uint8Array | null;
}

/** Opens a blob for ranged reads. `head`: what an earlier opening gave. */
export async function openBlob(
	target: Target,
	options: { readonly name: string; readonly size: number; readonly head: Uint8Array | null; readonly signal: AbortSignal },
): Promise<OpenedBlob> {
	const { store } = target;
	const { name, size, head, signal } = options;
	const source = { size, read: (offset: number, length: number) => store.readRange(name, { offset, length }, signal) };
	if (target.encryption === 'none') return { ...source, head: null };
	needIdentities(target);
	return openSealed({ source, identities: target.keys.identities, ...(head === null ? {} : { head }) });
}

/** All bytes of a blob's content, from the first on. */
export function readBlob(target: Target, options: { readonly name: string; readonly signal: AbortSignal }): AsyncIterable<Uint8Array> {
	const pieces = target.store.read(options.name, { signal: options.signal });
	if (target.encryption === 'none') return pieces;
	needIdentities(target);
	return openSealedStream(pieces, target.keys.identities);
}

/** All bytes of a small blob; one of more than `limit` bytes is `archive-damaged`. */
export async function readSmallBlob(
	target: Target,
	options: { readonly name: string; readonly limit: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
	const pieces: Uint8Array[] = [];
	let length = 0;
	for await (const piece of readBlob(target, options)) {
		length += piece.length;
		if (length > options.limit) {
			throw new MailsealError(
				'archive-damaged',
				`Cannot read "${options.name}" of "${target.store.place}": it has more than ${options.limit} bytes`,
			);
		}
		pieces.push(piece);
	}
	return Buffer.concat(pieces, length);
}
