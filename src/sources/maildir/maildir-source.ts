import type { AccountName } from '../../domain/index.ts';
import type {
	AccountControls,
	AccountList,
	AccountLook,
	FolderListing,
	FolderLook,
	LargeMessage,
	ListedPlacement,
	LookRequest,
	MailSource,
	SourceAccount,
} from '../contract.ts';
import { parseSourceSpec } from '../spec.ts';
import { controlSignature, readAccountControls } from './account-controls.ts';
import { findAccounts } from './find-accounts.ts';
import { MessageFinder } from './find-message.ts';
import { findFolders } from './folders.ts';
import { measureMessage, openLargeMessage } from './large-message.ts';
import { type FolderPlace, listFolder } from './list-folder.ts';

export interface MaildirSourceOptions {
	/** Name of the account, where the source is one Maildir. */
	readonly account?: AccountName;
	/** The real clock, milliseconds since 1970: directories that changed just now are not trusted to be unchanged next time. */
	readonly now?: () => number;
}

/** Opens a source of Maildirs: `[maildir:]PATH`. Throws `usage`; whether anything lies there shows when accounts are asked for. */
export function openMaildirSource(spec: string, options: MaildirSourceOptions = {}): MailSource {
	const { path } = parseSourceSpec(spec);
	return new MaildirSource(path, options);
}

class MaildirSource implements MailSource {
	readonly spec: string;
	readonly #path: string;
	readonly #account: AccountName | undefined;
	readonly #now: () => number;
	readonly #finder: MessageFinder;

	constructor(path: string, options: MaildirSourceOptions) {
		this.spec = `maildir:${path}`;
		this.#path = path;
		this.#account = options.account;
		this.#now = options.now ?? Date.now;
		this.#finder = new MessageFinder(this.#now);
	}

	async accounts(signal: AbortSignal): Promise<AccountList> {
		return findAccounts({ path: this.#path, account: this.#account, signal });
	}

	async look(account: SourceAccount, { known = new Map(), before }: LookRequest = {}): Promise<AccountLook> {
		const seen = new Map(before?.folders.map(({ dir, signature }) => [dir, signature]));
		const { entries, ...found } = findFolders(account.root, { now: this.#now, known, seen });
		return { ...found, controlSignature: before?.controlSignature ?? controlSignature(account.root, { now: this.#now(), entries }) };
	}

	async controls(account: SourceAccount): Promise<AccountControls> {
		const { controls, findings, complete } = readAccountControls(account.root);
		return { controls, findings, complete };
	}

	async listFolder(account: SourceAccount, folder: FolderLook): Promise<FolderListing> {
		this.#finder.forget();
		return listFolder(placeOf(account, folder), this.#now);
	}

	async find(account: SourceAccount, folder: FolderLook, key: string): Promise<ListedPlacement | null> {
		return this.#finder.find(placeOf(account, folder), key);
	}

	measure(path: string) {
		return measureMessage(path);
	}

	openLarge(path: string): LargeMessage | null {
		return openLargeMessage(path);
	}
}

function placeOf(account: SourceAccount, folder: FolderLook): FolderPlace {
	return { account: account.account, folder: folder.folder, dir: folder.dir, directory: directoryOf(account, folder.dir) };
}

function directoryOf(account: SourceAccount, dir: string): string {
	return dir === '' ? account.root : `${account.root}/${dir}`;
}
