import { Buffer } from 'node:buffer';

/** Bytes carried from one chunk to the next. Adding one byte at a time costs no more than adding all at once. */
export class HeldBytes {
	#space = Buffer.alloc(0);
	#length = 0;

	get length(): number {
		return this.#length;
	}

	/** All of them; valid until the next call of another method. */
	view(): Buffer {
		return this.#space.subarray(0, this.#length);
	}

	add(bytes: Uint8Array): void {
		const length = this.#length + bytes.length;
		if (length > this.#space.length) {
			const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * length));
			this.#space.copy(larger, 0, 0, this.#length);
			this.#space = larger;
		}
		this.#space.set(bytes, this.#length);
		this.#length = length;
	}

	/** Drops the first `count` bytes. */
	drop(count: number): void {
		if (count === 0) return;
		this.#space.copyWithin(0, count, this.#length);
		this.#length -= count;
	}

	clear(): void {
		this.#space = Buffer.alloc(0);
		this.#length = 0;
	}
}
