import type { Catalog } from '../catalog/index.ts';
import { dueOf } from '../classifier/index.ts';
import { type AttachmentId, type BundleId, type Finding, formatInstant, type PlacedWord } from '../domain/index.ts';
import type { Arrived } from './arrive.ts';
import { type Item, inOrder, openBuilder } from './bundle-builder.ts';
import type { BundleWriter } from './bundle-writer.ts';
import { byPlace, divide } from './divide.ts';
import { bundlesToFold, carryLive } from './fold.ts';
import { type Absent, type IngestRequest, ingestAll } from './ingest.ts';
import type { Archive } from './open-archive.ts';
import { makeOwnCopy } from './own-copy.ts';
import type { PackRequest } from './requests.ts';
import type { Scan } from './scan.ts';
import { sealTenant } from './seal.ts';
import { openAttachmentSealer } from './seal-attachments.ts';
import { isPackedAfter } from './snapshots.ts';
import type { Workers } from './workers.ts';

/**
 * Attachments that came since the last pack are sealed at once where they are at least this share of a bundle's target; else they stay
 * volatile. A sealed bundle is for ever: packs that follow each other within hours must not make thousands of small ones.
 */
const LEAST_SEALED = { nightly: 1 / 512, often: 1 / 64 };
/** From one pack to the next, milliseconds: less is often. */
const NIGHTLY = 12 * 3600 * 1000;

/** What a pack counts while it works. */
export interface Tally {
	added: number;
	changed: number;
	removed: number;
	/** Attachments that no bundle had before. */
	attachments: number;
	filesRead: number;
	bytesRead: number;
}

export interface TonightRequest {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly request: PackRequest;
	readonly workers: Workers;
	readonly writer: BundleWriter;
	readonly scan: Scan;
	/** Bundles that are not there: what lies in them does not count as stored. */
	readonly missing: ReadonlySet<BundleId>;
	readonly tally: Tally;
	readonly findings: Finding[];
}

/** Writes tonight's bundles, sealed first; gives the volatile bundles that are not needed any more. */
export async function writeTonight(tonight: TonightRequest): Promise<ReadonlySet<BundleId>> {
	const { archive, catalog, writer, scan, tally } = tonight;
	const { policy, now, bundles, progress } = tonight.request;
	const { quiet, volatile, bytes } = divide(scan, { catalog, policy, bundles, now });
	const builder = openBuilder();
	const ingest = ingestRequest(tonight);
	const judge = (arrived: Arrived): PlacedWord => judgeMoved(arrived, catalog, now);
	progress.step('read', bytes);

	function takeAbsent({ incoming, absent }: Absent): void {
		const { folder, placement } = incoming;
		if (absent !== 'gone' || placement.known === null) return;
		builder.addWord({ type: 'removed', account: folder.account, folder: folder.folder, key: placement.listed.key });
		tally.removed++;
	}

	async function makeRoom(items: readonly Item[]): Promise<void> {
		if (builder.items > 0 && (builder.sizeWith(items) > bundles.max || builder.isFull(items.length)))
			await writer.write('volatile', builder.take());
	}

	async function flushIfFull(): Promise<void> {
		if (builder.size >= bundles.target || builder.isFull(1) || builder.isFullOfWords) await writer.write('volatile', builder.take());
	}

	const attachments = openAttachmentSealer({ catalog, writer, bundles, onNew: () => tally.attachments++ });
	for (const mail of quiet) {
		await sealTenant(mail, {
			archive,
			catalog,
			writer,
			attachments,
			bundles,
			policy,
			now,
			ingest,
			findings: tonight.findings,
			judge,
			onAbsent: takeAbsent,
			// Read again later rather than held: the rests of many tenants would not fit into memory.
			onVolatile: (incoming) => volatile.push(incoming),
			onSealed: () => tally.added++,
		});
	}

	// Before it is asked what is alive: what is sealed now need not be carried.
	await attachments.flush();
	// A night without news leaves every bundle as alive as it was.
	const quietNight = volatile.length === 0 && scan.accounts.length === 0 && scan.words.length === 0 && writer.written.length === 0;
	const dropped = quietNight ? new Set<BundleId>() : bundlesToFold(catalog.pack.liveness(), bundles);
	await writer.settle();
	await carryLive(dropped, { archive, catalog, builder, makeRoom, flushIfFull, findings: tonight.findings });

	const isWritten = (bundle: BundleId): boolean => writer.written.some((ref) => ref.id === bundle);
	const isGone = (bundle: BundleId): boolean => dropped.has(bundle) || (tonight.missing.has(bundle) && !isWritten(bundle));
	const isAttachmentKept = (id: AttachmentId): boolean =>
		builder.hasAttachment(id) || attachments.has(id) || catalog.pack.attachmentCopies(id).some((copy) => !isGone(copy.bundle));
	const isKept = (id: PlacedWord['message']): boolean =>
		builder.has(id) ||
		catalog.pack
			.copies(id)
			.some((copy) => !isGone(copy.bundle) && copy.attachments.every((part) => part.id === undefined || isAttachmentKept(part.id)));
	volatile.sort(byPlace);
	for await (const arrived of ingestAll(volatile, ingest)) {
		if ('absent' in arrived) {
			takeAbsent(arrived);
			continue;
		}
		const word = judge(arrived);
		const { known } = arrived.incoming.placement;
		const isChange = known === null || !sameWord(known, word);
		// Only the catalog remembers a word whose bundle is missing: it is said anew.
		const isNews = isChange || (tonight.missing.size > 0 && catalog.pack.isWordMissing(word));
		const apart = isKept(word.message) ? [] : arrived.attachments.filter(({ line }) => !isAttachmentKept(line.id));
		const isSealedNow = bundles.attachments === 'arrival' && dueOf(word, policy) !== null;
		const items: Item[] = isKept(word.message) ? [] : [arrived, ...(isSealedNow ? [] : apart)];
		await makeRoom(items);
		for (const one of apart) {
			const isNew = catalog.pack.attachmentCopies(one.line.id).length === 0;
			if (isSealedNow) await attachments.add({ ...one, isNew });
			else if (isNew) tally.attachments++;
		}
		for (const item of items) builder.add(item);
		if (isNews) {
			builder.addWord(word);
			if (known === null) tally.added++;
			else if (isChange) tally.changed++;
		}
		await flushIfFull();
		await attachments.flushStreamed();
		// What is read out of its message again must be written before the message is let go.
		if (items.some(({ stored }) => !(stored instanceof Uint8Array)) && builder.items > 0) await writer.write('volatile', builder.take());
		arrived.release();
	}
	for (const word of inOrder([...scan.accounts.flatMap((account) => account.words), ...scan.words])) {
		builder.addWord(word);
		await flushIfFull();
	}
	for (const few of attachments.takeBelow(() => bundles.target * leastSealed(tonight))) {
		await makeRoom([few]);
		builder.add(few);
		await flushIfFull();
	}
	await attachments.flush();
	if (builder.items > 0 || builder.words > 0) await writer.write('volatile', builder.take());

	for (const account of scan.accounts) {
		catalog.setAccountSignature(account.account, account.signature);
		for (const folder of account.folders) catalog.setFolderSignature(account.account, folder.folder, folder.signature);
	}
	return dropped;
}

/** A prune or a compaction since then is no pack: attachments came all the same. */
function leastSealed({ archive, catalog, request }: TonightRequest): number {
	const isOften = isPackedAfter(archive.dir, { newest: catalog.state()?.name, instant: request.now - NIGHTLY });
	return isOften ? LEAST_SEALED.often : LEAST_SEALED.nightly;
}

function ingestRequest({ archive, workers, request, findings, tally }: TonightRequest): IngestRequest {
	return {
		workers,
		compress: request.bundles.compress,
		attachmentMin: archive.attachmentMin,
		signal: request.signal,
		findings,
		ownCopy: (large) => makeOwnCopy(large, { archive, signal: request.signal }),
		onRead(bytes) {
			tally.filesRead++;
			tally.bytesRead += bytes;
			request.progress.advance(bytes);
		},
	};
}

/** A message that the account had already under another name was moved or copied tonight: that is a change of state. */
function judgeMoved({ word, incoming }: Arrived, catalog: Catalog, now: number): PlacedWord {
	const { known } = incoming.placement;
	if (known === null) {
		if (incoming.account.isNew || !catalog.pack.isPlacedIn(word.message, word.account)) return word;
		return { ...word, since: formatInstant(now) };
	}
	if (known.message !== word.message) return word;
	const sameState = known.flags.join() === word.flags.join() && known.keywords.join('\0') === word.keywords.join('\0');
	if (!sameState) return { ...word, since: formatInstant(now) };
	return known.since === undefined ? word : { ...word, since: known.since };
}

function sameWord(a: PlacedWord, b: PlacedWord): boolean {
	const fields = (word: PlacedWord): string => JSON.stringify(Object.entries(word).sort(([x], [y]) => (x < y ? -1 : 1)));
	return fields(a) === fields(b);
}
