import type { CarriedMessage, Catalog } from '../catalog/index.ts';
import type { BundleKind, PlacedWord, Progress, Tenant } from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import { type Item, openBuilder } from './bundle-builder.ts';
import type { BundleWriter } from './bundle-writer.ts';
import { carriedAttachmentBytes, carriedBytes } from './carry.ts';
import type { CompactPlan } from './compact-plan.ts';
import { locate } from './locate.ts';
import type { Archive } from './open-archive.ts';
import type { BundleSettings } from './requests.ts';
import { byPlace, placeOfWord } from './seal.ts';

/** Cuts what is added into bundles, as seal.ts does. */
interface Cutter {
	add(item: Item | null, word: PlacedWord | null, whose: PlacedWord | null): Promise<void>;
	/** Writes what is left. */
	flush(): Promise<void>;
}

export interface Superseding {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly writer: BundleWriter;
	readonly bundles: Pick<BundleSettings, 'target' | 'max'>;
	readonly progress: Progress;
	readonly signal: AbortSignal;
}

/** Writes what is alive in the bundles of a plan, of which the catalog knows that they leave, into new ones. One bundle is held in memory. */
export async function supersede(plan: CompactPlan, work: Superseding): Promise<void> {
	const { catalog } = work;
	const messages = new Map<Tenant | null, CarriedMessage[]>();
	for (const { bundle, tenant } of plan.messages) {
		messages.set(tenant, [...(messages.get(tenant) ?? []), ...catalog.compact.messagesOf(bundle)]);
	}
	for (const tenant of catalog.compact.tenants()) {
		await sealAgain(
			tenant,
			(messages.get(tenant) ?? []).filter(({ own }) => own),
			work,
		);
	}
	const attachments = openCutter('sealed', work);
	for (const { bundle } of plan.attachments) {
		for (const { line, copy } of catalog.compact.attachmentsOf(bundle)) {
			await attachments.add({ line, stored: carriedAttachmentBytes(work.archive, line.id, copy) }, null, null);
			work.progress.advance(copy.length);
		}
	}
	await attachments.flush();
	// The tenant has no such mail any more: it lies where the mail of the others lies until it is sealed for them.
	const relied = openCutter('volatile', work);
	for (const message of [...messages.values()].flat()) if (!message.own) await relied.add(itemOf(message, work), null, null);
	await relied.flush();
}

/** One tenant's messages and newest words, in order of account, folder, date, key. */
async function sealAgain(tenant: Tenant, own: readonly CarriedMessage[], work: Superseding): Promise<void> {
	const waiting = new Map(own.map((message) => [message.id, message]));
	const placements = work.catalog.compact.placements(tenant).map((one) => ({ ...one, place: placeOfWord(one.word) }));
	placements.sort((a, b) => byPlace(a.place, b.place));
	const cutter = openCutter('sealed', work);
	for (const { word, moves } of placements) {
		const message = waiting.get(word.message);
		waiting.delete(word.message);
		if (message === undefined && !moves) continue;
		await cutter.add(message === undefined ? null : itemOf(message, work), moves ? word : null, word);
	}
	await cutter.flush();
}

function itemOf({ id, copy }: CarriedMessage, { archive, catalog, progress }: Superseding): Item {
	progress.advance(copy.length);
	return { line: catalog.pack.messageLine(id, copy), stored: carriedBytes(archive, locate(catalog, id), copy) };
}

function openCutter(kind: BundleKind, { writer, bundles, signal }: Superseding): Cutter {
	const builder = openBuilder();
	/** Of the open bundle: whose mail came first, and last. */
	let first: PlacedWord | null = null;
	let last: PlacedWord | null = null;

	async function flush(): Promise<void> {
		if (builder.items === 0 && builder.words === 0) return;
		if (builder.words === 0 && first !== null) {
			// A bundle of messages is known for its tenant's by its words. This one's newest stands in a volatile bundle; said here, it is sealed.
			const { since: _since, ...word } = first;
			builder.addWord(word);
		}
		first = null;
		last = null;
		await writer.write(kind, builder.take());
	}

	return {
		flush,
		async add(item, word, whose) {
			throwIfAborted(signal);
			const size = item === null ? builder.size : builder.sizeWith([item]);
			const tooFull = size > bundles.max || builder.isFull(1);
			const accountEnds = last !== null && last.account !== whose?.account && builder.size >= bundles.target / 2 && size > bundles.target;
			if ((builder.items > 0 || builder.words > 0) && (tooFull || accountEnds)) await flush();
			if (item !== null) builder.add(item);
			if (word !== null) builder.addWord(word);
			first ??= whose;
			last = whose;
			if (builder.size >= bundles.target || builder.isFullOfWords) await flush();
		},
	};
}
