export { compact } from './compact.ts';
export { diff } from './diff/diff.ts';
export type {
	AccountChangeRow,
	ChangeCounts,
	ChangeRow,
	DiffRequest,
	DiffResult,
	DiffSide,
	FolderChangeRow,
	Marks,
	PlacementRow,
} from './diff/results.ts';
export { type Extractor, extract, extractParts, type MomentRequest, openExtractor } from './extract.ts';
export { HEAD_FILE } from './layout.ts';
export { listAccounts, listAttachments, listBundles, listFolders, listMessages, listSnapshots, search } from './list.ts';
export { type Offsite, offsiteOfRecords, type Reach } from './offsite.ts';
export { type Archive, ATTACHMENT_MIN, archiveIdAt, type OpenArchiveOptions, openArchive } from './open-archive.ts';
export { pack } from './pack.ts';
export { plan } from './plan.ts';
export { prune } from './prune.ts';
export { reindex } from './reindex.ts';
export {
	type BundleSettings,
	type CompactRequest,
	DEFAULT_BUNDLES,
	DEFAULT_COMPACTION,
	type ListRequest,
	type PackRequest,
	type PlanRequest,
	type PruneRequest,
	type RestoreRequest,
	type Run,
	type SearchRequest,
	type VerifyRequest,
} from './requests.ts';
export { restore } from './restore.ts';
export type {
	AccountRow,
	AttachmentListing,
	AttachmentRow,
	BundleRow,
	CompactResult,
	ExtractedMessage,
	ExtractedPart,
	FolderRow,
	Listing,
	MessageRow,
	NeededBundle,
	Outcome,
	PackResult,
	PlanResult,
	PlanRow,
	PruneResult,
	ReindexResult,
	RestoreResult,
	SnapshotRow,
	StatusResult,
	SupersededBundle,
	TargetStatus,
	VerifyMode,
	VerifyResult,
} from './results.ts';
export { status } from './status.ts';
export type { TargetAddress, TargetKeys } from './target/keys.ts';
export { type OpenTargetOptions, openTarget, type Target } from './target/open-target.ts';
export { readKeys } from './target/read-keys.ts';
export { openRemoteArchive, type RemoteArchive, type RemoteArchiveOptions, type Wanted } from './target/remote-archive.ts';
export { adoptArchive, type RepairRequest, type RepairResult, repair } from './target/repair.ts';
export { sync } from './target/sync.ts';
export type { Dropped, Pruned, SyncRequest, SyncResult } from './target/sync-state.ts';
export { type VerifyTargetRequest, verifyTarget } from './target/verify-target.ts';
export type { Task, TaskResult } from './tasks.ts';
export { verify } from './verify.ts';
export { openWorkers, serveTasks, type Workers } from './workers.ts';
