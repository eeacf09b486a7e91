import { requireBlobFolder, requireBlobName } from './blob-name.ts';
import type { BlobFacts, BlobStore } from './contract.ts';
import { type Bucket, newHabits } from './s3/calls.ts';
import { type ClientOptions, type LoadedClient, loadClient } from './s3/client.ts';
import { type Creating, createBlob } from './s3/create.ts';
import { headOf } from './s3/head.ts';
import { listBlobs, namesAtTop } from './s3/list.ts';
import type { ObjectLock } from './s3/lock.ts';
import { proveBlob } from './s3/prove.ts';
import { readBytes } from './s3/read.ts';
import { removeBlob } from './s3/remove.ts';

export interface S3StoreOptions extends ClientOptions {
	readonly bucket: string;
	/** What every key begins with: empty, or levels that end with a slash. */
	readonly prefix: string;
	/** Names the store in texts, as the user would. */
	readonly place: string;
	/** Left out: what is written can be removed. */
	readonly objectLock?: ObjectLock;
	/** Milliseconds since 1970. */
	now(): number;
}

/** Opens a bucket, or a part of it, as a store. Nothing is loaded or asked before the first call. */
export function openS3Store(options: S3StoreOptions): BlobStore {
	const { bucket: name, prefix, place, objectLock = null, now } = options;
	requireBlobFolder(prefix);
	let loading: Promise<LoadedClient> | null = null;
	const bucket: Bucket = {
		place,
		name,
		prefix,
		habits: newHabits(),
		load() {
			loading ??= loadClient(options);
			return loading;
		},
	};
	const creating: Creating = { bucket, lock: objectLock, now };

	return {
		place,
		top: (limit, signal) => namesAtTop(bucket, limit, signal),
		async *list(folder, signal) {
			requireBlobFolder(folder);
			for await (const facts of listBlobs(bucket, folder, signal)) yield bucket.habits.tagIsMd5 ? facts : { ...facts, md5: null };
		},
		async stat(name, signal) {
			requireBlobName(name);
			const head = await headOf(bucket, { name, signal });
			if (head === null) return null;
			return { name, size: head.size, modified: head.modified, md5: bucket.habits.tagIsMd5 ? head.md5 : null };
		},
		async readRange(name, { offset, length }, signal) {
			requireBlobName(name);
			const bytes = Buffer.allocUnsafeSlow(length);
			let done = 0;
			if (length === 0) return bytes;
			for await (const piece of readBytes(bucket, { name, offset, length, signal })) {
				bytes.set(piece, done);
				done += piece.length;
			}
			return bytes;
		},
		async *read(name, { offset = 0, signal }) {
			requireBlobName(name);
			yield* readBytes(bucket, { name, offset, length: null, signal });
		},
		async create(name, content, create) {
			requireBlobName(name);
			return await createBlob(creating, content, { ...create, name });
		},
		async prove(name, expected, signal) {
			requireBlobName(name);
			return await proveBlob(bucket, name, { expected, signal });
		},
		async remove(name, signal) {
			requireBlobName(name);
			await removeBlob(bucket, name, { signal });
		},
		// A store shows an object when it is whole, and one request makes it: nothing is left behind.
		async *leftovers(): AsyncGenerator<BlobFacts> {},
		async close() {
			(await loading)?.client.destroy();
		},
	};
}
