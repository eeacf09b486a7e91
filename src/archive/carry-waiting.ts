import { MailsealError, type MessageId } from '../domain/index.ts';
import { type Carried, type CarryRequest, carry } from './carry.ts';
import { openItemFetcher } from './fetch-items.ts';
import { locate } from './locate.ts';

/**
 * Carries a message that waits to be sealed, fetched from a target where only a bundle there has it, as when another tenant's was sealed
 * before. Where the target cannot be reached the message goes on waiting; one finding tells of all of them.
 */
export async function carryWaiting(message: MessageId, request: CarryRequest & { readonly signal: AbortSignal }): Promise<Carried | null> {
	const { archive, catalog, findings, signal } = request;
	const at = locate(catalog, message);
	if (!at.copies.some(({ bundle }) => archive.offsite.has(bundle))) return carry(message, request);
	try {
		await openItemFetcher(archive, { catalog, signal }).fetch([{ ...at, attachments: new Map() }]);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code === 'interrupted') throw error;
		if (!findings.some(({ code }) => code === CODE)) {
			findings.push({
				code: CODE,
				severity: 'warning',
				subject: message,
				text: `Quiet messages wait to be sealed, since they lie at a target only, which cannot be read: ${error.message}`,
				hint: error.hint ?? 'the next pack tries again',
			});
		}
		return null;
	}
	return carry(message, request);
}

const CODE = 'target-unreachable';
