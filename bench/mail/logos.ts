import { createHash } from 'node:crypto';
import { type AttachmentFile, encodeLines } from './attachment-files.ts';
import { domainOf, isBusiness } from './population.ts';
import { logNormal, openPrng, type Prng } from './prng.ts';
import type { Person } from './words.ts';

/** A small picture in the signature of a letter, shown by its HTML (RFC 2392). */
export interface Logo {
	readonly file: AttachmentFile;
	/** Of this one letter, without angle brackets. */
	readonly contentId: string;
}

/** Logos of one letter, and a stream of its own for how they are written, so that nothing else in the tree changes with them. */
export interface Signature {
	readonly logos: readonly Logo[];
	readonly prng: Prng;
}

const SIGNED_SHARE = 1 / 3;
/** Of the signed letters: with a picture of the sender beside the logo of the firm. */
const SECOND_SHARE = 0.4;
/** A firm changes its logo now and then. */
const VERSIONS = 3;
const SIZES = { median: 4000, sigma: 0.7, least: 1024, most: 12 * 1024 };
const MAGIC = '\x89PNG\r\n\x1a\n\0\0\0\rIHDR';

/** Gives the n-th letter of a tree its signature; `when` in [0, 1) is its place in time. Undefined for most. */
export function openLogos(
	seed: number,
): (letter: { readonly n: number; readonly from: Person; readonly when: number }) => Signature | undefined {
	const made = new Map<string, AttachmentFile>();

	function logo(owner: string, name: string): AttachmentFile {
		const key = `${owner} ${name}`;
		const known = made.get(key);
		if (known) return known;
		const prng = openPrng('logo', seed, key);
		const size = Math.max(SIZES.least, Math.min(SIZES.most, Math.round(logNormal(prng.float(), SIZES))));
		const bytes = Buffer.alloc(size);
		// A hash of the place is what a compressed picture looks like to a compressor.
		for (let at = 0; at < size; at += 32) {
			createHash('sha256').update(`${seed} ${key} ${at}`).digest().copy(bytes, at);
		}
		bytes.write(MAGIC, 0, 'latin1');
		const file = { name, type: 'image/png', size, ...encodeLines(bytes) };
		made.set(key, file);
		return file;
	}

	return ({ n, from, when }) => {
		if (!isBusiness(from)) return undefined;
		const prng = openPrng('signature', seed, n);
		if (!prng.chance(SIGNED_SHARE)) return undefined;
		const files = [logo(`${domainOf(from)} ${Math.floor(when * VERSIONS)}`, 'image001.png')];
		if (prng.chance(SECOND_SHARE)) files.push(logo(from.address, 'image002.png'));
		return {
			logos: files.map((file) => ({ file, contentId: `${file.name}@01D${prng.hex(1).toUpperCase()}.${prng.hex(1).toUpperCase()}` })),
			prng,
		};
	};
}
