import {
	type AccountName,
	type BundleId,
	type ControlWord,
	type FolderName,
	type FolderWord,
	type HeaderFacts,
	type MessageId,
	type MessageLine,
	type PartFacts,
	type PlacedWord,
	parseBundleId,
	type Tenant,
	type Word,
} from '../domain/index.ts';
import { type AttachmentCopy, attachmentQueries, isComplete } from './attachment-queries.ts';
import type { Database, Value } from './database.ts';
import { LISTED_LINE } from './listed-lines.ts';
import { CODECS, hashColumn, hashOf, PLACED_COLUMNS, partsOf, placedWord } from './rows.ts';

/** One stored copy of a message; `size` is that of the message itself. */
export interface Copy extends AttachmentCopy {
	/** Bytes of the recipe with its literal bytes; null for a message that is stored whole. */
	readonly recipe: number | null;
	/** As the message's line in that bundle has them. */
	readonly attachments: readonly PartFacts[];
}

export interface KnownAccount {
	readonly source: string | null;
	readonly layout: string | null;
	readonly signature: string | null;
}

export interface KnownFolder {
	readonly id: number;
	readonly folder: FolderName;
	readonly word: FolderWord | null;
	readonly signature: string | null;
}

/** Quiet mail of one tenant that waits in volatile bundles. */
export interface WaitingTotal {
	readonly tenant: Tenant;
	/** Stored bytes of messages that no sealed bundle of the tenant has yet, and of attachments that no sealed bundle has. */
	readonly bytes: number;
	/** Since when the longest waiting has waited for a bundle, milliseconds since 1970. */
	readonly oldestDue: number;
}

/** How much of a volatile bundle the present state still needs. */
export interface Liveness {
	readonly bundle: BundleId;
	/** Messages and attachments with the stored bytes of both, and words: all that it holds, and what is alive of it. */
	readonly messages: number;
	readonly attachments: number;
	readonly bytes: number;
	readonly words: number;
	readonly liveMessages: number;
	readonly liveAttachments: number;
	readonly liveBytes: number;
	readonly liveWords: number;
}

const PLACED_JOIN = 'placement p JOIN message m USING (mid) JOIN folder f USING (fid) JOIN account a USING (aid)';

/**
 * A volatile copy counts only while no sealed bundle and no later volatile one has all of the message, and some placement needs it. That it is not
 * the copy itself follows from the rest, and spares a look at its bundle.
 */
const LIVE_COPY = `EXISTS (SELECT 1 FROM placement p WHERE p.mid = c.mid)
	AND NOT EXISTS (SELECT 1 FROM copy o CROSS JOIN bundle b USING (bid)
		WHERE o.mid = c.mid AND o.bid <> c.bid AND b.missing = 0 AND (b.sealed = 1 OR o.bid > c.bid) AND ${isComplete('o')})`;

/** What a pack asks of the catalog. */
export function packQueries(database: Database) {
	const attachments = attachmentQueries(database);
	const findCopies = database.prepare(
		`SELECT b.id, b.sealed, c.offset, c.length, c.codec, m.size, c.recipe, s.parts
		 FROM message m JOIN copy c USING (mid) JOIN bundle b USING (bid) LEFT JOIN copy_parts s USING (mid, bid) WHERE m.id = ? ORDER BY b.missing, b.sealed DESC, c.bid DESC`,
	);
	const hasTenantCopy = database.prepare(
		`SELECT 1 FROM message m JOIN copy c USING (mid) JOIN bundle b USING (bid)
		 WHERE m.id = ? AND b.sealed = 1 AND b.missing = 0 AND b.tenant = ? AND ${isComplete('c')} LIMIT 1`,
	);
	const placedIn = database.prepare(`SELECT 1 FROM ${PLACED_JOIN} WHERE m.id = ? AND a.name = ? LIMIT 1`);
	const wordMissing = database.prepare(
		`SELECT 1 FROM account a JOIN folder f USING (aid) JOIN placement p USING (fid) JOIN bundle b ON b.bid = p.bid
		 WHERE a.name = ? AND f.name = ? AND p.key = ? AND b.missing = 1`,
	);
	const findMessage = database.prepare('SELECT size, message_id, headers FROM message WHERE id = ?');
	const foldersOf = database.prepare(
		'SELECT f.fid, f.name, f.facts, f.signature FROM folder f JOIN account a USING (aid) WHERE a.name = ?',
	);
	const controlsOf = database.prepare('SELECT c.path, c.file FROM control c JOIN account a USING (aid) WHERE a.name = ? AND c.folder = ?');
	const countOf = database.prepare('SELECT count(*) FROM placement WHERE fid = ?');
	const keysOf = database.prepare('SELECT key FROM placement WHERE fid = ? ORDER BY key');
	const linesOf = database.prepare(`SELECT ${LISTED_LINE} FROM placement WHERE fid = ? ORDER BY key`);
	const findPlaced = database.prepare(`SELECT ${PLACED_COLUMNS} FROM placement p JOIN message m USING (mid) WHERE p.fid = ? AND p.key = ?`);

	function messageLine(id: MessageId, { codec, recipe, attachments: parts }: Pick<Copy, 'codec' | 'recipe' | 'attachments'>): MessageLine {
		const row = findMessage.row(hashColumn(id));
		const shown = JSON.parse(String(row?.[2] ?? '{}')) as HeaderFacts;
		const messageId = row?.[1] ?? null;
		return {
			type: 'message',
			id,
			size: Number(row?.[0] ?? 0),
			codec,
			...(recipe === null ? {} : { recipe }),
			attachments: parts,
			headers: messageId === null ? shown : { messageId: String(messageId), ...shown },
		};
	}

	return {
		accounts(): Map<AccountName, KnownAccount> {
			const known = new Map<AccountName, KnownAccount>();
			for (const [name, source, layout, signature] of database.prepare('SELECT name, source, layout, signature FROM account').rows()) {
				known.set(name as AccountName, {
					source: source as string | null,
					layout: layout as string | null,
					signature: signature as string | null,
				});
			}
			return known;
		},

		folders(account: AccountName): Map<FolderName, KnownFolder> {
			const known = new Map<FolderName, KnownFolder>();
			const rows = foldersOf.rows(account);
			for (const [id, name, facts, signature] of rows) {
				const folder = name as FolderName;
				known.set(folder, {
					id: Number(id),
					folder,
					word:
						facts === null
							? null
							: { type: 'folder', account, folder, ...(JSON.parse(String(facts)) as Omit<FolderWord, 'type' | 'account' | 'folder'>) },
					signature: signature as string | null,
				});
			}
			return known;
		},

		controls(account: AccountName, folder: FolderName | ''): Map<string, ControlWord> {
			const known = new Map<string, ControlWord>();
			const rows = controlsOf.rows(account, folder);
			for (const [path, file] of rows) {
				known.set(String(path), {
					type: 'control',
					account,
					...(folder === '' ? {} : { folder }),
					path: String(path),
					...(JSON.parse(String(file)) as Pick<ControlWord, 'content' | 'link' | 'date' | 'mode' | 'owner'>),
				});
			}
			return known;
		},

		countIn(folderId: number): number {
			return Number(countOf.row(folderId)?.[0] ?? 0);
		},

		/** Keys of a folder's placements, sorted. */
		keys(folder: KnownFolder): string[] {
			return [...keysOf.rows(folder.id)].map(([key]) => String(key));
		},

		/** A folder's placements as texts to be held against a listing (listedLines), sorted by key. */
		placementLines(folder: KnownFolder): string[] {
			return linesOf.texts(folder.id);
		},

		/** The newest word about a placement; throws where there is none. */
		placed(account: AccountName, folder: KnownFolder, key: string): PlacedWord {
			const columns = findPlaced.row(folder.id, key);
			if (columns === undefined) throw new Error(`no placement "${key}" in folder ${folder.id}`);
			return placedWord(account, folder.folder, columns);
		},

		waiting(now: number): WaitingTotal[] {
			const rows = database
				.prepare(
					`SELECT a.tenant, min(p.due), sum(CASE
					   WHEN EXISTS (SELECT 1 FROM copy c JOIN bundle b USING (bid) WHERE c.mid = p.mid AND b.sealed = 1 AND b.missing = 0 AND b.tenant = a.tenant) THEN 0
					   ELSE (SELECT min(c.length) FROM copy c WHERE c.mid = p.mid) END)
					 FROM placement p JOIN folder f USING (fid) JOIN account a USING (aid)
					 WHERE p.sealed = 0 AND p.due IS NOT NULL AND p.due <= ? GROUP BY a.tenant`,
				)
				.rows(now);
			const waiting = [...rows];
			const apart = waiting.length === 0 ? null : attachments.waitingBytes(now);
			return waiting.map(([tenant, oldest, bytes]) => ({
				tenant: tenant as Tenant,
				oldestDue: Number(oldest),
				bytes: Number(bytes) + (apart?.get(tenant as Tenant) ?? 0),
			}));
		},

		due(tenant: Tenant, now: number): PlacedWord[] {
			const rows = database
				.prepare(
					`SELECT a.name, f.name, ${PLACED_COLUMNS} FROM ${PLACED_JOIN}
					 WHERE p.sealed = 0 AND p.due IS NOT NULL AND p.due <= ? AND a.tenant = ?`,
				)
				.rows(now, tenant);
			return [...rows].map((columns) => placedWord(columns[0] as AccountName, columns[1] as FolderName, columns, 2));
		},

		copies(id: MessageId): Copy[] {
			return [...findCopies.rows(hashColumn(id))].map(([bundle, sealed, offset, length, codec, size, recipe, parts]) => ({
				bundle: parseBundleId(hashOf(bundle)),
				sealed: sealed === 1,
				offset: Number(offset),
				length: Number(length),
				codec: CODECS[Number(codec)] ?? 'none',
				size: Number(size),
				recipe: recipe === null ? null : Number(recipe),
				attachments: partsOf(parts),
			}));
		},

		/** True where a sealed bundle of the tenant has the message, and some bundle each attachment of that copy. */
		isSealedFor(id: MessageId, tenant: Tenant): boolean {
			return hasTenantCopy.row(hashColumn(id), tenant) !== undefined;
		},

		/** True where the newest word about the placement stands in a bundle that is missing. */
		isWordMissing({ account, folder, key }: Pick<PlacedWord, 'account' | 'folder' | 'key'>): boolean {
			return wordMissing.row(account, folder, key) !== undefined;
		},

		/** What lies in these bundles does not count as stored until the next transaction begins. */
		setMissing(bundles: ReadonlySet<BundleId>): void {
			const miss = database.prepare('UPDATE bundle SET missing = 1 WHERE id = ?');
			for (const id of bundles) miss.run(hashColumn(id));
		},

		isPlacedIn(id: MessageId, account: AccountName): boolean {
			return placedIn.row(hashColumn(id), account) !== undefined;
		},

		messageLine,
		attachmentCopies: attachments.copies,
		isAttachmentSealed: attachments.isSealed,
		liveAttachments: attachments.live,

		liveness(): Liveness[] {
			const rows = database
				.prepare(
					`WITH each AS MATERIALIZED (
					   SELECT c.bid, c.length, ${LIVE_COPY} AS live FROM bundle v CROSS JOIN copy c USING (bid) WHERE v.sealed = 0 AND v.position IS NOT NULL
					 ), held AS MATERIALIZED (
					   SELECT bid, count(*) AS messages, sum(length) AS bytes, sum(live) AS liveMessages, sum(live * length) AS liveBytes FROM each GROUP BY bid
					 )
					 SELECT b.bid, b.id, b.words, coalesce(h.messages, 0), coalesce(h.bytes, 0), coalesce(h.liveMessages, 0), coalesce(h.liveBytes, 0),
					   (SELECT count(*) FROM placement p WHERE p.bid = b.bid AND p.sealed = 0)
					   + (SELECT count(*) FROM folder WHERE folder.bid = b.bid) + (SELECT count(*) FROM account WHERE account.bid = b.bid)
					   + (SELECT count(*) FROM control WHERE control.bid = b.bid) + (SELECT count(*) FROM gone WHERE gone.bid = b.bid)
					 FROM bundle b LEFT JOIN held h USING (bid) WHERE b.sealed = 0 AND b.position IS NOT NULL ORDER BY b.position`,
				)
				.rows();
			const apart = attachments.liveness();
			return [...rows].map(([bid, id, words, messages, bytes, liveMessages, liveBytes, liveWords]) => {
				const beside = apart.get(Number(bid)) ?? { attachments: 0, bytes: 0, liveAttachments: 0, liveBytes: 0 };
				return {
					bundle: parseBundleId(hashOf(id)),
					messages: Number(messages),
					attachments: beside.attachments,
					bytes: Number(bytes) + beside.bytes,
					words: Number(words),
					liveMessages: Number(liveMessages),
					liveAttachments: beside.liveAttachments,
					liveBytes: Number(liveBytes) + beside.liveBytes,
					liveWords: Number(liveWords),
				};
			});
		},

		/** The words of a volatile bundle that nothing newer replaced; a removal only while something listed still speaks of what was removed. */
		liveWords(bundle: BundleId, dropped: ReadonlySet<BundleId>): Word[] {
			const found = database.prepare('SELECT bid, position FROM bundle WHERE id = ?').row(hashColumn(bundle));
			if (found === undefined) return [];
			const [bid, position] = found as [number, number];
			const words: Word[] = [];
			for (const [name, source, layout] of database.prepare('SELECT name, source, layout FROM account WHERE bid = ?').rows(bid)) {
				words.push({ type: 'account', account: name as AccountName, source: String(source), layout: layout as 'maildir++' | 'fs' });
			}
			const folders = 'SELECT a.name, f.name, f.facts FROM folder f JOIN account a USING (aid) WHERE f.bid = ?';
			for (const [account, folder, facts] of database.prepare(folders).rows(bid)) {
				const word = JSON.parse(String(facts)) as Omit<FolderWord, 'type' | 'account' | 'folder'>;
				words.push({ type: 'folder', account: account as AccountName, folder: folder as FolderName, ...word });
			}
			const controls = 'SELECT a.name, c.folder, c.path, c.file FROM control c JOIN account a USING (aid) WHERE c.bid = ?';
			for (const [account, folder, path, file] of database.prepare(controls).rows(bid)) {
				words.push({
					type: 'control',
					account: account as AccountName,
					...(folder === '' ? {} : { folder: folder as FolderName }),
					path: String(path),
					...(JSON.parse(String(file)) as Pick<ControlWord, 'content' | 'link' | 'date' | 'mode' | 'owner'>),
				});
			}
			const placed = `SELECT a.name, f.name, ${PLACED_COLUMNS} FROM ${PLACED_JOIN} WHERE p.bid = ? AND p.sealed = 0`;
			for (const columns of database.prepare(placed).rows(bid)) {
				words.push(placedWord(columns[0] as AccountName, columns[1] as FolderName, columns, 2));
			}
			const older = [...database.prepare('SELECT id FROM bundle WHERE sealed = 0 AND position < ?').rows(position)];
			const spokenOf = older.some(([id]) => !dropped.has(hashOf(id) as BundleId));
			const gone = 'SELECT kind, account, folder, key FROM gone WHERE bid = ? AND (anchors > 0 OR ? = 1)';
			for (const columns of database.prepare(gone).rows(bid, spokenOf ? 1 : 0)) words.push(goneWord(columns));
			return words;
		},

		/** Messages of a volatile bundle that would be lost with it, in the order in which they lie. */
		liveMessages(bundle: BundleId): { readonly line: MessageLine; readonly copy: Copy }[] {
			const rows = database
				.prepare(
					`SELECT m.id, m.size, c.codec, c.offset, c.length, c.recipe, s.parts
					 FROM copy c JOIN message m USING (mid) LEFT JOIN copy_parts s USING (mid, bid)
					 WHERE c.bid = (SELECT bid FROM bundle WHERE id = ?) AND ${LIVE_COPY} ORDER BY c.offset`,
				)
				.rows(hashColumn(bundle));
			return [...rows].map(([id, size, codec, offset, length, recipe, parts]) => {
				const copy: Copy = {
					bundle,
					sealed: false,
					offset: Number(offset),
					length: Number(length),
					codec: CODECS[Number(codec)] ?? 'none',
					size: Number(size),
					recipe: recipe === null ? null : Number(recipe),
					attachments: partsOf(parts),
				};
				return { line: messageLine(hashOf(id) as MessageId, copy), copy };
			});
		},
	};
}

export type PackQueries = ReturnType<typeof packQueries>;

function goneWord([kind, account, folder, key]: readonly Value[]): Word {
	const owner = account as AccountName;
	const inside = folder as FolderName;
	switch (kind) {
		case 'placement':
			return { type: 'removed', account: owner, folder: inside, key: String(key) };
		case 'folder':
			return { type: 'folder-removed', account: owner, folder: inside };
		case 'control':
			return { type: 'control-removed', account: owner, ...(inside === ('' as FolderName) ? {} : { folder: inside }), path: String(key) };
		default:
			return { type: 'account-removed', account: owner };
	}
}
