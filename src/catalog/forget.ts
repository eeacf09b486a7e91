import type { BundleId, SnapshotName } from '../domain/index.ts';
import type { Database } from './database.ts';
import { hashOf } from './rows.ts';

/** Forgets snapshots that are no more, and bundles that neither the present state nor any of `bundles` names. */
export function forgetAllBut(
	database: Database,
	kept: { readonly snapshots: ReadonlySet<SnapshotName>; readonly bundles: ReadonlySet<BundleId> },
): void {
	const forgetSnapshot = database.prepare('DELETE FROM snapshot WHERE name = ?');
	for (const [name] of database.prepare('SELECT name FROM snapshot').rows()) {
		if (!kept.snapshots.has(String(name) as SnapshotName)) forgetSnapshot.run(String(name));
	}
	const old = [...database.prepare('SELECT bid, id FROM bundle WHERE position IS NULL').rows()]
		.filter(([, id]) => !kept.bundles.has(hashOf(id) as BundleId))
		.map(([bid]) => Number(bid));
	if (old.length === 0) return;
	// The number of a row that is gone is given out again: nothing may point to it any more.
	const used = new Set([...database.prepare(USED).rows()].map(([bid]) => Number(bid)));
	const forgetBundle = database.prepare('DELETE FROM bundle WHERE bid = ?');
	for (const bid of old) if (!used.has(bid)) forgetBundle.run(bid);
}

const USED = ['copy', 'attachment_copy', 'attachment_use', 'placement', 'gone', 'account', 'folder', 'control']
	.map((table) => `SELECT bid FROM ${table} WHERE bid IS NOT NULL`)
	.join(' UNION ');
