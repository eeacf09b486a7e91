import type {
	AccountRow,
	Archive,
	AttachmentListing,
	BundleRow,
	BundleSettings,
	ExtractedMessage,
	ExtractedPart,
	FolderRow,
	Listing,
	ListRequest,
	MessageRow,
	Offsite,
	OpenTargetOptions,
	Outcome,
	PackRequest,
	PackResult,
	PlanRequest,
	PlanResult,
	PruneRequest,
	PruneResult,
	Reach,
	ReindexResult,
	RemoteArchive,
	RemoteArchiveOptions,
	RepairRequest,
	RepairResult,
	RestoreRequest,
	RestoreResult,
	Run,
	SearchRequest,
	SnapshotRow,
	StatusResult,
	SyncRequest,
	SyncResult,
	Target,
	TargetAddress,
	TargetKeys,
	VerifyRequest,
	VerifyResult,
	VerifyTargetRequest,
	Workers,
} from '../archive/index.ts';
import type { AccountName } from '../domain/index.ts';
import type { Files } from '../platform/index.ts';
import type { BlobStore, TargetSpec } from '../remote/index.ts';
import type { MailSource } from '../sources/index.ts';
import type { Io } from './io.ts';
import type { TargetSettings } from './target-settings.ts';

/** What the commands call: the use cases, with every concrete part already chosen. */
export interface Services {
	readonly files: Files;
	readonly defaultBundles: BundleSettings;
	/** For a new archive, bytes. */
	readonly defaultAttachmentMin: number;
	openArchive(options: {
		readonly dir: string;
		readonly files: Files;
		readonly create?: boolean;
		readonly attachmentMin?: number;
		readonly warn?: (text: string) => void;
		readonly offsite?: Offsite;
	}): Archive;
	openWorkers(options: { readonly jobs: number; readonly script: string | null }): Workers;
	openSource(spec: string, options: { readonly account?: AccountName }): MailSource;
	pack(archive: Archive, request: PackRequest, workers: Workers): Promise<Outcome<PackResult>>;
	plan(request: PlanRequest): Promise<Outcome<PlanResult>>;
	prune(archive: Archive, request: PruneRequest): Promise<Outcome<PruneResult>>;
	status(archive: Archive, now: number): Promise<Outcome<StatusResult>>;
	listAccounts(archive: Archive, request: ListRequest): Promise<Outcome<Listing<AccountRow>>>;
	listFolders(archive: Archive, request: ListRequest): Promise<Outcome<Listing<FolderRow>>>;
	listMessages(archive: Archive, request: ListRequest): Promise<Outcome<Listing<MessageRow>>>;
	listAttachments(archive: Archive, request: ListRequest): Promise<Outcome<AttachmentListing>>;
	listBundles(archive: Archive, request: ListRequest): Promise<Outcome<Listing<BundleRow>>>;
	listSnapshots(archive: Archive, request: ListRequest): Promise<Outcome<Listing<SnapshotRow>>>;
	search(archive: Archive, request: SearchRequest): Promise<Outcome<Listing<MessageRow>>>;
	extract(
		archive: Archive,
		reference: string,
		options: { readonly at?: string; readonly now: number; readonly signal: AbortSignal },
	): Promise<ExtractedMessage>;
	extractParts(
		archive: Archive,
		reference: string,
		options: { readonly name: string; readonly at?: string; readonly now: number } & Partial<Run>,
	): Promise<readonly ExtractedPart[]>;
	restore(archive: Archive, request: RestoreRequest, workers: Workers): Promise<Outcome<RestoreResult>>;
	verify(archive: Archive, request: VerifyRequest, workers: Workers): Promise<Outcome<VerifyResult>>;
	reindex(archive: Archive, run: Run): Promise<Outcome<ReindexResult>>;
	/** The file that makes a folder an archive. */
	readonly headFile: string;
	/** Id of the archive in a folder; null where there is none. */
	archiveIdAt(dir: string): string | null;
	offsiteOfRecords(dir: string, reach: Reach): Offsite;
	openTarget(options: Omit<OpenTargetOptions, 'create' | 'dryRun' | 'known'>): Promise<Target>;
	openRemoteArchive(options: RemoteArchiveOptions): Promise<RemoteArchive>;
	readKeys(from: { readonly recipients: readonly string[]; readonly identityFile: string | null }): TargetKeys;
	parseTargetSpec(text: string): TargetSpec;
	formatTargetSpec(spec: TargetSpec): string;
	openStore(address: TargetAddress, settings: TargetSettings, io: Io): BlobStore;
	sync(archive: Archive, request: SyncRequest): Promise<Outcome<SyncResult>>;
	verifyTarget(archive: Archive, request: VerifyTargetRequest, workers: Workers): Promise<Outcome<VerifyResult>>;
	repair(archive: Archive, request: RepairRequest, workers: Workers): Promise<Outcome<RepairResult>>;
	adoptArchive(
		dir: string,
		options: { readonly target: Target; readonly archiveId: string | null; readonly files: Files; readonly signal: AbortSignal },
	): Promise<void>;
}
