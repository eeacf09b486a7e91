import type { BundleId } from '../domain/index.ts';
import { spansOf } from './fetch-items.ts';
import { type OpenItem, openItem, type Place, placePath, within } from './items.ts';
import { openRange, type RangeFile } from './range.ts';
import { isDamage, LARGE } from './read-stored.ts';

/** Opens items of a few messages that lie near each other: every bundle is opened once, and what lies close together is read at once. */
export interface NearbyItems extends Disposable {
	readonly open: OpenItem;
}

interface NearbySpan {
	readonly start: number;
	readonly end: number;
	/** Null until it is read, and once it is let go. */
	bytes: Uint8Array | 'unreadable' | null;
}

/** Bundles held open at once: each takes a descriptor, and every thread holds its own. */
const MOST_HELD = 32;
/** Bytes held at once, since a folder's messages may lie in several bundles by turns. */
const MOST_BYTES = 16 * 1024 * 1024;

/** `wanted`: small items that will be asked for, each about once and in about this order; anything else is read by itself. */
export function openNearbyItems(dir: string, wanted: readonly Place[]): NearbyItems {
	const bundles = new Map<BundleId, RangeFile | null>();
	const spans = new Map<string, NearbySpan>();
	for (const { places, start, end } of spansOf(wanted.filter(({ length }) => length <= LARGE))) {
		const span: NearbySpan = { start, end, bytes: null };
		if (places.length > 1) for (const place of places) spans.set(keyOf(place), span);
	}
	const held = new Set<NearbySpan>();
	let heldBytes = 0;
	let open = 0;

	/** Null for a bundle that is not here, or one too many. */
	function openBundle(place: Place): RangeFile | null {
		const known = bundles.get(place.bundle);
		if (known !== undefined) return known;
		if (open >= MOST_HELD) return null;
		let opened: RangeFile | null = null;
		try {
			opened = openRange(placePath(dir, place));
			open++;
		} catch (error) {
			if (!isDamage(error)) throw error;
		}
		bundles.set(place.bundle, opened);
		return opened;
	}

	/** The bytes of an item with those around it; null where it is alone, or its neighbours cannot be read. */
	function readSpan(bundle: RangeFile, place: Place): Uint8Array | null {
		const span = spans.get(keyOf(place));
		if (span === undefined) return null;
		span.bytes ??= readAll(bundle, span);
		if (span.bytes === 'unreadable') return null;
		return span.bytes.subarray(place.offset - span.start, place.offset - span.start + place.length);
	}

	function readAll(bundle: RangeFile, span: NearbySpan): Uint8Array | 'unreadable' {
		const { start, end } = span;
		if (end > bundle.size) return 'unreadable';
		if (heldBytes + end - start > MOST_BYTES) letGo();
		try {
			const bytes = bundle.read(start, end - start);
			held.add(span);
			heldBytes += bytes.length;
			return bytes;
		} catch (error) {
			// A bad sector is the trouble of the item that lies on it.
			if (!isDamage(error)) throw error;
			return 'unreadable';
		}
	}

	function letGo(): void {
		for (const span of held) span.bytes = null;
		held.clear();
		heldBytes = 0;
	}

	return {
		open(place) {
			const bundle = openBundle(place);
			if (bundle === null) return openItem(dir, place);
			const bytes = readSpan(bundle, place);
			if (bytes === null) return { ...within(bundle, place), close() {} };
			return { size: bytes.length, read: (from, length) => bytes.subarray(from, from + length), close() {} };
		},
		[Symbol.dispose]() {
			letGo();
			for (const bundle of bundles.values()) bundle?.close();
			bundles.clear();
		},
	};
}

function keyOf({ bundle, offset }: Place): string {
	return `${bundle}-${offset}`;
}
