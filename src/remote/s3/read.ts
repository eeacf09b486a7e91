import { Readable } from 'node:stream';
import { MailsealError } from '../../domain/index.ts';
import { throwIfAborted } from '../interrupt.ts';
import { ask, type Bucket, beginCall, deedOf } from './calls.ts';
import { answerOf, asStoreError, foreign } from './errors.ts';
import { headOf } from './head.ts';

export interface Wanted {
	readonly name: string;
	readonly offset: number;
	/** Bytes; null: to the end. */
	readonly length: number | null;
	readonly signal: AbortSignal;
}

/** A body, and where in it what is wanted lies: a server may send more than it was asked for. */
interface Opened {
	readonly body: Readable;
	readonly skip: number;
	/** Bytes that are wanted; Infinity where the server does not say how many there are. */
	readonly length: number;
	/** True where others follow. */
	readonly more: boolean;
}

const RANGE = /^bytes (\d+)-(\d+)\//;

/** The bytes of a blob or a part of it as they come: not one more, and an error where one is missing. */
export async function* readBytes(bucket: Bucket, wanted: Wanted): AsyncGenerator<Uint8Array> {
	const { name, signal } = wanted;
	const call = beginCall(signal);
	try {
		const opened = await open(bucket, { ...wanted, signal: call.signal });
		if (opened === null) return;
		let { skip, length } = opened;
		for await (const piece of opened.body as AsyncIterable<Uint8Array>) {
			const part = piece.subarray(skip, skip + length);
			skip = Math.max(0, skip - piece.length);
			length -= part.length;
			if (part.length > 0) yield part;
			throwIfAborted(signal);
			// Read to its own end, the connection serves the next call.
			if (length === 0 && opened.more) break;
		}
		if (length > 0 && length !== Number.POSITIVE_INFINITY) {
			throw new MailsealError('unreachable', `Cannot read "${name}" at "${bucket.place}": the answer ended ${length} bytes early`, {
				hint: 'run the command again: it goes on where it stopped',
			});
		}
	} catch (error) {
		throwIfAborted(signal);
		call.cut();
		throw asStoreError(error, deedOf(bucket, `read "${name}"`));
	} finally {
		call.release();
	}
}

/** Asks for the bytes; null where the blob ends just where they would begin. */
async function open(bucket: Bucket, { name, offset, length, signal }: Wanted): Promise<Opened | null> {
	const action = `read "${name}"`;
	const whole = offset === 0 && length === null;
	try {
		const answer = await ask(bucket, {
			action,
			signal,
			send: ({ sdk, client }, options) =>
				client.send(
					new sdk.GetObjectCommand({
						Bucket: bucket.name,
						Key: bucket.prefix + name,
						...(whole ? {} : { Range: `bytes=${offset}-${length === null ? '' : offset + length - 1}` }),
					}),
					options,
				),
		});
		const { Body: body } = answer;
		if (!(body instanceof Readable)) throw foreign(deedOf(bucket, action));
		if (answer.ETag === undefined) {
			body.destroy();
			throw foreign(deedOf(bucket, action));
		}
		const range = RANGE.exec(answer.ContentRange ?? '');
		const start = Number(range?.[1] ?? 0);
		const end = range === null ? (answer.ContentLength ?? Number.POSITIVE_INFINITY) : Number(range[2]) + 1;
		const opened = { body, skip: offset - start, length: length ?? end - offset, more: length !== null && end > offset + length };
		if (opened.skip < 0) {
			body.destroy();
			throw foreign(deedOf(bucket, action));
		}
		if (end - offset < (length ?? 0)) {
			body.destroy();
			throw tooShort(bucket, { name, size: end, offset, length });
		}
		return opened;
	} catch (error) {
		if (answerOf(error)?.status !== 416) throw error;
		const head = await headOf(bucket, { name, signal });
		if (head === null) throw error;
		if (length === null && head.size === offset) return null;
		throw tooShort(bucket, { name, size: head.size, offset, length });
	}
}

interface Short {
	readonly name: string;
	/** Bytes that it has. */
	readonly size: number;
	readonly offset: number;
	readonly length: number | null;
}

function tooShort(bucket: Bucket, { name, size, offset, length }: Short): MailsealError {
	const expected = offset + (length ?? 0);
	return new MailsealError(
		'archive-damaged',
		`Cannot read "${name}" at "${bucket.place}": it ends at byte ${size} (${expected} were expected)`,
		{
			details: { size, expected },
			hint: 'run "mailseal verify" on the target to see what is damaged',
		},
	);
}
