import { statSync } from 'node:fs';
import { MailsealError, systemCode } from '../domain/index.ts';

/** Throws `usage` where files cannot be written into `folder` because it is something else, or lies below something else. */
export function refuseNoFolder(folder: string): void {
	const problem = problemOf(folder);
	if (problem === null) return;
	throw new MailsealError('usage', `Cannot write files into "${folder}": ${problem}`, {
		hint: 'name a folder with -o DIR; each file gets its own name in it',
	});
}

function problemOf(path: string): string | null {
	try {
		return statSync(path).isDirectory() ? null : 'it is not a folder';
	} catch (error) {
		// Whatever else is the case shows when the folder is made.
		return systemCode(error) === 'ENOTDIR' ? 'it lies below what is not a folder' : null;
	}
}
