import { createHash } from 'node:crypto';
import type { Database } from './database.ts';

/** Everything that bundles alone decide; row numbers, signatures and due dates are left out, since a rebuild makes them anew. */
const QUERIES = [
	'SELECT hex(id), sealed, size, tenant FROM bundle WHERE position IS NOT NULL ORDER BY position',
	'SELECT name, tenant, source, layout FROM account ORDER BY name',
	'SELECT a.name, f.name, f.facts FROM folder f JOIN account a USING (aid) ORDER BY 1, 2',
	'SELECT a.name, c.folder, c.path, c.file FROM control c JOIN account a USING (aid) ORDER BY 1, 2, 3',
	`SELECT hex(m.id), m.size, m.message_id, m.headers, hex(b.id), c.offset, c.length, c.codec, m.files, c.recipe, s.parts
	 FROM message m JOIN copy c USING (mid) JOIN bundle b USING (bid) LEFT JOIN copy_parts s USING (mid, bid) ORDER BY 1, 5`,
	'SELECT hex(id), size FROM attachment ORDER BY 1',
	`SELECT hex(t.id), hex(b.id), c.offset, c.length, c.codec
	 FROM attachment t JOIN attachment_copy c USING (atid) JOIN bundle b USING (bid) ORDER BY 1, 2`,
	`SELECT hex(t.id), hex(m.id), hex(b.id)
	 FROM attachment t JOIN attachment_use u USING (atid) JOIN message m USING (mid) JOIN bundle b USING (bid) ORDER BY 1, 2, 3`,
	`SELECT a.name, f.name, p.key, hex(m.id), p.flags, p.keywords, p.date, p.uid, p.dir, p.info, p.uidlist, p.since, p.mode, p.owner, p.sealed, p.anchors
	 FROM placement p JOIN message m USING (mid) JOIN folder f USING (fid) JOIN account a USING (aid) ORDER BY 1, 2, 3`,
	'SELECT kind, account, folder, key, anchors FROM gone WHERE anchors > 0 ORDER BY 1, 2, 3, 4',
];

export function fingerprint(database: Database): string {
	const hash = createHash('sha256');
	for (const query of QUERIES) {
		for (const row of database.prepare(query).rows()) hash.update(JSON.stringify(row)).update('\n');
		hash.update('\0');
	}
	return hash.digest('hex');
}
