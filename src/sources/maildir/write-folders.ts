import type { AccountWord, FolderName, FolderWord } from '../../domain/index.ts';
import { isPathLevel } from '../../domain/index.ts';
import { decodeMailboxName, encodeMailboxName } from './mailbox-name.ts';
import { LONGEST_NAME } from './write-names.ts';

type Layout = AccountWord['layout'];

/** Directories that every Maildir has: in an fs layout no folder can have their names. */
const BOXES = new Set(['cur', 'new', 'tmp']);

/** One level on disk. In an fs layout only a dot in front must be hidden; in Maildir++ every dot parts two levels. */
function encodeLevel(level: string, layout: Layout): string {
	if (layout === 'maildir++') return encodeMailboxName(level);
	const [first = '', ...others] = level.split('.');
	const rest = others.map(encodeMailboxName).join('.');
	if (first === '' && others.length > 0) return `${encodeMailboxName('.')}${rest}`;
	return others.length === 0 ? encodeMailboxName(first) : `${encodeMailboxName(first)}.${rest}`;
}

/** The levels of a directory as a store spelled it, or null where it is not the spelling of this folder, or leads elsewhere. */
function ownLevels(word: Pick<FolderWord, 'folder' | 'dir'>, layout: Layout): readonly string[] | null {
	if (word.dir === '') return word.folder === 'INBOX' ? [] : null;
	if (layout === 'maildir++') {
		if (!word.dir.startsWith('.') || !isPathLevel(word.dir)) return null;
		const name = word.dir.slice(1).split('.').map(decodeMailboxName).join('/');
		// A reader names a folder by its directory where another one has its name.
		return name === word.folder || word.dir === word.folder ? [word.dir] : null;
	}
	const levels = word.dir.split('/');
	if (!levels.every((level) => isPathLevel(level) && !BOXES.has(level) && !level.startsWith('.'))) return null;
	return levels.map(decodeMailboxName).join('/') === word.folder || word.dir === word.folder ? levels : null;
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
