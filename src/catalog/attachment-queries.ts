import { type AttachmentId, type AttachmentLine, type BundleId, type Codec, parseBundleId, type Tenant } from '../domain/index.ts';
import type { Database } from './database.ts';
import { CODECS, hashColumn, hashOf } from './rows.ts';

/** One stored copy of an attachment. */
export interface AttachmentCopy {
	readonly bundle: BundleId;
	readonly sealed: boolean;
	readonly offset: number;
	readonly length: number;
	readonly codec: Codec;
	/** Bytes of the attachment itself. */
	readonly size: number;
}

/** What a volatile bundle holds of attachments, and what is alive of it; bytes as stored. */
export interface AttachmentLiveness {
	readonly attachments: number;
	readonly bytes: number;
	readonly liveAttachments: number;
	readonly liveBytes: number;
}

/** Some placed message uses the attachment of copy `c`. The joins are crossed to keep their order: an attachment has few uses. */
export const USED_ATTACHMENT = 'EXISTS (SELECT 1 FROM attachment_use u CROSS JOIN placement p WHERE u.atid = c.atid AND p.mid = u.mid)';

/**
 * Every attachment that a copy of a message needs lies in some bundle. A sealed copy may lack one: once nothing placed the message, a
 * compaction took the attachment, and the message may come again.
 */
export function isComplete(copy: string): string {
	return `NOT EXISTS (SELECT 1 FROM attachment_use u WHERE u.mid = ${copy}.mid AND u.bid = ${copy}.bid AND NOT EXISTS (
		SELECT 1 FROM attachment_copy t CROSS JOIN bundle tb USING (bid) WHERE t.atid = u.atid AND tb.missing = 0))`;
}

/** A volatile copy `c` counts only while no sealed bundle and no later volatile one has the attachment, and some placement needs it. */
export const LIVE_ATTACHMENT = `NOT EXISTS (SELECT 1 FROM attachment_copy o CROSS JOIN bundle ob USING (bid)
	WHERE o.atid = c.atid AND ob.missing = 0 AND (ob.sealed = 1 OR o.bid > c.bid)) AND ${USED_ATTACHMENT}`;

/** What a pack asks of the catalog about attachments. */
export function attachmentQueries(database: Database) {
	const findCopies = database.prepare(
		`SELECT b.id, b.sealed, c.offset, c.length, c.codec, t.size
		 FROM attachment t JOIN attachment_copy c USING (atid) JOIN bundle b USING (bid) WHERE t.id = ? ORDER BY b.missing, b.sealed DESC, c.bid DESC`,
	);
	const hasSealedCopy = database.prepare(
		'SELECT 1 FROM attachment t JOIN attachment_copy c USING (atid) JOIN bundle b USING (bid) WHERE t.id = ? AND b.sealed = 1 AND b.missing = 0 LIMIT 1',
	);

	return {
		copies(id: AttachmentId): AttachmentCopy[] {
			return [...findCopies.rows(hashColumn(id))].map(([bundle, sealed, offset, length, codec, size]) => ({
				bundle: parseBundleId(hashOf(bundle)),
				sealed: sealed === 1,
				offset: Number(offset),
				length: Number(length),
				codec: CODECS[Number(codec)] ?? 'none',
				size: Number(size),
			}));
		},

		isSealed(id: AttachmentId): boolean {
			return hasSealedCopy.row(hashColumn(id)) !== undefined;
		},

		/** Attachments of a volatile bundle that would be lost with it, in the order in which they lie. */
		live(bundle: BundleId): { readonly line: AttachmentLine; readonly copy: AttachmentCopy }[] {
			const rows = database
				.prepare(
					`SELECT t.id, t.size, c.codec, c.offset, c.length FROM attachment_copy c JOIN attachment t USING (atid)
					 WHERE c.bid = (SELECT bid FROM bundle WHERE id = ?) AND ${LIVE_ATTACHMENT} ORDER BY c.offset`,
				)
				.rows(hashColumn(bundle));
			return [...rows].map(([hash, bytes, packed, offset, length]) => {
				const size = Number(bytes);
				const codec = CODECS[Number(packed)] ?? 'none';
				return {
					line: { type: 'attachment', id: hashOf(hash) as AttachmentId, size, codec },
					copy: { bundle, sealed: false, offset: Number(offset), length: Number(length), codec, size },
				};
			});
		},

		/** By the number of the bundle's row; bundles without attachments are left out. */
		liveness(): Map<number, AttachmentLiveness> {
			const rows = database
				.prepare(
					`WITH each AS MATERIALIZED (
					   SELECT c.bid, c.length, ${LIVE_ATTACHMENT} AS live FROM bundle v CROSS JOIN attachment_copy c USING (bid)
					   WHERE v.sealed = 0 AND v.position IS NOT NULL
					 ) SELECT bid, count(*), sum(length), sum(live), sum(live * length) FROM each GROUP BY bid`,
				)
				.rows();
			return new Map(
				[...rows].map(([bid, attachments, bytes, liveAttachments, liveBytes]) => [
					Number(bid),
					{
						attachments: Number(attachments),
						bytes: Number(bytes),
						liveAttachments: Number(liveAttachments),
						liveBytes: Number(liveBytes),
					},
				]),
			);
		},

		/** Stored bytes of the attachments that no sealed bundle has, each once for every tenant whose due mail needs it. */
		waitingBytes(now: number): Map<Tenant, number> {
			const rows = database
				.prepare(
					`SELECT w.tenant, sum((SELECT min(c.length) FROM attachment_copy c WHERE c.atid = w.atid)) FROM (
					   SELECT DISTINCT a.tenant, u.atid
					   FROM placement p CROSS JOIN folder f USING (fid) CROSS JOIN account a USING (aid) CROSS JOIN attachment_use u
					   WHERE p.sealed = 0 AND p.due IS NOT NULL AND p.due <= ? AND u.mid = p.mid
					 ) w WHERE NOT EXISTS (SELECT 1 FROM attachment_copy c CROSS JOIN bundle b USING (bid) WHERE c.atid = w.atid AND b.sealed = 1 AND b.missing = 0)
					 GROUP BY w.tenant`,
				)
				.rows(now);
			return new Map([...rows].map(([tenant, bytes]) => [tenant as Tenant, Number(bytes)]));
		},
	};
}
