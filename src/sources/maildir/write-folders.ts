import type { AccountWord, FolderName, FolderWord } from '../../domain/index.ts';
import { isPathLevel } from '../../domain/index.ts';
import { decodeMailboxName, encodeMailboxName } from './mailbox-name.ts';
import { LONGEST_NAME } from './write-names.ts';

type Layout = AccountWord['layout'];

/** Directories that every Maildir has: in an fs layout no folder can have their names. */
const BOXES = new Set(['cur', 'new', 'tmp']);

/**
 * A dot that the layout cannot hold, as Dovecot's listescape plugin writes it; without the plugin the folder opens under this
 * name. (In modified UTF-7, `&AC4-`, Dovecot lists the folder and cannot open it: RFC 3501, 5.1.3 forbids to encode a dot.)
 */
const DOT = '\\2e';

/** One level on disk. In Maildir++ every dot parts two levels; in an fs layout a dot in front hides a directory. */
function encodeLevel(level: string, layout: Layout): string {
	const parts = level.split('.').map(encodeMailboxName);
	return layout === 'maildir++' ? parts.join(DOT) : parts.join('.').replace(/^\./, () => DOT);
}

/** The folder that a directory stands for, as a reader without plugins sees it. */
export function folderOfDirectory(levels: readonly string[], layout: Layout): string {
	const [first] = levels;
	if (first === undefined) return 'INBOX';
	return (layout === 'maildir++' ? first.slice(1).split('.') : levels).map(decodeMailboxName).join('/');
}

/** The levels of a directory as a store spelled it, or null where it is not the spelling of this folder, or leads elsewhere. */
function ownLevels(word: Pick<FolderWord, 'folder' | 'dir'>, layout: Layout): readonly string[] | null {
	if (word.dir === '') return word.folder === 'INBOX' ? [] : null;
	if (layout === 'maildir++') {
		if (!word.dir.startsWith('.') || !isPathLevel(word.dir)) return null;
		// A reader names a folder by its directory where another one has its name.
		return folderOfDirectory([word.dir], layout) === word.folder || word.dir === word.folder ? [word.dir] : null;
	}
	const levels = word.dir.split('/');
	if (!levels.every((level) => isPathLevel(level) && !BOXES.has(level) && !level.startsWith('.'))) return null;
	return folderOfDirectory(levels, layout) === word.folder || word.dir === word.folder ? levels : null;
}

/** The directory of a folder below its account's, level by level: none for INBOX. `own`: as the store itself spelled it. */
export function folderDirectory(
	folder: FolderName,
	options: { readonly layout: Layout; readonly sourceLayout: Layout; readonly word: FolderWord | undefined },
): { readonly levels: readonly string[]; readonly own: boolean } {
	const { layout, sourceLayout, word } = options;
	const own = word !== undefined && layout === sourceLayout ? ownLevels(word, layout) : null;
	return own === null ? { levels: spellFolder(folder, layout), own: false } : { levels: own, own: true };
}

/** The directory of a folder that no store has spelled yet. */
export function spellFolder(folder: FolderName, layout: Layout): readonly string[] {
	if (folder === 'INBOX') return [];
	const levels = folder.split('/').map((level) => encodeLevel(level, layout));
	if (layout === 'maildir++') return [`.${levels.join('.')}`];
	return levels.map((level) => (BOXES.has(level) ? `${level}~` : level));
}

/** True where the file system takes every level. */
export function fitsDisk(levels: readonly string[]): boolean {
	return levels.every((level) => Buffer.byteLength(level) <= LONGEST_NAME);
}
