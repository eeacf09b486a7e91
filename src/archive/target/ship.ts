import { type BundleRef, type Finding, MailsealError, type Progress, type SnapshotName } from '../../domain/index.ts';
import { sizeOf } from '../../platform/index.ts';
import { type BlobContent, fileContent } from '../../remote/index.ts';
import { bundlePath } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { isDamage } from '../read-stored.ts';
import { bytesContent } from './content.ts';
import { archiveHeadBlob, bundleBlob, snapshotBlob } from './names.ts';
import type { Target } from './open-target.ts';
import type { KnownCopy } from './record.ts';
import { toStore } from './sealing.ts';

export interface Shipped {
	/** Bytes that went to the target; none where somebody else had just shipped the same. */
	readonly bytes: number;
	/** Bytes of the copy. */
	readonly size: number;
	readonly copy: KnownCopy;
}

export interface ShipContext {
	readonly archive: Archive;
	readonly target: Target;
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

/** Ships one bundle; a finding where this archive has it not, or not whole. `replace`: a copy under its name is damaged. `isOnlyThere`: it was dropped here since this target had it. */
export async function shipBundle(
	ref: BundleRef,
	options: ShipContext & { readonly replace: boolean; readonly isOnlyThere: boolean },
): Promise<Shipped | Finding> {
	const { archive, target, progress, signal, replace, isOnlyThere } = options;
	const path = bundlePath(archive.dir, ref.kind, ref.id);
	const found = sizeOf(path);
	const isElsewhere = found === null && !isOnlyThere && archive.offsite.has(ref.id);
	if (found !== ref.size && !isElsewhere)
		return notShipped(ref, found === null ? 'it is missing here' : `it has ${found} bytes here (${ref.size} are right)`);
	const plain = isElsewhere ? offsiteContent(ref, { archive, signal }) : fileContent({ path, size: ref.size, sha256: ref.id });
	let unread: unknown;
	try {
		const { content, sealedHash } = await toStore(
			target,
			noting(plain, (error) => {
				unread = error;
			}),
			signal,
		);
		const { md5, bytes } = await createProved(target, {
			name: bundleBlob(ref, sealedHash),
			content: watched(content, progress),
			signal,
			replace,
		});
		return {
			bytes,
			size: content.size,
			copy: { ...(sealedHash === null ? {} : { sealedHash, size: content.size }), ...(md5 === null ? {} : { md5 }) },
		};
	} catch (error) {
		// What the target does not find is another matter than what is not found here.
		const own = unread ?? (error instanceof MailsealError && error.code === 'archive-damaged' ? error : null);
		if (isDamage(own)) return notShipped(ref, own.message);
		throw error;
	}
}

/** Writes a blob. What another host wrote under its name meanwhile is believed when the target proves it, and not before. */
async function createProved(
	{ store }: Target,
	{
		name,
		content,
		signal,
		replace,
	}: { readonly name: string; readonly content: BlobContent; readonly signal: AbortSignal; readonly replace: boolean },
): Promise<{ readonly md5: string | null; readonly bytes: number }> {
	const { outcome, md5 } = await store.create(name, content, { signal, replace });
	if (outcome === 'created') return { md5, bytes: content.size };
	const proof = await store.prove(name, { size: content.size, sha256: content.sha256, md5: null }, signal);
	if (proof.state === 'intact') return { md5: null, bytes: 0 };
	return { md5: (await store.create(name, content, { signal, replace: true })).md5, bytes: content.size };
}

/** A content that tells what went wrong with reading it. */
function noting(content: BlobContent, note: (error: unknown) => void): BlobContent {
	return {
		...content,
		async *open() {
			try {
				yield* content.open();
			} catch (error) {
				note(error);
				throw error;
			}
		},
	};
}

/** A bundle that was dropped here goes from the target that has it to the other one. */
function offsiteContent(ref: BundleRef, { archive, signal }: { readonly archive: Archive; readonly signal: AbortSignal }): BlobContent {
	return {
		size: ref.size,
		sha256: ref.id,
		async *open() {
			yield* await archive.offsite.stream(ref, signal);
		},
	};
}

/** A content that tells how much of it was taken. */
function watched(content: BlobContent, progress: Progress): BlobContent {
	return {
		...content,
		async *open() {
			for await (const piece of content.open()) {
				yield piece;
				progress.advance(piece.length);
			}
		},
	};
}

function notShipped(ref: BundleRef, why: string): Finding {
	return {
		code: 'bundle-not-shipped',
		severity: 'error',
		subject: ref.id,
		text: `The ${ref.kind} bundle ${ref.id} was not shipped: ${why}`,
		hint: 'run "mailseal verify", and "mailseal repair --from" another target; no snapshot that needs the bundle is shipped before',
	};
}

/** Ships a snapshot: what it names must lie at the target before. Gives the name of its blob. */
export async function shipSnapshot(
	name: SnapshotName,
	bytes: Uint8Array,
	options: ShipContext & { readonly replace: boolean },
): Promise<string> {
	const { archive, target, signal, replace } = options;
	const { content, sealedHash } = await toStore(target, bytesContent(bytes), signal);
	const blob = snapshotBlob(archive.id, name, sealedHash);
	await createProved(target, { name: blob, content, signal, replace });
	return blob;
}

/** Says whose snapshots these are, before the first of them. The head of an archive is no secret. */
export async function shipArchiveHead({ archive, target, signal }: ShipContext, options: { readonly replace: boolean }): Promise<void> {
	await createProved(target, { name: archiveHeadBlob(archive.id), content: bytesContent(archive.readHead()), signal, ...options });
}
