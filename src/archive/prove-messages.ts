import { MailsealError } from '../domain/index.ts';
import type { StoredAt } from './locate.ts';
import { readMessage } from './read-stored.ts';

/** Rebuilds messages and compares each with its id; gives why one cannot be read, or null. */
export function proveMessages(dir: string, messages: readonly StoredAt[]): (string | null)[] {
	return messages.map((at) => {
		try {
			readMessage(dir, at);
			return null;
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
			return error.message;
		}
	});
}
