import { createHash } from 'node:crypto';
import { MailsealError } from '../../domain/index.ts';
import type { Expected, Proof } from '../contract.ts';
import type { Bucket } from './calls.ts';
import { headOf } from './head.ts';
import { readBytes } from './read.ts';

export interface ProveOptions {
	readonly expected: Expected;
	readonly signal: AbortSignal;
}

/**
 * Proves a copy by size, and by the SHA-256 or MD5 that the store computed when it took the bytes. The bytes are read where it tells
 * neither, and where the entity tag is no MD5 of them: it may be of another kind.
 */
export async function proveBlob(bucket: Bucket, name: string, { expected, signal }: ProveOptions): Promise<Proof> {
	const head = await headOf(bucket, { name, signal });
	if (head === null) return { state: 'missing' };
	if (head.size !== expected.size) return { state: 'damaged', how: 'checksum', text: wrongSize(head.size, expected) };
	if (head.sha256 !== null && expected.sha256 !== null) {
		if (head.sha256 === expected.sha256) return { state: 'intact', how: 'checksum' };
		return { state: 'damaged', how: 'checksum', text: wrongHash('sha256', head.sha256, expected.sha256) };
	}
	if (head.md5 !== null && head.md5 === expected.md5) return { state: 'intact', how: 'checksum' };
	return await proveByReading(bucket, name, { expected, signal });
}

/** Proves a copy by reading all of it. */
export async function proveByReading(bucket: Bucket, name: string, { expected, signal }: ProveOptions): Promise<Proof> {
	const kind = expected.sha256 === null ? 'md5' : 'sha256';
	const hash = createHash(kind);
	let size = 0;
	try {
		for await (const piece of readBytes(bucket, { name, offset: 0, length: null, signal })) {
			size += piece.length;
			hash.update(piece);
		}
	} catch (error) {
		const gone = error instanceof MailsealError && error.code === 'not-found' && (await headOf(bucket, { name, signal })) === null;
		if (gone) return { state: 'missing' };
		throw error;
	}
	if (size !== expected.size) return { state: 'damaged', how: 'read', text: wrongSize(size, expected) };
	const found = hash.digest('hex');
	const right = expected[kind];
	if (right === null) throw new TypeError('what is expected has no hash');
	return found === right ? { state: 'intact', how: 'read' } : { state: 'damaged', how: 'read', text: wrongHash(kind, found, right) };
}

function wrongSize(size: number, expected: Expected): string {
	return `it has ${size} bytes (${expected.size} are right)`;
}

function wrongHash(kind: 'sha256' | 'md5', found: string, right: string): string {
	return `its ${kind === 'md5' ? 'MD5' : 'SHA-256'} is ${found} (${right} is right)`;
}
