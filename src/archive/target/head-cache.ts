import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../../domain/index.ts';
import { CACHE_FOLDER } from '../layout.ts';
import type { BundleCopy } from './listing.ts';

/** Keeps the first bytes of age files, so that reading a range of one again takes one request and not two. No key is in them. */
export interface HeadCache {
	read(copy: BundleCopy): Uint8Array | null;
	keep(copy: BundleCopy, head: Uint8Array): void;
	/** True for a copy of which all bytes were read once, and that was the bundle of its name. */
	isWhole(copy: BundleCopy): boolean;
	noteWhole(copy: BundleCopy): void;
}

/** Longer ones are kept on disk alone. Bytes. */
const SHORT = 4096;

export function openHeadCache(dir: string): HeadCache {
	const short = new Map<string, Uint8Array>();
	const whole = new Set<string>();
	const folder = join(dir, CACHE_FOLDER, 'heads');
	const pathOf = ({ sealedHash, id }: BundleCopy): string => join(folder, id.slice(0, 2), sealedHash ?? id);
	return {
		read(copy) {
			if (copy.sealedHash === null) return null;
			const known = short.get(copy.sealedHash);
			if (known !== undefined) return known;
			try {
				return readFileSync(pathOf(copy));
			} catch (error) {
				if (systemCode(error) === undefined) throw error;
				// Without it the head is fetched.
				return null;
			}
		},
		keep(copy, head) {
			if (copy.sealedHash === null || short.has(copy.sealedHash)) return;
			if (head.length <= SHORT) short.set(copy.sealedHash, head);
			write(pathOf(copy), head);
		},
		isWhole: (copy) => whole.has(copy.name) || existsSync(`${pathOf(copy)}.whole`),
		noteWhole(copy) {
			whole.add(copy.name);
			write(`${pathOf(copy)}.whole`, new Uint8Array(0));
		},
	};
}

/** A cache on a full or read-only disk keeps nothing, and nothing is lost by that. */
function write(path: string, bytes: Uint8Array): void {
	try {
		mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
		writeFileSync(`${path}.new`, bytes, { mode: 0o600 });
		renameSync(`${path}.new`, path);
	} catch (error) {
		if (systemCode(error) === undefined) throw error;
	}
}
