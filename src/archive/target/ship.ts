import type { BundleRef, Finding, Progress, SnapshotName } from '../../domain/index.ts';
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
	/** Bytes that went to the target. */
	readonly bytes: number;
	readonly copy: KnownCopy;
}

export interface ShipContext {
	readonly archive: Archive;
	readonly target: Target;
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

/** Ships one bundle; a finding where this archive has it not, or not whole. `replace`: a copy under its name is damaged. */
export async function shipBundle(ref: BundleRef, options: ShipContext & { readonly replace: boolean }): Promise<Shipped | Finding> {
	const { archive, target, progress, signal, replace } = options;
	const path = bundlePath(archive.dir, ref.kind, ref.id);
	const found = sizeOf(path);
	const isElsewhere = found === null && archive.offsite.has(ref.id);
	if (found !== ref.size && !isElsewhere)
		return notShipped(ref, found === null ? 'it is missing here' : `it has ${found} bytes here (${ref.size} are right)`);
	try {
		const plain = isElsewhere ? offsiteContent(ref, { archive, signal }) : fileContent({ path, size: ref.size, sha256: ref.id });
		const { content, sealedHash } = await toStore(target, plain, signal);
		const name = bundleBlob(ref, sealedHash);
		const { md5 } = await target.store.create(name, watched(content, progress), { signal, replace });
		return { bytes: content.size, copy: { ...(sealedHash === null ? {} : { sealedHash }), ...(md5 === null ? {} : { md5 }) } };
	} catch (error) {
		// The bytes that were read do not have the hash that is the bundle's name: the damage is on this side.
		if (isDamage(error)) return notShipped(ref, error.message);
		throw error;
	}
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

/** Ships a snapshot: what it names must lie at the target before. Gives the bytes that went there. */
export async function shipSnapshot(
	name: SnapshotName,
	bytes: Uint8Array,
	options: ShipContext & { readonly replace: boolean },
): Promise<number> {
	const { archive, target, signal, replace } = options;
	const { content, sealedHash } = await toStore(target, bytesContent(bytes), signal);
	await target.store.create(snapshotBlob(archive.id, name, sealedHash), content, { signal, replace });
	return content.size;
}

/** Says whose snapshots these are, before the first of them. The head of an archive is no secret. */
export async function shipArchiveHead({ archive, target, signal }: ShipContext): Promise<void> {
	await target.store.create(archiveHeadBlob(archive.id), bytesContent(archive.readHead()), { signal });
}
