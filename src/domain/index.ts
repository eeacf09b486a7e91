export type { Decision, PlacementFacts, Reason } from './decision.ts';
export { type ErrorCode, MailsealError, systemCode } from './errors.ts';
export { type Finding, needsAttention, type Severity } from './finding.ts';
export { FLAGS, type Flag, isFlag } from './flags.ts';
export {
	type AccountName,
	type AttachmentId,
	type BundleId,
	type FolderName,
	isPathLevel,
	type MessageId,
	parseAccountName,
	parseAttachmentId,
	parseBundleId,
	parseFolderName,
	parseMessageId,
	parseSnapshotName,
	type SnapshotName,
	type Tenant,
	tenantOf,
} from './ids.ts';
export { formatDuration, formatInstant, parseDuration, parseInstant } from './instant.ts';
export type {
	AccountRemovedWord,
	AccountWord,
	AttachmentLine,
	Codec,
	ControlRemovedWord,
	ControlWord,
	FolderRemovedWord,
	FolderWord,
	HeaderFacts,
	ManifestLine,
	MessageLine,
	Owner,
	PartFacts,
	PlacedWord,
	RemovedWord,
	Word,
} from './manifest.ts';
export { isFile } from './manifest.ts';
export { type MessageRef, parseMessageRef } from './message-ref.ts';
export { type Moment, parseMoment } from './moment.ts';
export { ATTACHMENTS_WHEN, type AttachmentsWhen, DEFAULT_POLICY, type Policy } from './policy.ts';
export { type Progress, SILENT } from './progress.ts';
export { parseSearchQuery, type SearchField, type SearchQuery, type SearchTerm } from './search-query.ts';
export { formatSize, parseFraction, parseSize } from './size.ts';
export { type BundleKind, type BundleRef, type History, MOST_PRUNED, parseTag, type Snapshot, type SnapshotRef } from './snapshot.ts';
