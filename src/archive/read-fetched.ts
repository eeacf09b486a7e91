import type { Catalog } from '../catalog/index.ts';
import { openItemFetcher } from './fetch-items.ts';
import type { StoredAt } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { isDamage, readMessage } from './read-stored.ts';

/** All bytes of a message, proved against its id, fetched from a target where they are not here. */
export async function readFetched(
	archive: Archive,
	at: StoredAt,
	options: { readonly catalog: Catalog; readonly signal: AbortSignal },
): Promise<Iterable<Uint8Array>> {
	const fetcher = openItemFetcher(archive, options);
	await fetcher.fetch([at]);
	try {
		return readMessage(archive.dir, at);
	} catch (error) {
		if (!isDamage(error)) throw error;
		// Something that was kept is damaged, or one copy at the target is: all of it anew, and every copy.
		fetcher.forget([at]);
		await fetcher.fetch([at], { everyCopy: true });
		return readMessage(archive.dir, at);
	}
}
