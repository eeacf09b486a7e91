import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Expected, Proof } from '../contract.ts';
import type { Session, SftpCall } from './connection.ts';
import type { FarHash } from './far-hash.ts';
import { closeHandle, openFile, statFile } from './open-files.ts';
import { receive } from './pump.ts';

export interface ProveOptions {
	readonly session: Session;
	readonly call: SftpCall;
	readonly signal: AbortSignal;
	readonly farHash: FarHash;
}

/** Bytes. Reading so few is one answer, and starting a program at the server is more than that. */
const SMALL = 255 * 1024;

/** Compares a blob with what it must be: by its size, by a program at the server, and by reading it where the server runs none. */
export async function prove(name: string, expected: Expected, options: ProveOptions): Promise<Proof> {
	const { session, farHash } = options;
	const path = posix.join(session.top, name);
	const facts = await statFile(path, options);
	if (facts === null) return { state: 'missing' };
	if (facts.size !== expected.size) {
		return { state: 'damaged', how: 'read', text: `it has ${facts.size} bytes (${expected.size} are right)` };
	}
	const told = expected.sha256 === null || facts.size <= SMALL ? null : await farHash.sha256(path, options);
	if (told !== null && told === expected.sha256) return { state: 'intact', how: 'command' };
	const proof = await proveByReading(name, expected, options);
	// A program that speaks of other bytes than those that SFTP gives looks at another file.
	if (told !== null && proof.state === 'intact') farHash.distrust();
	return proof;
}

async function proveByReading(name: string, expected: Expected, { session, call }: ProveOptions): Promise<Proof> {
	const [algorithm, label, right] = expected.sha256 === null ? ['md5', 'MD5', expected.md5] : ['sha256', 'SHA-256', expected.sha256];
	if (right === null) throw new Error(`there is nothing to compare ${name} with`);
	const digest = createHash(algorithm);
	const file = await openFile(posix.join(session.top, name), { session, call });
	try {
		const range = { offset: 0, length: file.size };
		for await (const bytes of receive(file.handle, range, { call, name, large: session.large })) digest.update(bytes);
	} finally {
		closeHandle(session, file.handle);
	}
	const found = digest.digest('hex');
	if (found === right) return { state: 'intact', how: 'read' };
	return { state: 'damaged', how: 'read', text: `its ${label} is ${found} (${right} is right)` };
}
