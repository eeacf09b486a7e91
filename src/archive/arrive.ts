import type { StoredBytes } from '../bundle/index.ts';
import { type AttachmentLine, formatInstant, type MessageLine, type PlacedWord } from '../domain/index.ts';
import type { ListedPlacement } from '../sources/index.ts';
import { placedState } from './compare-folder.ts';
import type { NewPlacement, ScannedAccount, ScannedFolder } from './scan.ts';
import type { IngestedMessage } from './tasks.ts';

/** A new placement on its way into a bundle. */
export interface Incoming {
	readonly account: ScannedAccount;
	readonly folder: ScannedFolder;
	readonly placement: NewPlacement;
}

/** A message that was read: its word, its manifest line, its stored bytes. */
export interface Arrived {
	readonly incoming: Incoming;
	readonly word: PlacedWord;
	readonly line: MessageLine;
	readonly stored: StoredBytes;
	/** What its recipe needs, each once. */
	readonly attachments: readonly ArrivedAttachment[];
	/** Lets go of what a large message holds open. */
	release(): void;
}

export interface ArrivedAttachment {
	readonly line: AttachmentLine;
	readonly stored: StoredBytes;
}

/** What a new placement says, and the line of its message. */
export function arrive(
	incoming: Incoming,
	read: {
		listed: ListedPlacement;
		message: Omit<IngestedMessage, 'stored' | 'attachments' | 'problem'> & Pick<Arrived, 'stored' | 'attachments'>;
		release(): void;
	},
): Arrived {
	const { message, listed, release } = read;
	const { facts, account, folder } = incoming.folder;
	const mode = message.mode & 0o7777;
	const [uid, gid] = message.owner;
	const sameOwner = facts.owner !== undefined && facts.owner[0] === uid && facts.owner[1] === gid;
	return {
		incoming,
		word: {
			type: 'placed',
			account,
			folder,
			key: incoming.placement.listed.key,
			message: message.id,
			...placedState(listed),
			date: formatInstant(message.date),
			...(mode === 0o600 ? {} : { mode }),
			...(sameOwner ? {} : { owner: message.owner }),
		},
		line: {
			type: 'message',
			id: message.id,
			size: message.size,
			codec: message.codec,
			...(message.recipe === undefined ? {} : { recipe: message.recipe }),
			attachments: message.parts,
			headers: message.headers,
		},
		stored: message.stored,
		attachments: message.attachments,
		release,
	};
}
