import type { BundleId } from '../domain/index.ts';
import type { Database } from './database.ts';
import { openFileSetter } from './files.ts';
import { hashColumn, partsOf } from './rows.ts';

/** Takes a bundle out of the present state; throws where a placement would lose its last copy, an attachment of it, or its word. */
export function dropBundle(database: Database, id: BundleId): void {
	const row = database.prepare('SELECT bid FROM bundle WHERE id = ?').row(hashColumn(id));
	if (row === undefined) return;
	const bid = Number(row[0]);
	refuseLoss(database, id, bid);
	const alone = `SELECT mid FROM copy c WHERE c.bid = ${bid} AND NOT EXISTS (SELECT 1 FROM copy o WHERE o.mid = c.mid AND o.bid <> c.bid)`;
	database.exec(`DELETE FROM header WHERE rowid IN (${alone})`);
	database.exec(`DELETE FROM message WHERE mid IN (${alone})`);
	dropAttachments(database, bid);
	database.exec(`DELETE FROM copy WHERE bid = ${bid}`);
	database.exec(`DELETE FROM gone WHERE bid = ${bid}`);
	database.exec(`UPDATE bundle SET position = NULL WHERE bid = ${bid}`);
}

function refuseLoss(database: Database, id: BundleId, bid: number): void {
	const count = (sql: string): number => Number(database.prepare(sql).row(bid)?.[0] ?? 0);
	const lost = count(
		`SELECT count(*) FROM copy c WHERE c.bid = ? AND NOT EXISTS (SELECT 1 FROM copy o CROSS JOIN bundle b USING (bid) WHERE o.mid = c.mid AND o.bid <> c.bid AND b.missing = 0)
		 AND EXISTS (SELECT 1 FROM placement p WHERE p.mid = c.mid)`,
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
