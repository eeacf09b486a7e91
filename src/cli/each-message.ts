import { type Finding, MailsealError } from '../domain/index.ts';
import type { Call } from './call.ts';
import { type ExitCode, exitOf } from './exit-codes.ts';

/** What does not keep the other messages from being written. */
const SKIPPED: ReadonlySet<string> = new Set(['usage', 'not-found', 'archive-damaged']);

/** What could be had of several messages, and what is to be told of the others. */
export interface Gathered<Item> {
	readonly items: readonly Item[];
	readonly findings: readonly Finding[];
	/** The gravest of the failures; left out where there was none. */
	readonly exit?: ExitCode;
}

/** Works through the messages that a call names. With several, one that is missing or damaged is a finding; alone, its error is thrown. */
export async function eachMessage<Item>(call: Call, work: (reference: string) => Promise<readonly Item[]>): Promise<Gathered<Item>> {
	const references = call.arguments;
	const items: Item[] = [];
	const findings: Finding[] = [];
	let exit: ExitCode | undefined;
	call.progress.step('extract', references.length);
	for (const reference of references) {
		call.io.signal.throwIfAborted();
		try {
			for (const item of await work(reference)) items.push(item);
		} catch (error) {
			if (!(error instanceof MailsealError) || !SKIPPED.has(error.code) || references.length === 1) throw error;
			findings.push(findingOf(error, reference));
			exit = Math.max(exit ?? 0, exitOf(error.code)) as ExitCode;
		}
		call.progress.advance(1);
	}
	return { items, findings, ...(exit === undefined ? {} : { exit }) };
}

function findingOf(error: MailsealError, reference: string): Finding {
	const finding = { code: error.code, severity: 'error', subject: reference, text: error.message } as const;
	return error.hint === undefined ? finding : { ...finding, hint: error.hint };
}
