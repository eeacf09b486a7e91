import type { FolderName } from '../domain/index.ts';

/** True where `folder` is one of `never`, or lies below one; both at the top and below INBOX, as Courier and Cyrus nest them. */
export function isNeverFolder(folder: FolderName, never: readonly string[]): boolean {
	const path = foldCase(folder);
	return never.some((name) => {
		const rule = foldCase(name);
		return isAtOrBelow(path, rule) || isAtOrBelow(path, `INBOX/${rule}`);
	});
}

function isAtOrBelow(path: string, top: string): boolean {
	return path.startsWith(top) && (path.length === top.length || path[top.length] === '/');
}

/** Upper case folds more than lower case does (both forms of sigma); NFC since macOS clients create folders in NFD. */
function foldCase(text: string): string {
	return text.normalize('NFC').toUpperCase();
}
