import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { commitSnapshot } from '../../src/archive/commit.ts';
import { currentCatalog } from '../../src/archive/current-catalog.ts';
import { bundlePath, snapshotPath } from '../../src/archive/layout.ts';
import { chainHere } from '../../src/archive/pruned-here.ts';
import { newestSnapshot, readSnapshot, recordAfter, snapshotNames } from '../../src/archive/snapshots.ts';
import { encodeSnapshot } from '../../src/bundle/index.ts';
import { type BundleId, parseBundleId, type SnapshotName } from '../../src/domain/index.ts';
import { never, packOnce } from './archive.ts';
import { ATTACHMENT_MIN, bundleBlobs, quickFolder, SMALL_BUNDLES, snapshotBlobs, thinArchive } from './target.ts';

/** How far a prune comes. */
export type Reach = 'record' | 'snapshots' | 'all';

export interface ByHand {
	/** The record. */
	readonly record: SnapshotName;
	/** What it took, oldest first. */
	readonly pruned: readonly SnapshotName[];
	/** Bundles that only these named. */
	readonly bundles: readonly BundleId[];
}

/**
 * Does to an archive what a prune does that keeps its last `keep` snapshots, up to some step, by nothing but what the format says. The catalog
 * still knows of what is gone.
 */
export async function pruneByHand(
	dir: string,
	{ keep, now, reach = 'all' }: { readonly keep: number; readonly now: number; readonly reach?: Reach },
): Promise<ByHand> {
	const archive = thinArchive(dir);
	const lock = archive.lock();
	try {
		const catalog = await currentCatalog(archive, { lock });
		try {
			const names = snapshotNames(dir);
			const pruned = names.slice(0, names.length - keep);
			const kept = names.slice(names.length - keep).map((name) => ({ name, sha256: readSnapshot(dir, name).sha256 }));
			const before = chainHere(dir).pruned;
			catalog.begin();
			const history = { kept, pruned: [...before, ...pruned].sort() };
			const { name: record, snapshot } = commitSnapshot(archive, { catalog, now, findings: [], history, signal: never });
			const needed = new Set([...kept.map(({ name }) => readSnapshot(dir, name).snapshot), snapshot].flatMap(idsIn));
			const gone = pruned.flatMap((name) => readSnapshot(dir, name).snapshot.bundles).filter(({ id }) => !needed.has(id));
			if (reach !== 'record') for (const name of pruned) rmSync(snapshotPath(dir, name));
			if (reach === 'all') for (const { id, kind } of gone) rmSync(bundlePath(dir, kind, id), { force: true });
			return { record, pruned, bundles: [...new Set(gone.map(({ id }) => id))].sort() };
		} finally {
			catalog.rollback();
			catalog.close();
		}
	} finally {
		lock.release();
	}
}

function idsIn({ bundles }: { readonly bundles: readonly { readonly id: BundleId }[] }): BundleId[] {
	return bundles.map(({ id }) => id);
}

/** Puts other bundles in the place of all that the newest snapshot names, of the same mail, and commits that: the old ones belong to older snapshots alone. */
export async function replaceBundles(dir: string, spec: string, now: number): Promise<SnapshotName> {
	const other = join(quickFolder(), 'archive');
	await packOnce(other, spec, { now, bundles: { ...SMALL_BUNDLES, target: 9 * 1024 }, attachmentMin: ATTACHMENT_MIN });
	const [made, parent] = [newestSnapshot(other), newestSnapshot(dir)];
	if (made === null || parent === null) throw new Error('both have a snapshot');
	for (const { id, kind } of made.snapshot.bundles) {
		const to = bundlePath(dir, kind, id);
		mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
		cpSync(bundlePath(other, kind, id), to);
	}
	const snapshot = { ...made.snapshot, parent: { name: parent.name, sha256: parent.sha256 }, ...recordAfter(parent) };
	const { name, bytes } = encodeSnapshot(snapshot);
	mkdirSync(dirname(snapshotPath(dir, name)), { recursive: true, mode: 0o700 });
	writeFileSync(snapshotPath(dir, name), bytes, { mode: 0o400 });
	return name;
}

/** Ids of bundles below a folder, sorted. */
export function bundleIds(path: string): string[] {
	return bundleBlobs(path)
		.map((name) => /[0-9a-f]{64}/.exec(name)?.[0] ?? '')
		.sort();
}

/** Names of the snapshots of an archive at a target, sorted. */
export function snapshotsThere(path: string, archiveId = ''): string[] {
	return snapshotBlobs(path, archiveId)
		.map((name) => /[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/.exec(name)?.[0] ?? '')
		.sort();
}

/** Snapshots at a target without encryption that lack a bundle, pruned or not. */
export function incompleteThere(path: string): string[] {
	const there = new Set(bundleIds(path));
	return snapshotBlobs(path).filter((name) => {
		const { bundles } = JSON.parse(readFileSync(join(path, name), 'utf8')) as { readonly bundles: readonly { readonly id: string }[] };
		return bundles.some(({ id }) => !there.has(parseBundleId(id)));
	});
}
