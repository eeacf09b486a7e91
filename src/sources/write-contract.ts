import type { AccountName, AccountWord, ControlWord, Finding, FolderWord, MessageId, Owner, PlacedWord } from '../domain/index.ts';

/** What of one account is to be written: the words in force, each thing once. */
export interface AccountMail {
	readonly account: AccountWord;
	readonly folders: readonly FolderWord[];
	readonly controls: readonly ControlWord[];
	readonly placements: readonly PlacedWord[];
}

interface Job {
	readonly message: MessageId;
	/** `account/folder/key`, for findings. */
	readonly subject: string;
	/** Absolute path of the destination; nothing is written outside it. */
	readonly root: string;
	/** Directory below the root, level by level. */
	readonly levels: readonly string[];
	/** Internal date, milliseconds since 1970; null where there is none that can be read. */
	readonly date: number | null;
}

/** One message file of a Maildir, as plain data that can go to a worker thread. */
export interface MaildirJob extends Job {
	readonly kind: 'maildir';
	readonly box: 'cur' | 'new';
	/** File name; a byte that is not UTF-8 stands as `/` and two hex digits. */
	readonly name: string;
	readonly mode: number;
	/** Null where the file stays the caller's own. */
	readonly owner: Owner | null;
}

/** One message of an mbox file that is being written under a temporary name. */
export interface MboxJob extends Job {
	readonly kind: 'mbox';
	readonly temporary: string;
}

export type WriteJob = MaildirJob | MboxJob;

/** Everything that writing one account would do. Making the plan only reads the destination. */
export interface AccountPlan {
	readonly account: AccountName;
	/** Folders that messages or control files are written to, or that are there already. */
	readonly folders: number;
	/** Paths relative to the destination of the directories and files, other than messages, that will be made. */
	readonly creates: readonly string[];
	/** Placements that the destination has already, by their key. */
	readonly present: number;
	readonly jobs: readonly WriteJob[];
	readonly findings: readonly Finding[];
	/** Makes directories; before the first job. Throws MailsealError `io`, `permission`, `no-space`, `read-only`. */
	begin(): void;
	/** Writes what must come after the messages; once, after the last job. Returns what could not be restored. */
	finish(): readonly Finding[];
	/** Removes unfinished files, instead of `finish`. What is complete stays. */
	abandon(): void;
}

/** Writes mailboxes below one destination: adds, never overwrites, follows no symbolic link. */
export interface MailboxWriter {
	/** `any`: jobs may be done in any order and by several threads. `planned`: in the plan's order, by one message writer. */
	readonly order: 'any' | 'planned';
	plan(mail: AccountMail): AccountPlan;
}

/** Carries out jobs, synchronously, for worker threads. */
export interface MessageWriter {
	/** `present` where a file of this name is there by now. What `chunks` throws is thrown on, and nothing of the message stays. */
	write(job: WriteJob, chunks: Iterable<Uint8Array>): 'written' | 'present';
	/** Lets go of files and folders; may be called twice. */
	close(): void;
}
