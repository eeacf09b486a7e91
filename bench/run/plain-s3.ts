import { mkdir, open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import {
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	GetObjectCommand,
	PutObjectCommand,
	S3Client,
	UploadPartCommand,
} from '@aws-sdk/client-s3';

/** Requests under way at once, as many as mailseal's transfers. */
const AT_ONCE = 4;
/** What the SDK's own upload takes for a part. */
const PART = 5 * 1024 * 1024;

export type PlainS3 = 'put' | 'multipart' | 'get';

/**
 * What somebody would write who has to move files and nothing else, with the SDK: `put` sends each file in one request from memory,
 * `multipart` one file after another in parts, `get` writes each object to a folder, and flushes it. Objects have the names of the files.
 */
export async function runPlainS3(
	what: PlainS3,
	options: { readonly endpoint: string; readonly bucket: string; readonly folder: string; readonly files: readonly string[] },
): Promise<void> {
	const { endpoint, bucket: Bucket, folder, files } = options;
	const client = new S3Client({
		endpoint,
		region: 'us-east-1',
		forcePathStyle: true,
		requestChecksumCalculation: 'WHEN_REQUIRED',
		responseChecksumValidation: 'WHEN_REQUIRED',
	});

	async function put(file: string): Promise<void> {
		await client.send(new PutObjectCommand({ Bucket, Key: basename(file), Body: await readFile(join(folder, file)) }));
	}

	async function multipart(file: string): Promise<void> {
		const bytes = await readFile(join(folder, file));
		const Key = basename(file);
		const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
		const numbers = Array.from({ length: Math.ceil(bytes.length / PART) }, (_, index) => index + 1);
		const Parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = [];
		await each(numbers, AT_ONCE, async (PartNumber) => {
			const Body = bytes.subarray((PartNumber - 1) * PART, PartNumber * PART);
			const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
			Parts.push({ PartNumber, ETag });
		});
		Parts.sort((left, right) => left.PartNumber - right.PartNumber);
		await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
	}

	async function get(file: string): Promise<void> {
		const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: basename(file) }));
		const handle = await open(join(folder, basename(file)), 'w');
		try {
			for await (const piece of Body as Readable) await handle.write(piece);
			await handle.sync();
		} finally {
			await handle.close();
		}
	}

	if (what === 'get') await mkdir(folder);
	await each(files, what === 'multipart' ? 1 : AT_ONCE, { put, multipart, get }[what]);
	client.destroy();
}

async function each<Item>(items: readonly Item[], width: number, work: (item: Item) => Promise<void>): Promise<void> {
	const next = items.values();
	await Promise.all(
		Array.from({ length: width }, async () => {
			for (const item of next) await work(item);
		}),
	);
}
