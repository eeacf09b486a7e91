import { decodeSnapshot, encodeSnapshot } from '../bundle/index.ts';
import type { Catalog, CatalogState } from '../catalog/index.ts';
import {
	type Changes,
	type Finding,
	formatInstant,
	type History,
	MailsealError,
	needsAttention,
	type Snapshot,
	type SnapshotName,
} from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import { snapshotPath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { readSnapshot, recordAfter } from './snapshots.ts';

/** A store of which nothing can be read must not make a snapshot of millions of lines. */
const MOST_SKIPPED = 1000;

export interface Commit {
	/** In a transaction, with every bundle of the new state applied and every other one dropped; it stands at the parent. */
	readonly catalog: Catalog;
	/** Milliseconds since 1970. */
	readonly now: number;
	/** Of the run: those that need attention are written down. Gets what is odd about the commit itself. */
	readonly findings: Finding[];
	readonly tags?: readonly string[];
	readonly history?: History;
	/** What a pack found; whoever commits without looking at the mail leaves it out. */
	readonly changes?: Changes;
	readonly signal: AbortSignal;
}

/** Writes the snapshot of the state that the catalog has, which is the commit point, and commits the catalog after it. */
export function commitSnapshot(archive: Archive, commit: Commit): { readonly name: SnapshotName; readonly snapshot: Snapshot } {
	const { catalog, now, findings, tags, history, changes } = commit;
	const state = catalog.state();
	const parent = state === null ? null : readSnapshot(archive.dir, state.name);
	const time = snapshotTime(now, parent?.snapshot.time ?? null, findings);
	const snapshot: Snapshot = {
		format: 1,
		time,
		parent: parent === null ? null : { name: parent.name, sha256: parent.sha256 },
		...(tags === undefined || tags.length === 0 ? {} : { tags }),
		...(history !== undefined ? { history } : parent === null ? {} : recordAfter(parent)),
		bundles: catalog.bundles(),
		counts: { accounts: catalog.read.countAccounts(), folders: catalog.read.countFolders(), ...catalog.totals() },
		...(changes === undefined ? {} : { changes }),
		skipped: findings.filter(needsAttention).slice(0, MOST_SKIPPED),
	};
	const { name, bytes, sha256 } = encodeSnapshot(snapshot);
	proveSnapshot(name, bytes);
	throwIfAborted(commit.signal);
	archive.files.writeFile(snapshotPath(archive.dir, name), bytes, { mode: 0o400 });
	commitCatalog(catalog, { name, sha256, time }, findings);
	return { name, snapshot };
}

/** The pack has happened: a catalog that cannot follow is no failure of it, and the next command brings it up to date. */
function commitCatalog(catalog: Catalog, state: CatalogState, findings: Finding[]): void {
	try {
		catalog.commit(state);
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		findings.push({
			code: 'catalog-not-updated',
			severity: 'warning',
			subject: state.name,
			text: `The snapshot is written, but the catalog could not follow: ${error.message}`,
			hint: error.hint ?? 'the next command brings it up to date',
		});
	}
}

/** A catalog with damage that it cannot see may give counts that make no sense: no snapshot may be written that none can read. */
function proveSnapshot(name: SnapshotName, bytes: Uint8Array): void {
	try {
		decodeSnapshot(name, bytes);
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		throw new MailsealError('archive-damaged', `Cannot commit: the catalog gives a snapshot that makes no sense: ${error.message}`, {
			hint: 'run "mailseal reindex" and pack again; the archive is as it was before this pack',
			cause: error,
		});
	}
}

/** A snapshot is always later than its parent, even where the clock jumped back. */
function snapshotTime(now: number, parentTime: string | null, findings: Finding[]): string {
	if (parentTime === null) return formatInstant(now);
	const parent = Date.parse(parentTime);
	if (now < parent - 60_000) {
		findings.push({
			code: 'clock-went-back',
			severity: 'warning',
			subject: formatInstant(now),
			text: `The clock says ${formatInstant(now)}, before the last snapshot of ${parentTime}; this snapshot is dated one second after that`,
			hint: 'check the clock of this machine; nothing was sealed too early',
		});
	}
	// Names tell whole seconds.
	const second = Math.floor(parent / 1000);
	return formatInstant(Math.floor(now / 1000) > second ? now : (second + 1) * 1000);
}
