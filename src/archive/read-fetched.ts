import type { Catalog } from '../catalog/index.ts';
import { MailsealError } from '../domain/index.ts';
import { type Fetched, openItemFetcher } from './fetch-items.ts';
import type { StoredAt } from './locate.ts';
import type { Archive } from './open-archive.ts';
import { isDamage, LARGE, readMessage } from './read-stored.ts';

/** All bytes of a message, proved against its id, fetched from a target where they are not here. */
export async function readFetched(
	archive: Archive,
	at: StoredAt,
	options: { readonly catalog: Catalog; readonly signal: AbortSignal },
): Promise<Iterable<Uint8Array>> {
	const fetcher = openItemFetcher(archive, options);

	async function read(fetched: Fetched): Promise<Iterable<Uint8Array>> {
		// A large message is read later, piece by piece: for it the cache may grow beyond its limit.
		const isHeld = at.copies.some(({ size }) => size > LARGE);
		try {
			return readMessage(archive.dir, at);
		} catch (error) {
			const { problem } = fetched;
			if (!isDamage(error) || problem === null) throw error;
			// What the target said tells more than that the file is not here.
			throw new MailsealError('archive-damaged', `Cannot read message ${at.id}: ${problem.message}`, {
				...(problem.hint === undefined ? {} : { hint: problem.hint }),
				cause: error,
			});
		} finally {
			if (!isHeld) fetched.release();
		}
	}

	try {
		return await read(await fetcher.fetch([at]));
	} catch (error) {
		if (!isDamage(error) || !fetcher.isNeeded([at])) throw error;
		// Something that was kept is damaged, or one copy at the target is: all of it anew, and every copy.
		fetcher.forget([at]);
		return await read(await fetcher.fetch([at], { everyCopy: true }));
	}
}
