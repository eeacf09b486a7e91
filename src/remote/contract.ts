/** Bytes as a store is to keep them. */
export interface BlobContent {
	/** Bytes. */
	readonly size: number;
	/** SHA-256 of the bytes, 64 lower-case hex digits: known before the first is sent, so that the store can refuse others. */
	readonly sha256: string;
	/** The bytes from the first on. May be called again for another try; throws what reading throws. */
	open(): AsyncIterable<Uint8Array>;
}

/** One blob as a listing tells of it. */
export interface BlobFacts {
	/** Levels joined by `/`, relative to the top of the store. */
	readonly name: string;
	/** Bytes. */
	readonly size: number;
	/** When it was written, by the store's own clock, milliseconds since 1970; null where the store does not tell. */
	readonly modified: number | null;
	/** MD5 that the store computed of the bytes when it took them, 32 lower-case hex digits; null where the listing tells none. */
	readonly md5: string | null;
}

/** What a blob must be. */
export interface Expected {
	readonly size: number;
	/** Null where it is not known. */
	readonly sha256: string | null;
	/** Null where it is not known. At least one of the two hashes is. */
	readonly md5: string | null;
}

/** How a store proved a copy: by a checksum that it keeps, by a command on the far side, or by sending the bytes for us to hash. */
export type ProofMethod = 'checksum' | 'command' | 'read';

/** What a store says of one copy. */
export type Proof =
	| { readonly state: 'intact'; readonly how: ProofMethod }
	/** `text`: what is the case, without a full stop, e.g. `it has 10 bytes (12 are right)`. */
	| { readonly state: 'damaged'; readonly how: ProofMethod; readonly text: string }
	| { readonly state: 'missing' };

export interface CreateOptions {
	readonly signal: AbortSignal;
	/** Takes the place of what is there, for a copy that was found damaged. Otherwise what is there stays, whatever it is. */
	readonly replace?: boolean;
}

export interface Created {
	/** `present`: the name was taken, and nothing was written. It says nothing of the bytes that are there. */
	readonly outcome: 'created' | 'present';
	/** MD5 of the bytes as the store computed it, where it tells; else null. */
	readonly md5: string | null;
}

/** Part of a blob, bytes. */
export interface BlobRange {
	readonly offset: number;
	readonly length: number;
}

/**
 * A place for immutable blobs: a folder, an SFTP server, an object store. A name has levels of `A-Z a-z 0-9 . _ -`, joined by `/`.
 *
 * All calls may be under way side by side. Each throws MailsealError: `unreachable` (retryable) for a network or a server in trouble,
 * `permission` for refused credentials or rights, `not-found` for a bucket, root folder or blob that is not there, `no-space`,
 * `interrupted` where `signal` ended it. A refusal is never told as "not there": null and `missing` mean that the store was asked, and
 * that it has no such blob. No call tries again by itself; `withRetries()` does.
 */
export interface BlobStore {
	/** Names the store in texts, as the user would; holds no secret. */
	readonly place: string;
	/** Names of anything at the top, at most `limit` of them, to tell an empty place from one that is somebody else's. A root that does not exist yet has none. */
	top(limit: number, signal: AbortSignal): Promise<string[]>;
	/** Every whole blob below a folder such as `bundles/` (with its slash), in any order; temporary names are left out. An absent folder has none. */
	list(folder: string, signal: AbortSignal): AsyncIterable<BlobFacts>;
	/** Facts of one blob, or null where there is none. */
	stat(name: string, signal: AbortSignal): Promise<BlobFacts | null>;
	/** Exactly so many bytes. A blob that ends before is `archive-damaged`; a transfer that ends before is `unreachable`. */
	readRange(name: string, range: BlobRange, signal: AbortSignal): Promise<Uint8Array>;
	/** All bytes from `offset` on. */
	read(name: string, options: { readonly offset?: number; readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
	/**
	 * Writes a blob. It shows under its name when it is whole and durable, and not before; content that does not have its size and SHA-256
	 * is `archive-damaged`, and leaves nothing.
	 */
	create(name: string, content: BlobContent, options: CreateOptions): Promise<Created>;
	/** Compares a copy with what it must be, the cheapest way that proves its bytes. */
	prove(name: string, expected: Expected, signal: AbortSignal): Promise<Proof>;
	/** Removes a blob; one that is not there is fine. */
	remove(name: string, signal: AbortSignal): Promise<void>;
	/** What cut-off writes left behind under temporary names. Empty where the store has none. */
	leftovers(signal: AbortSignal): AsyncIterable<BlobFacts>;
	/** Ends connections; may be called twice. */
	close(): Promise<void>;
}
