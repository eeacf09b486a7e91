import { MailsealError, type ManifestLine } from '../domain/index.ts';
import { damaged } from './damage.ts';
import { choice, type Fault, fieldsOf, refuseUnknown, wholeNumber } from './fields.ts';

const FORMAT = 1;
const KINDS = ['messages', 'attachments', 'volatile'] as const;

/** What a bundle holds: sealed messages, sealed attachments, or what one pack found that is not sealed. */
export type ContentKind = (typeof KINDS)[number];

/**
 * True where the manifest of such a bundle may have this line. Headers and text are small and read often, attachments are the bulk
 * and shared by all tenants: no sealed bundle has both, and one of attachments says nothing of anybody's mail.
 */
export function allowsLine(kind: ContentKind, line: ManifestLine): boolean {
	if (kind === 'messages') return line.type !== 'attachment';
	return kind === 'volatile' || line.type === 'attachment';
}

/** Bytes that no marker reaches. */
export const MARKER_LIMIT = 1024;

/** The bytes of `mailseal.json`. */
export function encodeMarker(kind: ContentKind): Uint8Array {
	return Buffer.from(`${JSON.stringify({ format: FORMAT, kind })}\n`);
}

/** The kind of a bundle. A later format is `format-newer`, anything else that is not a marker is `archive-damaged`. */
export function decodeMarker(bytes: Uint8Array): ContentKind {
	const fault: Fault = (field, problem, cause) =>
		damaged('bad-marker', `Cannot open bundle: ${field === '' ? 'mailseal.json' : `field "${field}" of mailseal.json`} ${problem}`, {
			cause,
			details: { field },
		});
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(bytes).toString('utf8'));
	} catch (error) {
		if (!(error instanceof SyntaxError)) throw error;
		throw fault('', 'is not JSON', error);
	}
	const fields = fieldsOf(value, { name: '', fault });
	const format = wholeNumber(fields, 'format');
	if (format > FORMAT) {
		throw new MailsealError('format-newer', `Cannot open bundle: its format is ${format} (${FORMAT} is the newest known)`, {
			hint: 'use the mailseal that wrote it, or a newer one',
		});
	}
	if (format !== FORMAT) throw fault('format', `is ${format} (must be ${FORMAT})`);
	return refuseUnknown(fields, { format, kind: choice(fields, 'kind', KINDS) }).kind;
}
