// Stores over a network load their packages when they are opened: exporting them here costs a start nothing.
export { isBlobName, requireBlobFolder, requireBlobName } from './blob-name.ts';
export { checkedContent } from './checked-content.ts';
export type {
	BlobContent,
	BlobFacts,
	BlobRange,
	BlobStore,
	Created,
	CreateOptions,
	Expected,
	Proof,
	ProofMethod,
} from './contract.ts';
export { counted, type StoreCounts } from './counted.ts';
export { fileContent } from './file-pieces.ts';
export { type FolderStoreOptions, openFolderStore } from './folder-store.ts';
export { sleep } from './interrupt.ts';
export { openS3Store, type S3StoreOptions } from './s3-store.ts';
export { openSftpStore, type SftpStoreOptions } from './sftp-store.ts';
export { type FolderSpec, formatTargetSpec, parseTargetSpec, type S3Spec, type SftpSpec, type TargetSpec } from './target-spec.ts';
export { type LimitOptions, withLimits } from './with-limits.ts';
export { backoff, type Retry, type RetryOptions, withRetries } from './with-retries.ts';
