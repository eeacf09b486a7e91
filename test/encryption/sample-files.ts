import { createHash } from 'node:crypto';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { MailsealError } from '../../src/domain/index.ts';
import { beginSealing, type Identity, parseIdentities, parseRecipients, type SealedSource } from '../../src/encryption/index.ts';

/** A chunk as C2SP age.md has it, plain and stored. */
export const CHUNK = 65_536;
export const SEALED_CHUNK = 65_552;

/** Every way in which a file can end: empty, within a chunk, at its border, just behind it. */
export const SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073, 1024 * 1024 + 7];

export interface Key {
	/** As a line of an identity file. */
	readonly secret: string;
	readonly recipient: string;
	readonly identities: readonly Identity[];
}

export async function makeKey(): Promise<Key> {
	const secret = await generateIdentity();
	return { secret, recipient: await identityToRecipient(secret), identities: parseIdentities(secret, 'key.txt') };
}

/** Bytes without a pattern, the same ones for the same size. */
export function plainOf(size: number): Buffer {
	return createHash('shake256', { outputLength: size }).update(`${size}`).digest();
}

export async function* piecesOf(bytes: Uint8Array, size = bytes.length || 1): AsyncIterable<Uint8Array> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	for await (const piece of stream) pieces.push(piece);
	return Buffer.concat(pieces);
}

export async function sealedBytes(plain: Uint8Array, ...keys: readonly Key[]): Promise<Buffer> {
	const sealing = await beginSealing(parseRecipients(keys.map(({ recipient }) => recipient)));
	return await collect(sealing.seal(piecesOf(plain)));
}

/** A source that keeps count of its reads. */
export function sourceOf(bytes: Uint8Array): SealedSource & { readonly reads: { readonly offset: number; readonly length: number }[] } {
	const reads: { readonly offset: number; readonly length: number }[] = [];
	return {
		size: bytes.length,
		reads,
		read(offset, length) {
			reads.push({ offset, length });
			return bytes.subarray(offset, offset + length);
		},
	};
}

/** Code and damage of what a call fails with; what it gives, where it does not fail. */
export async function failureOf(call: () => unknown): Promise<unknown> {
	try {
		return await call();
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		return [error.code, error.details.damage].filter((word) => word !== undefined).join(' ');
	}
}
