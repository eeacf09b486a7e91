import type { Catalog } from '../catalog/index.ts';
import { dueOf } from '../classifier/index.ts';
import type { Finding, PartFacts, PlacedWord, Policy } from '../domain/index.ts';
import type { Arrived, Incoming } from './arrive.ts';
import { type Item, MAX_WORDS, openBuilder } from './bundle-builder.ts';
import type { BundleWriter } from './bundle-writer.ts';
import { damageFinding } from './carry.ts';
import { carryWaiting } from './carry-waiting.ts';
import type { QuietMail } from './divide.ts';
import { type Absent, type IngestRequest, ingestAll } from './ingest.ts';
import type { Archive } from './open-archive.ts';
import type { BundleSettings } from './requests.ts';
import { type AttachmentSealer, neededAttachments, openPending } from './seal-attachments.ts';

export interface SealRequest {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly writer: BundleWriter;
	readonly attachments: AttachmentSealer;
	readonly bundles: BundleSettings;
	readonly policy: Policy;
	readonly now: number;
	readonly ingest: IngestRequest;
	readonly findings: Finding[];
	/** Takes what was read but does not go into a sealed bundle tonight. */
	readonly onVolatile: (incoming: Incoming) => void;
	readonly onSealed: () => void;
	readonly onAbsent: (absent: Absent) => void;
	/** Judges again once the message is known: one that was moved tonight is not quiet. */
	readonly judge: (arrived: Arrived) => PlacedWord;
}

interface Place {
	readonly account: string;
	readonly folder: string;
	readonly date: number;
	readonly key: string;
}

/** Where a sealed word stands among others. */
export function placeOfWord({ account, folder, date, key }: PlacedWord): Place {
	return { account, folder, date: Date.parse(date), key };
}

function placeOf({ folder, placement }: Incoming): Place {
	return { account: folder.account, folder: folder.folder, date: placement.date, key: placement.listed.key };
}

/** By account, folder, date, key: mail that is read together lies together. */
export function byPlace(a: Place, b: Place): number {
	if (a.account !== b.account) return a.account < b.account ? -1 : 1;
	if (a.folder !== b.folder) return a.folder < b.folder ? -1 : 1;
	if (a.date !== b.date) return a.date - b.date;
	return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

/** A message placed in the open bundle, kept until the bundle is written or given up. */
interface Placed {
	readonly word: PlacedWord;
	/** Null for a placement that waited in a volatile bundle. Not its bytes: those of attachments are let go as soon as they are written. */
	readonly arrived: Pick<Arrived, 'incoming' | 'release'> | null;
}

/** Seals one tenant's quiet mail. What does not fill a bundle and has not lingered stays volatile. */
export async function sealTenant(quiet: QuietMail, request: SealRequest): Promise<void> {
	const { catalog, bundles, now, policy } = request;
	const waiting = quiet.waiting.map((word) => ({ word, place: placeOfWord(word) })).sort((a, b) => byPlace(a.place, b.place));

	const builder = openBuilder();
	const pending = openPending();
	let placed: Placed[] = [];
	// True once the open bundle is certain to be written, so that its attachments need not be held back.
	let isSure = quiet.lingered;

	async function sealPending(): Promise<void> {
		for (const needed of pending.take()) await request.attachments.add(needed);
	}

	async function flush(): Promise<void> {
		if (placed.length === 0) return;
		await sealPending();
		for (const { word } of placed) builder.addWord(sealedWord(word));
		await request.writer.write('sealed', builder.take());
		await request.attachments.flushStreamed();
		for (const { arrived } of placed) {
			if (arrived === null) continue;
			request.onSealed();
			arrived.release();
		}
		placed = [];
		isSure = quiet.lingered;
	}

	async function giveBack({ incoming, release }: Pick<Arrived, 'incoming' | 'release'>): Promise<void> {
		await request.attachments.flushStreamed();
		request.onVolatile(incoming);
		release();
	}

	async function add(word: PlacedWord, item: Item | null, arrived: Arrived | null): Promise<void> {
		const last = placed.at(-1);
		const size = item === null ? builder.size : builder.sizeWith([item]);
		const tooFull = size > bundles.max || builder.isFull(1);
		// A cut between two accounts keeps a mailbox in one bundle, as long as it does not make small ones.
		const accountEnds =
			last !== undefined && last.word.account !== word.account && builder.size >= bundles.target / 2 && size > bundles.target;
		if (placed.length > 0 && (tooFull || accountEnds)) await flush();
		if (item !== null) builder.add(item);
		placed.push({ word, arrived: arrived === null ? null : { incoming: arrived.incoming, release: arrived.release } });
		// Not one open file for each large message of a bundle.
		if (isSure && arrived?.stored instanceof Uint8Array) {
			await request.attachments.flushStreamed();
			arrived.release();
		}
		if (builder.size >= bundles.target || placed.length >= MAX_WORDS) await flush();
	}

	/** Sees to it that what the message needs is sealed with it; false, with a finding, where it cannot be read. */
	async function addAttachments(word: PlacedWord, parts: readonly PartFacts[], arrived: Arrived | null): Promise<boolean> {
		const { attachments, archive } = request;
		try {
			const has = (id: NonNullable<PartFacts['id']>): boolean => pending.has(id) || attachments.has(id);
			for (const needed of neededAttachments(parts, { archive, catalog, arrived: arrived?.attachments ?? [], has })) pending.add(needed);
		} catch (error) {
			request.findings.push(damageFinding(word.message, error));
			return false;
		}
		isSure ||= builder.size + pending.size >= bundles.target / 2;
		if (isSure) await sealPending();
		return true;
	}

	/** What a sealed or open bundle of this tenant has of the message already, or null. */
	function partsOfSealed({ message }: PlacedWord): readonly PartFacts[] | null {
		if (builder.has(message)) return [];
		if (!catalog.pack.isSealedFor(message, quiet.tenant)) return null;
		const isStored = ({ id }: PartFacts): boolean => id === undefined || catalog.pack.attachmentCopies(id).length > 0;
		// A copy that lacks an attachment, which nothing needed when a compaction took it, is none to complete.
		return catalog.pack.copies(message).flatMap((copy) => (copy.sealed && copy.attachments.every(isStored) ? copy.attachments : []));
	}

	async function takeWaiting(word: PlacedWord): Promise<void> {
		const there = partsOfSealed(word);
		// The only copy may be in the bundle that is on its way to the disk.
		if (there === null) await request.writer.settle();
		const carried = there === null ? await carryWaiting(word.message, { ...request, signal: request.ingest.signal }) : null;
		const parts = there ?? carried?.line.attachments ?? null;
		// What cannot be read stays where it is: a damaged copy must not get a bundle of its own.
		if (parts !== null && (await addAttachments(word, parts, null))) await add(word, carried, null);
	}

	async function takeArrived(arrived: Arrived | Absent): Promise<void> {
		if ('absent' in arrived) {
			request.onAbsent(arrived);
			return;
		}
		const word = request.judge(arrived);
		const due = dueOf(word, policy);
		const there = partsOfSealed(word);
		const isQuiet = due !== null && due <= now;
		if (isQuiet && (await addAttachments(word, there ?? arrived.line.attachments, arrived))) {
			await add(word, there === null ? arrived : null, arrived);
		} else await giveBack(arrived);
	}

	let taken = 0;
	async function takeWaitingUntil(place: Place | null): Promise<void> {
		for (; taken < waiting.length; taken++) {
			const next = waiting[taken];
			if (next === undefined || (place !== null && byPlace(next.place, place) > 0)) return;
			await takeWaiting(next.word);
		}
	}

	for await (const arrived of ingestAll(quiet.incoming, request.ingest)) {
		await takeWaitingUntil(placeOf(arrived.incoming));
		await takeArrived(arrived);
	}
	await takeWaitingUntil(null);

	if (isSure || builder.size + pending.size >= bundles.target / 2) return flush();
	builder.take();
	pending.take();
	for (const { arrived } of placed) if (arrived !== null) await giveBack(arrived);
}

/** A sealed bundle says nothing of when a pack saw what: the same mail gives the same bytes. */
function sealedWord(word: PlacedWord): PlacedWord {
	const { since: _since, ...kept } = word;
	return kept;
}
