import type { Catalog } from '../catalog/index.ts';
import type { BundleRef, Finding } from '../domain/index.ts';
import { monotonic } from '../platform/index.ts';
import { commitSnapshot } from './commit.ts';
import { confirmBundles } from './confirm.ts';
import { currentCatalog } from './current-catalog.ts';
import { removeLeftovers } from './leftovers.ts';
import type { Archive } from './open-archive.ts';
import { rehearse } from './rehearse.ts';
import type { PackRequest } from './requests.ts';
import type { Outcome, PackResult } from './results.ts';
import { scan } from './scan.ts';
import { type Tally, writeTonight } from './tonight.ts';
import type { Workers } from './workers.ts';
import { writeBundles } from './write-bundles.ts';

/** Packs the sources: seals what is quiet, writes tonight's volatile bundle, and commits with one snapshot. */
export async function pack(archive: Archive, request: PackRequest, workers: Workers): Promise<Outcome<PackResult>> {
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock, progress: request.progress, signal: request.signal });
		try {
			catalog.begin();
			return await packInto({ archive, catalog, request, workers, started: monotonic() });
		} finally {
			catalog.rollback();
			catalog.close();
		}
	} finally {
		lock.release();
	}
}

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

	const { result: dropped, written: refs } = await writeBundles(
		{ archive, catalog, workers, policy: request.policy, now: request.now, signal: request.signal },
		(writer) => writeTonight({ archive, catalog, request, workers, writer, scan: seen, missing: confirmed.missing, tally, findings }),
	);
	// What is alive in a folded bundle may make the very same bundle again.
	const written = new Set(refs.map((ref) => ref.id));
	for (const id of dropped) if (!written.has(id)) catalog.drop(id);

	const apart = catalog.attachmentTotals();
	const changes = { added: tally.added, changed: tally.changed, removed: tally.removed };
	const { name, snapshot } = commitSnapshot(archive, {
		catalog,
		now: request.now,
		findings,
		changes,
		tags: [...new Set(request.tags)].sort(),
		signal: request.signal,
	});

	const { bundles, counts } = snapshot;
	const after = new Set(bundles.map((ref) => ref.id));
	const volatile = bundles.filter((ref) => ref.kind === 'volatile');
	return {
		findings,
		result: {
			snapshot: name,
			parent: parent?.name ?? null,
			accounts: counts.accounts,
			messages: { total: counts.messages, ...changes },
			sealed: {
				confirmed: confirmed.sealed,
				...newBundles(refs, 'sealed'),
				rewrittenBytes: bytesOf(before.filter((ref) => ref.kind === 'sealed' && !after.has(ref.id))),
			},
			volatile: { bundles: volatile.length, bytes: bytesOf(volatile), newBytes: newBundles(refs, 'volatile').newBytes },
			attachments: { total: apart.attachments, new: tally.attachments, sharedBytes: apart.sharedBytes },
			scan: { folders: seen.counts.folders, foldersRead: seen.counts.foldersRead, filesRead: tally.filesRead, bytesRead: tally.bytesRead },
			seconds: (monotonic() - started) / 1000,
		},
	};
}

function newBundles(refs: readonly BundleRef[], kind: BundleRef['kind']): { new: number; newBytes: number } {
	const bundles = refs.filter((ref) => ref.kind === kind);
	return { new: bundles.length, newBytes: bytesOf(bundles) };
}

function bytesOf(bundles: readonly BundleRef[]): number {
	return bundles.reduce((total, ref) => total + ref.size, 0);
}
