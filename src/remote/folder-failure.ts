import { MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';

/** What the system says when the disk or the server behind a folder is gone or in trouble. */
const GONE: Readonly<Record<string, string>> = {
	EIO: 'the disk does not answer as it should (EIO)',
	ESTALE: 'the server no longer knows the folder (ESTALE)',
	ENODEV: 'the disk is gone (ENODEV)',
	ENXIO: 'the disk is gone (ENXIO)',
	ENOTCONN: 'the connection behind the folder is gone (ENOTCONN)',
	EHOSTDOWN: 'the server is down (EHOSTDOWN)',
	EHOSTUNREACH: 'the server cannot be reached (EHOSTUNREACH)',
	ETIMEDOUT: 'the server does not answer (ETIMEDOUT)',
	EREMOTEIO: 'the server does not answer as it should (EREMOTEIO)',
};

const MOUNT = 'check that the disk is connected and mounted, then run the command again';

export function isDiskGone(error: unknown): boolean {
	const code = systemCode(error);
	return code !== undefined && GONE[code] !== undefined;
}

/** A failed system call as an error that says what could not be done: `unreachable` where the disk is gone. */
export function folderFailure(error: unknown, action: string, path: string): unknown {
	const code = systemCode(error);
	const gone = code === undefined || error instanceof MailsealError ? undefined : GONE[code];
	if (gone === undefined) return asMailsealError(error, action, path);
	return new MailsealError('unreachable', `Cannot ${action} "${path}": ${gone}`, { cause: error, hint: MOUNT });
}

/** The top of a target was there in this run, and no longer is. */
export function rootGone(root: string): MailsealError {
	return new MailsealError('unreachable', `Cannot use the target "${root}": it was there, and is gone (a mounted disk was expected)`, {
		hint: MOUNT,
	});
}

/** The top of a target is not there. */
export function rootMissing(root: string, missing: string): MailsealError {
	return new MailsealError('not-found', `Cannot use the target "${root}": there is no folder "${missing}"`, {
		hint: 'mount the disk that it is on, or correct the path',
	});
}

/** Something in the way is no folder. */
export function notFolder(path: string, kind: string): MailsealError {
	return new MailsealError('io', `Cannot use "${path}": it is ${kind} (a folder was expected)`, {
		hint: 'move it out of the way, or name another target',
	});
}
