import type { BundleRef } from '../../domain/index.ts';
import { sealedSize } from '../../encryption/index.ts';
import type { BlobFacts } from '../../remote/index.ts';
import type { BundleCopy } from './listing.ts';
import type { StoredName } from './names.ts';
import type { Target } from './open-target.ts';
import type { KnownCopy } from './record.ts';

/** The longest header of an age file that counts as one, bytes: hundreds of recipients. */
const LONGEST_HEADER = 64 * 1024;

/** What a listing says of a bundle. */
export type Standing =
	| { readonly state: 'absent' }
	/** By name and size, and by MD5 where store and host know one. */
	| { readonly state: 'confirmed'; readonly copy: BundleCopy }
	| { readonly state: 'damaged'; readonly copy: BundleCopy; readonly text: string };

/** Compares the copies of a bundle at a target with what it is: pure. One good copy is enough; one that this host shipped comes before others. */
export function standingOf(
	ref: BundleRef,
	given: { readonly copies: readonly BundleCopy[]; readonly known: KnownCopy | undefined; readonly encryption: Target['encryption'] },
): Standing {
	const { copies, known, encryption } = given;
	const own = known?.sealedHash;
	// A damaged copy that may not be deleted stays beside the one that took its place.
	const order = own === undefined ? copies : [...copies].sort((a, b) => Number(b.sealedHash === own) - Number(a.sealedHash === own));
	let damaged: Standing | null = null;
	for (const copy of order) {
		if (copy.kind !== ref.kind || !isStoredAs(copy, encryption)) continue;
		const text = sizeProblem(copy, ref.size) ?? ownProblem(copy, known);
		if (text === null) return { state: 'confirmed', copy };
		damaged ??= { state: 'damaged', copy, text };
	}
	return damaged ?? { state: 'absent' };
}

/** True for a name of the form that this target stores its files under. */
export function isStoredAs({ sealedHash }: StoredName, encryption: Target['encryption']): boolean {
	return (sealedHash !== null) === (encryption === 'age');
}

/** Why a copy cannot be that of a file of `size` bytes; null where it can. Pure. */
export function sizeProblem(copy: StoredName & Pick<BlobFacts, 'size'>, size: number): string | null {
	if (copy.sealedHash === null) return copy.size === size ? null : `it has ${copy.size} bytes (${size} are right)`;
	const header = copy.size - sealedSize(size, 0);
	if (header > 0 && header <= LONGEST_HEADER) return null;
	return `it has ${copy.size} bytes, and no age file of ${size} bytes can have so many`;
}

/** What shows that a copy is not as this host shipped it. */
function ownProblem(copy: BundleCopy, known: KnownCopy | undefined): string | null {
	if (known === undefined || (copy.sealedHash !== null && copy.sealedHash !== known.sealedHash)) return null;
	const { size, md5 } = known;
	if (copy.sealedHash !== null && size !== undefined && copy.size !== size) return `it has ${copy.size} bytes (${size} are right)`;
	if (copy.md5 !== null && md5 !== undefined && copy.md5 !== md5) return `its MD5 is ${copy.md5} (${md5} is right)`;
	return null;
}
