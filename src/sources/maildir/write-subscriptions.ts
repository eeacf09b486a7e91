import type { AccountWord } from '../../domain/index.ts';
import { parseFolderName } from '../../domain/index.ts';
import { decodeMailboxName } from './mailbox-name.ts';
import { spellFolder } from './write-folders.ts';

type Layout = AccountWord['layout'];

const HEADER = 'V\t2\n\n';

/**
 * A `subscriptions` file as another layout spells it, in version 2 (levels parted by tabs). In the same layout it stays as it is.
 * A line that names no folder is left out.
 */
export function convertSubscriptions(content: Buffer, options: { readonly from: Layout; readonly to: Layout }): Buffer {
	const { from, to } = options;
	const text = content.toString('utf8');
	if (from === to) return content;
	const second = text.startsWith(HEADER);
	const separator = second ? '\t' : from === 'fs' ? '/' : '.';
	const lines = (second ? text.slice(HEADER.length) : text).split('\n').filter((line) => line !== '');
	const names = lines.map((line) => line.split(separator).map(decodeMailboxName));
	const spelled = names.filter(isFolder).map((levels) => spell(levels, to));
	return Buffer.from(`${HEADER}${spelled.map((line) => `${line}\n`).join('')}`);
}

function isFolder(levels: readonly string[]): boolean {
	return levels.every((level) => level !== '' && level !== '.' && level !== '..' && !/[/\0]/.test(level));
}

function spell(levels: readonly string[], layout: Layout): string {
	const folder = parseFolderName(levels.join('/'));
	if (folder === 'INBOX') return folder;
	const disk = spellFolder(folder, layout);
	return (layout === 'maildir++' ? (disk[0] ?? '').slice(1).split('.') : disk).join('\t');
}
