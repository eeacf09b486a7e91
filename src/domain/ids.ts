import { MailsealError } from './errors.ts';

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** SHA-256 of the exact bytes of one message, 64 lower-case hex digits. */
export type MessageId = Id<'MessageId'>;
/** SHA-256 of the decoded bytes of one attachment, 64 lower-case hex digits. */
export type AttachmentId = Id<'AttachmentId'>;
/** SHA-256 of a whole bundle file, 64 lower-case hex digits. */
export type BundleId = Id<'BundleId'>;
/** Owner of one mailbox tree, e.g. `alice@example.org`; never empty, `.` or `..`, never with `/` or NUL. */
export type AccountName = Id<'AccountName'>;
/** Folder inside an account: UTF-8 levels joined by `/`; no level is empty, `.` or `..` or holds NUL. */
export type FolderName = Id<'FolderName'>;
/** File name of a snapshot without `.json`: `20261123T021500Z-<8 hex>`. */
export type SnapshotName = Id<'SnapshotName'>;
/** Mail domain of an account in lower case, or the empty string for an account without one. */
export type Tenant = Id<'Tenant'>;

const HASH = /^[0-9a-f]{64}$/;
const SNAPSHOT = /^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$/;

function parseHash(text: string, what: string): string {
	if (!HASH.test(text)) {
		throw new MailsealError('usage', `Cannot read ${what} "${text}": it is not 64 lower-case hex digits`);
	}
	return text;
}

export function parseMessageId(text: string): MessageId {
	return parseHash(text, 'message id') as MessageId;
}

export function parseAttachmentId(text: string): AttachmentId {
	return parseHash(text, 'attachment id') as AttachmentId;
}

export function parseBundleId(text: string): BundleId {
	return parseHash(text, 'bundle id') as BundleId;
}

export function parseSnapshotName(text: string): SnapshotName {
	if (!SNAPSHOT.test(text)) {
		throw new MailsealError('usage', `Cannot read snapshot name "${text}": it is not of the form 20261123T021500Z-0a1b2c3d`);
	}
	return text as SnapshotName;
}

/** True where `level` can name one level of a path: not empty, `.` or `..`, without `/` and NUL. */
export function isPathLevel(level: string): boolean {
	return level !== '' && level !== '.' && level !== '..' && !level.includes('/') && !level.includes('\0');
}

export function parseAccountName(text: string): AccountName {
	if (!isPathLevel(text)) {
		throw new MailsealError(
			'usage',
			`Cannot use account name ${JSON.stringify(text)}: it must not be empty, ".", "..", or hold "/" or NUL`,
		);
	}
	return text as AccountName;
}

export function parseFolderName(text: string): FolderName {
	if (!text.split('/').every(isPathLevel)) {
		throw new MailsealError('usage', `Cannot use folder name ${JSON.stringify(text)}: a level must not be empty, ".", ".." or hold NUL`);
	}
	return text as FolderName;
}

/** The mail domain behind the last `@`, in lower case. Messages of two tenants never share a sealed bundle. */
export function tenantOf(account: AccountName): Tenant {
	const at = account.lastIndexOf('@');
	return (at < 0 ? '' : account.slice(at + 1).toLowerCase()) as Tenant;
}
