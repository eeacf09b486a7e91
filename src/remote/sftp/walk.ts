import { posix } from 'node:path';
import type { FileEntryWithStats } from 'ssh2';
import { isTemporaryName } from '../../platform/index.ts';
import { isBlobLevel } from '../blob-name.ts';
import type { BlobFacts } from '../contract.ts';
import type { Session, SftpCall } from './connection.ts';
import { isAbsent } from './errors.ts';

/** Folders that are listed at once. */
const AT_ONCE = 16;

export interface WalkOptions {
	readonly session: Session;
	readonly call: SftpCall;
	/** Relative to the root, with its slash; empty for the root itself. */
	readonly folder: string;
	/** Whether the temporary names are wanted, or all the others. */
	readonly temporary: boolean;
}

/** Files below a folder, in any order; an absent folder has none. Links, and names that no blob has, are passed over. */
export async function* walk({ session, call, folder, temporary }: WalkOptions): AsyncGenerator<BlobFacts, void, undefined> {
	const waiting = [folder];
	const underWay: Promise<{ readonly above: string; readonly entries: FileEntryWithStats[] }>[] = [];
	while (waiting.length > 0 || underWay.length > 0) {
		while (underWay.length < AT_ONCE) {
			const above = waiting.pop();
			if (above === undefined) break;
			const listed = listFolder(posix.join(session.top, above), { session, call }).then((entries) => ({ above, entries }));
			listed.catch(() => {});
			underWay.push(listed);
		}
		const next = await underWay.shift();
		for (const { filename, attrs } of next?.entries ?? []) {
			const name = `${next?.above ?? ''}${filename}`;
			if (!isBlobLevel(filename)) continue;
			if (attrs.isDirectory()) waiting.push(`${name}/`);
			else if (attrs.isFile() && isTemporaryName(filename) === temporary) yield factsOf(name, attrs);
			call.check();
		}
	}
}

/** What lies in one folder; nothing in one that is not there. */
export async function listFolder(
	path: string,
	{ session, call }: { readonly session: Session; readonly call: SftpCall },
): Promise<FileEntryWithStats[]> {
	try {
		return await call.list(path);
	} catch (error) {
		if (!isAbsent(error)) throw error;
		await session.root.require(call);
		return [];
	}
}

/** Facts as a server tells them: times are in whole seconds. */
export function factsOf(name: string, { size, mtime }: { readonly size: number; readonly mtime: number | undefined }): BlobFacts {
	return { name, size, modified: mtime === undefined ? null : mtime * 1000, md5: null };
}
