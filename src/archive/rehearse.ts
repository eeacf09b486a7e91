import type { Catalog } from '../catalog/index.ts';
import type { AttachmentId } from '../domain/index.ts';
import { monotonic } from '../platform/index.ts';
import type { Incoming } from './arrive.ts';
import { divide, type QuietMail } from './divide.ts';
import { attachmentIds } from './locate.ts';
import type { PackRequest } from './requests.ts';
import type { PackResult } from './results.ts';
import type { Scan } from './scan.ts';
import type { Tally } from './tonight.ts';

/** What a pack would do, from what the scan saw; sizes of new mail are those of the store, before compression. */
export function rehearse(options: {
	readonly catalog: Catalog;
	readonly request: PackRequest;
	readonly scan: Scan;
	readonly tally: Tally;
	readonly confirmed: number;
	readonly started: number;
}): PackResult {
	const { catalog, request, scan: seen, tally, confirmed, started } = options;
	const { quiet, volatile } = divide(seen, { ...request, catalog });
	let added = 0;
	function size(list: Iterable<Incoming>): number {
		let bytes = 0;
		for (const { placement } of list) {
			bytes += placement.size;
			if (placement.known === null) added++;
		}
		return bytes;
	}
	const apart = new Map<AttachmentId, number>();
	const messages = quiet.map((tenant) => size(tenant.incoming) + waitingBytes(tenant, { catalog, apart }));
	const attachments = [...apart.values()].reduce((total, bytes) => total + bytes, 0);
	const sealed = [...messages, attachments].filter((bytes) => bytes > 0);
	const newVolatile = size(volatile);
	const bundles = catalog.bundles().filter((ref) => ref.kind === 'volatile');
	const { attachments: total, sharedBytes } = catalog.attachmentTotals();
	return {
		snapshot: null,
		parent: catalog.state()?.name ?? null,
		accounts: seen.counts.accounts,
		messages: { total: catalog.totals().messages + added - tally.removed, added, changed: tally.changed, removed: tally.removed },
		sealed: {
			confirmed,
			new: sealed.reduce((total, bytes) => total + Math.ceil(bytes / request.bundles.target), 0),
			newBytes: sealed.reduce((total, bytes) => total + bytes, 0),
			rewrittenBytes: 0,
		},
		volatile: { bundles: bundles.length, bytes: bundles.reduce((total, ref) => total + ref.size, 0), newBytes: newVolatile },
		attachments: { total, new: 0, sharedBytes },
		scan: { folders: seen.counts.folders, foldersRead: seen.counts.foldersRead, filesRead: 0, bytesRead: 0 },
		seconds: (monotonic() - started) / 1000,
	};
}

/** Stored bytes of the waiting messages that the tenant has in no sealed bundle yet; their attachments that none has go into `apart`. */
function waitingBytes({ tenant, waiting }: QuietMail, { catalog, apart }: { catalog: Catalog; apart: Map<AttachmentId, number> }): number {
	let bytes = 0;
	for (const id of new Set(waiting.map((word) => word.message))) {
		if (catalog.pack.isSealedFor(id, tenant)) continue;
		const [copy] = catalog.pack.copies(id);
		bytes += copy?.length ?? 0;
		for (const needed of attachmentIds(copy?.attachments ?? [])) {
			if (!catalog.pack.isAttachmentSealed(needed)) apart.set(needed, catalog.pack.attachmentCopies(needed)[0]?.length ?? 0);
		}
	}
	return bytes;
}
