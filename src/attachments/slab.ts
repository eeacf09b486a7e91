import { Buffer } from 'node:buffer';

/** Bytes taken from the system at once, and the largest piece that is cut from them. */
const SLAB = 1 << 20;
const LARGEST = SLAB / 8;

let slab = Buffer.alloc(0);

/** Space that was not cleared. A piece keeps up to 1 MiB around it in memory: asking the system for each costs more than decoding it. */
export function cutSpace(size: number): Buffer {
	if (size > LARGEST) return Buffer.allocUnsafeSlow(size);
	if (size > slab.length) slab = Buffer.allocUnsafeSlow(SLAB);
	const piece = slab.subarray(0, size);
	slab = slab.subarray(size);
	return piece;
}
