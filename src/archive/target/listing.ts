import type { BundleId, SnapshotName } from '../../domain/index.ts';
import type { BlobFacts, BlobStore } from '../../remote/index.ts';
import {
	ARCHIVES,
	archiveFolder,
	BUNDLES,
	type BundleName,
	parseArchiveHeadBlob,
	parseBundleBlob,
	parseSnapshotBlob,
	type SnapshotBlobName,
} from './names.ts';

/** One blob with a bundle in it, as a listing tells of it. */
export type BundleCopy = BundleName & BlobFacts;
export type SnapshotCopy = SnapshotBlobName & BlobFacts;

/** What lies at a target. Blobs with other names are somebody else's: they are not looked at. */
export interface Listing {
	/** Copies of each bundle; more than one where two hosts sealed it for an encrypted target at the same time. */
	readonly bundles: ReadonlyMap<BundleId, readonly BundleCopy[]>;
	/** Copies of the snapshots of each archive. */
	readonly snapshots: ReadonlyMap<string, ReadonlyMap<SnapshotName, readonly SnapshotCopy[]>>;
	/** Heads of archives, by the archive's id. */
	readonly heads: ReadonlyMap<string, BlobFacts>;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
	const values = map.get(key);
	if (values === undefined) map.set(key, [value]);
	else values.push(value);
}

/** The bundles in one folder of a target. */
export async function listFolder(store: BlobStore, folder: string, signal: AbortSignal): Promise<BundleCopy[]> {
	const copies: BundleCopy[] = [];
	for await (const facts of store.list(folder, signal)) {
		const name = parseBundleBlob(facts.name);
		if (name !== null) copies.push({ ...facts, ...name });
	}
	return copies;
}

export async function listBundles(store: BlobStore, signal: AbortSignal): Promise<Map<BundleId, BundleCopy[]>> {
	const bundles = new Map<BundleId, BundleCopy[]>();
	for (const copy of await listFolder(store, BUNDLES, signal)) push(bundles, copy.id, copy);
	return bundles;
}

/** The snapshots of one archive, or of all. */
export async function listSnapshotCopies(
	store: BlobStore,
	options: { readonly archive: string | null; readonly signal: AbortSignal },
): Promise<Pick<Listing, 'snapshots' | 'heads'>> {
	const snapshots = new Map<string, Map<SnapshotName, SnapshotCopy[]>>();
	const heads = new Map<string, BlobFacts>();
	for await (const facts of store.list(options.archive === null ? ARCHIVES : archiveFolder(options.archive), options.signal)) {
		const head = parseArchiveHeadBlob(facts.name);
		if (head !== null) heads.set(head, facts);
		const name = parseSnapshotBlob(facts.name);
		if (name === null) continue;
		let own = snapshots.get(name.archive);
		if (own === undefined) {
			own = new Map();
			snapshots.set(name.archive, own);
		}
		push(own, name.snapshot, { ...facts, ...name });
	}
	return { snapshots, heads };
}

export async function listTarget(store: BlobStore, signal: AbortSignal): Promise<Listing> {
	const [bundles, rest] = await Promise.all([listBundles(store, signal), listSnapshotCopies(store, { archive: null, signal })]);
	return { bundles, ...rest };
}
