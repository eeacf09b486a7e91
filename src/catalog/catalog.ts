import { dueOf } from '../classifier/index.ts';
import {
	type AccountName,
	type BundleId,
	type BundleRef,
	type Finding,
	type FolderName,
	MailsealError,
	type ManifestLine,
	type PlacedWord,
	type Policy,
	parseBundleId,
	parseSnapshotName,
	type SearchQuery,
	type SnapshotName,
} from '../domain/index.ts';
import { type Applier, type BundleToApply, type Judging, openApplier, type Totals } from './apply.ts';
import { type CompactQueries, compactQueries } from './compact-queries.ts';
import { type Database, openDatabase, type Place, type Statement } from './database.ts';
import { dropBundle } from './drop.ts';
import { fingerprint } from './fingerprint.ts';
import { forgetAllBut } from './forget.ts';
import type { AttachmentTotals } from './list-attachments.ts';
import { type PackQueries, packQueries } from './pack-queries.ts';
import { type ReadQueries, readQueries, type ShownPlacement } from './read-queries.ts';
import { hashColumn, hashOf, PLACED_COLUMNS, placedWord } from './rows.ts';
import { createTables, SCHEMA_VERSION, schemaVersion } from './schema.ts';
import { placementsOfMessage, searchPlacements } from './search.ts';

/** The snapshot that a catalog stands at. */
export interface CatalogState {
	readonly name: SnapshotName;
	readonly sha256: string;
	/** ISO 8601 UTC. */
	readonly time: string;
}

/** The index over bundles and snapshots: a cache, always rebuildable by applying the bundles of a snapshot in order. */
export interface Catalog {
	readonly pack: PackQueries;
	readonly read: ReadQueries;
	readonly compact: CompactQueries;
	/** False where the file holds another version's tables, or none: it must be rebuilt. */
	readonly usable: boolean;
	state(): CatalogState | null;
	totals(): Totals;
	/** Counted once for each change and kept, so that an unchanged night does not count again. */
	attachmentTotals(): AttachmentTotals;
	/** Bundles that were missing or damaged when the catalog was built, and what they say is left out; empty for a whole catalog. */
	lacks(): Finding[];
	setLacks(findings: readonly Finding[]): void;
	/** Bundles of the present snapshot, oldest first. */
	bundles(): BundleRef[];
	/** Bundles that any known snapshot names, in no order. */
	knownBundles(): BundleRef[];
	knownSnapshots(): Set<SnapshotName>;
	search(query: SearchQuery, limit: number): ShownPlacement[];
	placementsOf(id: string): ShownPlacement[];

	/** Reads one state from here until it is closed, whoever writes meanwhile; nothing can be written any more. */
	hold(): void;
	begin(): void;
	apply(bundle: BundleToApply, judging: Judging | null): void;
	/**
	 * Takes a bundle out of the present state; throws where a placement would lose its last copy, an attachment of it, or its word. `lines`:
	 * of its manifest; a sealed bundle needs them.
	 */
	drop(id: BundleId, lines?: readonly ManifestLine[]): void;
	/** Notes a bundle of an older snapshot, so that it counts as known. */
	noteBundle(ref: BundleRef): void;
	noteSnapshot(name: SnapshotName, sha256: string): void;
	/** Forgets older snapshots that are not in `snapshots`, and bundles that neither the present state nor `bundles` has. */
	forgetAllBut(kept: { readonly snapshots: ReadonlySet<SnapshotName>; readonly bundles: ReadonlySet<BundleId> }): void;
	setFolderSignature(account: AccountName, folder: FolderName, signature: string | null): void;
	setAccountSignature(account: AccountName, signature: string | null): void;
	/** After bundles were applied from nothing: forgets accounts and folders that only removed placements spoke of. */
	tidy(): void;
	/** Decides anew when each volatile placement is due, unless the policy is the one decided by. */
	adoptPolicy(policy: Policy): void;
	/** Makes everything since begin() durable, standing at this snapshot. */
	commit(state: CatalogState): void;
	rollback(): void;
	/** What is wrong with the file as far as it can tell by itself, or null. */
	check(): string | null;
	/** SHA-256 over everything that the bundles say, in a fixed order: equal for two catalogs of one snapshot. */
	fingerprint(): string;
	close(): void;
}

/** Opens the catalog at `place`, making its tables in a new file. */
export function openCatalog(place: Place): Catalog {
	const database = openDatabase(place);
	if (schemaVersion(database) === 0 && place.kind !== 'copy') createTables(database);
	const usable = schemaVersion(database) === SCHEMA_VERSION;
	const totals: Totals = { messages: 0, bytes: 0 };
	const reads = readQueries(database);
	let applier: Applier | null = null;
	let queries: PackQueries | null = null;
	let compacting: CompactQueries | null = null;
	let noteStatement: Statement | null = null;
	let open = false;
	/** What a commit found; null once a bundle came or went since. */
	let attachmentTotals: AttachmentTotals | null = null;
	if (usable) {
		totals.messages = Number(meta('messages') ?? 0);
		totals.bytes = Number(meta('bytes') ?? 0);
		readAttachmentTotals();
	}

	function meta(name: string): string | null {
		const row = database.prepare('SELECT value FROM meta WHERE name = ?').row(name);
		return row === undefined || row[0] === null ? null : String(row[0]);
	}

	function setMeta(name: string, value: string | number): void {
		database.prepare('INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)').run(name, String(value));
	}

	function countAttachments(): AttachmentTotals {
		attachmentTotals ??= reads.attachmentTotals();
		return attachmentTotals;
	}

	/** What was kept holds for what was committed, not for what is being written. */
	function readAttachmentTotals(): void {
		const kept = meta('attachments');
		attachmentTotals = kept === null ? null : (JSON.parse(kept) as AttachmentTotals);
	}

	function refs(which: string): BundleRef[] {
		return [...database.prepare(`SELECT id, sealed, size FROM bundle ${which}`).rows()].map(([id, sealed, size]) => ({
			id: parseBundleId(hashOf(id)),
			kind: sealed === 1 ? 'sealed' : 'volatile',
			size: Number(size),
		}));
	}

	function state(): CatalogState | null {
		const name = meta('snapshot');
		return name === null ? null : { name: parseSnapshotName(name), sha256: meta('sha256') ?? '', time: meta('time') ?? '' };
	}

	return {
		// Prepared once asked for: another version's tables may have other columns.
		get pack() {
			queries ??= packQueries(database);
			return queries;
		},
		get compact() {
			compacting ??= compactQueries(database);
			return compacting;
		},
		read: reads,
		usable,
		state,
		totals: () => ({ ...totals }),
		attachmentTotals: countAttachments,

		lacks: () => JSON.parse(meta('lacks') ?? '[]') as Finding[],
		setLacks: (findings) => setMeta('lacks', JSON.stringify(findings)),
		bundles: () => refs('WHERE position IS NOT NULL ORDER BY position'),
		knownBundles: () => refs(''),

		knownSnapshots() {
			return new Set([...database.prepare('SELECT name FROM snapshot').rows()].map(([name]) => String(name) as SnapshotName));
		},

		search: (query, limit) => searchPlacements(database, query, limit),
		placementsOf: (id) => placementsOfMessage(database, id),

		hold() {
			database.exec('BEGIN');
			// SQLite takes its state with the first read.
			meta('snapshot');
		},

		begin() {
			database.exec('BEGIN IMMEDIATE');
			// What was not there when an older pack looked may be there again.
			database.exec('UPDATE bundle SET missing = 0 WHERE missing = 1');
			open = true;
			applier = null;
		},

		apply(bundle, judging) {
			applier ??= openApplier(database, totals);
			applier.apply(bundle, judging);
			attachmentTotals = null;
			// When this mail is due is still to be decided.
			if (judging === null) database.prepare("DELETE FROM meta WHERE name = 'policy'").run();
		},

		drop(id, lines) {
			dropBundle(database, id, lines ?? null);
			attachmentTotals = null;
		},

		noteBundle(ref) {
			noteStatement ??= database.prepare('INSERT OR IGNORE INTO bundle(id, sealed, size) VALUES (?, ?, ?)');
			noteStatement.run(hashColumn(ref.id), ref.kind === 'sealed' ? 1 : 0, ref.size);
		},

		noteSnapshot(name, sha256) {
			database.prepare('INSERT OR REPLACE INTO snapshot(name, sha256) VALUES (?, ?)').run(name, sha256);
		},

		forgetAllBut: (kept) => forgetAllBut(database, kept),

		setFolderSignature(account, folder, signature) {
			database
				.prepare('UPDATE folder SET signature = ? WHERE name = ? AND aid = (SELECT aid FROM account WHERE name = ?)')
				.run(signature, folder, account);
		},

		setAccountSignature(account, signature) {
			database.prepare('UPDATE account SET signature = ? WHERE name = ?').run(signature, account);
		},

		tidy() {
			database.exec('DELETE FROM folder WHERE facts IS NULL AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.fid = folder.fid)');
			database.exec(
				`DELETE FROM account WHERE source IS NULL AND NOT EXISTS (SELECT 1 FROM folder f WHERE f.aid = account.aid)
				 AND NOT EXISTS (SELECT 1 FROM control c WHERE c.aid = account.aid)`,
			);
			applier = null;
		},

		adoptPolicy(policy) {
			const text = JSON.stringify(policy);
			if (meta('policy') === text) return;
			redecide(database, policy);
			setMeta('policy', text);
		},

		commit({ name, sha256, time }) {
			setMeta('snapshot', name);
			setMeta('sha256', sha256);
			setMeta('time', time);
			setMeta('messages', totals.messages);
			setMeta('bytes', totals.bytes);
			setMeta('attachments', JSON.stringify(countAttachments()));
			database.prepare('INSERT OR REPLACE INTO snapshot(name, sha256) VALUES (?, ?)').run(name, sha256);
			database.exec('COMMIT');
			open = false;
		},

		rollback() {
			if (!open) return;
			open = false;
			applier = null;
			if (database.inTransaction) database.exec('ROLLBACK');
			totals.messages = Number(meta('messages') ?? 0);
			totals.bytes = Number(meta('bytes') ?? 0);
			readAttachmentTotals();
		},

		check() {
			const found = String(database.prepare('PRAGMA quick_check(1)').row()?.[0] ?? 'ok');
			if (found !== 'ok') return found;
			if (!usable) return null;
			const placements = Number(database.prepare('SELECT count(*) FROM placement').row()?.[0]);
			return placements === totals.messages ? null : `it has ${placements} placements (${totals.messages} are right)`;
		},

		fingerprint: () => fingerprint(database),

		close() {
			database.close();
		},
	};
}

function redecide(database: Database, policy: Policy): void {
	const rows = database.prepare(
		`SELECT p.fid, a.name, f.name, ${PLACED_COLUMNS} FROM placement p JOIN message m USING (mid) JOIN folder f USING (fid)
		 JOIN account a USING (aid) WHERE p.sealed = 0`,
	);
	const update = database.prepare('UPDATE placement SET due = ? WHERE fid = ? AND key = ?');
	for (const columns of rows.rows()) {
		const word: PlacedWord = placedWord(columns[1] as AccountName, columns[2] as FolderName, columns, 3);
		update.run(dueOf(word, policy), columns[0] ?? 0, word.key);
	}
}

/** A catalog that cannot be used as it stands. */
export function catalogDamage(error: unknown): boolean {
	return error instanceof MailsealError && error.details.damage === 'catalog-damaged';
}
