import { Buffer } from 'node:buffer';
import { type Base64Form, bytesBeforeLast } from './base64-form.ts';
import { LineSpreader } from './line-spreader.ts';

/** Bytes encoded at once: what comes of them stays in the nearest caches. Whole groups of four characters. */
const STEP = 24 * 1024;

/**
 * Writes the base64 text of an attachment of `size` bytes that comes in chunks of any sizes. What it gives is valid until its next call.
 */
export class Base64Writer {
	readonly #last: string | undefined;
	readonly #lines: LineSpreader;
	/** Bytes before the last group that were not written yet. */
	#left: number;
	/** Up to 3 bytes that are not a group before the last one, or not known to be. */
	#carry = Buffer.alloc(0);

	constructor(size: number, { lines, last }: Base64Form) {
		this.#last = last;
		this.#left = bytesBeforeLast(size);
		this.#lines = new LineSpreader(lines, Math.min((STEP / 3) * 4, 4 * Math.ceil(size / 3) + 8));
	}

	/** The text of the next bytes, as far as it is known before the bytes behind them. */
	*push(chunk: Buffer): Iterable<Buffer> {
		let at = 0;
		if (this.#carry.length > 0) {
			at = Math.min(chunk.length, 3 - this.#carry.length);
			this.#carry = Buffer.concat([this.#carry, chunk.subarray(0, at)]);
			if (this.#carry.length < 3 || this.#left === 0) return;
			this.#left -= 3;
			yield this.#lines.spread(this.#carry.toString('base64'));
			this.#carry = Buffer.alloc(0);
		}
		while (this.#left > 0 && chunk.length - at >= 3) {
			const count = Math.min(STEP, this.#left, 3 * Math.floor((chunk.length - at) / 3));
			this.#left -= count;
			yield this.#lines.spread(chunk.toString('base64', at, at + count));
			at += count;
		}
		if (at < chunk.length) this.#carry = Buffer.from(chunk.subarray(at));
	}

	/** The text of the last group. */
	end(): Buffer {
		return this.#lines.spread(this.#last ?? this.#carry.toString('base64'));
	}
}
