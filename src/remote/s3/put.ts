import type { Readable } from 'node:stream';
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { MailsealError } from '../../domain/index.ts';
import type { BlobContent } from '../contract.ts';
import { throwIfAborted } from '../interrupt.ts';
import { ask, type Bucket, beginCall, deedOf } from './calls.ts';
import { foreign } from './errors.ts';
import { md5Of } from './head.ts';
import type { LockRequest } from './lock.ts';
import { sendBody } from './sent-body.ts';

export interface PutOptions {
	readonly name: string;
	readonly signal: AbortSignal;
	/** Asks the store to refuse, with 412, where the name is taken. */
	readonly onlyNew: boolean;
	readonly lock: LockRequest | null;
}

export interface Put {
	/** MD5 of what was sent. */
	readonly sent: string;
	/** MD5 that the store may mean by its entity tag; null for another form of tag. */
	readonly told: string | null;
	/** Version that was made; null where the bucket keeps none. */
	readonly versionId: string | null;
}

/** Bytes that one upload takes at most. Several parts would lose the checksums, and "only where there is none" at some stores. */
const LARGEST = 5 * 1024 ** 3;

/** Sends a blob in one request, with its SHA-256 as the signed hash of the body, so that the store refuses what was changed on the way. */
export async function putBlob(bucket: Bucket, content: BlobContent, options: PutOptions): Promise<Put> {
	const { name, signal } = options;
	if (content.size > LARGEST) {
		throw new MailsealError(
			'io',
			`Cannot write "${name}" at "${bucket.place}": it has ${content.size} bytes (an object store takes at most 5 GiB at once)`,
			{
				hint: 'keep messages of that size in a target that is a folder or an SFTP server',
				details: { size: content.size, limit: LARGEST },
			},
		);
	}
	const action = `write "${name}"`;
	const call = beginCall(signal);
	const body = sendBody(content, { name, signal, onFailure: call.cut });
	try {
		const answer = await ask(bucket, {
			action,
			signal: call.signal,
			send: ({ sdk, client }, abort) => {
				const command = new sdk.PutObjectCommand(inputOf(bucket, content, { ...options, body: body.stream }));
				command.middlewareStack.add(
					(next) => (args) => {
						signBodyAs(args.request, content.sha256);
						return next(args);
					},
					{ step: 'build', name: 'signBodyAs' },
				);
				return client.send(command, abort);
			},
		});
		const sent = body.md5();
		if (answer.ETag === undefined || sent === null) throw foreign(deedOf(bucket, action));
		return { sent, told: md5Of(answer.ETag), versionId: answer.VersionId ?? null };
	} catch (error) {
		if (body.failure() !== null) throw body.failure();
		throwIfAborted(signal);
		throw error;
	} finally {
		call.release();
		// A store that refuses early leaves the rest unread, and the connection would wait for it for ever.
		if (!body.stream.readableEnded) call.cut();
		body.stream.destroy();
	}
}

/** Sets the hash that is signed for the body, which the SDK cannot know of a stream. */
function signBodyAs(request: unknown, sha256: string): void {
	if (typeof request !== 'object' || request === null || !('headers' in request)) throw new TypeError('the request has no headers');
	Object.assign(Object(request.headers), { 'x-amz-content-sha256': sha256 });
}

function inputOf(bucket: Bucket, content: BlobContent, options: PutOptions & { readonly body: Readable }): PutObjectCommandInput {
	const { name, onlyNew, lock, body } = options;
	return {
		Bucket: bucket.name,
		Key: bucket.prefix + name,
		Body: body,
		ContentLength: content.size,
		ContentType: 'application/octet-stream',
		// For those who look at the bucket by other means. It proves nothing.
		Metadata: { sha256: content.sha256 },
		// Some stores keep this beside the object, and tell it to HEAD; some take the value only where the algorithm is named as well.
		...(bucket.habits.checksums
			? { ChecksumAlgorithm: 'SHA256', ChecksumSHA256: Buffer.from(content.sha256, 'hex').toString('base64') }
			: {}),
		...(onlyNew ? { IfNoneMatch: '*' } : {}),
		...(lock === null ? {} : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: lock.until, ContentMD5: lock.md5 }),
	};
}
