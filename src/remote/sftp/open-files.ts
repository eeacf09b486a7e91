import type { Stats } from 'ssh2';
import { MailsealError } from '../../domain/index.ts';
import type { Session, SftpCall } from './connection.ts';
import { isAbsent, Refusal, STATUS } from './errors.ts';
import type { Handle } from './requests.ts';

/** A file that is open for reading. */
export interface OpenFile {
	readonly handle: Handle;
	/** Bytes. */
	readonly size: number;
}

/** What is at a path, where that is a file. */
export async function statFile(
	path: string,
	{ session, call }: { readonly session: Session; readonly call: SftpCall },
): Promise<Stats | null> {
	try {
		const facts = await call.stat(path);
		return facts.isFile() ? facts : null;
	} catch (error) {
		if (!isAbsent(error)) throw error;
		await session.root.require(call);
		return null;
	}
}

/** Opens a file for reading. What is no file is refused as one that is not there. */
export async function openFile(path: string, { session, call }: { readonly session: Session; readonly call: SftpCall }): Promise<OpenFile> {
	const noFile = new Refusal(STATUS.noSuchFile, 'not a file');
	let handle: Handle;
	try {
		handle = await call.open(path, 'r');
	} catch (error) {
		if (isAbsent(error)) await session.root.require(call);
		// Not every server opens a folder as a file, and those that do not have no number for it.
		else if (error instanceof Refusal && (await call.stat(path)).isDirectory()) throw noFile;
		throw error;
	}
	const facts = await call.statHandle(handle);
	if (facts.isFile()) return { handle, size: facts.size };
	await call.close(handle);
	throw noFile;
}

/** Closes what was only read, without waiting for the answer. */
export function closeHandle(session: Session, handle: Handle): void {
	const call = session.begin(null);
	void call
		.close(handle)
		.catch((error: unknown) => {
			// A lost connection has closed it already.
			if (!(error instanceof Refusal) && !(error instanceof MailsealError)) throw error;
		})
		.finally(call.end);
}

/** Files that were read a moment ago, open still: reading on costs one answer and not three. */
export interface OpenFiles {
	/** Works with the file `name` for `call`, opened by `open` where it is not; `open` gets a call of its own, since others may wait for the same file. */
	use<T>(name: string, use: Use<T>): Promise<T>;
	/** Forgets a file that is removed or replaced. */
	forget(name: string): void;
}

export interface Use<T> {
	readonly call: SftpCall;
	readonly open: (call: SftpCall) => Promise<OpenFile>;
	readonly work: (file: OpenFile) => Promise<T>;
}

interface Entry {
	readonly file: Promise<OpenFile>;
	users: number;
	forgotten: boolean;
}

/** Keeps at most `limit` files open that nobody reads. */
export function keepOpenFiles(session: Session, limit: number): OpenFiles {
	/** The one that was used last is the last. */
	const entries = new Map<string, Entry>();

	function close(entry: Entry): void {
		void entry.file.then(
			({ handle }) => closeHandle(session, handle),
			// It was never open, and whoever wanted it was told.
			() => {},
		);
	}

	function drop(name: string, entry: Entry): void {
		if (entries.get(name) === entry) entries.delete(name);
		entry.forgotten = true;
		if (entry.users === 0) close(entry);
	}

	return {
		async use(name, { call, open, work }) {
			let entry = entries.get(name);
			if (entry === undefined) {
				const opening = session.begin(null);
				entry = { file: open(opening).finally(opening.end), users: 0, forgotten: false };
			}
			const mine = entry;
			entries.delete(name);
			entries.set(name, mine);
			mine.users++;
			try {
				return await work(await call.wait(mine.file));
			} catch (error) {
				mine.forgotten = true;
				throw error;
			} finally {
				mine.users--;
				if (mine.forgotten) drop(name, mine);
				for (const [other, idle] of entries) {
					if (entries.size <= limit) break;
					if (idle.users === 0) drop(other, idle);
				}
			}
		},
		forget(name) {
			const entry = entries.get(name);
			if (entry !== undefined) drop(name, entry);
		},
	};
}
