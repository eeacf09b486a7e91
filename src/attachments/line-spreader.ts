import { Buffer } from 'node:buffer';
import type { LineRun } from './base64-form.ts';

/** Bytes moved at once in whole lines; as many may be written behind what counts. */
const STRIDE = 16;

interface Scratch {
	readonly bytes: Buffer;
	readonly view: DataView;
}

// One for all: what is given out is valid until the next call of any spreader, and making these anew for each attachment costs as much as using them.
let textScratch = scratchOf(0);
let spreadScratch = scratchOf(0);

function scratchOf(size: number): Scratch {
	const bytes = Buffer.allocUnsafeSlow(size);
	return { bytes, view: new DataView(bytes.buffer) };
}

/** Cuts base64 text that comes in pieces of at most `longest` characters into lines. What it gives is valid until the next call of any spreader. */
export class LineSpreader {
	readonly #runs: readonly LineRun[];
	readonly #textSize: number;
	readonly #spreadSize: number;
	#run = 0;
	#linesLeft: number;
	/** Characters of the current line that were written. */
	#column = 0;

	constructor(runs: readonly LineRun[], longest: number) {
		this.#runs = runs;
		this.#linesLeft = runs[0]?.[0] ?? 0;
		const growth = runs.reduce((most, [, width, end]) => Math.max(most, end.length / width), 0);
		this.#textSize = longest + STRIDE;
		this.#spreadSize = Math.ceil(longest * (1 + growth)) + 2 * STRIDE;
	}

	/** The text with the ends of its lines. */
	spread(text: string): Buffer {
		if (textScratch.bytes.length < this.#textSize) textScratch = scratchOf(this.#textSize);
		if (spreadScratch.bytes.length < this.#spreadSize) spreadScratch = scratchOf(this.#spreadSize);
		const { bytes: source, view: sourceView } = textScratch;
		const { bytes: target, view: targetView } = spreadScratch;
		const length = source.write(text, 'latin1');
		let from = 0;
		let to = 0;
		while (from < length) {
			const run = this.#runs[this.#run];
			if (run === undefined) return target.subarray(0, to + source.copy(target, to, from, length));
			const [, width, end] = run;
			const lines = this.#column === 0 && width >= STRIDE ? Math.min(this.#linesLeft, Math.floor((length - from) / width)) : 0;
			if (lines > 0) {
				spreadLines(sourceView, targetView, { from, to, lines, width, end });
				from += lines * width;
				to += lines * (width + end.length);
				this.#endLines(lines);
				continue;
			}
			const count = Math.min(width - this.#column, length - from);
			to += source.copy(target, to, from, from + count);
			from += count;
			this.#column += count;
			if (this.#column < width) break;
			to += target.write(end, to, 'latin1');
			this.#column = 0;
			this.#endLines(1);
		}
		return target.subarray(0, to);
	}

	#endLines(count: number): void {
		this.#linesLeft -= count;
		if (this.#linesLeft === 0) this.#linesLeft = this.#runs[++this.#run]?.[0] ?? 0;
	}
}

/**
 * Moves whole lines apart, eight characters at a time, since a call of a built-in costs more than moving a line does. Characters of base64
 * are never a NaN, the only number that may not come out as it went in. What is moved too far is overwritten by what comes behind it.
 */
function spreadLines(
	text: DataView,
	spread: DataView,
	place: { readonly from: number; readonly to: number; readonly lines: number; readonly width: number; readonly end: string },
): void {
	const { lines, width, end } = place;
	let { from, to } = place;
	let endBytes = 0;
	for (let index = 0; index < end.length; index++) endBytes |= end.charCodeAt(index) << (8 * index);
	for (let line = 0; line < lines; line++) {
		const stop = from + width;
		let target = to;
		for (let at = from; at < stop; at += STRIDE) {
			const first = text.getFloat64(at, true);
			const second = text.getFloat64(at + 8, true);
			spread.setFloat64(target, first, true);
			spread.setFloat64(target + 8, second, true);
			target += STRIDE;
		}
		from = stop;
		to += width;
		spread.setInt32(to, endBytes, true);
		to += end.length;
	}
}
