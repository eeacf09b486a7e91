import type { ErrorCode } from '../../domain/index.ts';

/** What an error means for the user. */
export interface Kind {
	readonly code: ErrorCode;
	/** What is the case. */
	readonly text: string;
	readonly hint: string;
	/** Left out: as the code says. */
	readonly retryable?: boolean;
}

const GOES_ON = 'run the command again: it goes on where it stopped';

const EXPIRED: Kind = {
	code: 'permission',
	text: 'the credentials have expired',
	hint: `renew the session or the temporary credentials, and ${GOES_ON}`,
};
const REFUSED: Kind = {
	code: 'permission',
	text: 'the store does not allow it',
	hint: `let the access key list the bucket, and read and write objects below the prefix of the target, and ${GOES_ON}`,
};
export const UNKNOWN_KEY: Kind = {
	code: 'permission',
	text: 'the store does not know the access key',
	hint: `check access key and endpoint of the target, or make a new key, and ${GOES_ON}`,
};
const NO_CREDENTIALS: Kind = {
	code: 'permission',
	text: 'there are no credentials',
	hint: 'give access key and secret key for the target, in the environment or in the shared credentials file',
};
export const BUSY: Kind = {
	code: 'unreachable',
	text: 'the store is in trouble or asks for patience',
	hint: `wait a while, and ${GOES_ON}`,
};
export const SKEWED: Kind = {
	code: 'unreachable',
	text: 'the clock of this machine and the clock of the store differ by more than the store allows',
	hint: 'set the clock of this machine, for example with NTP; meanwhile the clock of the store is used',
};
const CHANGED: Kind = {
	code: 'unreachable',
	text: 'the bytes were changed on the way, and the store refused them',
	hint: `${GOES_ON}; where it fails again, look for a proxy or a network card that damages what it passes on`,
};
const FULL: Kind = {
	code: 'no-space',
	text: 'the store has no space left, or the quota is used up',
	hint: `free some space at the store or raise the quota, and ${GOES_ON}`,
};
const NO_BLOB: Kind = { code: 'not-found', text: 'there is no such blob', hint: 'check bucket and prefix of the target' };
export const ELSEWHERE: Kind = { code: 'config', text: 'the bucket is in another region', hint: 'set the region of the target' };
const TOO_LARGE: Kind = {
	code: 'io',
	text: 'the store, or a proxy before it, takes no upload of this size',
	hint: 'raise the limit there, or make bundles smaller with `bundle.target` and `bundle.max`',
};
export const FOREIGN: Kind = {
	code: 'unreachable',
	text: 'the answer is not that of an S3 store',
	hint: `check the endpoint of the target, and what lies between; then ${GOES_ON}`,
};
const CERTIFICATE: Kind = {
	code: 'unreachable',
	text: 'the certificate of the store is not trusted',
	hint: 'check the host name of the endpoint, or name the authority that signed the certificate in NODE_EXTRA_CA_CERTS',
	retryable: false,
};
const CUT: Kind = { code: 'unreachable', text: 'the connection was cut', hint: GOES_ON };
const SILENCE: Kind = { code: 'unreachable', text: 'the store does not answer', hint: `check network and endpoint, and ${GOES_ON}` };

/** By the name that an error of the SDK or of the store has. */
export const NAMED: Readonly<Record<string, Kind>> = {
	InvalidAccessKeyId: UNKNOWN_KEY,
	InvalidClientTokenId: UNKNOWN_KEY,
	SignatureDoesNotMatch: {
		code: 'permission',
		text: 'the store refuses the signature',
		hint: `check the secret key of the target, and ${GOES_ON}`,
	},
	AccessDenied: REFUSED,
	AllAccessDisabled: REFUSED,
	AccountProblem: REFUSED,
	ExpiredToken: EXPIRED,
	ExpiredTokenException: EXPIRED,
	TokenRefreshRequired: EXPIRED,
	InvalidToken: EXPIRED,
	RequestExpired: EXPIRED,
	CredentialsProviderError: NO_CREDENTIALS,
	TokenProviderError: EXPIRED,
	InvalidObjectState: {
		code: 'io',
		text: 'the store has moved the blob to an archive tier',
		hint: 'restore the blob at the store, and take the rule away that moves what lies in the bucket',
	},
	NoSuchKey: NO_BLOB,
	NoSuchVersion: NO_BLOB,
	// What the SDK calls a 404 without the store's own word, which everything that speaks HTTP may answer. HEAD looks closer.
	NotFound: FOREIGN,
	InvalidBucketName: { code: 'config', text: 'that is no name of a bucket', hint: 'check the bucket of the target' },
	RequestTimeTooSkewed: SKEWED,
	RequestInTheFuture: SKEWED,
	SlowDown: BUSY,
	ServiceUnavailable: BUSY,
	InternalError: BUSY,
	RequestTimeout: BUSY,
	RequestTimeoutException: BUSY,
	Throttling: BUSY,
	ThrottlingException: BUSY,
	TooManyRequests: BUSY,
	TooManyRequestsException: BUSY,
	RequestLimitExceeded: BUSY,
	BandwidthLimitExceeded: BUSY,
	OperationAborted: BUSY,
	IncompleteBody: CUT,
	BadDigest: CHANGED,
	XAmzContentSHA256Mismatch: CHANGED,
	QuotaExceeded: FULL,
	InsufficientStorage: FULL,
	InsufficientCapacity: FULL,
	StorageFull: FULL,
	EntityTooLarge: TOO_LARGE,
	PermanentRedirect: ELSEWHERE,
	AuthorizationHeaderMalformed: ELSEWHERE,
	IllegalLocationConstraintException: ELSEWHERE,
	AbortError: { code: 'interrupted', text: 'the command was told to stop', hint: 'run the command again to go on' },
	TimeoutError: SILENCE,
};

/** By the status of an answer whose name says nothing, as those to HEAD, and those of a proxy. */
export const STATUS: Readonly<Record<number, Kind>> = {
	301: ELSEWHERE,
	401: REFUSED,
	403: REFUSED,
	408: BUSY,
	413: TOO_LARGE,
	429: BUSY,
	500: BUSY,
	502: BUSY,
	503: BUSY,
	504: BUSY,
	507: FULL,
	509: BUSY,
};

export const NETWORK: Readonly<Record<string, Kind>> = {
	ECONNREFUSED: { code: 'unreachable', text: 'nothing answers at the endpoint', hint: `check endpoint and network, and ${GOES_ON}` },
	ECONNRESET: CUT,
	ECONNABORTED: CUT,
	EPIPE: CUT,
	ERR_STREAM_PREMATURE_CLOSE: CUT,
	ETIMEDOUT: SILENCE,
	EHOSTUNREACH: SILENCE,
	ENETUNREACH: SILENCE,
	ENETDOWN: SILENCE,
	EHOSTDOWN: SILENCE,
	EAI_AGAIN: { code: 'unreachable', text: 'the host name cannot be looked up', hint: `check the network, and ${GOES_ON}` },
	ENOTFOUND: { code: 'unreachable', text: 'the host name has no address', hint: `check endpoint and network, and ${GOES_ON}` },
	EPROTO: { code: 'unreachable', text: 'it does not speak TLS', hint: 'check whether the endpoint is http or https', retryable: false },
	DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
	SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
	UNABLE_TO_GET_ISSUER_CERT: CERTIFICATE,
	UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
	CERT_HAS_EXPIRED: CERTIFICATE,
	CERT_NOT_YET_VALID: CERTIFICATE,
	ERR_TLS_CERT_ALTNAME_INVALID: CERTIFICATE,
};
