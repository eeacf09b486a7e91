import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';

/** SHA-256 of a file in lower-case hex; null where there is none. */
export function hashFile(path: string): string | null {
	let descriptor: number;
	try {
		descriptor = openSync(path, 'r');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'read', path);
	}
	try {
		const hash = createHash('sha256');
		const buffer = Buffer.allocUnsafe(64 * 1024);
		for (let got = -1; got !== 0; ) {
			got = readSync(descriptor, buffer);
			hash.update(buffer.subarray(0, got));
		}
		return hash.digest('hex');
	} catch (error) {
		throw asMailsealError(error, 'read', path);
	} finally {
		closeSync(descriptor);
	}
}
