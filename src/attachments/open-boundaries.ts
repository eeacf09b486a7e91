import type { Buffer } from 'node:buffer';

const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** Bytes of the longest line that can be a delimiter; keeps what a splitter holds small. */
export const LONGEST_DELIMITER = 8192;

/** A multipart whose end was not seen yet. */
export interface OpenMultipart {
	readonly boundary: string;
	/** Type of its parts that do not say theirs (RFC 2046, 5.1.5). */
	readonly defaultType: string;
	/** Multiparts and opened messages around its parts. */
	readonly depth: number;
}

/** A line that ends a part: of the multipart at `index`, and of all within it. */
export interface Delimiter {
	readonly index: number;
	readonly closes: boolean;
}

/** The multiparts around a place in a message, outermost first; looking a line up costs the same at any depth. */
export class OpenBoundaries {
	readonly #stack: OpenMultipart[] = [];
	readonly #byText = new Map<string, number>();

	get size(): number {
		return this.#stack.length;
	}

	open(multipart: OpenMultipart): void {
		// An inner multipart with the boundary of an outer one can never be told from it: the outer one rules.
		if (!this.#byText.has(multipart.boundary)) this.#byText.set(multipart.boundary, this.#stack.length);
		this.#stack.push(multipart);
	}

	/** Forgets the multipart that ended, or all within the one that goes on, which is returned. */
	apply({ index, closes }: Delimiter): OpenMultipart | undefined {
		const keep = closes ? index : index + 1;
		while (this.#stack.length > keep) {
			const { boundary = '' } = this.#stack.pop() ?? {};
			if (this.#byText.get(boundary) === this.#stack.length) this.#byText.delete(boundary);
		}
		return closes ? undefined : this.#stack[index];
	}

	/** What the line from `start`, which begins with `--`, to `end`, where its LF is or the message ends, delimits (RFC 2046, 5.1.1). */
	find(bytes: Buffer, start: number, end: number): Delimiter | undefined {
		if (end - start > LONGEST_DELIMITER) return undefined;
		let last = end;
		if (bytes[last - 1] === CR) last--;
		while (bytes[last - 1] === SPACE || bytes[last - 1] === TAB) last--;
		if (last <= start + 2) return undefined;
		const text = bytes.toString('latin1', start + 2, last);
		const opens = this.#byText.get(text);
		const closes = text.endsWith('--') ? this.#byText.get(text.slice(0, -2)) : undefined;
		if (closes !== undefined && (opens === undefined || closes < opens)) return { index: closes, closes: true };
		return opens === undefined ? undefined : { index: opens, closes: false };
	}
}
