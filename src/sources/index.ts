export type {
	AccountControls,
	AccountList,
	AccountLook,
	ControlFile,
	FolderFacts,
	FolderListing,
	FolderLook,
	KnownSignatures,
	LargeMessage,
	ListedPlacement,
	LookRequest,
	MailSource,
	OpenMessage,
	ReadMessage,
	SourceAccount,
	Unreadable,
} from './contract.ts';
export { decodeMailboxName, encodeMailboxName } from './maildir/mailbox-name.ts';
export { type MaildirSourceOptions, openMaildirSource } from './maildir/maildir-source.ts';
export { openMaildirMessage } from './maildir/open-message.ts';
export { maildirWriter } from './maildir/write-maildir.ts';
export { mboxWriter } from './mbox/write-mbox.ts';
export { openMessageWriter } from './message-writer.ts';
export { parseSourceSpec, type SourceSpec } from './spec.ts';
export type { AccountMail, AccountPlan, MailboxWriter, MaildirJob, MboxJob, MessageWriter, WriteJob } from './write-contract.ts';
