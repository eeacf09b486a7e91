import { posix } from 'node:path';
import { MailsealError } from '../../domain/index.ts';
import { checkedContent } from '../checked-content.ts';
import type { BlobContent } from '../contract.ts';
import type { Session, SftpCall } from './connection.ts';
import { asStoreError, isAbsent, Refusal, type Space, STATUS } from './errors.ts';
import { closeHandle } from './open-files.ts';
import { send } from './pump.ts';
import type { Handle } from './requests.ts';

export interface CreateBlobOptions {
	readonly session: Session;
	readonly place: string;
	readonly name: string;
	/** A name for the time of writing, without its folder. */
	readonly temporaryName: string;
	readonly replace: boolean;
	readonly signal: AbortSignal;
}

/** Nobody changes a blob; only its owner reads it. */
const BLOB_MODE = 0o400;

/** Writes a blob under a temporary name and gives it its own when it is whole and on disk. */
export async function createBlob(content: BlobContent, options: CreateBlobOptions): Promise<'created' | 'present'> {
	const { session, place, name, temporaryName, replace, signal } = options;
	const path = posix.join(session.top, name);
	const folder = posix.dirname(path);
	const temporary = posix.join(folder, temporaryName);
	const call = session.begin(signal);
	let handle: Handle | null = null;
	let above: Handle | null = null;
	let pending = false;
	try {
		// Some servers let a rename take the place of what is there; the look before makes that a matter of moments.
		if (!replace && (await exists(call, path))) return 'present';
		pending = true;
		handle = await openTemporary(call, { temporary, session });
		session.root.seen();
		await send(checkedContent(content, { name, signal }), handle, { call, large: session.large, name });
		const flushed = await flush(call, handle);
		const [{ size }, opened] = await Promise.all([
			call.statHandle(handle),
			flushed ? openFolder(call, folder) : null,
			permit(call.chmodHandle(handle, BLOB_MODE)),
		]);
		above = opened;
		if (size !== content.size) {
			throw new MailsealError(
				'unreachable',
				`Cannot write "${name}" at "${place}": the file there has ${size} bytes (${content.size} were sent)`,
				{
					hint: 'run the command again; where it fails again, look at the disk and the log of the server',
				},
			);
		}
		const written = handle;
		handle = null;
		await call.close(written);
		const created = await giveName(call, { temporary, path, replace });
		pending = !created;
		if (above !== null) await permit(call.flush(above));
		return created ? 'created' : 'present';
	} catch (error) {
		const disk = error instanceof Refusal ? { space: await spaceAt(session), needed: content.size } : null;
		throw asStoreError(error, { action: 'write', name, place }, disk);
	} finally {
		call.end();
		if (above !== null) closeHandle(session, above);
		if (pending) await discard(session, { handle, temporary });
	}
}

async function exists(call: SftpCall, path: string): Promise<boolean> {
	try {
		await call.stat(path);
		return true;
	} catch (error) {
		if (isAbsent(error)) return false;
		throw error;
	}
}

interface Opening {
	readonly temporary: string;
	readonly session: Session;
}

async function openTemporary(call: SftpCall, { temporary, session }: Opening): Promise<Handle> {
	try {
		return await call.open(temporary, 'wx');
	} catch (error) {
		if (!isAbsent(error)) throw error;
		// The root is made once; where it is gone since, its disk is.
		await session.root.require(call);
		await makeFolders(call, { folder: posix.dirname(temporary), root: session.top });
		return await call.open(temporary, 'wx');
	}
}

/** Makes a folder below the root and those above it, the root included. Another call may make them at the same time. */
async function makeFolders(call: SftpCall, { folder, root }: { readonly folder: string; readonly root: string }): Promise<void> {
	const above = posix.dirname(folder);
	try {
		await call.makeFolder(folder);
		await flushFolder(call, above);
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
		if (isAbsent(error)) {
			if (folder === root) throw error;
			await makeFolders(call, { folder: above, root });
			await makeFolders(call, { folder, root: folder });
		}
		// Of a folder that is there, servers say "Failure", or a number of their own.
		else if (!(await isFolder(call, folder))) throw error;
	}
}

async function isFolder(call: SftpCall, path: string): Promise<boolean> {
	try {
		return (await call.stat(path)).isDirectory();
	} catch (error) {
		if (error instanceof Refusal) return false;
		throw error;
	}
}

/** False where the server has no such request. */
async function flush(call: SftpCall, handle: Handle): Promise<boolean> {
	try {
		await call.flush(handle);
		return true;
	} catch (error) {
		if (error instanceof Refusal && error.status === STATUS.unsupported) return false;
		throw error;
	}
}

/** A folder as a file whose flush makes new names in it durable; null where the server opens no folders. */
async function openFolder(call: SftpCall, folder: string): Promise<Handle | null> {
	try {
		return await call.open(folder, 'r');
	} catch (error) {
		if (error instanceof Refusal) return null;
		throw error;
	}
}

async function flushFolder(call: SftpCall, folder: string): Promise<void> {
	const handle = await openFolder(call, folder);
	if (handle === null) return;
	await permit(call.flush(handle));
	await permit(call.close(handle));
}

/** Waits for something that a server may refuse without harm. */
async function permit(request: Promise<void>): Promise<void> {
	try {
		await request;
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
	}
}

interface Naming {
	readonly temporary: string;
	readonly path: string;
	readonly replace: boolean;
}

/** Gives a file its name; false where the name was taken meanwhile. */
async function giveName(call: SftpCall, { temporary, path, replace }: Naming): Promise<boolean> {
	if (replace) {
		try {
			await call.replace(temporary, path);
			return true;
		} catch (error) {
			if (!(error instanceof Refusal) || error.status !== STATUS.unsupported) throw error;
		}
		try {
			await call.unlink(path);
		} catch (error) {
			if (!isAbsent(error)) throw error;
		}
	}
	try {
		await call.rename(temporary, path);
		return true;
	} catch (error) {
		if (!(error instanceof Refusal) || replace || !(await exists(call, path))) throw error;
		return false;
	}
}

/** What the server tells of its disk; null where it tells nothing. */
async function spaceAt(session: Session): Promise<Space | null> {
	const call = session.begin(null);
	try {
		return await call.space(session.top);
	} catch (error) {
		if (error instanceof Refusal || error instanceof MailsealError) return null;
		throw error;
	} finally {
		call.end();
	}
}

/** Removes what a failed write left. Where the connection is lost as well, leftovers() will find it. */
async function discard(
	session: Session,
	{ handle, temporary }: { readonly handle: Handle | null; readonly temporary: string },
): Promise<void> {
	const call = session.begin(null);
	try {
		if (handle !== null) await permit(call.close(handle));
		await permit(call.unlink(temporary));
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
	} finally {
		call.end();
	}
}
