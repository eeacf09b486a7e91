import type { StoredMessage } from '../bundle/index.ts';
import type { Catalog, Liveness } from '../catalog/index.ts';
import type { BundleId, Finding } from '../domain/index.ts';
import { type BundleBuilder, inOrder } from './bundle-builder.ts';
import { carriedBytes, damageFinding } from './carry.ts';

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

/**
 * Puts what is alive in the folded bundles into `builder`, as it stands; `makeRoom` is called before each message, `flushIfFull`
 * after it. A bundle of which a live message cannot be read stays, and is taken out of `folded`.
 */
export async function carryLive(
	folded: Set<BundleId>,
	options: {
		readonly dir: string;
		readonly catalog: Catalog;
		readonly builder: BundleBuilder;
		readonly makeRoom: (message: StoredMessage) => Promise<void>;
		readonly flushIfFull: () => Promise<void>;
		readonly findings: Finding[];
	},
): Promise<void> {
	const { dir, catalog, builder } = options;
	for (const bundle of [...folded]) {
		const messages = catalog.pack.liveMessages(bundle);
		const damage = firstDamage(dir, messages);
		if (damage !== null) {
			folded.delete(bundle);
			options.findings.push(damage);
		}
	}
	for (const bundle of folded) {
		for (const { line, copy } of catalog.pack.liveMessages(bundle)) {
			const stored = carriedBytes(dir, line.id, copy);
			await options.makeRoom({ ...line, stored });
			builder.addMessage(line, stored);
			await options.flushIfFull();
		}
		for (const word of inOrder(catalog.pack.liveWords(bundle, folded))) {
			builder.addWord(word);
			await options.flushIfFull();
		}
	}
}

function firstDamage(dir: string, messages: ReturnType<Catalog['pack']['liveMessages']>): Finding | null {
	for (const { line, copy } of messages) {
		try {
			carriedBytes(dir, line.id, copy);
		} catch (error) {
			return damageFinding(line.id, error);
		}
	}
	return null;
}
