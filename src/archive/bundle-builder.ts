import { composeBundle, entryOverhead, messageEntryName, type StoredMessage } from '../bundle/index.ts';
import type { Catalog } from '../catalog/index.ts';
import type { BundleId, BundleKind, BundleRef, ManifestLine, MessageId, MessageLine, Policy, Word } from '../domain/index.ts';
import { sizeOf } from '../platform/index.ts';
import { throwIfAborted } from './abort.ts';
import { checkBundleFile } from './check-bundle.ts';
import { bundleFolder, bundlePath } from './layout.ts';
import type { Archive } from './open-archive.ts';

/** Gathers what goes into one bundle. */
export interface BundleBuilder {
	/** Bytes so far, without the manifest. */
	readonly size: number;
	readonly messages: number;
	readonly words: number;
	has(id: MessageId): boolean;
	/** What the size would be with one more message. */
	sizeWith(message: StoredMessage): number;
	addMessage(line: MessageLine, stored: StoredMessage['stored']): void;
	/** A later word about the same thing takes the place of an earlier one. */
	addWord(word: Word): void;
	/** Takes everything out, in the order in which it stands in a bundle, and starts anew. */
	take(): BundleContents;
}

export interface BundleContents {
	readonly messages: readonly StoredMessage[];
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

function roomOf({ id, codec, stored }: StoredMessage): number {
	return stored.length + entryOverhead(messageEntryName(id, codec).length);
}

export function openBuilder(): BundleBuilder {
	let size = 0;
	let messages: StoredMessage[] = [];
	let lines: MessageLine[] = [];
	let ids = new Set<MessageId>();
	let words = new Map<string, Word>();
	return {
		get size() {
			return size;
		},
		get messages() {
			return messages.length;
		},
		get words() {
			return words.size;
		},
		has: (id) => ids.has(id),
		sizeWith: (message) => size + roomOf(message),
		addMessage(line, stored) {
			if (ids.has(line.id)) return;
			ids.add(line.id);
			lines.push(line);
			const message = { id: line.id, codec: line.codec, stored };
			messages.push(message);
			size += roomOf(message);
		},
		addWord(word) {
			const subject = subjectOf(word);
			words.delete(subject);
			words.set(subject, word);
		},
		take() {
			const named = [...words].sort(([a, first], [b, second]) => RANK[first.type] - RANK[second.type] || (a < b ? -1 : a > b ? 1 : 0));
			const contents = { messages, lines: [...lines, ...named.map(([, word]) => word)] };
			size = 0;
			messages = [];
			lines = [];
			ids = new Set();
			words = new Map();
			return contents;
		},
	};
}

/** Bytes gathered before one write call. */
const STAGE = 1024 * 1024;

/** Writes a bundle durably under its id. Nothing names it yet. */
export async function writeBundle(
	archive: Archive,
	options: { readonly kind: BundleKind; readonly contents: BundleContents; readonly signal: AbortSignal },
): Promise<{ readonly ref: BundleRef; readonly locations: ReadonlyMap<MessageId, { readonly offset: number; readonly length: number }> }> {
	const { kind, contents, signal } = options;
	throwIfAborted(signal);
	const draft = composeBundle({ kind: kind === 'sealed' ? 'messages' : 'volatile', ...contents });
	const folder = bundleFolder(archive.dir, kind);
	archive.files.makeFolder(folder);
	const file = archive.files.create(folder);
	try {
		let stage: Uint8Array[] = [];
		let staged = 0;
		const flush = (): void => {
			if (staged === 0) return;
			file.write(stage.length === 1 ? (stage[0] as Uint8Array) : Buffer.concat(stage, staged));
			stage = [];
			staged = 0;
		};
		const id = await draft.write((bytes) => {
			stage.push(bytes);
			staged += bytes.length;
			if (staged >= STAGE) flush();
		}, signal);
		flush();
		throwIfAborted(signal);
		const path = bundlePath(archive.dir, kind, id);
		// A damaged file under the right name is replaced: its name says what it should be.
		file.commit(path, { mode: 0o400, replace: sizeOf(path) !== null && !(await isWhole(path, id)) });
		return { ref: { id, kind, size: draft.size }, locations: draft.locations };
	} finally {
		file.discard();
	}
}

async function isWhole(path: string, id: BundleId): Promise<boolean> {
	const { damages } = await checkBundleFile({ path, id, depth: 'hash' });
	return damages.length === 0;
}

/** Writes bundles one after another and takes each into the catalog. */
export interface BundleWriter {
	write(kind: BundleKind, contents: BundleContents): Promise<BundleRef>;
	/** All bundles written so far, in order. */
	readonly written: readonly BundleRef[];
}

export function openBundleWriter(options: {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly policy: Policy;
	/** The clock that tonight's pack judges by, milliseconds since 1970. */
	readonly now: number;
	readonly signal: AbortSignal;
	/** Called with each bundle as soon as it lies on disk. */
	readonly onWritten: (ref: BundleRef) => void;
}): BundleWriter {
	const { archive, catalog, policy, now, signal } = options;
	const written: BundleRef[] = [];
	return {
		written,
		async write(kind, contents) {
			const { ref, locations } = await writeBundle(archive, { kind, contents, signal });
			catalog.apply({ ref, lines: contents.lines, locations }, { policy, now });
			written.push(ref);
			options.onWritten(ref);
			return ref;
		},
	};
}
