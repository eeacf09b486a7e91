import type { AccountName, AccountWord, ControlWord, Finding, FolderName, FolderWord, PlacedWord } from '../domain/index.ts';

/** One mailbox tree in a source. */
export interface SourceAccount {
	readonly account: AccountName;
	/** Where it lies, in the source's own terms (Maildir: the absolute path of its top directory, free of symbolic links). */
	readonly root: string;
}

export interface AccountList {
	/** Sorted by account name. */
	readonly accounts: readonly SourceAccount[];
	readonly findings: readonly Finding[];
	/** False where something could not be looked at, so that a missing account may still be there. */
	readonly complete: boolean;
}

/** A folder as a first, cheap look sees it: no message was looked at. */
export interface FolderLook {
	readonly folder: FolderName;
	/** The folder's directory relative to the account's root; empty for the top. A byte that is not UTF-8 stands as `//` and two hex digits. */
	readonly dir: string;
	/** Equal to the signature that listFolder gave last time only if nothing changed since. */
	readonly signature: string;
}

/** Signatures that were kept of an account's folders. */
export type KnownSignatures = ReadonlyMap<FolderName, { readonly signature: string | null }>;

/** What spares a part of a look. */
export interface LookRequest {
	/** What listings gave as signatures of this account's folders. */
	readonly known?: KnownSignatures;
	/**
	 * A look at the account a moment ago: no more is asked than where messages came or went since. A folder of which only files beside the mail
	 * changed keeps its signature, and so do the account's own control files.
	 */
	readonly before?: AccountLook;
}

export interface AccountLook {
	readonly layout: AccountWord['layout'];
	/** Sorted by folder name. */
	readonly folders: readonly FolderLook[];
	/** Changes whenever a control file of the account as a whole changes. */
	readonly controlSignature: string;
	readonly findings: readonly Finding[];
	/** False where something could not be looked at, so that a missing folder may still be there. */
	readonly complete: boolean;
}

/** A placement as a listing sees it; message, date, mode and owner are known only once it is read. */
export type ListedPlacement = Pick<PlacedWord, 'key' | 'flags' | 'keywords' | 'uid' | 'dir' | 'info' | 'uidlist'> & {
	/** Path of the file, in the source's own terms, as openMessage takes it. */
	readonly path: string;
	/** True where another file has the same base name, so that a known key may stand for other bytes than before. */
	readonly ambiguous?: boolean;
};

export type FolderFacts = Pick<FolderWord, 'dir' | 'uidValidity' | 'uidNext' | 'uidlist' | 'mode' | 'owner'>;

export type ControlFile = Pick<ControlWord, 'path' | 'content' | 'link' | 'date' | 'mode' | 'owner'>;

export interface FolderListing {
	readonly facts: FolderFacts;
	/** By key. Holds every message that was in the folder all the time while it was listed. */
	readonly placements: ReadonlyMap<string, ListedPlacement>;
	/** Sorted by path. */
	readonly controls: readonly ControlFile[];
	readonly findings: readonly Finding[];
	/** To compare with the next look's; null where the next pack must list again (too recent for the clock to tell, or something was skipped). */
	readonly signature: string | null;
	/** False where the listing may lack messages that are there (unreadable): nothing may count as removed. */
	readonly complete: boolean;
	/** False where a table of uids or keywords is there but could not be read: uids and keywords of known messages stay as they were, and so do the folder's own uid facts. */
	readonly tablesComplete: boolean;
	/** False where a control file is there but could not be read: none may count as removed. */
	readonly controlsComplete: boolean;
}

export interface AccountControls {
	/** Sorted by path. */
	readonly controls: readonly ControlFile[];
	readonly findings: readonly Finding[];
	/** False where a control file is there but could not be read: none may count as removed. */
	readonly complete: boolean;
}

/** A kind of mail store. All methods only read. */
export interface MailSource {
	/** In full, with its type: `maildir:/var/vmail/{domain}/{user}/Maildir`. */
	readonly spec: string;
	/** Throws MailsealError `source-gone` where the source itself is missing or empty. */
	accounts(signal: AbortSignal): Promise<AccountList>;
	look(account: SourceAccount, request?: LookRequest): Promise<AccountLook>;
	/** Control files of the account as a whole. */
	controls(account: SourceAccount): Promise<AccountControls>;
	/** Throws MailsealError `permission` or `io` where the folder cannot be listed; `not-found` where it is gone. */
	listFolder(account: SourceAccount, folder: FolderLook): Promise<FolderListing>;
	/** The placement under its present path, or null where the message is gone from the folder (several looks agree). */
	find(account: SourceAccount, folder: FolderLook, key: string): Promise<ListedPlacement | null>;
	/** Internal date (milliseconds since 1970) and stored bytes of a listed message, without reading it; null where it is gone or may not be looked at. */
	measure(path: string): { readonly date: number; readonly size: number } | null;
	/** Opens a message that is too large for memory; null where it is gone. The caller closes it. */
	openLarge(path: string): LargeMessage | null;
}

/** A message read in pieces; the same bytes each time, whatever happens to its name meanwhile. */
export interface LargeMessage {
	readonly size: number;
	readonly date: number;
	readonly mode: number;
	readonly owner: readonly [uid: number, gid: number];
	/** All bytes from the start, 1 MiB at a time. */
	chunks(): Iterable<Uint8Array>;
	close(): void;
}

/** What reading one message file gives. `bytes` is null for a message above the limit: its file is then read in pieces. */
export interface ReadMessage {
	readonly bytes: Uint8Array | null;
	/** Bytes of the message, after the store's own compression was undone. */
	readonly size: number;
	/** Internal date, milliseconds since 1970. */
	readonly date: number;
	readonly mode: number;
	readonly owner: readonly [uid: number, gid: number];
	/** Store compression that could not be undone: the bytes are kept as they lie. */
	readonly oddity?: 'unknown-compression' | 'broken-compression' | 'encrypted';
}

/** Why a message could not be read. `vanished`: look it up again by its key. */
export type Unreadable = 'vanished' | 'permission' | 'symbolic-link' | 'not-a-file' | 'io';

/**
 * Reads one message file, synchronously, for worker threads. Never follows a symbolic link, never blocks on a FIFO. Messages above `limit`
 * bytes are not read. `allocate` gives the room for a file of so many bytes, by default new room.
 */
export type OpenMessage = (
	path: string,
	options: { readonly limit: number; readonly allocate?: (bytes: number) => Buffer },
) => ReadMessage | { readonly unreadable: Unreadable; readonly text: string };
