import { MailsealError } from '../domain/index.ts';
import { type MessageWriter, openMessageWriter, type WriteJob } from '../sources/index.ts';
import type { StoredAt } from './locate.ts';
import { readMessage } from './read-stored.ts';

/** One message to be written, with the bundles that have it. */
export interface RestoreJob {
	readonly dir: string;
	readonly at: StoredAt;
	readonly write: WriteJob;
}

export type RestoreOutcome =
	| { readonly outcome: 'written' | 'present'; readonly bytes: number }
	/** The message cannot be read, or its file cannot be written. */
	| { readonly outcome: 'failed'; readonly code: string; readonly text: string; readonly hint?: string };

/** Reads, proves and writes messages one after another. */
export function restoreMessages(jobs: readonly RestoreJob[], given?: MessageWriter): RestoreOutcome[] {
	const writer = given ?? openMessageWriter();
	try {
		return jobs.map((job) => restoreOne(job, writer));
	} finally {
		if (given === undefined) writer.close();
	}
}

function restoreOne({ dir, at, write }: RestoreJob, writer: MessageWriter): RestoreOutcome {
	try {
		const outcome = writer.write(write, readMessage(dir, at));
		return { outcome, bytes: outcome === 'written' ? (at.copies[0]?.size ?? 0) : 0 };
	} catch (error) {
		// A full or read-only disk ends the whole restore; anything else is this message's own trouble.
		if (!(error instanceof MailsealError) || error.code === 'no-space' || error.code === 'read-only') throw error;
		return { outcome: 'failed', code: error.code, text: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
	}
}
