import { createHash } from 'node:crypto';
import { readdirSync, type Stats } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { MailsealError, systemCode } from '../domain/index.ts';
import { type FileHooks, type Files, isTemporaryName } from '../platform/index.ts';
import { isBlobLevel, requireBlobFolder, requireBlobName } from './blob-name.ts';
import { checkedContent } from './checked-content.ts';
import type { BlobContent, BlobFacts, BlobRange, BlobStore, Created, CreateOptions, Expected, Proof } from './contract.ts';
import { openCopy } from './copy-file.ts';
import { closeFile, exactlyOf, type OpenFile, openToRead, piecesOf, readInto } from './file-pieces.ts';
import { folderFailure, notFolder } from './folder-failure.ts';
import { lookAt, openFolderRoot } from './folder-root.ts';
import { throwIfAborted, turn } from './interrupt.ts';

export interface FolderStoreOptions {
	/** Absolute. Its last level is made by the first create. */
	readonly path: string;
	/** Makes folders and removes files. */
	readonly files: Files;
	/** See every step by which a blob is written. */
	readonly hooks?: FileHooks;
}

/** What is read to be hashed: little enough that it is hashed while it lies in the processor's cache. Bytes. */
const SCRATCH = 256 * 1024;
/** Read and hashed before others have their turn, milliseconds' worth. Bytes. */
const TURN = 4 * 1024 * 1024;
/** Folders and files that are looked at before others have their turn. */
const LOOKS = 100;

/** Keeps blobs as files of a folder: on another disk, or on one that a server lends. Symbolic links in it are not followed. */
export function openFolderStore({ path, files, hooks = {} }: FolderStoreOptions): BlobStore {
	// Once, for all paths below it: join() drops `..` by its text, and the system would follow a link before it.
	const place = normalize(path);
	const root = openFolderRoot({ path: place, files });
	const scratch = Buffer.allocUnsafeSlow(SCRATCH);

	/** Looks at a blob before it is read; whatever is no file is not there. */
	async function open(name: string, signal: AbortSignal): Promise<OpenFile> {
		await turn();
		throwIfAborted(signal);
		const path = join(place, name);
		if (!root.look(name)?.isFile()) throw notThere(path);
		try {
			return openToRead(path);
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
			closeFile(file);
		}
	}

	/** Gives `take` all bytes of a blob, each piece in the same memory. */
	async function readAll(
		name: string,
		{ signal, take }: { readonly signal: AbortSignal; readonly take: (piece: Uint8Array) => void },
	): Promise<void> {
		const file = await open(name, signal);
		try {
			let turned = 0;
			for (let at = 0; at < file.size; ) {
				const count = readInto(scratch, file, at);
				take(scratch.subarray(0, count));
				at += count;
				if (at - turned < TURN) continue;
				turned = at;
				await turn();
				throwIfAborted(signal);
			}
		} catch (error) {
			throw folderFailure(error, 'read', file.path);
		} finally {
			closeFile(file);
		}
	}

	async function readRange(name: string, { offset, length }: BlobRange, signal: AbortSignal): Promise<Uint8Array> {
		requireBlobName(name);
		const file = await open(name, signal);
		try {
			return exactlyOf(file, { offset, length });
		} catch (error) {
			throw folderFailure(error, 'read', file.path);
		} finally {
			closeFile(file);
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
			for await (const piece of checkedContent(content, { name, signal })) copy.write(piece);
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
		await readAll(name, { signal, take: (piece) => hash.update(piece) });
		const found = hash.digest('hex');
		return found === right ? { state: 'intact', how: 'read' } : damaged(`its ${called} is ${found} (${right} is right)`);
	}

	/** Every whole file below a folder, or every one that is being written. Links, and names that no blob has, are left out. */
	async function* walk(
		top: string,
		{ temporary, signal }: { readonly temporary: boolean; readonly signal: AbortSignal },
	): AsyncGenerator<BlobFacts, void> {
		requireBlobFolder(top);
		throwIfAborted(signal);
		const stats = top === '' ? null : root.look(top.slice(0, -1));
		if (stats?.isSymbolicLink()) throw notFolder(join(place, top), 'a symbolic link');
		if (top !== '' && !stats?.isDirectory()) return;
		const waiting = [top];
		let looked = 0;
		for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
			const path = `${place}/${folder}`;
			const names = namesIn(path);
			if (names.length === 0) root.require();
			looked += 1 + names.length;
			// Looking at a file takes microseconds, and so does a turn; an interrupt is seen between two folders.
			if (looked >= LOOKS) {
				looked = 0;
				await turn();
			}
			throwIfAborted(signal);
			for (const level of names) {
				if (!isBlobLevel(level)) continue;
				const stats = lookAt(path + level);
				if (stats === null) root.require();
				else if (stats.isDirectory()) waiting.push(`${folder}${level}/`);
				else if (stats.isFile() && isTemporaryName(level) === temporary) yield factsOf(folder + level, stats);
			}
		}
	}

	return {
		place,
		async top(limit, signal) {
			throwIfAborted(signal);
			if (!root.exists()) return [];
			return namesIn(place).slice(0, limit);
		},
		list: (folder, signal) => walk(folder, { temporary: false, signal }),
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
		leftovers: (signal) => walk('', { temporary: true, signal }),
		async close() {},
	};
}

function isTemporary(name: string): boolean {
	return isTemporaryName(basename(name));
}

function factsOf(name: string, stats: Stats): BlobFacts {
	return { name, size: stats.size, modified: Math.trunc(stats.mtimeMs), md5: null };
}

/** Names in a folder; there are none in one that is not there. Without their types: each is looked at for its size anyway. */
function namesIn(path: string): string[] {
	try {
		return readdirSync(path);
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
