/** A stream of pseudo-random numbers that is the same for the same parts, on every machine. */
export interface Prng {
	uint32(): number;
	/** In [0, 1), with 32 bits. */
	float(): number;
	/** A whole number in [0, below). */
	int(below: number): number;
	chance(share: number): boolean;
	/** Throws where `list` is empty. */
	pick<T>(list: readonly T[]): T;
	/** Lower-case hexadecimal digits, eight a word. */
	hex(words: number): string;
}

/** A stream of its own for each combination of `parts`. */
export function openPrng(...parts: readonly (number | string)[]): Prng {
	let state = mixText(parts.join('\n'));
	function seedWord(): number {
		state = (state + 0x9e3779b9) | 0;
		return mixWord(state);
	}
	let a = seedWord();
	let b = seedWord();
	let c = seedWord();
	let d = seedWord() | 1;

	// xoshiro128** (Blackman and Vigna, 2018).
	function uint32(): number {
		const fives = Math.imul(b, 5);
		const result = Math.imul((fives << 7) | (fives >>> 25), 9) >>> 0;
		const shifted = b << 9;
		c ^= a;
		d ^= b;
		b ^= c;
		a ^= d;
		c ^= shifted;
		d = (d << 11) | (d >>> 21);
		return result;
	}
	function float(): number {
		return uint32() / 0x1_0000_0000;
	}
	function int(below: number): number {
		return Math.floor(float() * below);
	}
	return {
		uint32,
		float,
		int,
		chance: (share) => float() < share,
		pick(list) {
			const item = list[int(list.length)];
			if (item === undefined) throw new Error('Cannot pick from a list: it is empty');
			return item;
		},
		hex(words) {
			let text = '';
			for (let word = 0; word < words; word++) text += (uint32() + 0x1_0000_0000).toString(16).slice(1);
			return text;
		},
	};
}

/**
 * The value below which a share `at` of a log-normal distribution lies. Drawn along an even sequence instead of at
 * random, sizes reach their mean after few messages, so that small trees look like large ones.
 */
export function logNormal(at: number, shape: { readonly median: number; readonly sigma: number }): number {
	return shape.median * Math.exp(shape.sigma * normalQuantile(Math.min(Math.max(at, 1e-7), 1 - 1e-7)));
}

/** The n-th member of an even sequence in [0, 1); different steps give sequences that do not follow each other. */
export function even(n: number, step: number, offset: number): number {
	const value = n * step + offset;
	return value - Math.floor(value);
}

/** Abramowitz and Stegun, 26.2.23: absolute error below 4.5e-4. */
function normalQuantile(at: number): number {
	const tail = at < 0.5 ? at : 1 - at;
	const t = Math.sqrt(-2 * Math.log(tail));
	const distance = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	return at < 0.5 ? -distance : distance;
}

function mixText(text: string): number {
	let hash = 0x811c9dc5;
	for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
	return mixWord(hash);
}

function mixWord(word: number): number {
	let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
	mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
	return (mixed ^ (mixed >>> 16)) >>> 0;
}
