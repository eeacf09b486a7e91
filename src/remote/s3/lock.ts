import { MailsealError } from '../../domain/index.ts';
import type { Bucket } from './calls.ts';
import { answerOf } from './errors.ts';
import type { Head } from './head.ts';

/** Blobs are kept by the store itself, whoever asks to remove them. */
export interface ObjectLock {
	/** `GOVERNANCE`: those with a right of their own may still remove. `COMPLIANCE`: nobody may. */
	readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
	/** Milliseconds that each blob is to be kept. */
	readonly keep: number;
}

/** What an upload asks of the lock. */
export interface LockRequest {
	readonly mode: ObjectLock['mode'];
	readonly until: Date;
	/** Of the body, base64: stores take locked objects only with one. */
	readonly md5: string;
}

/** Until when a blob that is written now is to be kept; whole seconds, as some stores keep no more. */
export function keptUntil(lock: ObjectLock, now: number): Date {
	return new Date(Math.ceil((now + lock.keep) / 1_000) * 1_000);
}

/** True where the store keeps what was asked for. */
export function isLocked(head: Head | null, wanted: LockRequest): boolean {
	return head?.lock?.mode === wanted.mode && head.lock.until >= wanted.until.getTime();
}

const HINT =
	'make a bucket with object lock, let the access key read the retention (s3:GetObjectRetention), or take the object lock out of the settings of the target';

/** The error for a store that did not lock what it was told to. `stays`: the copy could not be removed again. */
export function notLocked(bucket: Bucket, { name, stays }: { readonly name: string; readonly stays: boolean }): MailsealError {
	const what = stays ? 'the copy there shows no lock' : 'the store took the copy but did not lock it, and it was removed again';
	return new MailsealError('io', `Cannot lock "${name}" at "${bucket.place}": ${what}`, { hint: HINT });
}

/** The error for a lock that the store refuses at once; any other value is given back as it is. */
export function asLockError(error: unknown, { bucket, name }: { readonly bucket: Bucket; readonly name: string }): unknown {
	const answer = answerOf(error);
	if (
		answer === null ||
		!['InvalidRequest', 'InvalidArgument', 'NotImplemented', 'ObjectLockConfigurationNotFoundError'].includes(answer.name)
	)
		return error;
	return new MailsealError(
		'io',
		`Cannot lock "${name}" at "${bucket.place}": the bucket has no object lock (${answer.status} ${answer.name})`,
		{
			cause: error,
			hint: HINT,
		},
	);
}
