import type { Catalog, Liveness } from '../catalog/index.ts';
import type { BundleId, Word } from '../domain/index.ts';
import type { BundleBuilder } from './bundle-builder.ts';
import { carriedBytes } from './seal.ts';

/** A volatile bundle of which less than this share is alive is folded into tonight's. */
const LIVE_SHARE = 0.5;
/** More volatile bundles than this are never kept: the least alive are folded first. */
const MOST_BUNDLES = 100;
/** What a word, and a message beside its bytes, takes in a bundle: its share of the manifest and of the zip's records. Bytes. */
const WORD_BYTES = 60;
const MESSAGE_BYTES = 300;

/** Which volatile bundles tonight's bundle takes over: pure, from how alive each is. */
export function bundlesToFold(liveness: readonly Liveness[]): Set<BundleId> {
	const fold = new Set<BundleId>();
	for (const one of liveness) if (liveSize(one) < fullSize(one) * LIVE_SHARE) fold.add(one.bundle);
	const kept = liveness.filter((one) => !fold.has(one.bundle)).sort((a, b) => liveSize(a) - liveSize(b));
	for (const one of kept.slice(0, Math.max(0, kept.length + 1 - MOST_BUNDLES))) fold.add(one.bundle);
	return fold;
}

function liveSize({ liveBytes, liveMessages, liveWords }: Liveness): number {
	return liveBytes + liveMessages * MESSAGE_BYTES + liveWords * WORD_BYTES;
}

function fullSize({ bytes, messages, words }: Liveness): number {
	return bytes + messages * MESSAGE_BYTES + words * WORD_BYTES;
}

/** Puts what is alive in the folded bundles into `builder`, as it stands; `flush` is called when the bundle is full. */
export async function carryLive(
	folded: ReadonlySet<BundleId>,
	options: { readonly dir: string; readonly catalog: Catalog; readonly builder: BundleBuilder; readonly flushIfFull: () => Promise<void> },
): Promise<void> {
	const { dir, catalog, builder } = options;
	for (const bundle of folded) {
		for (const { line, offset, length } of catalog.pack.liveMessages(bundle)) {
			const copy = { bundle, sealed: false, offset, length, codec: line.codec, size: line.size };
			builder.addMessage(line, carriedBytes(dir, copy));
			await options.flushIfFull();
		}
		for (const word of catalog.pack.liveWords(bundle, folded)) builder.addWord(word satisfies Word);
	}
}
