import { type BundleId, type BundleRef, type Finding, MailsealError, type SnapshotName, type SnapshotRef } from '../domain/index.ts';
import { prunedBefore } from './pruned-here.ts';
import { type ReadSnapshot, readSnapshot, snapshotNames } from './snapshots.ts';

/** Code of a finding about a snapshot that was there and is gone. */
export const SNAPSHOT_MISSING = 'snapshot-missing';
/** Code of a finding about a snapshot that is another than the one that a later one names. */
export const SNAPSHOT_CHAIN = 'snapshot-chain';

/** Code of a note about a snapshot that is whole, and that the newest does not follow. */
export const SNAPSHOT_ASIDE = 'snapshot-aside';

/** Every snapshot on disk, and what the newest says of the others. */
export interface Chain {
	/** Those that can be read and that no prune has removed, oldest first. */
	readonly snapshots: readonly ReadSnapshot[];
	/** Those that cannot be read, with the reason. */
	readonly unreadable: ReadonlyMap<SnapshotName, MailsealError>;
	/** Those that the last record lists as pruned: what a prune that was cut off left on disk. */
	readonly leftovers: readonly SnapshotName[];
	/** The last record; null where nothing was ever pruned, and where it cannot be read. */
	readonly record: ReadSnapshot | null;
	/** Where the snapshots are not what the newest says, by name. */
	readonly faults: readonly Finding[];
}

const PUT_BACK = 'put the file back from a copy of the archive';

/** Every bundle that any of these snapshots names. */
export function bundlesNamedBy(snapshots: readonly ReadSnapshot[]): Set<BundleId> {
	const named = new Set<BundleId>();
	for (const { snapshot } of snapshots) for (const { id } of snapshot.bundles) named.add(id);
	return named;
}

/** Reads every snapshot; throws `format-newer` for one that a later mailseal wrote. */
export function readChain(dir: string): Chain {
	for (;;) {
		const names = snapshotNames(dir);
		const chain = followChain(names, (name) => readSnapshot(dir, name));
		// A prune that ran meanwhile took some away, and wrote what tells which.
		if (chain.faults.length === 0 && chain.unreadable.size === 0) return chain;
		if (snapshotNames(dir).at(-1) === names.at(-1)) return chain;
	}
}

/** The same for snapshots from elsewhere. `names`: oldest first; `read` throws for one that cannot be read; `format-newer` is thrown on. */
export function followChain(names: readonly SnapshotName[], read: (name: SnapshotName) => ReadSnapshot): Chain {
	const known = new Map<SnapshotName, ReadSnapshot>();
	const unreadable = new Map<SnapshotName, MailsealError>();
	const share = openSharing();
	for (const name of names) {
		try {
			known.set(name, share(read(name)));
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code === 'format-newer') throw error;
			unreadable.set(name, error);
		}
	}
	return judge(names, known, unreadable);
}

/** A thousand nights name the same thousands of bundles: each is held once. */
function openSharing(): (one: ReadSnapshot) => ReadSnapshot {
	const refs = new Map<BundleId, BundleRef>();
	function shared(ref: BundleRef): BundleRef {
		const before = refs.get(ref.id);
		if (before?.kind === ref.kind && before.size === ref.size) return before;
		refs.set(ref.id, ref);
		return ref;
	}
	return (one) => ({ ...one, snapshot: { ...one.snapshot, bundles: one.snapshot.bundles.map(shared) } });
}

function judge(
	names: readonly SnapshotName[],
	known: ReadonlyMap<SnapshotName, ReadSnapshot>,
	unreadable: Map<SnapshotName, MailsealError>,
): Chain {
	const faults = new Map<SnapshotName, Finding>();
	const newest = [...known.values()].at(-1);
	if (newest === undefined) return { snapshots: [], unreadable, leftovers: [], record: null, faults: [] };

	function add(
		code: string,
		subject: SnapshotName,
		text: string,
		rest: Pick<Finding, 'hint'> & Partial<Finding> = { hint: PUT_BACK },
	): void {
		if (!faults.has(subject)) faults.set(subject, { code, severity: 'error', subject, text, ...rest });
	}

	/** The snapshot that another names, where it is there with that hash. */
	function follow({ name, sha256 }: SnapshotRef, texts: { readonly missing: string; readonly other: string }): ReadSnapshot | null {
		const found = known.get(name);
		if (found?.sha256 === sha256) return found;
		if (found !== undefined) add(SNAPSHOT_CHAIN, name, texts.other);
		else if (!unreadable.has(name)) add(SNAPSHOT_MISSING, name, texts.missing);
		return null;
	}

	function followParent({ name, snapshot: { parent } }: ReadSnapshot): ReadSnapshot | null {
		if (parent === null) return null;
		return follow(parent, {
			missing: `Snapshot ${name} follows ${parent.name}, which is missing`,
			other: `Snapshot ${parent.name} is not the one that ${name} followed`,
		});
	}

	const { name, sha256, snapshot } = newest;
	const ref = snapshot.history === undefined ? (snapshot.record ?? null) : { name, sha256 };
	const record =
		ref === null
			? null
			: follow(ref, {
					missing: `Snapshot ${ref.name} is missing, which says what was pruned before it`,
					other: `Snapshot ${ref.name} is not the one by which ${name} knows what was pruned`,
				});
	// Every name is later.
	const bound = ref?.name ?? '';
	for (const one of known.values()) if (one.name > bound) followParent(one);
	const history = record?.snapshot.history;
	if (record !== null && history === undefined) {
		add(SNAPSHOT_CHAIN, record.name, `Snapshot ${record.name} does not say what was pruned, as ${name} has it`);
	}
	const kept = new Set<SnapshotName>();
	for (const one of history?.kept ?? []) {
		kept.add(one.name);
		follow(one, {
			missing: `Snapshot ${one.name} is missing, which the prune of ${bound} kept`,
			other: `Snapshot ${one.name} is not the one that the prune of ${bound} kept`,
		});
	}
	const pruned: ReadonlySet<SnapshotName> = record === null || history === undefined ? new Set() : prunedBefore(record.name, history);
	const leftovers = names.filter((one) => pruned.has(one));
	for (const one of leftovers) unreadable.delete(one);
	if (history !== undefined) {
		for (const one of names) {
			if (one >= bound || kept.has(one) || pruned.has(one)) continue;
			add('snapshot-unknown', one, `Snapshot ${one} is older than ${bound}, which lists neither that it was kept nor that it was pruned`, {
				hint: 'somebody put it there: compare it with a copy of the archive, and move it out of the folder "snapshots" if it is not yours',
			});
		}
	}

	const followed = new Set<SnapshotName>();
	let at: ReadSnapshot | null = newest;
	for (; at !== null && at.name > bound; at = followParent(at)) {
		followed.add(at.name);
		const { parent } = at.snapshot;
		if (parent === null || parent.name < bound) break;
	}
	if (ref !== null && at !== null && at.name > bound)
		add(SNAPSHOT_CHAIN, ref.name, `The snapshots from ${name} back do not lead to ${ref.name}`);
	if (at !== null) {
		for (const one of names) {
			if (one <= bound || followed.has(one) || unreadable.has(one)) continue;
			add(SNAPSHOT_ASIDE, one, `Snapshot ${one} is none of those that ${name} follows`, {
				severity: 'note',
				hint: 'the next prune that removes anything keeps it, and the one after that judges it as any other',
			});
		}
	}
	const left = new Set(leftovers);
	return {
		snapshots: [...known.values()].filter((one) => !left.has(one.name)),
		unreadable,
		leftovers,
		record: history === undefined ? null : record,
		faults: [...faults.values()],
	};
}
