import { MailsealError } from '../domain/index.ts';
import { type MessageWriter, openMessageWriter, type WriteJob } from '../sources/index.ts';
import type { StoredAt } from './locate.ts';
import { type NearbyItems, openNearbyItems } from './nearby-items.ts';
import { readMessageFrom } from './read-stored.ts';

/** One message to be written, with the bundles that have it. */
export interface RestoreJob {
	readonly at: StoredAt;
	readonly write: WriteJob;
}

/** Messages that lie near each other and go into one folder, or a few. */
export interface RestoreBatch {
	/** The archive. */
	readonly dir: string;
	readonly jobs: readonly RestoreJob[];
}

export type RestoreOutcome =
	| { readonly outcome: 'written' | 'present'; readonly bytes: number }
	/** The message cannot be read, or its file cannot be written. */
	| { readonly outcome: 'failed'; readonly code: string; readonly text: string; readonly hint?: string };

/** Reads, proves and writes messages one after another. */
export function restoreMessages({ dir, jobs }: RestoreBatch, given?: MessageWriter): RestoreOutcome[] {
	const writer = given ?? openMessageWriter();
	using items = openNearbyItems(
		dir,
		jobs.flatMap(({ at }) => at.copies[0] ?? []),
	);
	try {
		return jobs.map((job) => restoreOne(job, { writer, items }));
	} finally {
		if (given === undefined) writer.close();
	}
}

function restoreOne(
	{ at, write }: RestoreJob,
	{ writer, items }: { readonly writer: MessageWriter; readonly items: NearbyItems },
): RestoreOutcome {
	try {
		const outcome = writer.write(write, readMessageFrom(items.open, at));
		return { outcome, bytes: outcome === 'written' ? (at.copies[0]?.size ?? 0) : 0 };
	} catch (error) {
		// A full or read-only disk ends the whole restore; anything else is this message's own trouble.
		if (!(error instanceof MailsealError) || error.code === 'no-space' || error.code === 'read-only') throw error;
		return { outcome: 'failed', code: error.code, text: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
	}
}
