import { existsSync } from 'node:fs';
import type { Catalog } from '../catalog/index.ts';
import { MailsealError, type MessageId } from '../domain/index.ts';
import { type Carried, type CarryRequest, carry } from './carry.ts';
import { type Fetched, type ItemFetcher, openItemFetcher } from './fetch-items.ts';
import { placePath } from './items.ts';
import { locate } from './locate.ts';

/**
 * Carries a message that waits to be sealed. Only where no bundle here has it, as when another tenant's was sealed before and dropped, it is
 * fetched from a target, with its attachments, since nothing else proves it. Where the target cannot be reached the message goes on
 * waiting; one finding tells of all of them.
 */
export async function carryWaiting(message: MessageId, request: CarryRequest & { readonly signal: AbortSignal }): Promise<Carried | null> {
	const { archive, catalog, findings } = request;
	const at = locate(catalog, message);
	const isHere = at.copies.some((copy) => existsSync(placePath(archive.dir, copy)));
	if (isHere || !at.copies.some(({ bundle }) => archive.offsite.has(bundle))) return carry(message, request);
	// Thousands may wait, and a target that is gone takes its time to say so.
	if (findings.some(({ code }) => code === CODE)) return null;
	let fetched: Fetched;
	try {
		fetched = await fetcherOf(request).fetch([at]);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code === 'interrupted') throw error;
		findings.push({
			code: CODE,
			severity: 'warning',
			subject: message,
			text: `Quiet messages wait to be sealed, since they lie at a target only, which cannot be read: ${error.message}`,
			hint: error.hint ?? 'the next pack tries again',
		});
		return null;
	}
	try {
		return carry(message, request);
	} finally {
		fetched.release();
	}
}

const CODE = 'target-unreachable';

/** One for each pack. */
const fetchers = new WeakMap<Catalog, ItemFetcher>();

function fetcherOf({ archive, catalog, signal }: CarryRequest & { readonly signal: AbortSignal }): ItemFetcher {
	const fetcher = fetchers.get(catalog) ?? openItemFetcher(archive, { catalog, signal });
	fetchers.set(catalog, fetcher);
	return fetcher;
}
