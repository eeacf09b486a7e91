import {
	attachmentEntryName,
	entryOverhead,
	MAX_ITEMS,
	messageEntryName,
	type StoredAttachment,
	type StoredBytes,
	type StoredMessage,
} from '../bundle/index.ts';
import type { AttachmentId, AttachmentLine, ManifestLine, MessageId, MessageLine, Word } from '../domain/index.ts';

/** A message or an attachment on its way into a bundle. */
export interface Item {
	readonly line: MessageLine | AttachmentLine;
	readonly stored: StoredBytes;
}

/** Gathers what goes into one bundle. */
export interface BundleBuilder {
	/** Bytes so far, without the manifest. */
	readonly size: number;
	/** Messages and attachments. */
	readonly items: number;
	readonly messages: number;
	readonly words: number;
	/** True where one more word would be too many for one bundle. */
	readonly isFullOfWords: boolean;
	/** True where so many more items would be too many for one bundle. */
	isFull(more: number): boolean;
	has(id: MessageId): boolean;
	hasAttachment(id: AttachmentId): boolean;
	/** What the size would be with these too. */
	sizeWith(items: readonly Item[]): number;
	/** Something that is there already is left as it is. */
	add(item: Item): void;
	/** A later word about the same thing takes the place of an earlier one. */
	addWord(word: Word): void;
	/** Takes everything out, in the order in which it stands in a bundle, and starts anew. */
	take(): BundleContents;
}

export interface BundleContents {
	readonly messages: readonly StoredMessage[];
	readonly attachments: readonly StoredAttachment[];
	readonly lines: readonly ManifestLine[];
}

/** Removals first and from the inside out, so that what is made anew in the same bundle stays. */
const RANK: Readonly<Record<Word['type'], number>> = {
	removed: 0,
	'control-removed': 1,
	'folder-removed': 2,
	'account-removed': 3,
	account: 4,
	folder: 5,
	control: 6,
	placed: 7,
};

/** Words in an order in which bundle after bundle may take them in. */
export function inOrder(words: readonly Word[]): Word[] {
	return [...words].sort((a, b) => RANK[a.type] - RANK[b.type]);
}

/** A manifest of more words than this is cut: it is read whole into memory. */
export const MAX_WORDS = 50_000;
/** So is one with more characters of what lies beside the mail, of which a folder has up to 22 million. */
const MAX_TEXT = 64 << 20;

function textOf(word: Word | undefined): number {
	return word?.type === 'control' ? (word.content?.length ?? 0) : 0;
}

/** What a word speaks of; two words of one name contradict each other. */
function subjectOf(word: Word): string {
	switch (word.type) {
		case 'account':
		case 'account-removed':
			return `account\0${word.account}`;
		case 'folder':
		case 'folder-removed':
			return `folder\0${word.account}\0${word.folder}`;
		case 'control':
		case 'control-removed':
			return `control\0${word.account}\0${word.folder ?? ''}\0${word.path}`;
		default:
			return `placement\0${word.account}\0${word.folder}\0${word.key}`;
	}
}

/** Bytes that an item takes in a bundle, beside its line in the manifest. */
export function roomOf({ line, stored }: Item): number {
	const name =
		line.type === 'message'
			? messageEntryName(line.id, { codec: line.codec, recipe: line.recipe !== undefined })
			: attachmentEntryName(line.id, line.codec);
	return stored.length + entryOverhead(name.length);
}

function fresh() {
	return {
		size: 0,
		messages: new Map<MessageId, { readonly line: MessageLine; readonly stored: StoredBytes }>(),
		attachments: new Map<AttachmentId, { readonly line: AttachmentLine; readonly stored: StoredBytes }>(),
		words: new Map<string, Word>(),
		text: 0,
	};
}

export function openBuilder(): BundleBuilder {
	let now = fresh();
	return {
		get size() {
			return now.size;
		},
		get items() {
			return now.messages.size + now.attachments.size;
		},
		get messages() {
			return now.messages.size;
		},
		get words() {
			return now.words.size;
		},
		get isFullOfWords() {
			return now.words.size >= MAX_WORDS || now.text >= MAX_TEXT;
		},
		isFull: (more) => now.messages.size + now.attachments.size + more > MAX_ITEMS,
		has: (id) => now.messages.has(id),
		hasAttachment: (id) => now.attachments.has(id),
		sizeWith: (items) => items.reduce((size, item) => size + roomOf(item), now.size),
		add(item) {
			const { line, stored } = item;
			if (line.type === 'message') {
				if (now.messages.has(line.id)) return;
				now.messages.set(line.id, { line, stored });
			} else {
				if (now.attachments.has(line.id)) return;
				now.attachments.set(line.id, { line, stored });
			}
			now.size += roomOf(item);
		},
		addWord(word) {
			const subject = subjectOf(word);
			now.text += textOf(word) - textOf(now.words.get(subject));
			now.words.delete(subject);
			now.words.set(subject, word);
		},
		take() {
			const { messages, attachments, words } = now;
			now = fresh();
			const named = [...words].sort(([a, first], [b, second]) => RANK[first.type] - RANK[second.type] || (a < b ? -1 : a > b ? 1 : 0));
			return {
				messages: [...messages.values()].map(({ line: { id, codec, recipe }, stored }) => ({
					id,
					codec,
					recipe: recipe !== undefined,
					stored,
				})),
				attachments: [...attachments.values()].map(({ line: { id, codec }, stored }) => ({ id, codec, stored })),
				lines: [
					...[...messages.values()].map(({ line }) => line),
					...[...attachments.values()].map(({ line }) => line),
					...named.map(([, word]) => word),
				],
			};
		},
	};
}
