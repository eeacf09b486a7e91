import type { Catalog } from '../catalog/index.ts';
import type { AttachmentId, PartFacts } from '../domain/index.ts';
import type { ArrivedAttachment } from './arrive.ts';
import { type Item, openBuilder, roomOf } from './bundle-builder.ts';
import type { BundleWriter } from './bundle-writer.ts';
import { carryAttachment } from './carry.ts';
import { attachmentIds } from './locate.ts';
import type { Archive } from './open-archive.ts';
import type { BundleSettings } from './requests.ts';

/** An attachment that a message to be sealed needs and that no sealed bundle has yet. */
export interface NeededAttachment extends Item {
	readonly line: ArrivedAttachment['line'];
	/** No bundle had it before tonight. */
	readonly isNew: boolean;
}

/** Gathers the attachments of tonight's sealed messages, of all tenants, into bundles of their own. */
export interface AttachmentSealer {
	/** True for one that is sealed, or was given to add(). */
	has(id: AttachmentId): boolean;
	/** Writes a bundle whenever one is full. */
	add(needed: NeededAttachment): Promise<void>;
	/** Writes what is left. */
	flush(): Promise<void>;
	/** Gives back what is left where it is less than `least` bytes, to be stored elsewhere; nothing where it is more. Where nothing is left, `least` is not asked. */
	takeBelow(least: () => number): readonly NeededAttachment[];
	/** Writes what is read out of messages again, before these are let go. */
	flushStreamed(): Promise<void>;
}

export function openAttachmentSealer(options: {
	readonly catalog: Catalog;
	readonly writer: BundleWriter;
	readonly bundles: BundleSettings;
	readonly onNew: () => void;
}): AttachmentSealer {
	const { catalog, writer, bundles, onNew } = options;
	const builder = openBuilder();
	let gathered: NeededAttachment[] = [];
	let holdsStreamed = false;

	async function flush(): Promise<void> {
		holdsStreamed = false;
		gathered = [];
		if (builder.items > 0) await writer.write('sealed', builder.take());
	}

	return {
		has: (id) => builder.hasAttachment(id) || catalog.pack.isAttachmentSealed(id),
		async add(needed) {
			if (builder.items > 0 && (builder.sizeWith([needed]) > bundles.max || builder.isFull(1))) await flush();
			builder.add(needed);
			gathered.push(needed);
			if (needed.isNew) onNew();
			holdsStreamed ||= !(needed.stored instanceof Uint8Array);
			if (builder.size >= bundles.target) await flush();
		},
		flush,
		takeBelow(least) {
			if (builder.items === 0 || builder.size >= least()) return [];
			const taken = gathered;
			gathered = [];
			builder.take();
			return taken;
		},
		async flushStreamed() {
			if (holdsStreamed) await flush();
		},
	};
}

/** Attachments of messages in an open bundle of which it is not yet sure that it will be written. */
export interface PendingAttachments {
	readonly size: number;
	has(id: AttachmentId): boolean;
	add(needed: NeededAttachment): void;
	take(): NeededAttachment[];
}

export function openPending(): PendingAttachments {
	let pending = new Map<AttachmentId, NeededAttachment>();
	let size = 0;
	return {
		get size() {
			return size;
		},
		has: (id) => pending.has(id),
		add(needed) {
			pending.set(needed.line.id, needed);
			size += roomOf(needed);
		},
		take() {
			const taken = [...pending.values()];
			pending = new Map();
			size = 0;
			return taken;
		},
	};
}

/**
 * The attachments of a message that are neither sealed nor on their way, from what was read with it or from the bundles that
 * have them. Throws `archive-damaged` or `not-found` where one cannot be read.
 */
export function neededAttachments(
	parts: readonly PartFacts[],
	from: {
		readonly archive: Archive;
		readonly catalog: Catalog;
		readonly arrived: readonly ArrivedAttachment[];
		readonly has: (id: AttachmentId) => boolean;
	},
): NeededAttachment[] {
	const needed: NeededAttachment[] = [];
	for (const id of attachmentIds(parts)) {
		if (from.has(id)) continue;
		const fresh = from.arrived.find(({ line }) => line.id === id);
		const isNew = from.catalog.pack.attachmentCopies(id).length === 0;
		needed.push({ ...(fresh ?? carryAttachment(id, from)), isNew });
	}
	return needed;
}
