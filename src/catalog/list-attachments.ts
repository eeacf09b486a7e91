import { type AccountName, type AttachmentId, type BundleId, type BundleKind, parseBundleId } from '../domain/index.ts';
import type { Database, Value } from './database.ts';
import { hashOf, partsOf } from './rows.ts';

export interface AttachmentFilter {
	/** Only what placed messages of this account use. */
	readonly account?: AccountName;
	/** Rows at most; all where left out. */
	readonly limit?: number;
}

/** An attachment as people want to see it; messages and accounts are those of the whole archive. */
export interface ListedAttachment {
	readonly id: AttachmentId;
	/** Bytes. */
	readonly size: number;
	/** Media type, as the first message that uses it has it. */
	readonly type: string;
	/** Names that messages give it, at most five, those of the oldest bundles first. */
	readonly names: readonly string[];
	/** Placed messages that use it, and the accounts that they are placed in. */
	readonly messages: number;
	readonly accounts: number;
	/** Bytes that storing it once saves. */
	readonly savedBytes: number;
	/** Where a reader reads it. */
	readonly bundle: BundleId;
	readonly kind: BundleKind;
}

/** A bundle from which attachments are read. */
export interface AttachmentBundle {
	readonly id: BundleId;
	readonly kind: BundleKind;
	/** Bytes of the file. */
	readonly size: number;
	/** Attachments read from it, and their stored bytes. */
	readonly attachments: number;
	readonly bytes: number;
}

/** Distinct attachments of placed messages, their bytes before any compression, and the bytes that storing each once saves. */
export interface AttachmentTotals {
	readonly attachments: number;
	readonly bytes: number;
	readonly sharedBytes: number;
}

const MOST_NAMES = 5;
/** Only so many uses are looked at for names: a logo may stand in every message. */
const MOST_USES = 1000;

/** Attachments that placed messages use and that some bundle has, with how many messages use each. */
const USED = `SELECT u.atid, count(DISTINCT u.mid) AS messages FROM attachment_use u
	WHERE EXISTS (SELECT 1 FROM placement p WHERE p.mid = u.mid) AND EXISTS (SELECT 1 FROM attachment_copy c WHERE c.atid = u.atid)`;

const OF_ACCOUNT = `SELECT u.atid FROM account a CROSS JOIN folder f USING (aid) CROSS JOIN placement p USING (fid) CROSS JOIN attachment_use u
	WHERE a.name = ? AND u.mid = p.mid`;

/** The bundle that a reader takes attachment `n` from: sealed before volatile, the newest first. */
const READ_FROM = `(SELECT c.bid FROM attachment_copy c CROSS JOIN bundle b USING (bid) WHERE c.atid = n.atid
	ORDER BY b.sealed DESC, c.bid DESC LIMIT 1)`;

/** What is listed of attachments; prepared at each call, since the tables may be another version's. */
export function attachmentLists(database: Database) {
	/** Each copy is read once, whatever number of the listed attachments it uses: a message may have a thousand. */
	function describe(atids: readonly number[]): Map<string, { readonly type: string; readonly names: Set<string> }> {
		const found = new Map<string, { readonly type: string; readonly names: Set<string> }>();
		const wanted = new Map<string, [mid: number, bid: number, position: number, offset: number]>();
		const usesOf = database.prepare(
			`SELECT u.mid, u.bid, b.position, c.offset FROM attachment_use u CROSS JOIN bundle b USING (bid) CROSS JOIN copy c USING (mid, bid)
			 WHERE u.atid = ? AND EXISTS (SELECT 1 FROM placement p WHERE p.mid = u.mid) ORDER BY b.position, c.offset LIMIT ${MOST_USES}`,
		);
		for (const atid of atids) {
			for (const row of usesOf.rows(atid)) wanted.set(`${row[0]} ${row[1]}`, row as [number, number, number, number]);
		}
		const partsAt = database.prepare('SELECT parts FROM copy_parts WHERE mid = ? AND bid = ?');
		for (const [mid, bid] of [...wanted.values()].sort((a, b) => a[2] - b[2] || a[3] - b[3])) {
			for (const { id, name, type } of partsOf(partsAt.row(mid, bid)?.[0])) {
				if (id === undefined) continue;
				const one = found.get(id) ?? { type, names: new Set() };
				found.set(id, one);
				if (name !== undefined && one.names.size < MOST_NAMES) one.names.add(name);
			}
		}
		return found;
	}

	return {
		/** What saves most first. */
		listAttachments({ account, limit }: AttachmentFilter): ListedAttachment[] {
			const ofAccount = account === undefined ? '' : `AND u.atid IN (${OF_ACCOUNT})`;
			const values: Value[] = account === undefined ? [] : [account];
			const rows = [
				...database
					.prepare(
						`SELECT n.atid, t.id, t.size, n.messages, (n.messages - 1) * t.size FROM (${USED} ${ofAccount} GROUP BY u.atid) n
						 JOIN attachment t USING (atid) ORDER BY 5 DESC, t.size DESC, t.id LIMIT ?`,
					)
					.rows(...values, limit ?? -1),
			];
			const described = describe(rows.map(([atid]) => Number(atid)));
			const countAccounts = database.prepare(
				`SELECT count(DISTINCT f.aid) FROM attachment_use u CROSS JOIN placement p CROSS JOIN folder f USING (fid)
				 WHERE u.atid = ? AND p.mid = u.mid`,
			);
			const readFrom = database.prepare(`SELECT id, sealed FROM (SELECT ? AS atid) n JOIN bundle ON bundle.bid = ${READ_FROM}`);
			return rows.map(([atid, hash, size, messages, savedBytes]) => {
				const id = hashOf(hash) as AttachmentId;
				const [bundle, sealed] = readFrom.row(atid ?? 0) ?? [];
				const { type = '', names = [] } = described.get(id) ?? {};
				return {
					id,
					size: Number(size),
					type,
					names: [...names],
					messages: Number(messages),
					accounts: Number(countAccounts.row(atid ?? 0)?.[0] ?? 0),
					savedBytes: Number(savedBytes),
					bundle: parseBundleId(hashOf(bundle)),
					kind: sealed === 1 ? 'sealed' : 'volatile',
				};
			});
		},

		/** The bundles that must be there to read every attachment of placed messages, oldest first. */
		attachmentBundles({ account }: Pick<AttachmentFilter, 'account'>): AttachmentBundle[] {
			const needed = account === undefined ? `SELECT atid FROM (${USED} GROUP BY u.atid)` : `SELECT DISTINCT atid FROM (${OF_ACCOUNT})`;
			const rows = database
				.prepare(
					`SELECT b.id, b.sealed, b.size, count(*), sum(r.length) FROM (${needed}) n
					 CROSS JOIN attachment_copy r ON r.atid = n.atid AND r.bid = ${READ_FROM} CROSS JOIN bundle b ON b.bid = r.bid
					 GROUP BY b.bid ORDER BY b.position`,
				)
				.rows(...(account === undefined ? [] : [account]));
			return [...rows].map(([id, sealed, size, attachments, bytes]) => ({
				id: parseBundleId(hashOf(id)),
				kind: sealed === 1 ? 'sealed' : 'volatile',
				size: Number(size),
				attachments: Number(attachments),
				bytes: Number(bytes),
			}));
		},

		attachmentTotals(): AttachmentTotals {
			const row = database
				.prepare(
					`SELECT count(*), sum(t.size), sum((n.messages - 1) * t.size) FROM (${USED} GROUP BY u.atid) n JOIN attachment t USING (atid)`,
				)
				.row();
			return { attachments: Number(row?.[0] ?? 0), bytes: Number(row?.[1] ?? 0), sharedBytes: Number(row?.[2] ?? 0) };
		},
	};
}
