import { type AttachmentFile, type FileSizes, openAttachmentFiles } from './attachment-files.ts';
import { even, logNormal, openPrng, type Prng } from './prng.ts';

/** `real-life`: 43 kB a message, nine tenths of it attachments; `small`: 3.6 kB, hardly an attachment; `tiny`: a block on a disk, none. */
export type Profile = 'real-life' | 'small' | 'tiny';

export interface Shape {
	/** Text of a message, all forms of it together, bytes. */
	readonly text: { readonly median: number; readonly sigma: number; readonly max: number };
	/** Share of messages with attachments. */
	readonly attachmentShare: number;
	readonly files: FileSizes;
}

export const SHAPES: Readonly<Record<Profile, Shape>> = {
	'real-life': {
		text: { median: 2010, sigma: 0.95, max: 200_000 },
		attachmentShare: 0.24,
		files: { median: 32_700, sigma: 1.42, max: 16_000_000 },
	},
	small: {
		text: { median: 1600, sigma: 0.85, max: 60_000 },
		attachmentShare: 0.015,
		files: { median: 6000, sigma: 0.8, max: 100_000 },
	},
	tiny: {
		text: { median: 350, sigma: 0.5, max: 2000 },
		attachmentShare: 0,
		files: { median: 6000, sigma: 0.8, max: 100_000 },
	},
};

/** Files that a message of the same days can choose from; a few of them are chosen by many. */
const BLOCK = 32;
/** Different files for each use of one: with what nobody chooses, two uses of five are of a new file. */
const FILES_PER_USE = 1.6;
const USES_PER_LETTER = 1.35;

/** Sizes and attachments of the messages of one seed. */
export interface Supply {
	/** Bytes of text of the n-th message. */
	textBytes(n: number): number;
	/** Attachments of the n-th message; `when` in [0, 1) is its place in time, so that neighbours in time share files. */
	files(options: { readonly n: number; readonly when: number; readonly prng: Prng }): AttachmentFile[];
}

/** `messages` is how many share the stock of files; `first` is the number of its first file; `attachmentShare` takes the place of the profile's. */
export function openSupply(options: {
	readonly seed: number;
	readonly profile: Profile;
	readonly messages: number;
	readonly first?: number;
	readonly attachmentShare?: number;
}): Supply {
	const shape = SHAPES[options.profile];
	const attachmentShare = options.attachmentShare ?? shape.attachmentShare;
	const file = openAttachmentFiles({ seed: options.seed, sizes: shape.files });
	const offset = openPrng('supply', options.seed).float();
	const first = options.first ?? 0;
	const stock = Math.max(2, Math.round(options.messages * attachmentShare * USES_PER_LETTER * FILES_PER_USE));

	return {
		textBytes: (n) => Math.max(40, Math.min(shape.text.max, Math.round(logNormal(even(n, 0.7548776662466927, offset), shape.text)))),
		files({ n, when, prng }) {
			if (even(n, 0.5698402909980532, offset) >= attachmentShare) return [];
			const count = prng.chance(0.75) ? 1 : prng.chance(0.7) ? 2 : 3 + prng.int(2);
			const chosen = new Set<number>();
			for (let left = count; left > 0; left--) {
				const block = Math.floor((when * stock) / BLOCK) * BLOCK;
				const width = Math.min(BLOCK, stock - block);
				chosen.add(first + block + Math.floor(width * prng.float() ** 1.6));
			}
			return [...chosen].map(file);
		},
	};
}
