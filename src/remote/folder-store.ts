import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { MailsealError, systemCode } from '../domain/index.ts';
import { type FileHooks, type Files, isTemporaryName } from '../platform/index.ts';
import { isBlobLevel, requireBlobFolder, requireBlobName } from './blob-name.ts';
import { checkedContent } from './checked-content.ts';
import type { BlobContent, BlobFacts, BlobRange, BlobStore, Created, CreateOptions, Expected, Proof } from './contract.ts';
import { type FileCopy, openCopy } from './copy-file.ts';
import { exactlyOf, type OpenFile, openToRead, piecesOf } from './file-pieces.ts';
import { folderFailure, notFolder } from './folder-failure.ts';
import { lookAt, openFolderRoot } from './folder-root.ts';
import { throwIfAborted } from './interrupt.ts';

export interface FolderStoreOptions {
	/** Absolute. Its last level is made by the first create. */
	readonly path: string;
	/** Makes folders and removes files. */
	readonly files: Files;
	/** See every step by which a blob is written. */
	readonly hooks?: FileHooks;
}

/** Keeps blobs as files of a folder: on another disk, or on one that a server lends. Symbolic links in it are not followed. */
export function openFolderStore({ path: place, files, hooks = {} }: FolderStoreOptions): BlobStore {
	const root = openFolderRoot({ path: place, files });

	/** Looks at a blob before it is read; whatever is no file is not there. */
	async function open(name: string, signal: AbortSignal): Promise<OpenFile> {
		throwIfAborted(signal);
		const path = join(place, name);
		if (!root.look(name)?.isFile()) throw notThere(path);
		try {
			return await openToRead(path);
		} catch (error) {
			// It was removed, or a link came in its place, since we looked.
			if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ELOOP') throw folderFailure(error, 'read', path);
			root.require();
			throw notThere(path);
		}
	}

	async function* read(
		name: string,
		options: { readonly offset?: number; readonly signal: AbortSignal },
	): AsyncGenerator<Uint8Array, void> {
		requireBlobName(name);
		const file = await open(name, options.signal);
		try {
			for await (const piece of piecesOf(file, options.offset ?? 0)) {
				throwIfAborted(options.signal);
				yield piece;
			}
		} catch (error) {
			throw folderFailure(error, 'read', file.path);
		} finally {
			await file.handle.close();
		}
	}

	async function readRange(name: string, { offset, length }: BlobRange, signal: AbortSignal): Promise<Uint8Array> {
		requireBlobName(name);
		const file = await open(name, signal);
		try {
			return await exactlyOf(file, { offset, length });
		} catch (error) {
			throw folderFailure(error, 'read', file.path);
		} finally {
			await file.handle.close();
		}
	}

	async function create(name: string, content: BlobContent, { signal, replace = false }: CreateOptions): Promise<Created> {
		requireBlobName(name);
		if (isTemporary(name)) throw new Error(`Cannot create "${name}": this is the name of a file that is being written`);
		throwIfAborted(signal);
		root.make();
		if (root.look(name) !== null && !replace) return { outcome: 'present', md5: null };
		const path = join(place, name);
		files.makeFolder(dirname(path));
		const copy = await openCopy(path, hooks);
		try {
			await writeAll(copy, checkedContent(content, { name, signal }));
			return { outcome: await copy.commit({ replace, signal }), md5: null };
		} finally {
			await copy.discard();
		}
	}

	async function prove(name: string, { size, sha256, md5 }: Expected, signal: AbortSignal): Promise<Proof> {
		requireBlobName(name);
		throwIfAborted(signal);
		const damaged = (text: string): Proof => ({ state: 'damaged', how: 'read', text });
		const stats = root.look(name);
		if (stats === null) return { state: 'missing' };
		if (!stats.isFile()) return damaged(`it is ${stats.isDirectory() ? 'a folder' : 'a link or a device'} (a file is right)`);
		if (stats.size !== size) return damaged(`it has ${stats.size} bytes (${size} are right)`);
		const [hash, called, right] = sha256 === null ? [createHash('md5'), 'MD5', md5] : [createHash('sha256'), 'SHA-256', sha256];
		for await (const piece of read(name, { signal })) hash.update(piece);
		const found = hash.digest('hex');
		return found === right ? { state: 'intact', how: 'read' } : damaged(`its ${called} is ${found} (${right} is right)`);
	}

	/** Every file below a folder. Links, and names that no blob has, are left out. */
	async function* walk(top: string, signal: AbortSignal): AsyncGenerator<BlobFacts, void> {
		const waiting = [top];
		for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
			// No promise for each file, so that ten thousand take milliseconds; between two folders an interrupt is seen.
			await setImmediate();
			throwIfAborted(signal);
			const entries = entriesOf(join(place, folder));
			if (entries.length === 0) root.require();
			for (const entry of entries) {
				const name = `${folder}${entry.name}`;
				if (!isBlobLevel(entry.name)) continue;
				if (entry.isDirectory()) waiting.push(`${name}/`);
				if (!entry.isFile()) continue;
				const stats = lookAt(join(place, name));
				if (stats === null) root.require();
				else yield factsOf(name, stats);
			}
		}
	}

	return {
		place,
		async top(limit, signal) {
			throwIfAborted(signal);
			if (!root.exists()) return [];
			return entriesOf(place)
				.slice(0, limit)
				.map(({ name }) => name);
		},
		async *list(folder, signal) {
			requireBlobFolder(folder);
			throwIfAborted(signal);
			const stats = folder === '' ? null : root.look(folder.slice(0, -1));
			if (stats?.isSymbolicLink()) throw notFolder(join(place, folder), 'a symbolic link');
			if (folder !== '' && !stats?.isDirectory()) return;
			for await (const facts of walk(folder, signal)) if (!isTemporary(facts.name)) yield facts;
		},
		async stat(name, signal) {
			requireBlobName(name);
			throwIfAborted(signal);
			const stats = root.look(name);
			return stats?.isFile() ? factsOf(name, stats) : null;
		},
		readRange,
		read,
		create,
		prove,
		async remove(name, signal) {
			requireBlobName(name);
			throwIfAborted(signal);
			const stats = root.look(name);
			if (stats !== null && !stats.isDirectory()) files.remove(join(place, name));
		},
		async *leftovers(signal) {
			throwIfAborted(signal);
			for await (const facts of walk('', signal)) if (isTemporary(facts.name)) yield facts;
		},
		async close() {},
	};
}

/** Writes a piece while the next one is read and hashed. */
async function writeAll(copy: FileCopy, pieces: AsyncIterable<Uint8Array>): Promise<void> {
	let writing: Promise<void> = Promise.resolve();
	try {
		for await (const piece of pieces) {
			await writing;
			writing = copy.write(piece);
			// It is waited for below; until then a failure has nobody to tell.
			writing.catch(() => {});
		}
	} finally {
		// The file is not closed while it is written, and what went wrong first is what is told.
		await Promise.allSettled([writing]);
	}
	await writing;
}

function isTemporary(name: string): boolean {
	return isTemporaryName(basename(name));
}

function factsOf(name: string, stats: Stats): BlobFacts {
	return { name, size: stats.size, modified: Math.trunc(stats.mtimeMs), md5: null };
}

/** What lies in a folder; nothing does in one that is not there. */
function entriesOf(path: string): Dirent[] {
	try {
		return readdirSync(path, { withFileTypes: true });
	} catch (error) {
		if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
		throw folderFailure(error, 'list', path);
	}
}

function notThere(path: string): MailsealError {
	return new MailsealError('not-found', `Cannot read "${path}": there is no such file`, {
		hint: 'run "mailseal sync" to send again what the target lacks',
	});
}
