import type { Identity, Recipients } from '../../encryption/index.ts';

/** What this host can do at an encrypted target: seal for recipients, open with identities, or neither. */
export interface TargetKeys {
	/** Null where nothing may be sealed. */
	readonly recipients: Recipients | null;
	/** Empty where nothing can be opened. */
	readonly identities: readonly Identity[];
}

/** Where a target is, as it is remembered between runs: never with a secret. */
export interface TargetAddress {
	/** A folder's absolute path, `sftp://...` or `s3://...`. */
	readonly url: string;
	/** Of an S3-compatible store. */
	readonly endpoint?: string;
}
