import { Buffer } from 'node:buffer';

const LF = 0x0a;

/** Takes bytes out of an iterable of chunks piece by piece, without copying them. What it gives is valid as long as the chunk. */
export class ChunkCursor {
	readonly #source: Iterator<Uint8Array>;
	#chunk: Buffer = Buffer.alloc(0);
	#done = false;

	constructor(source: Iterable<Uint8Array>) {
		this.#source = source[Symbol.iterator]();
	}

	/** The next 1 to `most` bytes (`most` >= 1), or null at the end. */
	next(most: number): Buffer | null {
		if (!this.#fill()) return null;
		const piece = this.#chunk.subarray(0, most);
		this.#chunk = this.#chunk.subarray(piece.length);
		return piece;
	}

	/** The bytes before the next LF, which is passed over, or null where there is none within `most` bytes. */
	line(most: number): Buffer | null {
		const pieces: Buffer[] = [];
		for (let left = most; left > 0 && this.#fill(); ) {
			const lf = this.#chunk.subarray(0, left).indexOf(LF);
			const piece = this.next(lf < 0 ? left : lf + 1);
			if (piece === null) return null;
			// A source may use the space of a chunk again.
			pieces.push(Buffer.from(piece));
			left -= piece.length;
			if (lf >= 0) return Buffer.concat(pieces).subarray(0, -1);
		}
		return null;
	}

	/** Passes over `count` bytes, or to the end. */
	skip(count: number): void {
		for (let left = count; left > 0; ) {
			const piece = this.next(left);
			if (piece === null) return;
			left -= piece.length;
		}
	}

	/** Lets go of the source; may be called twice. */
	close(): void {
		if (this.#done) return;
		this.#done = true;
		this.#chunk = Buffer.alloc(0);
		this.#source.return?.();
	}

	/** False at the end, otherwise there is a byte in the chunk. */
	#fill(): boolean {
		while (this.#chunk.length === 0) {
			const result = this.#done ? undefined : this.#source.next();
			if (result === undefined || result.done === true) {
				this.#done = true;
				return false;
			}
			const { value } = result;
			this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
		}
		return true;
	}
}
