import type { Catalog, SealedLiveness } from '../catalog/index.ts';
import type { BundleId, Finding, MailsealError, Progress } from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import { carriedAttachmentBytes, carriedBytes } from './carry.ts';
import type { CompactPlan } from './compact-plan.ts';
import { locate } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { openManifest } from './open-manifest.ts';
import { isDamage } from './read-stored.ts';

interface Reading {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

/** Which leaving bundles have something alive, or say something, that cannot be read. Nothing is written yet, so that each can still stay. */
export async function unreadableBundles(plan: CompactPlan, reading: Reading): Promise<ReadonlyMap<BundleId, Finding>> {
	const found = new Map<BundleId, Finding>();
	for (const one of [...plan.messages, ...plan.attachments]) {
		const error = await damageOf(one, reading);
		if (error === null) continue;
		found.set(one.bundle, {
			code: 'bundle-damaged',
			severity: 'error',
			subject: one.bundle,
			text: `The sealed bundle ${one.bundle} was not superseded, since not all that is alive in it can be read: ${error.message}`,
			hint: 'put the bundle back with "mailseal repair --from TARGET", or from a copy of the archive',
		});
	}
	return found;
}

async function damageOf({ bundle, size }: SealedLiveness, { archive, catalog, progress, signal }: Reading): Promise<MailsealError | null> {
	try {
		await openManifest(archive, { id: bundle, kind: 'sealed', size }, signal);
		for (const { id, copy } of catalog.compact.messagesOf(bundle)) {
			throwIfAborted(signal);
			carriedBytes(archive, locate(catalog, id), copy);
			progress.advance(copy.length);
		}
		for (const { line, copy } of catalog.compact.attachmentsOf(bundle)) {
			throwIfAborted(signal);
			carriedAttachmentBytes(archive, line.id, copy);
			progress.advance(copy.length);
		}
		return null;
	} catch (error) {
		if (isDamage(error)) return error;
		throw error;
	}
}
