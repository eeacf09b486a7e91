import { existsSync } from 'node:fs';
import type { Catalog } from '../catalog/index.ts';
import type { BundleId, BundleRef, MailsealError } from '../domain/index.ts';
import { type ItemCache, openItemCache } from './item-cache.ts';
import { itemPath, type Place, placePath } from './items.ts';
import { attachmentIds, type StoredAt } from './locate.ts';
import type { OffsiteBundle } from './offsite.ts';
import type { Archive } from './open-archive.ts';
import { eachParallel } from './parallel.ts';
import { isDamage } from './read-stored.ts';

/** What was fetched; it stays until it is released. */
export interface Fetched {
	/** The first thing that a target lacks or has damaged; what needs it cannot be read, or from another copy. */
	readonly problem: MailsealError | null;
	release(): void;
}

/** Brings what messages are read from here, where their bundles lie at a target. */
export interface ItemFetcher {
	/**
	 * Fetches what these messages need and is not here: one ranged read for an item, and one for all that lie close to each other. Throws
	 * what reaching the target throws; what the target lacks is left for reading to complain of.
	 */
	fetch(messages: readonly StoredAt[], options?: { readonly everyCopy?: boolean }): Promise<Fetched>;
	/** True where something of these messages lies at a target and not here. */
	isNeeded(messages: readonly StoredAt[]): boolean;
	/** Forgets what was kept of these messages, after it was found damaged. */
	forget(messages: readonly StoredAt[]): void;
}

/** Ranges closer than this are read as one: another request would take longer than the bytes between. Bytes. */
const GAP = 64 * 1024;
/** No more is read at once. Bytes. */
const SPAN = 8 * 1024 * 1024;
const WIDTH = 8;

/** `catalog`: the one that the messages were found in. */
export function openItemFetcher(archive: Archive, options: { readonly catalog: Catalog; readonly signal: AbortSignal }): ItemFetcher {
	const { catalog, signal } = options;
	const cache = openItemCache(archive.dir);
	let refs: ReadonlyMap<BundleId, BundleRef> | null = null;
	const held = new Map<string, number>();

	function hold(paths: readonly string[], by: 1 | -1): void {
		for (const path of paths) {
			const count = (held.get(path) ?? 0) + by;
			if (count === 0) held.delete(path);
			else held.set(path, count);
		}
	}

	async function open(id: BundleId, stop: AbortSignal): Promise<OffsiteBundle> {
		refs ??= new Map(catalog.bundles().map((ref) => [ref.id, ref]));
		const ref = refs.get(id);
		if (ref === undefined) throw new Error(`bundle ${id} is not of this snapshot`);
		return archive.offsite.open(ref, stop);
	}

	return {
		async fetch(messages, { everyCopy = false } = {}) {
			const wanted = new Map<string, Place>();
			for (const at of messages) for (const place of lackingPlaces(archive, at, everyCopy)) wanted.set(itemPath(archive.dir, place), place);
			const paths = [...wanted.keys()];
			hold(paths, 1);
			let released = false;
			function release(): void {
				if (released) return;
				released = true;
				hold(paths, -1);
				cache.sweepIfDue(new Set(held.keys()));
			}
			let problem: MailsealError | null = null;
			// Several spans of one bundle open it once.
			const opened = new Map<BundleId, Promise<OffsiteBundle>>();
			async function openOnce(id: BundleId, stop: AbortSignal): Promise<OffsiteBundle> {
				const bundle = opened.get(id) ?? open(id, stop);
				opened.set(id, bundle);
				return bundle;
			}
			try {
				await eachParallel(spansOf([...wanted.values()].filter((place) => !cache.has(place))), {
					width: WIDTH,
					signal,
					async work(span, stop) {
						try {
							await fetchSpan(span, { cache, open: (id) => openOnce(id, stop) });
						} catch (error) {
							if (!isDamage(error)) throw error;
							problem ??= error;
						}
					},
				});
				return { problem, release };
			} catch (error) {
				release();
				throw error;
			}
		},

		isNeeded: (messages) => messages.some((at) => lackingPlaces(archive, at, true).length > 0),

		forget(messages) {
			for (const at of messages) for (const place of lackingPlaces(archive, at, true)) cache.forget(place);
		},
	};
}

/** Places of a message that are in no bundle here and that a target has; none where one copy can be read here. */
function lackingPlaces(archive: Archive, at: StoredAt, everyCopy: boolean): Place[] {
	const lacks = (place: Place): boolean => archive.offsite.has(place.bundle) && !existsSync(placePath(archive.dir, place));
	const choices = at.copies.map((copy) => {
		const places: Place[] = lacks(copy) ? [copy] : [];
		if (copy.recipe === null) return places;
		for (const id of attachmentIds(copy.attachments)) {
			const copies = at.attachments.get(id) ?? [];
			const lacking = copies.filter(lacks);
			if (everyCopy) places.push(...lacking);
			else if (lacking.length === copies.length) places.push(...lacking.slice(0, 1));
		}
		return places;
	});
	if (everyCopy) return choices.flat();
	return choices.reduce<Place[]>((best, one, index) => (index === 0 || one.length < best.length ? one : best), []);
}

/** Items of one bundle that one ranged read gives, in order. */
interface Span {
	readonly places: readonly Place[];
	readonly start: number;
	readonly end: number;
}

/** Gathers items that lie close together: pure. */
export function spansOf(places: readonly Place[]): Span[] {
	const order = [...places].sort((a, b) => (a.bundle === b.bundle ? a.offset - b.offset : a.bundle < b.bundle ? -1 : 1));
	const spans: (Span & { places: Place[]; end: number })[] = [];
	for (const place of order) {
		const last = spans.at(-1);
		const open = last?.places[0]?.bundle === place.bundle ? last : undefined;
		// Items of a forged manifest may lie within each other.
		const end = Math.max(place.offset + place.length, open?.end ?? 0);
		if (open !== undefined && place.offset - open.end <= GAP && end - open.start <= SPAN) {
			open.places.push(place);
			open.end = end;
		} else spans.push({ places: [place], start: place.offset, end: place.offset + place.length });
	}
	return spans;
}

async function fetchSpan(
	{ places, start, end }: Span,
	{ cache, open }: { readonly cache: ItemCache; readonly open: (id: BundleId) => Promise<OffsiteBundle> },
): Promise<void> {
	const [first] = places;
	if (first === undefined) return;
	const bundle = await open(first.bundle);
	if (end - start > SPAN) {
		await cache.keep(first, pieces(bundle, first));
		return;
	}
	const bytes = await bundle.read(start, end - start);
	for (const place of places) await cache.keep(place, [bytes.subarray(place.offset - start, place.offset - start + place.length)]);
}

async function* pieces(bundle: OffsiteBundle, { offset, length }: Place): AsyncGenerator<Uint8Array, void, undefined> {
	for (let done = 0; done < length; done += SPAN) yield await bundle.read(offset + done, Math.min(SPAN, length - done));
}
