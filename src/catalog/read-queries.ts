import {
	type AccountName,
	type AccountWord,
	type BundleKind,
	type ControlWord,
	type Flag,
	type FolderName,
	type FolderWord,
	formatInstant,
	type HeaderFacts,
	type MessageId,
	type PlacedWord,
	parseBundleId,
} from '../domain/index.ts';
import { LIVE_ATTACHMENT, USED_ATTACHMENT } from './attachment-queries.ts';
import type { Database, Value } from './database.ts';
import { attachmentLists } from './list-attachments.ts';
import { flagsOf, hashColumn, hashOf, keywordsOf, PLACED_COLUMNS, placedWord } from './rows.ts';

/** A placement with what people want to see of its message. */
export interface ShownPlacement {
	readonly account: AccountName;
	readonly folder: FolderName;
	readonly key: string;
	readonly id: MessageId;
	readonly size: number;
	/** Internal date, ISO 8601 UTC. */
	readonly date: string;
	readonly flags: readonly Flag[];
	readonly keywords: readonly string[];
	readonly uid?: number;
	/** Parts of the message that people call an attachment, left out where there is none. */
	readonly files?: number;
	readonly headers: HeaderFacts;
}

export const SHOWN_COLUMNS = 'a.name, f.name, p.key, m.id, m.size, p.date, p.flags, p.keywords, p.uid, m.files, m.message_id, m.headers';
export const SHOWN_JOIN = 'placement p JOIN message m USING (mid) JOIN folder f USING (fid) JOIN account a USING (aid)';

export function shownPlacement(columns: readonly Value[]): ShownPlacement {
	const [account, folder, key, id, size, date, flags, keywords, uid, files, messageId, headers] = columns;
	return {
		account: account as AccountName,
		folder: folder as FolderName,
		key: String(key),
		id: hashOf(id) as MessageId,
		size: Number(size),
		date: formatInstant(Number(date)),
		flags: flagsOf(Number(flags)),
		keywords: keywordsOf(keywords),
		...(uid === null ? {} : { uid: Number(uid) }),
		...(Number(files) > 0 ? { files: Number(files) } : {}),
		headers: {
			...(messageId === null ? {} : { messageId: String(messageId) }),
			...(JSON.parse(String(headers)) as HeaderFacts),
		},
	};
}

export interface Filter {
	readonly account?: AccountName;
	readonly folder?: FolderName;
	/** Rows at most; all where left out. */
	readonly limit?: number;
}

/** Everything that restoring one account needs, words only. */
export interface AccountContents {
	readonly account: AccountWord;
	readonly folders: readonly FolderWord[];
	readonly controls: readonly ControlWord[];
	readonly placements: readonly { readonly word: PlacedWord; readonly size: number }[];
}

/** What listing, searching, extracting and restoring ask of the catalog. */
export function readQueries(database: Database) {
	function* where(filter: Filter): Iterable<[string, Value]> {
		if (filter.account !== undefined) yield ['a.name = ?', filter.account];
		if (filter.folder !== undefined) yield ['f.name = ?', filter.folder];
	}

	function select(options: { columns: string; from: string; filter: Filter; tail: string }): Value[][] {
		const conditions = [...where(options.filter)];
		const clause = conditions.length === 0 ? '' : `WHERE ${conditions.map(([text]) => text).join(' AND ')}`;
		const limit = options.filter.limit === undefined ? -1 : options.filter.limit;
		return [
			...database
				.prepare(`SELECT ${options.columns} FROM ${options.from} ${clause} ${options.tail} LIMIT ?`)
				.rows(...conditions.map(([, value]) => value), limit),
		];
	}

	return {
		...attachmentLists(database),

		listAccounts(filter: Filter) {
			return select({
				columns: 'a.name, count(DISTINCT f.fid), count(p.key), coalesce(sum(m.size), 0)',
				from: 'account a LEFT JOIN folder f USING (aid) LEFT JOIN placement p USING (fid) LEFT JOIN message m USING (mid)',
				filter,
				tail: 'GROUP BY a.aid ORDER BY a.name',
			}).map(([account, folders, messages, bytes]) => ({
				account: account as AccountName,
				folders: Number(folders),
				messages: Number(messages),
				bytes: Number(bytes),
			}));
		},

		listFolders(filter: Filter) {
			return select({
				columns: 'a.name, f.name, count(p.key), coalesce(sum(m.size), 0), coalesce(sum(p.flags & 32 = 0), 0), f.facts',
				from: 'folder f JOIN account a USING (aid) LEFT JOIN placement p USING (fid) LEFT JOIN message m USING (mid)',
				filter,
				tail: 'GROUP BY f.fid ORDER BY a.name, f.name',
			}).map(([account, folder, messages, bytes, unseen, facts]) => ({
				account: account as AccountName,
				folder: folder as FolderName,
				messages: Number(messages),
				bytes: Number(bytes),
				unseen: Number(unseen),
				facts: JSON.parse(String(facts ?? '{}')) as Partial<FolderWord>,
			}));
		},

		listMessages(filter: Filter): ShownPlacement[] {
			return select({ columns: SHOWN_COLUMNS, from: SHOWN_JOIN, filter, tail: 'ORDER BY a.name, f.name, p.date, p.key' }).map(
				shownPlacement,
			);
		},

		listBundles(filter: Pick<Filter, 'limit'>) {
			return select({
				columns: `b.id, b.sealed, b.size, b.tenant, count(c.mid),
					coalesce(sum(EXISTS (SELECT 1 FROM placement p WHERE p.mid = c.mid)
						AND (b.sealed = 1 OR NOT EXISTS (SELECT 1 FROM copy o JOIN bundle ob USING (bid) WHERE o.mid = c.mid AND (ob.sealed = 1 OR o.bid > c.bid)))), 0),
					(SELECT count(*) FROM attachment_copy c WHERE c.bid = b.bid),
					(SELECT count(*) FROM attachment_copy c WHERE c.bid = b.bid AND CASE b.sealed WHEN 1 THEN ${USED_ATTACHMENT} ELSE ${LIVE_ATTACHMENT} END)`,
				from: 'bundle b LEFT JOIN copy c USING (bid) WHERE b.position IS NOT NULL',
				filter,
				tail: 'GROUP BY b.bid ORDER BY b.position',
			}).map(([id, sealed, size, tenant, messages, liveMessages, attachments, liveAttachments]) => ({
				id: parseBundleId(hashOf(id)),
				kind: (sealed === 1 ? 'sealed' : 'volatile') as BundleKind,
				size: Number(size),
				messages: Number(messages),
				attachments: Number(attachments),
				live: Number(liveMessages) + Number(liveAttachments),
				...(tenant === null ? {} : { tenant: String(tenant) }),
			}));
		},

		/** Bytes of messages that are placed more than once, beyond the first time. */
		sharedBytes(): number {
			const row = database
				.prepare(
					'SELECT sum((n - 1) * size) FROM (SELECT count(*) n, m.size size FROM placement JOIN message m USING (mid) GROUP BY mid HAVING n > 1)',
				)
				.row();
			return Number(row?.[0] ?? 0);
		},

		countAccounts(): number {
			return Number(database.prepare('SELECT count(*) FROM account').row()?.[0] ?? 0);
		},

		countFolders(): number {
			return Number(database.prepare('SELECT count(*) FROM folder').row()?.[0] ?? 0);
		},

		/** Ids of stored messages that begin with these hex digits, at most two. */
		idsByPrefix(prefix: string): MessageId[] {
			const low = hashColumn(prefix.padEnd(64, '0'));
			const high = hashColumn(prefix.padEnd(64, 'f'));
			return [...database.prepare('SELECT id FROM message WHERE id BETWEEN ? AND ? LIMIT 2').rows(low, high)].map(
				([id]) => hashOf(id) as MessageId,
			);
		},

		/** Ids of stored messages with this Message-ID, at most `limit`. */
		idsByMessageId(messageId: string, limit: number): MessageId[] {
			return [...database.prepare('SELECT id FROM message WHERE message_id = ? LIMIT ?').rows(messageId, limit)].map(
				([id]) => hashOf(id) as MessageId,
			);
		},

		idByPlacement(account: string, folder: string, key: string): MessageId | null {
			const row = database
				.prepare(`SELECT m.id FROM ${SHOWN_JOIN} WHERE a.name = ? AND f.name = ? AND p.key = ?`)
				.row(account, folder, key);
			return row === undefined ? null : (hashOf(row[0]) as MessageId);
		},

		contents(account: AccountName): AccountContents | null {
			const head = database.prepare('SELECT aid, source, layout FROM account WHERE name = ?').row(account);
			if (head === undefined) return null;
			const [aid, source, layout] = head;
			const folders: FolderWord[] = [];
			for (const [name, facts] of database.prepare('SELECT name, facts FROM folder WHERE aid = ? ORDER BY name').rows(aid ?? 0)) {
				const known = JSON.parse(String(facts ?? '{"dir":""}')) as Omit<FolderWord, 'type' | 'account' | 'folder'>;
				folders.push({ type: 'folder', account, folder: name as FolderName, ...known });
			}
			const controls: ControlWord[] = [];
			for (const [folder, path, file] of database
				.prepare('SELECT folder, path, file FROM control WHERE aid = ? ORDER BY folder, path')
				.rows(aid ?? 0)) {
				controls.push({
					type: 'control',
					account,
					...(folder === '' ? {} : { folder: folder as FolderName }),
					path: String(path),
					...(JSON.parse(String(file)) as Pick<ControlWord, 'content' | 'link' | 'date' | 'mode' | 'owner'>),
				});
			}
			const rows = database
				.prepare(`SELECT f.name, m.size, ${PLACED_COLUMNS} FROM ${SHOWN_JOIN} WHERE a.aid = ? ORDER BY f.name, p.date, p.key`)
				.rows(aid ?? 0);
			const placements = [...rows].map((columns) => ({
				word: placedWord(account, columns[0] as FolderName, columns, 2),
				size: Number(columns[1]),
			}));
			return {
				account: { type: 'account', account, source: String(source ?? ''), layout: (layout ?? 'maildir++') as AccountWord['layout'] },
				folders,
				controls,
				placements,
			};
		},

		/** Ids of all placed messages, in the order in which their first copies lie. */
		placedMessages(): MessageId[] {
			return [
				...database
					.prepare(
						`SELECT m.id FROM message m JOIN copy c USING (mid) WHERE EXISTS (SELECT 1 FROM placement p WHERE p.mid = m.mid)
						 GROUP BY m.mid ORDER BY min(c.bid), min(c.offset)`,
					)
					.rows(),
			].map(([id]) => hashOf(id) as MessageId);
		},

		/** Placed messages of which no copy has all that it needs in bundles that are not marked as missing, and one of them; nothing is said of the bytes. */
		incompleteMessages(): { readonly count: number; readonly first: MessageId } | null {
			const row = database
				.prepare(
					`SELECT count(*), min(m.id) FROM message m WHERE EXISTS (SELECT 1 FROM placement p WHERE p.mid = m.mid)
					 AND NOT EXISTS (SELECT 1 FROM copy c CROSS JOIN bundle b USING (bid) WHERE c.mid = m.mid AND b.missing = 0 AND NOT EXISTS (
					   SELECT 1 FROM attachment_use u WHERE u.mid = c.mid AND u.bid = c.bid
					   AND NOT EXISTS (SELECT 1 FROM attachment_copy a CROSS JOIN bundle ab USING (bid) WHERE a.atid = u.atid AND ab.missing = 0)))`,
				)
				.row();
			const count = Number(row?.[0] ?? 0);
			return count === 0 ? null : { count, first: hashOf(row?.[1]) as MessageId };
		},

		/** Ids of all messages that some placement stands for. */
		*placedIds(): Iterable<MessageId> {
			for (const [id] of database.prepare('SELECT DISTINCT m.id FROM placement JOIN message m USING (mid)').rows())
				yield hashOf(id) as MessageId;
		},
	};
}

export type ReadQueries = ReturnType<typeof readQueries>;
