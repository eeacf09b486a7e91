import { type BlobStore, openS3Store, type S3StoreOptions } from '../../src/remote/index.ts';
import { withRetries } from '../../src/remote/with-retries.ts';
import { noise, sha256 } from '../contract/blob-store.ts';
import { type Ceph, openCeph } from './ceph.ts';
import { type Fault, type FaultyHttp, openFaultyHttp } from './faulty-http.ts';
import { newBucket, settingsOf } from './s3-bucket.ts';

export const NAME = 'bundles/ab/one.zip';
/** More than the SDK sends without having been asked to go on. */
export const BYTES = noise(3 * 1024 * 1024);
export const EXPECTED = { size: BYTES.length, sha256: sha256(BYTES), md5: null };

/** What a failure is that another try may mend. */
export const CUT = { code: 'unreachable', retryable: true };

/** The page of something else that speaks HTTP. */
export const HTML = { 'content-type': 'text/html' };

/** The "no" of an object store. */
export function refusal(status: number, code: string, message = 'no'): Fault {
	return { kind: 'answer', status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

export function isPut(asked: string): boolean {
	return asked.startsWith('PUT ');
}

export function isGet(asked: string): boolean {
	return asked.startsWith('GET ') && asked.includes(NAME);
}

export function isHead(asked: string): boolean {
	return asked.startsWith('HEAD ');
}

export function isList(asked: string): boolean {
	return asked.includes('list-type=2');
}

/** A bucket of its own, over a way on which things go wrong, and beside it. */
export interface BadWay {
	readonly settings: S3StoreOptions;
	readonly store: BlobStore;
	readonly direct: BlobStore;
	/** The store as a command uses it, without the waits. */
	readonly patient: BlobStore;
	close(): Promise<void>;
}

/** Ceph, and a bad way to it. */
export interface BadWays {
	readonly ceph: Ceph;
	readonly way: FaultyHttp;
	open(): Promise<BadWay>;
	close(): Promise<void>;
}

/** Starts Ceph and what lies before it. */
export async function openBadWays(): Promise<BadWays> {
	const ceph = await openCeph();
	const way = await openFaultyHttp(ceph.endpoint);
	return {
		ceph,
		way,
		async open() {
			const settings = settingsOf(ceph, await newBucket(ceph));
			const store = openS3Store({ ...settings, endpoint: way.endpoint, idle: 1_500 });
			const direct = openS3Store(settings);
			return {
				settings,
				store,
				direct,
				patient: withRetries(store, { tries: 3, delay: () => 0, sleep: async () => {} }),
				async close() {
					await store.close();
					await direct.close();
				},
			};
		},
		async close() {
			await way.close();
			await ceph.close();
		},
	};
}
