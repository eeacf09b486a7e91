import type { Flag } from './flags.ts';
import type { AccountName, AttachmentId, FolderName, MessageId } from './ids.ts';

/** How the bytes of an item lie in a bundle: as they are, or as one gzip member (RFC 1952). */
export type Codec = 'none' | 'gzip';

/** User and group number of a file's owner. */
export type Owner = readonly [uid: number, gid: number];

/** Header facts that people search by (RFC 5322), decoded to UTF-8 (RFC 2047). A missing header is left out. */
export interface HeaderFacts {
	/** The Message-ID with its angle brackets. */
	readonly messageId?: string;
	/** The Date header as ISO 8601 UTC, left out where it cannot be read. */
	readonly date?: string;
	readonly from?: string;
	readonly to?: string;
	readonly cc?: string;
	readonly subject?: string;
}

/** A MIME part (RFC 2045) of a message that is stored apart from it, or that a mail reader shows as a file. */
export interface PartFacts {
	/** Left out where the part lies in the message itself. */
	readonly id?: AttachmentId;
	/** File name, decoded to UTF-8 (RFC 2183, RFC 2231, RFC 2047), at most 255 characters, without control characters. */
	readonly name?: string;
	/** Media type in lower case, e.g. `application/pdf`. */
	readonly type: string;
	/** Bytes: of the attachment, or of the part once its base64 is decoded. */
	readonly size: number;
	readonly disposition?: 'attachment' | 'inline';
}

/** A message whose bytes lie in this bundle, whole or as a recipe. */
export interface MessageLine {
	readonly type: 'message';
	readonly id: MessageId;
	/** Bytes of the message itself, before any compression. */
	readonly size: number;
	readonly codec: Codec;
	/** Bytes of the recipe with its literal bytes, before compression; left out where the message is stored whole. */
	readonly recipe?: number;
	/** In the order in which they stand in the message; those with an id are what the recipe needs. */
	readonly attachments: readonly PartFacts[];
	readonly headers: HeaderFacts;
}

/** An attachment whose bytes lie in this bundle. */
export interface AttachmentLine {
	readonly type: 'attachment';
	readonly id: AttachmentId;
	/** Bytes before any compression. */
	readonly size: number;
	readonly codec: Codec;
}

/** True for a part that people call an attachment: it has a file name, or is to be shown apart from the text (RFC 2183). */
export function isFile(part: PartFacts): boolean {
	return part.name !== undefined || part.disposition === 'attachment';
}

/** The state of one placement, valid until a later bundle speaks of the same account, folder and key. */
export interface PlacedWord {
	readonly type: 'placed';
	readonly account: AccountName;
	readonly folder: FolderName;
	/** The store's own stable name (Maildir: the base name). A byte that is not UTF-8 stands as `/` and two hex digits. */
	readonly key: string;
	readonly message: MessageId;
	/** Sorted as FLAGS is. */
	readonly flags: readonly Flag[];
	/** Sorted by code point. */
	readonly keywords: readonly string[];
	/** Internal date (RFC 9051, 2.3.3; Maildir: the file's mtime), ISO 8601 UTC with milliseconds. */
	readonly date: string;
	readonly uid?: number;
	/** Maildir: the directory that holds the file. Left out for other stores. */
	readonly dir?: 'cur' | 'new';
	/** Maildir: what follows the key in the file name, e.g. `:2,FS`. Left out where empty. */
	readonly info?: string;
	/** Dovecot: the other fields of the message's line in `dovecot-uidlist`, e.g. `S5927 W6130`. Left out where empty. */
	readonly uidlist?: string;
	/** When a pack first saw this state, if it differs from the first state that any pack saw. Never in a sealed bundle. */
	readonly since?: string;
	/** Permission bits of the file, left out where they are 0600. */
	readonly mode?: number;
	/** Left out where it is the folder's owner. */
	readonly owner?: Owner;
}

export interface RemovedWord {
	readonly type: 'removed';
	readonly account: AccountName;
	readonly folder: FolderName;
	readonly key: string;
}

/** What a folder is beside its messages. */
export interface FolderWord {
	readonly type: 'folder';
	readonly account: AccountName;
	readonly folder: FolderName;
	/** The folder's directory relative to the account's, as the store spells it; empty for the top. A byte that is not UTF-8 stands as `//` and two hex digits. */
	readonly dir: string;
	/** UIDVALIDITY and UIDNEXT (RFC 9051, 2.3.1.1), left out where the store gives none. */
	readonly uidValidity?: number;
	readonly uidNext?: number;
	/** Dovecot: the other fields of the first line of `dovecot-uidlist`, e.g. `Gf00d...`. Left out where empty. */
	readonly uidlist?: string;
	/** Permission bits of the directory, left out where they are 0700. */
	readonly mode?: number;
	readonly owner?: Owner;
}

export interface FolderRemovedWord {
	readonly type: 'folder-removed';
	readonly account: AccountName;
	readonly folder: FolderName;
}

export interface AccountWord {
	readonly type: 'account';
	readonly account: AccountName;
	/** The source that a pack found it in, e.g. `maildir:/var/vmail/{domain}/{user}/Maildir`. */
	readonly source: string;
	readonly layout: 'maildir++' | 'fs';
}

export interface AccountRemovedWord {
	readonly type: 'account-removed';
	readonly account: AccountName;
}

/** A small file beside the mail that a restored store needs: subscriptions, keyword names, sieve scripts. */
export interface ControlWord {
	readonly type: 'control';
	readonly account: AccountName;
	/** Left out where the file belongs to the account as a whole. */
	readonly folder?: FolderName;
	/** Relative to the folder's (or the account's) directory, e.g. `dovecot-keywords`, `sieve/main.sieve`. */
	readonly path: string;
	/** Base64 (RFC 4648); left out for a symbolic link. */
	readonly content?: string;
	/** Text of a symbolic link; left out for a file. */
	readonly link?: string;
	/** mtime, ISO 8601 UTC with milliseconds. */
	readonly date: string;
	/** Permission bits, left out where they are 0600. */
	readonly mode?: number;
	readonly owner?: Owner;
}

export interface ControlRemovedWord {
	readonly type: 'control-removed';
	readonly account: AccountName;
	readonly folder?: FolderName;
	readonly path: string;
}

/** A line that says how things stand; the newest bundle that speaks of a thing is believed. */
export type Word =
	| PlacedWord
	| RemovedWord
	| FolderWord
	| FolderRemovedWord
	| AccountWord
	| AccountRemovedWord
	| ControlWord
	| ControlRemovedWord;

export type ManifestLine = MessageLine | AttachmentLine | Word;
