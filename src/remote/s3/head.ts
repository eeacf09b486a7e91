import { ask, type Bucket, deedOf } from './calls.ts';
import { SKEWED } from './error-kinds.ts';
import { answerOf, foreign, storeError } from './errors.ts';

/** What a store says of an object without sending it. */
export interface Head {
	/** Bytes. */
	readonly size: number;
	/** Milliseconds since 1970. */
	readonly modified: number | null;
	/** 32 hex digits, which usually are the MD5 of the bytes; null for an entity tag of another form. */
	readonly md5: string | null;
	/** SHA-256 that the store computed of the bytes, 64 hex digits; null where it keeps none. */
	readonly sha256: string | null;
	/** Until when the store keeps the object whatever anybody says, milliseconds since 1970; null where it is not locked. */
	readonly lock: { readonly mode: string; readonly until: number } | null;
}

export interface HeadOptions {
	readonly name: string;
	readonly signal: AbortSignal;
	/** Null: the newest. */
	readonly versionId?: string | null;
	/** True where a write follows, which tells a missing bucket by itself. */
	readonly beforeWrite?: boolean;
}

const MD5 = /^"?([0-9a-f]{32})"?$/;

/** The MD5 that an entity tag may be; null for one in another form, as multipart uploads have. */
export function md5Of(entityTag: string | undefined): string | null {
	return MD5.exec(entityTag ?? '')?.[1] ?? null;
}

/** SHA-256 of all bytes as hex; null for none, and for the hash of hashes that a multipart upload has (`...-5`). */
function sha256Of(checksum: string | undefined, type: string | undefined): string | null {
	if (checksum === undefined || type === 'COMPOSITE') return null;
	const bytes = Buffer.from(checksum, 'base64');
	return bytes.length === 32 && bytes.toString('base64') === checksum ? bytes.toString('hex') : null;
}

/** Asks for what the store knows of a blob; null where it says that there is none. */
export async function headOf(bucket: Bucket, options: HeadOptions): Promise<Head | null> {
	const { name, signal, beforeWrite = false } = options;
	const { habits } = bucket;
	const action = `look at "${name}"`;
	try {
		return await head(bucket, { ...options, action, checksums: habits.checksums });
	} catch (error) {
		const answer = answerOf(error);
		if (answer === null || answer.status >= 500) throw error;
		if (answer.status === 404 && beforeWrite) return null;
		await explain(bucket, { action, signal });
		if (answer.status === 404) return null;
		if (answer.status === 400 && habits.checksums) {
			const found = await head(bucket, { ...options, action, checksums: false });
			habits.checksums = false;
			return found;
		}
		throw answer.skewed ? storeError(SKEWED, deedOf(bucket, action), { cause: error }) : error;
	}
}

async function head(bucket: Bucket, options: HeadOptions & { readonly action: string; readonly checksums: boolean }): Promise<Head> {
	const { name, signal, versionId = null, action, checksums } = options;
	const found = await ask(bucket, {
		action,
		signal,
		send: ({ sdk, client }, abort) =>
			client.send(
				new sdk.HeadObjectCommand({
					Bucket: bucket.name,
					Key: bucket.prefix + name,
					...(checksums ? { ChecksumMode: 'ENABLED' } : {}),
					...(versionId === null ? {} : { VersionId: versionId }),
				}),
				abort,
			),
	});
	if (found.ETag === undefined || found.ContentLength === undefined) throw foreign(deedOf(bucket, action));
	const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = found;
	return {
		size: found.ContentLength,
		modified: found.LastModified?.getTime() ?? null,
		md5: md5Of(found.ETag),
		sha256: sha256Of(found.ChecksumSHA256, found.ChecksumType),
		lock: mode === undefined || until === undefined ? null : { mode, until: until.getTime() },
	};
}

/**
 * Throws why a store answers HEAD as it does: such an answer has no text, and a missing bucket looks like a missing blob. Nothing is
 * thrown where the bucket can be listed.
 */
async function explain(bucket: Bucket, { action, signal }: { readonly action: string; readonly signal: AbortSignal }): Promise<void> {
	const found = await ask(bucket, {
		action,
		signal,
		send: ({ sdk, client }, options) =>
			client.send(new sdk.ListObjectsV2Command({ Bucket: bucket.name, Prefix: bucket.prefix, MaxKeys: 1 }), options),
	});
	if (found.Name === undefined) throw foreign(deedOf(bucket, action));
}
