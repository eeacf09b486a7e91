import type { Catalog, Liveness } from '../catalog/index.ts';
import type { BundleId, Finding } from '../domain/index.ts';
import { type BundleBuilder, type Item, inOrder } from './bundle-builder.ts';
import { carriedAttachmentBytes, carriedBytes, damageFinding } from './carry.ts';
import { locate } from './locate.ts';
import type { Archive } from './open-archive.ts';
import type { BundleSettings } from './requests.ts';

/** What a word, and a message or attachment beside its bytes, takes in a bundle: its share of the manifest and of the zip's records. Bytes. */
const WORD_BYTES = 60;
const ITEM_BYTES = 300;

/** Which volatile bundles tonight's bundle takes over: pure, from how alive each is. */
export function bundlesToFold(
	liveness: readonly Liveness[],
	{ foldBelow, mostVolatile }: Pick<BundleSettings, 'foldBelow' | 'mostVolatile'>,
): Set<BundleId> {
	const fold = new Set<BundleId>();
	for (const one of liveness) if (liveSize(one) < fullSize(one) * foldBelow) fold.add(one.bundle);
	const kept = liveness.filter((one) => !fold.has(one.bundle)).sort((a, b) => liveSize(a) - liveSize(b));
	for (const one of kept.slice(0, Math.max(0, kept.length + 1 - mostVolatile))) fold.add(one.bundle);
	return fold;
}

function liveSize({ liveBytes, liveMessages, liveAttachments, liveWords }: Liveness): number {
	return liveBytes + (liveMessages + liveAttachments) * ITEM_BYTES + liveWords * WORD_BYTES;
}

function fullSize({ bytes, messages, attachments, words }: Liveness): number {
	return bytes + (messages + attachments) * ITEM_BYTES + words * WORD_BYTES;
}

/**
 * Puts what is alive in the folded bundles into `builder`, as it stands; `makeRoom` is called before each item, `flushIfFull`
 * after it. A bundle of which something alive cannot be read stays, and is taken out of `folded`.
 */
export async function carryLive(
	folded: Set<BundleId>,
	options: {
		readonly archive: Archive;
		readonly catalog: Catalog;
		readonly builder: BundleBuilder;
		readonly makeRoom: (items: readonly Item[]) => Promise<void>;
		readonly flushIfFull: () => Promise<void>;
		readonly findings: Finding[];
	},
): Promise<void> {
	const { catalog, builder } = options;
	for (const bundle of [...folded]) {
		const damage = firstDamage(bundle, options);
		if (damage !== null) {
			folded.delete(bundle);
			options.findings.push(damage);
		}
	}
	for (const bundle of folded) {
		for (const read of liveItems(bundle, options)) {
			const item = read.open();
			await options.makeRoom([item]);
			builder.add(item);
			await options.flushIfFull();
		}
		for (const word of inOrder(catalog.pack.liveWords(bundle, folded))) {
			builder.addWord(word);
			await options.flushIfFull();
		}
	}
}

type Source = { readonly archive: Archive; readonly catalog: Catalog };

/** What would be lost with a bundle; each is read, and proved, when it is opened. */
function* liveItems(bundle: BundleId, { archive, catalog }: Source): Iterable<{ readonly id: Item['line']['id']; open(): Item }> {
	for (const { line, copy } of catalog.pack.liveMessages(bundle)) {
		yield { id: line.id, open: () => ({ line, stored: carriedBytes(archive, locate(catalog, line.id), copy) }) };
	}
	for (const { line, copy } of catalog.pack.liveAttachments(bundle)) {
		yield { id: line.id, open: () => ({ line, stored: carriedAttachmentBytes(archive, line.id, copy) }) };
	}
}

function firstDamage(bundle: BundleId, source: Source): Finding | null {
	for (const { id, open } of liveItems(bundle, source)) {
		try {
			open();
		} catch (error) {
			return damageFinding(id, error);
		}
	}
	return null;
}
