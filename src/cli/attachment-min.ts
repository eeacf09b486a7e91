import { MailsealError, parseSize } from '../domain/index.ts';

const LARGEST = 1024 ** 3;

/** What an attachment minimum should be, for messages. */
export const ATTACHMENT_MIN_RANGE = 'from 1 byte to 1GiB';

/** True for bytes that an attachment minimum may be. */
export function isAttachmentMin(bytes: number): boolean {
	return bytes >= 1 && bytes <= LARGEST;
}

/** An attachment minimum such as `8KiB`, in bytes. Throws `usage` for what is no size or out of range. */
export function parseAttachmentMin(text: string): number {
	const bytes = parseSize(text);
	if (isAttachmentMin(bytes)) return bytes;
	throw new MailsealError('usage', `Cannot read attachment minimum "${text}": it is not ${ATTACHMENT_MIN_RANGE}`);
}
