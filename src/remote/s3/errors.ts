import { MailsealError, systemCode } from '../../domain/index.ts';
import { BUSY, ELSEWHERE, FOREIGN, type Kind, NAMED, NETWORK, STATUS, UNKNOWN_KEY } from './error-kinds.ts';

/** What was to be done, and where. */
export interface Deed {
	/** A verb and its object: `write "bundles/ab/one.zip"`. */
	readonly action: string;
	/** The store as the user names it. */
	readonly place: string;
	readonly bucket: string;
}

/** The answer of a store that an error tells of. */
export interface Answer {
	readonly status: number;
	/** The store's name for the error, where the answer has one; else one that the SDK made up. */
	readonly name: string;
	/** What the store says of it; empty where it says nothing. */
	readonly message: string;
	/** Region that the store names. */
	readonly region: string | null;
	/** True where the SDK found the two clocks minutes apart by this answer, and signs with the time of the store from now on. */
	readonly skewed: boolean;
	/** False where the answer is no error of an S3 store, but a page of something else. */
	readonly understood: boolean;
}

function textAt(value: unknown, ...path: readonly string[]): string | null {
	let at = value;
	for (const key of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
	return typeof at === 'string' && at !== '' ? at : null;
}

/** The answer that an error of the SDK tells of, or that the cause of ours does; null where there was none. */
export function answerOf(error: unknown): Answer | null {
	if (error instanceof MailsealError) return answerOf(error.cause);
	if (!(error instanceof Error) || !('$metadata' in error)) return null;
	const metadata: unknown = error.$metadata;
	const status: unknown = typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'httpStatusCode') : undefined;
	if (typeof status !== 'number') return null;
	return {
		status,
		name: error.name,
		message: error.message === 'UnknownError' ? '' : error.message,
		region: textAt(error, 'Region') ?? textAt(error, '$response', 'headers', 'x-amz-bucket-region'),
		skewed: Reflect.get(Object(metadata), 'clockSkewCorrected') === true,
		understood: '$fault' in error,
	};
}

/** Turns an error of the SDK, of a store or of the network into one that says what could not be done, and why. Any other value is given back as it is. */
export function asStoreError(error: unknown, deed: Deed): unknown {
	if (error instanceof MailsealError || !(error instanceof Error)) return error;
	const answer = answerOf(error);
	const kind = answer === null ? kindOfFailure(error) : kindOfAnswer(answer, deed.bucket);
	if (kind === null) return error;
	forgetRequest(error);
	const said = answer === null ? systemCode(error) : [answer.status, nameOf(answer)].filter(Boolean).join(' ');
	return storeError(kind, deed, { cause: error, said: said ?? '', ...(answer === null ? {} : { status: answer.status }) });
}

/** The error for a kind of failure; `said` is what the store or the system calls it. */
export function storeError(
	kind: Kind,
	deed: Deed,
	{ cause, said, status }: { readonly cause?: unknown; readonly said?: string; readonly status?: number } = {},
): MailsealError {
	const text = said === undefined || said === '' ? kind.text : `${kind.text} (${said})`;
	return new MailsealError(kind.code, `Cannot ${deed.action} at "${deed.place}": ${text}`, {
		cause,
		hint: kind.hint,
		...(kind.retryable === undefined ? {} : { retryable: kind.retryable }),
		...(status === undefined ? {} : { details: { status } }),
	});
}

/** The error for an answer that no S3 store gives, such as the page on which a network wants a password first. */
export function foreign(deed: Deed): MailsealError {
	return storeError(FOREIGN, deed);
}

function kindOfAnswer(answer: Answer, bucket: string): Kind {
	const { name, status, region } = answer;
	if (name === 'NoSuchBucket')
		return {
			code: 'not-found',
			text: `there is no bucket "${bucket}"`,
			hint: 'make the bucket at the store, or check bucket, endpoint and access key of the target',
		};
	const named = NAMED[name];
	const elsewhere = named === ELSEWHERE || (named === undefined && status === 301);
	if (elsewhere && region !== null) return { ...ELSEWHERE, text: `${ELSEWHERE.text}, ${region}`, hint: `${ELSEWHERE.hint} to ${region}` };
	// What stores say of an access key in no form that they know.
	if (name === 'AuthorizationHeaderMalformed') return UNKNOWN_KEY;
	if (named !== undefined) return named;
	if (!answer.understood && status < 400) return FOREIGN;
	const kind = STATUS[status];
	if (kind !== undefined) return kind;
	if (!answer.understood) return FOREIGN;
	if (status > 501) return BUSY;
	return {
		code: 'io',
		text: answer.message === '' ? 'the store refuses it' : `the store refuses it: ${answer.message}`,
		hint: 'see what the store says, and check its settings and those of the target',
	};
}

function kindOfFailure(error: Error): Kind | null {
	// The SDK calls a connection that was cut a timeout; the system's own word is the better one.
	const code = systemCode(error) ?? '';
	const known = NETWORK[code] ?? NAMED[error.name];
	if (known !== undefined) return known;
	if (code.startsWith('HPE_')) return FOREIGN;
	if (error.message === 'Region is missing')
		return { code: 'config', text: 'no region is set', hint: 'set the region or the endpoint of the target' };
	return null;
}

/** The name that the store gave its error; null for those that the SDK makes up. */
function nameOf({ name, understood }: Answer): string | null {
	return understood && name !== 'Unknown' && name !== 'UnknownError' && name !== 'Error' && name !== 'NotFound' ? name : null;
}

/** Stores answer a wrong signature with the request as they understood it, and there the token of a session lies open. */
function forgetRequest(error: Error): void {
	for (const key of ['CanonicalRequest', 'CanonicalRequestBytes', 'StringToSign', 'StringToSignBytes']) Reflect.deleteProperty(error, key);
}
