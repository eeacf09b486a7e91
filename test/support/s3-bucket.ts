import { randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { openS3Store, type S3StoreOptions } from '../../src/remote/s3-store.ts';
import type { OpenedStore } from '../contract/blob-store.ts';

/** A server that speaks S3. */
export interface S3Server {
	readonly endpoint: string;
	readonly accessKey: string;
	readonly secretKey: string;
	createBucket(name: string, options?: { readonly lock?: boolean }): Promise<void>;
}

/** Settings of a store in a bucket of that server; the endpoint may be another that leads there. */
export function settingsOf(server: Omit<S3Server, 'createBucket'>, bucket: string): S3StoreOptions {
	return {
		bucket,
		prefix: '',
		endpoint: server.endpoint,
		region: 'us-east-1',
		credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
		place: `s3://${bucket}`,
		now: Date.now,
	};
}

/** A client beside the store, for what an administrator or an attacker would do. */
export function openClient(server: Omit<S3Server, 'createBucket'>): S3Client {
	return new S3Client({
		endpoint: server.endpoint,
		region: 'us-east-1',
		forcePathStyle: true,
		credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
		requestChecksumCalculation: 'WHEN_REQUIRED',
		responseChecksumValidation: 'WHEN_REQUIRED',
	});
}

/** Makes a bucket that nobody else uses. */
export async function newBucket(server: S3Server, options: { readonly lock?: boolean } = {}): Promise<string> {
	const name = `test-${randomUUID()}`;
	await server.createBucket(name, options);
	return name;
}

/** A store in a bucket of its own. */
export async function openInNewBucket(server: S3Server, prefix = ''): Promise<OpenedStore> {
	const bucket = await newBucket(server);
	const client = openClient(server);
	return {
		store: openS3Store({ ...settingsOf(server, bucket), prefix }),
		async plant(name, bytes) {
			await client.send(new PutObjectCommand({ Bucket: bucket, Key: prefix + name, Body: bytes }));
		},
		async close() {
			client.destroy();
		},
	};
}
