import {
	type AccountName,
	type AttachmentId,
	type AttachmentLine,
	type BundleId,
	type FolderName,
	type MessageId,
	type PlacedWord,
	parseBundleId,
	type Tenant,
} from '../domain/index.ts';
import { type AttachmentCopy, isComplete } from './attachment-queries.ts';
import type { Database } from './database.ts';
import type { Copy, Liveness } from './pack-queries.ts';
import { CODECS, hashColumn, hashOf, PLACED_COLUMNS, partsOf, placedWord } from './rows.ts';

/** How much of a sealed bundle the present state still needs. */
export interface SealedLiveness extends Liveness {
	/** Bytes of the file. */
	readonly size: number;
	readonly kind: 'messages' | 'attachments';
	/** Null for a bundle that speaks of no placement. */
	readonly tenant: Tenant | null;
}

/** A message that would be lost with its bundle. */
export interface CarriedMessage {
	readonly id: MessageId;
	readonly copy: Copy;
	/** True where a placement of the bundle's own tenant has it, false where those of other tenants alone rely on it. */
	readonly own: boolean;
}

/**
 * Which of two bundles keeps what both have: one that stays before one that leaves, then the earlier one. So of bundles that leave
 * together exactly one hands on each message, and nothing is handed on that stays anyway.
 */
function rank(bundle: string): string {
	return `EXISTS (SELECT 1 FROM temp.leaving l WHERE l.bid = ${bundle}.bid), ${bundle}.position`;
}

/** Some placement of the bundle's tenant has the message of a copy. */
function isPlacedBy(bundle: string): string {
	return `EXISTS (SELECT 1 FROM placement p CROSS JOIN folder f USING (fid) CROSS JOIN account a USING (aid)
		WHERE p.mid = c.mid AND a.tenant = ${bundle}.tenant)`;
}

const IS_PLACED = 'EXISTS (SELECT 1 FROM placement p WHERE p.mid = c.mid)';

/** Nothing that lacks an attachment stands for a copy. */
const OTHER_COPY = `SELECT 1 FROM copy o CROSS JOIN bundle ob USING (bid)
	WHERE o.mid = c.mid AND o.bid <> c.bid AND ob.missing = 0 AND ${isComplete('o')}`;

const GOES_BEFORE = `(${rank('ob')}) < (${rank('b')})`;

/**
 * A tenant's mail needs a sealed bundle of the tenant; that of the others needs any bundle; and no mail needs a copy that lacks an
 * attachment, but where there is no other. Of a copy `c` in bundle `b`.
 */
const LIVE_MESSAGE = `CASE
	WHEN NOT ${isComplete('c')} THEN ${IS_PLACED} AND NOT EXISTS (${OTHER_COPY})
	WHEN ${isPlacedBy('b')} THEN NOT EXISTS (${OTHER_COPY} AND ob.sealed = 1 AND ob.tenant = b.tenant AND ${GOES_BEFORE})
	ELSE ${IS_PLACED} AND NOT EXISTS (${OTHER_COPY} AND (ob.sealed = 0 OR ${GOES_BEFORE} OR ${isPlacedBy('ob')})) END`;

/** A copy that leaves and is not handed on needs nothing any more. */
const LIVE_ATTACHMENT = `EXISTS (SELECT 1 FROM attachment_use u WHERE u.atid = c.atid AND EXISTS (SELECT 1 FROM placement p WHERE p.mid = u.mid)
		AND NOT EXISTS (SELECT 1 FROM temp.dying d WHERE d.mid = u.mid AND d.bid = u.bid))
	AND NOT EXISTS (SELECT 1 FROM attachment_copy o CROSS JOIN bundle ob USING (bid)
		WHERE o.atid = c.atid AND o.bid <> c.bid AND ob.sealed = 1 AND ob.missing = 0 AND ${GOES_BEFORE})`;

const LISTED = 'b.sealed = 1 AND b.position IS NOT NULL AND b.missing = 0';

/** Messages and attachments of one bundle, with their stored bytes: all, and what is alive. */
interface Held {
	readonly items: number;
	readonly bytes: number;
	readonly liveItems: number;
	readonly liveBytes: number;
}

const NOTHING: Held = { items: 0, bytes: 0, liveItems: 0, liveBytes: 0 };

/** What a compaction asks of the catalog. Which bundles leave is known to this connection only, until the transaction ends. */
export function compactQueries(database: Database) {
	/** By the number of the bundle's row. */
	function held(table: 'copy' | 'attachment_copy', live: string): Map<number, Held> {
		const rows = database
			.prepare(
				`WITH each AS MATERIALIZED (
				   SELECT b.bid, c.length, (${live}) AS live FROM bundle b CROSS JOIN ${table} c ON c.bid = b.bid WHERE ${LISTED}
				 ) SELECT bid, count(*), sum(length), sum(live), sum(live * length) FROM each GROUP BY bid`,
			)
			.rows();
		return new Map(
			[...rows].map(([bid, items, bytes, liveItems, liveBytes]) => [
				Number(bid),
				{ items: Number(items), bytes: Number(bytes), liveItems: Number(liveItems), liveBytes: Number(liveBytes) },
			]),
		);
	}

	return {
		/** Of these bundles nothing will be left but what is handed on; the answers below say what that is. In a transaction. */
		setLeaving(bundles: Iterable<BundleId>): void {
			database.exec('CREATE TEMP TABLE IF NOT EXISTS leaving(bid INTEGER PRIMARY KEY); DELETE FROM temp.leaving');
			database.exec(
				'CREATE TEMP TABLE IF NOT EXISTS dying(mid INTEGER, bid INTEGER, PRIMARY KEY(mid, bid)) WITHOUT ROWID; DELETE FROM temp.dying',
			);
			const add = database.prepare('INSERT OR IGNORE INTO temp.leaving SELECT bid FROM bundle WHERE id = ?');
			for (const id of bundles) add.run(hashColumn(id));
			database.exec(
				`INSERT INTO temp.dying SELECT c.mid, c.bid FROM temp.leaving CROSS JOIN bundle b USING (bid) CROSS JOIN copy c ON c.bid = b.bid
				 WHERE NOT (${LIVE_MESSAGE})`,
			);
		},

		/** Sealed bundles of the present state that are there, oldest first. */
		liveness(): SealedLiveness[] {
			const messages = held('copy', LIVE_MESSAGE);
			const attachments = held('attachment_copy', LIVE_ATTACHMENT);
			const liveWords = new Map(
				[...database.prepare('SELECT bid, count(*) FROM placement WHERE sealed = 1 GROUP BY bid').rows()].map(([bid, count]) => [
					Number(bid),
					Number(count),
				]),
			);
			// Another program may have sealed other words: they have no place in what a compaction writes.
			const others = ['account', 'folder', 'control', 'gone'].map((table) => `NOT EXISTS (SELECT 1 FROM ${table} x WHERE x.bid = b.bid)`);
			const rows = database
				.prepare(
					`SELECT b.bid, b.id, b.size, b.tenant, b.words FROM bundle b WHERE ${[LISTED, ...others].join(' AND ')} ORDER BY b.position`,
				)
				.rows();
			return [...rows].map(([bid, id, size, tenant, words]) => {
				const inside = messages.get(Number(bid)) ?? NOTHING;
				const beside = attachments.get(Number(bid)) ?? NOTHING;
				return {
					bundle: parseBundleId(hashOf(id)),
					size: Number(size),
					kind: beside.items > 0 ? 'attachments' : 'messages',
					tenant: tenant as Tenant | null,
					messages: inside.items,
					attachments: beside.items,
					bytes: inside.bytes + beside.bytes,
					words: Number(words),
					liveMessages: inside.liveItems,
					liveAttachments: beside.liveItems,
					liveBytes: inside.liveBytes + beside.liveBytes,
					liveWords: liveWords.get(Number(bid)) ?? 0,
				};
			});
		},

		/** Messages that a leaving bundle hands on, in the order in which they lie. */
		messagesOf(bundle: BundleId): CarriedMessage[] {
			const rows = database
				.prepare(
					`SELECT m.id, m.size, c.codec, c.offset, c.length, c.recipe, s.parts, ${isPlacedBy('b')}
					 FROM bundle b CROSS JOIN copy c ON c.bid = b.bid CROSS JOIN message m USING (mid) LEFT JOIN copy_parts s ON s.mid = c.mid AND s.bid = c.bid
					 WHERE b.id = ? AND ${LIVE_MESSAGE} ORDER BY c.offset`,
				)
				.rows(hashColumn(bundle));
			return [...rows].map(([id, size, codec, offset, length, recipe, parts, own]) => ({
				id: hashOf(id) as MessageId,
				copy: {
					bundle,
					sealed: true,
					offset: Number(offset),
					length: Number(length),
					codec: CODECS[Number(codec)] ?? 'none',
					size: Number(size),
					recipe: recipe === null ? null : Number(recipe),
					attachments: partsOf(parts),
				},
				own: own === 1,
			}));
		},

		/** Attachments that a leaving bundle hands on, in the order in which they lie. */
		attachmentsOf(bundle: BundleId): { readonly line: AttachmentLine; readonly copy: AttachmentCopy }[] {
			const rows = database
				.prepare(
					`SELECT t.id, t.size, c.codec, c.offset, c.length
					 FROM bundle b CROSS JOIN attachment_copy c ON c.bid = b.bid CROSS JOIN attachment t USING (atid)
					 WHERE b.id = ? AND ${LIVE_ATTACHMENT} ORDER BY c.offset`,
				)
				.rows(hashColumn(bundle));
			return [...rows].map(([hash, bytes, packed, offset, length]) => {
				const size = Number(bytes);
				const codec = CODECS[Number(packed)] ?? 'none';
				return {
					line: { type: 'attachment', id: hashOf(hash) as AttachmentId, size, codec },
					copy: { bundle, sealed: true, offset: Number(offset), length: Number(length), codec, size },
				};
			});
		},

		/** Tenants of which a leaving bundle holds mail or newest words, sorted. */
		tenants(): Tenant[] {
			const rows = database
				.prepare(
					`SELECT b.tenant FROM temp.leaving CROSS JOIN bundle b USING (bid) WHERE b.tenant IS NOT NULL
					 UNION SELECT a.tenant FROM placement p JOIN folder f USING (fid) JOIN account a USING (aid)
					 WHERE p.sealed = 1 AND p.bid IN (SELECT bid FROM temp.leaving) ORDER BY 1`,
				)
				.rows();
			return [...rows].map(([tenant]) => tenant as Tenant);
		},

		/** Placements of a tenant that leaving bundles have to do with; `moves`: the newest word stands in one of them. */
		placements(tenant: Tenant): { readonly word: PlacedWord; readonly moves: boolean }[] {
			const rows = database
				.prepare(
					`SELECT a.name, f.name, p.bid IN (SELECT bid FROM temp.leaving) AS moves, ${PLACED_COLUMNS}
					 FROM account a CROSS JOIN folder f USING (aid) CROSS JOIN placement p USING (fid) CROSS JOIN message m USING (mid)
					 WHERE a.tenant = ? AND (moves OR EXISTS (
					   SELECT 1 FROM copy c CROSS JOIN temp.leaving l ON l.bid = c.bid WHERE c.mid = p.mid))`,
				)
				.rows(tenant);
			return [...rows].map((columns) => ({
				word: placedWord(columns[0] as AccountName, columns[1] as FolderName, columns, 3),
				moves: columns[2] === 1,
			}));
		},
	};
}

export type CompactQueries = ReturnType<typeof compactQueries>;
