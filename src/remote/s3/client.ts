import type { S3Client } from '@aws-sdk/client-s3';

type Everything = typeof import('@aws-sdk/client-s3');

/** What mailseal uses of the SDK. */
export type Sdk = Pick<
	Everything,
	'DeleteObjectCommand' | 'GetObjectCommand' | 'HeadObjectCommand' | 'ListObjectsV2Command' | 'PutObjectCommand' | 'S3Client'
>;

export interface Credentials {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string;
}

export interface ClientOptions {
	/** Left out: the SDK's own host for the region. */
	readonly endpoint?: string;
	/** Left out: `us-east-1` where there is an endpoint, and what environment and shared files say where there is none. */
	readonly region?: string;
	/** Left out: environment, shared files and what else the SDK looks at. */
	readonly credentials?: Credentials;
	/** Connections at once. */
	readonly maxConnections?: number;
	/** Milliseconds in which no byte moves, after which a connection counts as dead. */
	readonly idle?: number;
}

/** Milliseconds until a connection is made. */
const CONNECT = 10_000;
const IDLE = 60_000;
/** Enough for a run's transfers and what is asked beside them. */
const CONNECTIONS = 32;

/** What several servers of old sign with, whatever their region is called. */
const USUAL_REGION = 'us-east-1';

/** The SDK would write to the console. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export interface LoadedClient {
	readonly sdk: Sdk;
	readonly client: S3Client;
}

/** Loads the SDK, which takes a tenth of a second, and makes a client. No connection is made before the first request. */
export async function loadClient(options: ClientOptions): Promise<LoadedClient> {
	const { endpoint, region = endpoint === undefined ? undefined : USUAL_REGION, credentials, idle = IDLE } = options;
	const sdk: Sdk = await import('@aws-sdk/client-s3');
	// Options, and not an agent: with an agent of ours the SDK sends a body before the server has said that it wants it.
	const agent = { keepAlive: true, maxSockets: options.maxConnections ?? CONNECTIONS };
	const client = new sdk.S3Client({
		...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
		...(region === undefined ? {} : { region }),
		...(credentials === undefined ? {} : { credentials: { ...credentials } }),
		// The checksums that the SDK adds of its own accord come as a trailer of a chunked body, which older servers refuse or store.
		requestChecksumCalculation: 'WHEN_REQUIRED',
		responseChecksumValidation: 'WHEN_REQUIRED',
		maxAttempts: 1,
		logger: SILENT,
		requestHandler: { httpAgent: agent, httpsAgent: agent, connectionTimeout: CONNECT, socketTimeout: idle },
	});
	return { sdk, client };
}
