/** What went wrong, as a caller tells cases apart. The command line maps each code to one exit code. */
export type ErrorCode =
	| 'usage'
	| 'config'
	| 'not-found'
	| 'busy'
	| 'source-gone'
	/** A target that cannot be reached, or did not answer as it should: the network, or the server, is in trouble. */
	| 'unreachable'
	| 'mass-removal'
	| 'no-space'
	| 'read-only'
	| 'permission'
	| 'io'
	| 'archive-damaged'
	| 'format-newer'
	| 'interrupted';

/** A failure that mailseal foresaw. Anything else that is thrown is a bug in mailseal. */
export class MailsealError extends Error {
	override readonly name = 'MailsealError';
	readonly code: ErrorCode;
	/** True where the same call may succeed later with nothing changed by the user. */
	readonly retryable: boolean;
	/** What the user can do about it, as one sentence without a full stop. */
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, string | number>>;

	constructor(
		code: ErrorCode,
		text: string,
		options: {
			hint?: string;
			retryable?: boolean;
			cause?: unknown;
			details?: Readonly<Record<string, string | number>>;
		} = {},
	) {
		super(text, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.retryable = options.retryable ?? (code === 'busy' || code === 'source-gone' || code === 'unreachable' || code === 'no-space');
		this.hint = options.hint;
		this.details = options.details ?? {};
	}
}

/** The code of a failed system call (`ENOENT`, ...), or undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
	if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
	return undefined;
}
