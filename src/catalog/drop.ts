import type { BundleId, ManifestLine, PlacedWord } from '../domain/index.ts';
import { isComplete } from './attachment-queries.ts';
import type { Database } from './database.ts';
import { openFileSetter } from './files.ts';
import { hashColumn, partsOf } from './rows.ts';

/**
 * Takes a bundle out of the present state; throws where a placement would lose its last whole copy, an attachment of it, or its word. Of a sealed
 * bundle it needs the lines: what they speak of may have no other sealed word then, and so no removal to remember.
 */
export function dropBundle(database: Database, id: BundleId, lines: readonly ManifestLine[] | null): void {
	const row = database.prepare('SELECT bid, sealed FROM bundle WHERE id = ? AND position IS NOT NULL').row(hashColumn(id));
	if (row === undefined) return;
	const bid = Number(row[0]);
	const sealed = row[1] === 1;
	if (sealed && lines === null) throw new Error(`dropping sealed bundle ${id} needs what it says`);
	const spoken = sealed ? (lines ?? []).filter((line) => line.type === 'placed') : [];
	refuseLoss(database, id, bid);
	if (sealed) refuseLostWords(database, { id, bid, spoken });
	const alone = `SELECT mid FROM copy c WHERE c.bid = ${bid} AND NOT EXISTS (SELECT 1 FROM copy o WHERE o.mid = c.mid AND o.bid <> c.bid)`;
	database.exec(`DELETE FROM header WHERE rowid IN (${alone})`);
	database.exec(`DELETE FROM message WHERE mid IN (${alone})`);
	dropAttachments(database, bid);
	database.exec(`DELETE FROM copy WHERE bid = ${bid}`);
	database.exec(`DELETE FROM gone WHERE bid = ${bid}`);
	weighAnchors(database, spoken);
	database.exec(`UPDATE bundle SET position = NULL WHERE bid = ${bid}`);
}

function refuseLoss(database: Database, id: BundleId, bid: number): void {
	const count = (sql: string): number => Number(database.prepare(sql).row(bid)?.[0] ?? 0);
	const lost = count(
		`SELECT count(*) FROM copy c WHERE c.bid = ? AND EXISTS (SELECT 1 FROM placement p WHERE p.mid = c.mid)
		 AND NOT EXISTS (SELECT 1 FROM copy o CROSS JOIN bundle b USING (bid)
		   WHERE o.mid = c.mid AND o.bid <> c.bid AND b.missing = 0 AND (${isComplete('o')} OR NOT ${isComplete('c')}))`,
	);
	if (lost > 0) throw new Error(`dropping bundle ${id} would lose ${lost} messages that are still placed`);
	const needed = count(
		`SELECT count(*) FROM attachment_copy c WHERE c.bid = ? AND NOT EXISTS (
		   SELECT 1 FROM attachment_copy o CROSS JOIN bundle b USING (bid) WHERE o.atid = c.atid AND o.bid <> c.bid AND b.missing = 0)
		 AND EXISTS (SELECT 1 FROM attachment_use u CROSS JOIN placement p WHERE u.atid = c.atid AND u.bid <> c.bid AND p.mid = u.mid)`,
	);
	if (needed > 0) throw new Error(`dropping bundle ${id} would lose ${needed} attachments of messages that are still placed`);
	const words = count('SELECT count(*) FROM placement WHERE bid = ? AND sealed = 0');
	if (words > 0) throw new Error(`dropping bundle ${id} would lose the newest words about ${words} messages`);
}

/** Every placement whose newest word stands in a sealed bundle is one that the bundle speaks of: no index over sealed words is needed. */
function refuseLostWords(
	database: Database,
	{ id, bid, spoken }: { readonly id: BundleId; readonly bid: number; readonly spoken: readonly PlacedWord[] },
): void {
	const wordOf = database.prepare(
		`SELECT p.bid FROM account a CROSS JOIN folder f USING (aid) CROSS JOIN placement p USING (fid) WHERE a.name = ? AND f.name = ? AND p.key = ?`,
	);
	const words = spoken.filter(({ account, folder, key }) => wordOf.row(account, folder, key)?.[0] === bid).length;
	if (words > 0) throw new Error(`dropping bundle ${id} would lose the newest words about ${words} messages`);
	const others = ['account', 'folder', 'control', 'gone'].filter(
		(table) => database.prepare(`SELECT 1 FROM ${table} WHERE bid = ? LIMIT 1`).row(bid) !== undefined,
	);
	if (others.length > 0) throw new Error(`dropping bundle ${id} would lose its words about each ${others.join(', ')}`);
}

/** One listed sealed bundle less speaks of these: a placement that is there, or one that is gone. */
function weighAnchors(database: Database, spoken: readonly PlacedWord[]): void {
	const ofPlacement = database.prepare(
		`UPDATE placement SET anchors = anchors - 1
		 WHERE fid = (SELECT f.fid FROM account a JOIN folder f USING (aid) WHERE a.name = ? AND f.name = ?) AND key = ?`,
	);
	const ofGone = database.prepare(
		"UPDATE gone SET anchors = anchors - 1 WHERE kind = 'placement' AND account = ? AND folder = ? AND key = ?",
	);
	for (const { account, folder, key } of spoken) {
		if (ofPlacement.run(account, folder, key).changes === 0) ofGone.run(account, folder, key);
	}
}

/** Before the bundle's copies go: they lead to what they use. */
function dropAttachments(database: Database, bid: number): void {
	const copies = `SELECT mid, bid FROM copy WHERE bid = ${bid}`;
	const uses = `(mid, bid) IN (${copies})`;
	database.exec(
		`DELETE FROM attachment
		 WHERE atid IN (SELECT atid FROM attachment_copy WHERE bid = ${bid} UNION SELECT atid FROM attachment_use WHERE ${uses})
		 AND NOT EXISTS (SELECT 1 FROM attachment_copy o WHERE o.atid = attachment.atid AND o.bid <> ${bid})
		 AND NOT EXISTS (SELECT 1 FROM attachment_use u WHERE u.atid = attachment.atid AND u.bid <> ${bid})`,
	);
	database.exec(`DELETE FROM attachment_copy WHERE bid = ${bid}`);
	database.exec(`DELETE FROM attachment_use WHERE ${uses}`);
	const setFiles = openFileSetter(database);
	const changed = database.prepare(
		`SELECT mid, rest FROM (
		   SELECT s.mid, s.parts, (SELECT max(o.parts) FROM copy_parts o WHERE o.mid = s.mid AND o.bid <> s.bid) AS rest
		   FROM copy_parts s WHERE (s.mid, s.bid) IN (${copies})
		 ) WHERE rest IS NULL OR rest < parts`,
	);
	for (const [mid, rest] of changed.rows()) setFiles(Number(mid), partsOf(rest));
	database.exec(`DELETE FROM copy_parts WHERE ${uses}`);
}
