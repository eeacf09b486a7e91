import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type BundleRef, MailsealError } from '../../domain/index.ts';
import { asMailsealError } from '../../platform/index.ts';
import type { BundleCopy } from './listing.ts';
import type { Target } from './open-target.ts';
import { readBlob } from './sealing.ts';

/** Fetches a whole bundle into a file and compares its bytes with its id; throws `archive-damaged` where they differ, and leaves the file to the caller. */
export async function downloadBundle(
	target: Target,
	options: { readonly ref: BundleRef; readonly copy: BundleCopy; readonly path: string; readonly signal: AbortSignal },
): Promise<void> {
	const { ref, copy, path, signal } = options;
	try {
		mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	} catch (error) {
		throw asMailsealError(error, 'make the folder of', path);
	}
	await provedPieces(readBlob(target, { name: copy.name, signal }), ref, async (pieces) => {
		const descriptor = openSync(path, 'w', 0o600);
		try {
			for await (const piece of pieces) {
				try {
					for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
				} catch (error) {
					throw asMailsealError(error, 'write', path);
				}
			}
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
	});
}

/** Hands pieces on, and compares all of them with the bundle's id and size before it returns. */
export async function provedPieces(
	pieces: AsyncIterable<Uint8Array>,
	ref: BundleRef,
	take: (pieces: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
	const digest = createHash('sha256');
	let size = 0;
	async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
		for await (const piece of pieces) {
			digest.update(piece);
			size += piece.length;
			if (size > ref.size) throw new MailsealError('archive-damaged', `bundle ${ref.id} has more than ${ref.size} bytes`);
			yield piece;
		}
	}
	await take(hashed());
	const found = digest.digest('hex');
	if (size !== ref.size || found !== ref.id) {
		throw new MailsealError(
			'archive-damaged',
			`the ${size} bytes of bundle ${ref.id} have the SHA-256 ${found} (${ref.size} bytes are right)`,
		);
	}
}
