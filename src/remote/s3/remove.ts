import { ask, type Bucket } from './calls.ts';
import { answerOf } from './errors.ts';

interface RemoveOptions {
	readonly signal: AbortSignal;
	/** Null: the newest. */
	readonly versionId?: string | null;
}

/** Removes a blob, or one version of it; one that is not there is fine. */
export async function removeBlob(bucket: Bucket, name: string, { signal, versionId = null }: RemoveOptions): Promise<void> {
	try {
		await ask(bucket, {
			action: `remove "${name}"`,
			signal,
			send: ({ sdk, client }, options) =>
				client.send(
					new sdk.DeleteObjectCommand({
						Bucket: bucket.name,
						Key: bucket.prefix + name,
						...(versionId === null ? {} : { VersionId: versionId }),
					}),
					options,
				),
		});
	} catch (error) {
		const answer = answerOf(error);
		if (answer?.name !== 'NoSuchKey') throw error;
	}
}
