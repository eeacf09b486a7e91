import { MailsealError } from '../domain/index.ts';

/** Ends a call that was told to stop, between two steps. */
export function throwIfAborted(signal: AbortSignal): void {
	if (signal.aborted)
		throw new MailsealError('interrupted', 'Interrupted: the archive is as it was before', { hint: 'run the command again to go on' });
}
