import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { requireBlobFolder, requireBlobName } from './blob-name.ts';
import type { BlobStore } from './contract.ts';
import { openConnection, type Session, type SftpCall } from './sftp/connection.ts';
import { createBlob } from './sftp/create.ts';
import { asStoreError, isAbsent } from './sftp/errors.ts';
import { openFarHash } from './sftp/far-hash.ts';
import { parseKnownHosts } from './sftp/known-hosts.ts';
import { closeHandle, keepOpenFiles, type OpenFile, type OpenFiles, openFile, statFile } from './sftp/open-files.ts';
import { prove } from './sftp/prove.ts';
import { endsAt, receive, receiveAll } from './sftp/pump.ts';
import type { Auth } from './sftp/sign-in.ts';
import { factsOf, listFolder, walk } from './sftp/walk.ts';

export interface SftpStoreOptions {
	readonly host: string;
	readonly port: number;
	readonly user: string;
	/** The root folder; relative to where the server lets the user start, where it does not begin with `/`. */
	readonly path: string;
	readonly auth: Auth;
	/** Texts of known_hosts files; the first is the one that hints name. */
	readonly knownHosts: readonly { readonly path: string; readonly text: string }[];
	/** Names the store in texts; holds no secret. */
	readonly place: string;
	/** 16 hex digits that no other write has. */
	readonly random?: () => string;
}

/** Files that are kept open after a ranged read. */
const KEPT_OPEN = 8;

const KNOWN_HOSTS = '~/.ssh/known_hosts';

interface Deed {
	readonly action: string;
	readonly name: string;
	readonly signal: AbortSignal;
}

/** A folder at an SSH server. Connects when it is first asked for something. */
export function openSftpStore(options: SftpStoreOptions): BlobStore {
	const { place, random = () => randomBytes(8).toString('hex') } = options;
	const connection = openConnection({
		...options,
		knownHosts: parseKnownHosts(options.knownHosts),
		knownHostsPath: options.knownHosts[0]?.path ?? KNOWN_HOSTS,
	});
	const farHash = openFarHash();
	const openFiles = new WeakMap<Session, OpenFiles>();

	function filesOf(session: Session): OpenFiles {
		const files = openFiles.get(session) ?? keepOpenFiles(session, KEPT_OPEN);
		openFiles.set(session, files);
		return files;
	}

	/** Does one thing at the server, and says what it was where it fails. */
	async function during<T>(deed: Deed, work: (at: { readonly session: Session; readonly call: SftpCall }) => Promise<T>): Promise<T> {
		const session = await connection.session(deed.signal);
		const call = session.begin(deed.signal);
		try {
			return await work({ session, call });
		} catch (error) {
			throw asStoreError(error, { ...deed, place });
		} finally {
			call.end();
		}
	}

	async function* below(folder: string, { temporary, signal }: { readonly temporary: boolean; readonly signal: AbortSignal }) {
		const session = await connection.session(signal);
		const call = session.begin(signal);
		try {
			yield* walk({ session, call, folder, temporary });
		} catch (error) {
			throw asStoreError(error, { action: 'list', name: folder || '/', place });
		} finally {
			call.end();
		}
	}

	return {
		place,
		top(limit, signal) {
			return during({ action: 'list', name: '/', signal }, async (at) => {
				const entries = await listFolder(at.session.top, at);
				return entries.slice(0, limit).map(({ filename }) => filename);
			});
		},
		async *list(folder, signal) {
			requireBlobFolder(folder);
			yield* below(folder, { temporary: false, signal });
		},
		async stat(name, signal) {
			requireBlobName(name);
			return during({ action: 'look at', name, signal }, async (at) => {
				const facts = await statFile(posix.join(at.session.top, name), at);
				return facts === null ? null : factsOf(name, facts);
			});
		},
		async readRange(name, range, signal) {
			requireBlobName(name);
			return during({ action: 'read', name, signal }, ({ session, call }) =>
				filesOf(session).use(name, {
					call,
					open: (opening) => openFile(posix.join(session.top, name), { session, call: opening }),
					async work(file) {
						checkRange(name, file, range.offset + range.length);
						return receiveAll(file.handle, range, { call, name, large: session.large });
					},
				}),
			);
		},
		async *read(name, { offset = 0, signal }) {
			requireBlobName(name);
			const session = await connection.session(signal);
			const call = session.begin(signal);
			let file: OpenFile | null = null;
			try {
				file = await openFile(posix.join(session.top, name), { session, call });
				checkRange(name, file, offset);
				yield* receive(file.handle, { offset, length: file.size - offset }, { call, name, large: session.large });
			} catch (error) {
				throw asStoreError(error, { action: 'read', name, place });
			} finally {
				call.end();
				if (file !== null) closeHandle(session, file.handle);
			}
		},
		async create(name, content, { signal, replace = false }) {
			requireBlobName(name);
			const session = await connection.session(signal);
			const outcome = await createBlob(content, { session, place, name, temporaryName: `.tmp-${random()}`, replace, signal });
			if (replace) filesOf(session).forget(name);
			return { outcome, md5: null };
		},
		async prove(name, expected, signal) {
			requireBlobName(name);
			return during({ action: 'prove', name, signal }, (at) => prove(name, expected, { ...at, signal, farHash }));
		},
		async remove(name, signal) {
			requireBlobName(name);
			await during({ action: 'remove', name, signal }, async ({ session, call }) => {
				filesOf(session).forget(name);
				try {
					await call.unlink(posix.join(session.top, name));
				} catch (error) {
					if (!isAbsent(error)) throw error;
					await session.root.require(call);
				}
			});
		},
		leftovers: (signal) => below('', { temporary: true, signal }),
		async close() {
			connection.close();
		},
	};
}

function checkRange(name: string, { size }: OpenFile, wanted: number): void {
	if (wanted > size) throw endsAt(name, { end: size, wanted });
}
