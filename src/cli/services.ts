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
	Outcome,
	PackRequest,
	PackResult,
	PlanRequest,
	PlanResult,
	ReindexResult,
	RestoreRequest,
	RestoreResult,
	Run,
	SearchRequest,
	SnapshotRow,
	StatusResult,
	VerifyRequest,
	VerifyResult,
	Workers,
} from '../archive/index.ts';
import type { AccountName } from '../domain/index.ts';
import type { Files } from '../platform/index.ts';
import type { MailSource } from '../sources/index.ts';

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
	}): Archive;
	openWorkers(options: { readonly jobs: number; readonly script: string | null }): Workers;
	openSource(spec: string, options: { readonly account?: AccountName }): MailSource;
	pack(archive: Archive, request: PackRequest, workers: Workers): Promise<Outcome<PackResult>>;
	plan(request: PlanRequest): Promise<Outcome<PlanResult>>;
	status(archive: Archive, now: number): Promise<Outcome<StatusResult>>;
	listAccounts(archive: Archive, request: ListRequest): Promise<Outcome<Listing<AccountRow>>>;
	listFolders(archive: Archive, request: ListRequest): Promise<Outcome<Listing<FolderRow>>>;
	listMessages(archive: Archive, request: ListRequest): Promise<Outcome<Listing<MessageRow>>>;
	listAttachments(archive: Archive, request: ListRequest): Promise<Outcome<AttachmentListing>>;
	listBundles(archive: Archive, request: ListRequest): Promise<Outcome<Listing<BundleRow>>>;
	listSnapshots(archive: Archive, request: ListRequest): Promise<Outcome<Listing<SnapshotRow>>>;
	search(archive: Archive, request: SearchRequest): Promise<Outcome<Listing<MessageRow>>>;
	extract(archive: Archive, reference: string, options: { readonly at?: string; readonly now: number }): Promise<ExtractedMessage>;
	extractParts(
		archive: Archive,
		reference: string,
		options: { readonly name: string; readonly at?: string; readonly now: number },
	): Promise<readonly ExtractedPart[]>;
	restore(archive: Archive, request: RestoreRequest, workers: Workers): Promise<Outcome<RestoreResult>>;
	verify(archive: Archive, request: VerifyRequest, workers: Workers): Promise<Outcome<VerifyResult>>;
	reindex(archive: Archive, run: Run): Promise<Outcome<ReindexResult>>;
}
