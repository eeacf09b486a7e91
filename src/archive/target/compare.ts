import type { BundleRef } from '../../domain/index.ts';
import { sealedSize } from '../../encryption/index.ts';
import type { BundleCopy } from './listing.ts';
import type { KnownCopy } from './record.ts';

/** The longest header of an age file that counts as one, bytes: hundreds of recipients. */
const LONGEST_HEADER = 64 * 1024;

/** What a listing says of a bundle. */
export type Standing =
	| { readonly state: 'absent' }
	/** By name and size, and by MD5 where store and host know one. */
	| { readonly state: 'confirmed'; readonly copy: BundleCopy }
	| { readonly state: 'damaged'; readonly copy: BundleCopy; readonly text: string };

/** Compares the copies of a bundle at a target with what it is: pure. One good copy is enough. */
export function standingOf(
	ref: BundleRef,
	given: { readonly copies: readonly BundleCopy[]; readonly known: KnownCopy | undefined; readonly encryption: 'none' | 'age' },
): Standing {
	let damaged: Standing | null = null;
	for (const copy of given.copies) {
		if (copy.kind !== ref.kind || (copy.sealedHash !== null) !== (given.encryption === 'age')) continue;
		const text = problemOf(ref, copy, given.known);
		if (text === null) return { state: 'confirmed', copy };
		damaged ??= { state: 'damaged', copy, text };
	}
	return damaged ?? { state: 'absent' };
}

function problemOf(ref: BundleRef, copy: BundleCopy, known: KnownCopy | undefined): string | null {
	if (copy.sealedHash === null) {
		if (copy.size !== ref.size) return `it has ${copy.size} bytes (${ref.size} are right)`;
	} else {
		const header = copy.size - sealedSize(ref.size, 0);
		if (header <= 0 || header > LONGEST_HEADER) return `it has ${copy.size} bytes, and no age file of ${ref.size} bytes can have so many`;
	}
	const isOurs = copy.sealedHash === null || copy.sealedHash === known?.sealedHash;
	if (isOurs && copy.md5 !== null && known?.md5 !== undefined && copy.md5 !== known.md5) {
		return `its MD5 is ${copy.md5} (${known.md5} is right)`;
	}
	return null;
}
