import { MailsealError } from '../../domain/index.ts';
import type { BlobContent, Created, CreateOptions } from '../contract.ts';
import { type Bucket, deedOf, type Habits } from './calls.ts';
import { BUSY } from './error-kinds.ts';
import { type Answer, answerOf, storeError } from './errors.ts';
import { headOf } from './head.ts';
import { asLockError, isLocked, keptUntil, type LockRequest, notLocked, type ObjectLock } from './lock.ts';
import { proveByReading } from './prove.ts';
import { type Put, putBlob } from './put.ts';
import { removeBlob } from './remove.ts';
import { md5OfContent } from './sent-body.ts';

export interface Creating {
	readonly bucket: Bucket;
	readonly lock: ObjectLock | null;
	now(): number;
}

/** Writes a blob where there is none of its name, or in its place. */
export async function createBlob(
	creating: Creating,
	content: BlobContent,
	options: CreateOptions & { readonly name: string },
): Promise<Created> {
	const { bucket, lock } = creating;
	const { habits } = bucket;
	const { name, signal, replace = false } = options;
	const present: Created = { outcome: 'present', md5: null };
	if (!replace && (habits.lookFirst || !habits.onlyNew || lock !== null)) {
		const head = await headOf(bucket, { name, signal, beforeWrite: true });
		if (head !== null && lock !== null && head.lock === null) throw notLocked(bucket, { name, stays: true });
		if (head !== null) return present;
	}
	async function presentLocked(): Promise<Created> {
		if (lock !== null && (await headOf(bucket, { name, signal }))?.lock === null) throw notLocked(bucket, { name, stays: true });
		return present;
	}
	const onlyNew = !replace && habits.onlyNew;
	const request: LockRequest | null =
		lock === null ? null : await lockRequest(lock, creating.now(), md5OfContent(content, { name, signal }));
	let put: Put;
	try {
		put = await putBlob(bucket, content, { name, signal, onlyNew, lock: request });
	} catch (error) {
		const answer = answerOf(error);
		const status = answer?.status;
		if (onlyNew && status === 412) return await presentLocked();
		// Somebody else is writing the same name: it may be there in a moment, or not.
		if (onlyNew && status === 409) {
			if ((await headOf(bucket, { name, signal })) !== null) return await presentLocked();
			throw storeError(BUSY, deedOf(bucket, `write "${name}"`), { cause: error });
		}
		if (answer !== null && forgoes(habits, { answer, onlyNew })) return await createBlob(creating, content, options);
		throw request === null ? error : asLockError(error, { bucket, name });
	}
	if (onlyNew) habits.lookFirst = put.versionId !== null;
	if (request !== null) await confirmLock(bucket, { name, signal, request, put, fresh: !replace });
	return { outcome: 'created', md5: await confirmTag(bucket, content, { name, signal, put }) };
}

/** True where the store refused a header that we can do without, and will not be sent from now on. */
function forgoes(habits: Habits, { answer, onlyNew }: { readonly answer: Answer; readonly onlyNew: boolean }): boolean {
	const { status, name, message } = answer;
	if (habits.checksums && (status === 501 || name === 'InvalidArgument' || name === 'InvalidRequest') && /checksum/i.test(message)) {
		habits.checksums = false;
		return true;
	}
	if (!onlyNew || status !== 501) return false;
	habits.onlyNew = false;
	return true;
}

async function lockRequest(lock: ObjectLock, now: number, md5: Promise<string>): Promise<LockRequest> {
	return { mode: lock.mode, until: keptUntil(lock, now), md5: Buffer.from(await md5, 'hex').toString('base64') };
}

interface Written {
	readonly name: string;
	readonly signal: AbortSignal;
	readonly put: Put;
}

/** Reads the lock back: some stores take the wish and do nothing. Then a copy that was not there before goes again. */
async function confirmLock(bucket: Bucket, written: Written & { readonly request: LockRequest; readonly fresh: boolean }): Promise<void> {
	const { name, signal, request, put, fresh } = written;
	if (isLocked(await headOf(bucket, { name, signal, versionId: put.versionId }), request)) return;
	throw notLocked(bucket, { name, stays: !fresh || !(await removed(bucket, written)) });
}

/** False where the store does not let us. */
async function removed(bucket: Bucket, { name, signal, put }: Written): Promise<boolean> {
	try {
		await removeBlob(bucket, name, { signal, versionId: put.versionId });
		return true;
	} catch (error) {
		if (error instanceof MailsealError && error.code !== 'interrupted') return false;
		throw error;
	}
}

/**
 * Compares the entity tag with the MD5 of what was sent, and gives the MD5 of what the store has. Where they differ, the bytes are read
 * back: either the store damaged them, or its tags are no MD5.
 */
async function confirmTag(bucket: Bucket, content: BlobContent, { name, signal, put }: Written): Promise<string | null> {
	const { habits } = bucket;
	if (put.told === null || !habits.tagIsMd5) return null;
	if (put.told === put.sent) return put.told;
	const proof = await proveByReading(bucket, name, { expected: { size: content.size, sha256: content.sha256, md5: null }, signal });
	if (proof.state === 'intact') {
		habits.tagIsMd5 = false;
		return null;
	}
	const text = proof.state === 'damaged' ? proof.text : 'it is gone';
	throw new MailsealError('unreachable', `Cannot write "${name}" at "${bucket.place}": the store took it, and now ${text}`, {
		hint: 'run the command again; where it fails again, look for a proxy that damages what it passes on, or ask whoever runs the store',
	});
}
