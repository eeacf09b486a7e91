import { decodeSnapshot, encodeSnapshot } from '../bundle/index.ts';
import type { Catalog, CatalogState } from '../catalog/index.ts';
import {
	type BundleRef,
	type Finding,
	formatInstant,
	MailsealError,
	needsAttention,
	type Snapshot,
	type SnapshotName,
} from '../domain/index.ts';
import { throwIfAborted } from './abort.ts';
import { type BundleWriter, openBundleWriter } from './bundle-writer.ts';
import { confirmBundles, removeLeftovers } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import { bundlePath, snapshotPath } from './layout.ts';
import type { Archive } from './open-archive.ts';
import { rehearse } from './rehearse.ts';
import type { PackRequest } from './requests.ts';
import type { Outcome, PackResult } from './results.ts';
import { scan } from './scan.ts';
import { type Tally, writeTonight } from './tonight.ts';
import type { Workers } from './workers.ts';

/** Packs the sources: seals what is quiet, writes tonight's volatile bundle, and commits with one snapshot. */
export async function pack(archive: Archive, request: PackRequest, workers: Workers): Promise<Outcome<PackResult>> {
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock, progress: request.progress, signal: request.signal });
		try {
			catalog.begin();
			return await packInto({ archive, catalog, request, workers, started: performance.now() });
		} finally {
			catalog.rollback();
			catalog.close();
		}
	} finally {
		lock.release();
	}
}

/** A store of which nothing can be read must not make a snapshot of millions of lines. */
const MOST_SKIPPED = 1000;

interface Context {
	readonly archive: Archive;
	readonly catalog: Catalog;
	readonly request: PackRequest;
	readonly workers: Workers;
	readonly started: number;
}

async function packInto(context: Context): Promise<Outcome<PackResult>> {
	const { archive, catalog, request, workers, started } = context;
	const findings: Finding[] = request.dryRun ? [] : removeLeftovers(archive, catalog);
	const parent = catalog.state();
	const before = catalog.bundles();
	const confirmed = confirmBundles(archive, catalog);
	findings.push(...confirmed.findings);
	catalog.pack.setMissing(confirmed.missing);
	catalog.adoptPolicy(request.policy);
	const seen = await scan({ ...request, catalog });
	findings.push(...seen.findings);
	const tally: Tally = { added: 0, changed: seen.counts.changed, removed: seen.counts.removed, attachments: 0, filesRead: 0, bytesRead: 0 };
	if (request.dryRun) return { findings, result: rehearse({ catalog, request, started, scan: seen, tally, confirmed: confirmed.sealed }) };

	const proofs: Promise<void>[] = [];
	const writer = openBundleWriter({
		archive,
		catalog,
		policy: request.policy,
		now: request.now,
		signal: request.signal,
		onWritten(ref) {
			const proof = prove(archive, ref, workers);
			// Awaited before the snapshot; until then a failure must not count as unhandled.
			proof.catch(() => {});
			proofs.push(proof);
		},
	});
	const dropped = await writeTonight({
		archive,
		catalog,
		request,
		workers,
		writer,
		scan: seen,
		missing: confirmed.missing,
		tally,
		findings,
	});
	await Promise.all(proofs);
	// What is alive in a folded bundle may make the very same bundle again.
	const written = new Set(writer.written.map((ref) => ref.id));
	for (const id of dropped) if (!written.has(id)) catalog.drop(id);

	const bundles = catalog.bundles();
	const totals = catalog.totals();
	const apart = catalog.attachmentTotals();
	const counts = { accounts: catalog.read.countAccounts(), folders: catalog.read.countFolders(), ...totals };
	const time = snapshotTime(request.now, parent?.time ?? null, findings);
	const snapshot: Snapshot = {
		format: 1,
		time,
		parent: parent === null ? null : { name: parent.name, sha256: parent.sha256 },
		bundles,
		counts,
		skipped: findings.filter(needsAttention).slice(0, MOST_SKIPPED),
	};
	const { name, bytes, sha256 } = encodeSnapshot(snapshot);
	proveSnapshot(name, bytes);
	throwIfAborted(request.signal);
	archive.files.writeFile(snapshotPath(archive.dir, name), bytes, { mode: 0o400 });
	commitCatalog(catalog, { name, sha256, time }, findings);

	const after = new Set(bundles.map((ref) => ref.id));
	const volatile = bundles.filter((ref) => ref.kind === 'volatile');
	return {
		findings,
		result: {
			snapshot: name,
			parent: parent?.name ?? null,
			accounts: counts.accounts,
			messages: { total: totals.messages, added: tally.added, changed: tally.changed, removed: tally.removed },
			sealed: {
				confirmed: confirmed.sealed,
				...newBundles(writer, 'sealed'),
				rewrittenBytes: bytesOf(before.filter((ref) => ref.kind === 'sealed' && !after.has(ref.id))),
			},
			volatile: { bundles: volatile.length, bytes: bytesOf(volatile), newBytes: newBundles(writer, 'volatile').newBytes },
			attachments: { total: apart.attachments, new: tally.attachments, sharedBytes: apart.sharedBytes },
			scan: { folders: seen.counts.folders, foldersRead: seen.counts.foldersRead, filesRead: tally.filesRead, bytesRead: tally.bytesRead },
			seconds: (performance.now() - started) / 1000,
		},
	};
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

/** Reads a bundle back from where it will live: what a snapshot names has been seen whole. */
async function prove(archive: Archive, ref: BundleRef, workers: Workers): Promise<void> {
	const path = bundlePath(archive.dir, ref.kind, ref.id);
	const { damages } = await workers.run({ type: 'check', path, id: ref.id, depth: 'manifest' });
	const damage = damages[0];
	if (damage === undefined) return;
	throw new MailsealError('io', `Cannot commit: bundle ${ref.id} reads back otherwise than it was written: ${damage.text}`, {
		hint: 'check the disk; the archive is as it was before this pack, and no snapshot names the bundle',
	});
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

function newBundles(writer: BundleWriter, kind: BundleRef['kind']): { new: number; newBytes: number } {
	const bundles = writer.written.filter((ref) => ref.kind === kind);
	return { new: bundles.length, newBytes: bytesOf(bundles) };
}

function bytesOf(bundles: readonly BundleRef[]): number {
	return bundles.reduce((total, ref) => total + ref.size, 0);
}
