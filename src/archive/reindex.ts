import { type Finding, MailsealError } from '../domain/index.ts';
import { monotonic } from '../platform/index.ts';
import { rebuild } from './current-catalog.ts';
import type { Archive } from './open-archive.ts';
import type { Run } from './requests.ts';
import type { Outcome, ReindexResult } from './results.ts';
import { newestSnapshot } from './snapshots.ts';

/** Builds the catalog anew from the bundles that the newest snapshot names. */
export async function reindex(archive: Archive, run: Run): Promise<Outcome<ReindexResult>> {
	const started = monotonic();
	const lock = archive.lock();
	try {
		const newest = newestSnapshot(archive.dir);
		if (newest === null)
			throw new MailsealError('not-found', `Cannot reindex "${archive.dir}": it has no snapshot`, { hint: 'run "mailseal pack" first' });
		const { catalog, findings } = await rebuild(archive, newest, { lock, progress: run.progress, signal: run.signal, strict: false });
		try {
			const result = {
				snapshot: newest.name,
				bundles: catalog.bundles().length,
				messages: catalog.totals().messages,
				seconds: (monotonic() - started) / 1000,
			};
			return { result, findings: findings satisfies Finding[] };
		} finally {
			catalog.close();
		}
	} finally {
		lock.release();
	}
}
