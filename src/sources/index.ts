export type {
	AccountList,
	AccountLook,
	ControlFile,
	FolderFacts,
	FolderListing,
	FolderLook,
	ListedPlacement,
	MailSource,
	OpenMessage,
	ReadMessage,
	SourceAccount,
	Unreadable,
} from './contract.ts';
