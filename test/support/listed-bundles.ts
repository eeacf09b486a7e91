import { bundlePath } from '../../src/archive/layout.ts';
import { openRange } from '../../src/archive/range.ts';
import { readSnapshot, snapshotNames } from '../../src/archive/snapshots.ts';
import { openBundle } from '../../src/bundle/index.ts';
import {
	type AttachmentLine,
	type BundleRef,
	MailsealError,
	type ManifestLine,
	type MessageLine,
	type Snapshot,
	type Word,
} from '../../src/domain/index.ts';

export interface ListedBundle {
	readonly ref: BundleRef;
	readonly lines: readonly ManifestLine[];
	/** Stored bytes of all its messages and attachments. */
	readonly bytes: number;
}

export function newestOf(dir: string): Snapshot {
	const name = snapshotNames(dir).at(-1);
	if (name === undefined) throw new MailsealError('not-found', 'no snapshot');
	return readSnapshot(dir, name).snapshot;
}

/** The bundles that the newest snapshot lists, as their files have them. */
export async function listedBundles(dir: string, kind?: BundleRef['kind']): Promise<ListedBundle[]> {
	const listed: ListedBundle[] = [];
	for (const ref of newestOf(dir).bundles) {
		if (kind !== undefined && ref.kind !== kind) continue;
		const range = openRange(bundlePath(dir, ref.kind, ref.id));
		const { lines, messages, attachments } = await openBundle(range, { localHeaders: true });
		range.close();
		listed.push({ ref, lines, bytes: [...messages.values(), ...attachments.values()].reduce((total, { length }) => total + length, 0) });
	}
	return listed;
}

export function messagesIn(lines: readonly ManifestLine[]): MessageLine[] {
	return lines.filter((line) => line.type === 'message');
}

export function attachmentsIn(lines: readonly ManifestLine[]): AttachmentLine[] {
	return lines.filter((line) => line.type === 'attachment');
}

/** Each word as its type and what it speaks of: `placed anna@example.org/INBOX/1.a`. */
export function wordsIn(lines: readonly ManifestLine[]): string[] {
	return lines.filter((line) => line.type !== 'message' && line.type !== 'attachment').map(nameOf);
}

function nameOf(word: Word): string {
	const folder = 'folder' in word && word.folder !== undefined ? `/${word.folder}` : '';
	const rest = 'key' in word ? `/${word.key}` : 'path' in word ? `/${word.path}` : '';
	return `${word.type} ${word.account}${folder}${rest}`;
}
