import { MailsealError } from '../domain/index.ts';

/**
 * What is wrong with an encrypted file: it is none, its header is broken, its bytes are not those that were encrypted, or it has a
 * size that no encrypted file has.
 */
type SealDamage = 'not-sealed' | 'seal-header' | 'seal-broken' | 'seal-size';

/** An `archive-damaged` error whose `details.damage` is one of these codes. */
export function damaged(damage: SealDamage, text: string, cause?: unknown): MailsealError {
	return new MailsealError('archive-damaged', text, {
		hint: 'take the file from another copy of the archive',
		details: { damage },
		...(cause === undefined ? {} : { cause }),
	});
}
