import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { isBlobName } from '../blob-name.ts';
import type { BlobFacts } from '../contract.ts';
import { ask, type Bucket, deedOf } from './calls.ts';
import { foreign } from './errors.ts';
import { md5Of } from './head.ts';

interface Page {
	readonly action: string;
	readonly prefix: string;
	readonly signal: AbortSignal;
	/** Tells only the first level below the prefix. */
	readonly delimiter?: '/';
	/** Entries of a page; left out: as many as the store gives at most. */
	readonly limit?: number;
}

async function* pagesOf(bucket: Bucket, page: Page): AsyncGenerator<ListObjectsV2CommandOutput> {
	let token: string | undefined;
	for (;;) {
		const found: ListObjectsV2CommandOutput = await ask(bucket, {
			action: page.action,
			signal: page.signal,
			send: ({ sdk, client }, options) =>
				client.send(
					new sdk.ListObjectsV2Command({
						Bucket: bucket.name,
						Prefix: page.prefix,
						// Somebody else's key may hold what no XML can; some stores answer 500 then.
						EncodingType: 'url',
						...(page.delimiter === undefined ? {} : { Delimiter: page.delimiter }),
						...(page.limit === undefined ? {} : { MaxKeys: page.limit }),
						...(token === undefined ? {} : { ContinuationToken: token }),
					}),
					options,
				),
		});
		// A page of something else reads as a listing of nothing.
		if (found.Name === undefined) throw foreign(deedOf(bucket, page.action));
		yield found;
		if (found.IsTruncated !== true) return;
		// Half a listing would make the rest look missing, and the same page again would never end.
		if (found.NextContinuationToken === undefined || found.NextContinuationToken === token) throw foreign(deedOf(bucket, page.action));
		token = found.NextContinuationToken;
	}
}

/** Every blob below a folder. What does not have a blob's name is somebody else's. */
export async function* listBlobs(bucket: Bucket, folder: string, signal: AbortSignal): AsyncGenerator<BlobFacts> {
	const pages = pagesOf(bucket, { action: `list "${folder}"`, prefix: bucket.prefix + folder, signal });
	for await (const { Contents = [] } of pages) {
		for (const { Key = '', Size, LastModified, ETag } of Contents) {
			const name = decodeKey(Key).slice(bucket.prefix.length);
			if (!isBlobName(name)) continue;
			yield { name, size: Size ?? 0, modified: LastModified?.getTime() ?? null, md5: md5Of(ETag) };
		}
	}
}

/** Names of the first level below the prefix, at most `limit`. */
export async function namesAtTop(bucket: Bucket, limit: number, signal: AbortSignal): Promise<string[]> {
	const names: string[] = [];
	const pages = pagesOf(bucket, { action: 'list', prefix: bucket.prefix, signal, delimiter: '/', limit: limit + 1 });
	for await (const { Contents = [], CommonPrefixes = [] } of pages) {
		const keys = [...Contents.map(({ Key }) => Key), ...CommonPrefixes.map(({ Prefix }) => Prefix?.replace(/\/$/, ''))];
		// The prefix itself may be an object: the empty "folder" that web consoles make.
		names.push(...keys.map((key) => decodeKey(key ?? '').slice(bucket.prefix.length)).filter((name) => name !== ''));
		if (names.length >= limit) break;
	}
	return names.slice(0, limit);
}

/** A key or prefix as a listing with `EncodingType: 'url'` gives it; some servers leave prefixes as they are. */
function decodeKey(text: string): string {
	try {
		return decodeURIComponent(text.replaceAll('+', ' '));
	} catch (error) {
		if (error instanceof URIError) return text;
		throw error;
	}
}
