import { MailsealError, systemCode } from '../../domain/index.ts';

/** Status codes that servers answer with: version 3 (draft-ietf-secsh-filexfer-02, section 7), and later ones that some send all the same. */
export const STATUS = {
	noSuchFile: 2,
	permissionDenied: 3,
	failure: 4,
	unsupported: 8,
	noSuchPath: 10,
	writeProtect: 12,
	noSpace: 14,
	quotaExceeded: 15,
} as const;

/** A server's own "no", as a request fails with it. */
export class Refusal extends Error {
	override readonly name = 'Refusal';
	/** One of STATUS, or another number. */
	readonly status: number;

	constructor(status: number, text: string) {
		super(text);
		this.status = status;
	}
}

/** True where the server says that there is no such file or folder. */
export function isAbsent(error: unknown): error is Refusal {
	return error instanceof Refusal && (error.status === STATUS.noSuchFile || error.status === STATUS.noSuchPath);
}

/** What was to be done, to which blob or folder, at which place. */
export interface Deed {
	/** A verb: `read`, `write`. */
	readonly action: string;
	readonly name: string;
	readonly place: string;
}

const NO_SPACE = /no space|disk (is )?full|quota|out of space/i;

/** Free space at the server, as far as it tells. */
export interface Space {
	/** Bytes. */
	readonly free: number;
	readonly freeFiles: number;
	readonly readOnly: boolean;
}

/** The error for a refusal; any other value is given back as it is. `space` is what the server told of its disk, and `needed` bytes were to go there. */
export function asStoreError(
	error: unknown,
	deed: Deed,
	disk: { readonly space: Space | null; readonly needed: number } | null = null,
): unknown {
	if (!(error instanceof Refusal)) return error;
	const start = `Cannot ${deed.action} "${deed.name}" at "${deed.place}"`;
	const said = error.message;
	const { status } = error;
	const space = disk?.space ?? null;
	if (status === STATUS.noSpace || status === STATUS.quotaExceeded || NO_SPACE.test(said)) return noSpace(start, said, error);
	if (isAbsent(error)) {
		return new MailsealError('not-found', `${start}: there is no such file`, {
			cause: error,
			hint: 'check the name and the path of the target',
		});
	}
	if (status === STATUS.permissionDenied || status === STATUS.writeProtect) {
		return new MailsealError('permission', `${start}: the server says "${said}"`, {
			cause: error,
			hint: 'let the user who signs in read and write the folder at the server',
		});
	}
	if (space?.readOnly === true) {
		return new MailsealError('permission', `${start}: the file system there is read-only`, {
			cause: error,
			hint: 'make it writable at the server, or name another target',
		});
	}
	// OpenSSH says no more than "Failure" of a full disk.
	if (disk !== null && space !== null && (space.free < disk.needed || space.freeFiles === 0))
		return noSpace(start, 'its disk is full', error);
	return new MailsealError('unreachable', `${start}: the server says "${said}" and gives no reason`, {
		cause: error,
		hint: 'look at the disk, the quota and the log of the server',
	});
}

function noSpace(start: string, said: string, cause: Error): MailsealError {
	return new MailsealError('no-space', `${start}: no space is left there (${said})`, {
		cause,
		hint: 'free some space at the target and run the command again; what was sent before stays',
	});
}

const NETWORK: Readonly<Record<string, string>> = {
	ECONNREFUSED: 'nothing answers at that port',
	ECONNRESET: 'the connection was cut',
	EPIPE: 'the connection was cut',
	ETIMEDOUT: 'it does not answer',
	EHOSTUNREACH: 'no way leads there',
	ENETUNREACH: 'no way leads there',
	EHOSTDOWN: 'it is down',
	ENOTFOUND: 'the host name has no address',
	EAI_AGAIN: 'the host name cannot be looked up',
};

/** The library's words, where they are not a user's. */
const LIBRARY: Readonly<Record<string, string>> = {
	'Keepalive timeout': 'it no longer answers',
	'Timed out while waiting for handshake': 'it does not answer as an SSH server does',
	'Connection lost before handshake': 'it ended the connection before it said that it is an SSH server',
	'No response from server': 'the connection was lost',
	'Not connected': 'the connection was lost',
};

const NO_MATCH = /^Handshake failed: no matching (.*)$/;

/** The error for a connection that failed or was lost, for whatever reason the library gives. */
export function unreachable(place: string, cause: unknown): MailsealError {
	const code = systemCode(cause);
	const said = cause instanceof Error ? cause.message : String(cause);
	const text = (code === undefined ? undefined : NETWORK[code]) ?? LIBRARY[said] ?? (said || code);
	// Two programs that speak no common algorithm will not find one in a minute.
	const foreign = NO_MATCH.test(said);
	return new MailsealError('unreachable', `Cannot reach "${place}": ${text}`, {
		cause,
		retryable: !foreign,
		hint: foreign
			? 'let the server offer a current algorithm of that kind (OpenSSH 7 and later do by default)'
			: 'check host, port, network and server, and run the command again: it goes on where it was',
	});
}
