export { extract, extractParts } from './extract.ts';
export { listAccounts, listAttachments, listBundles, listFolders, listMessages, listSnapshots, search } from './list.ts';
export { type Archive, ATTACHMENT_MIN, type OpenArchiveOptions, openArchive } from './open-archive.ts';
export { pack } from './pack.ts';
export { plan } from './plan.ts';
export { reindex } from './reindex.ts';
export {
	type BundleSettings,
	DEFAULT_BUNDLES,
	type ListRequest,
	type PackRequest,
	type PlanRequest,
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
	ReindexResult,
	RestoreResult,
	SnapshotRow,
	StatusResult,
	VerifyMode,
	VerifyResult,
} from './results.ts';
export { status } from './status.ts';
export { runTask, type Task, type TaskResult } from './tasks.ts';
export { verify } from './verify.ts';
export { openWorkers, serveTasks, type Workers } from './workers.ts';
