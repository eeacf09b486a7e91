import { MailsealError } from '../domain/index.ts';
import { exitOf } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal that the first SIGINT, SIGTERM or SIGHUP aborts; the second one ends the process at once. */
export function abortOnSignals(): AbortSignal {
	const controller = new AbortController();
	for (const name of SIGNALS) {
		process.on(name, () => {
			if (controller.signal.aborted) process.exit(exitOf('interrupted'));
			controller.abort(
				new MailsealError('interrupted', `Cannot finish: ${name} was received`, {
					hint: 'run the command again; nothing that was committed is lost',
				}),
			);
		});
	}
	return controller.signal;
}

/** What ended a call: whatever an interrupted one throws on its way out, the signal is the reason. */
export function reasonOf(error: unknown, signal: AbortSignal): unknown {
	return signal.aborted && error instanceof Error && error.name === 'AbortError' ? signal.reason : error;
}
