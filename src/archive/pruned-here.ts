import type { BundleId, History, SnapshotName } from '../domain/index.ts';
import { isDamage } from './read-stored.ts';
import { readSnapshot, snapshotNames } from './snapshots.ts';

/** The snapshots of an archive at one moment, and what its newest one says of those before. */
export interface Chain {
	/** Those here that were not pruned, oldest first. */
	readonly names: readonly SnapshotName[];
	/** The snapshot with the history that counts; null where nothing was ever pruned, or where what says so cannot be read. */
	readonly record: SnapshotName | null;
	readonly kept: readonly SnapshotName[];
	/** Removed on purpose. Nothing else counts as pruned. */
	readonly pruned: ReadonlySet<SnapshotName>;
}

/** The chain of an archive, while packs and prunes go on: looked at until it stood still. */
export function chainHere(dir: string): Chain {
	for (let all = snapshotNames(dir); ; ) {
		const newest = all.at(-1);
		const said = newest === undefined ? null : historyFrom(dir, newest);
		const again = snapshotNames(dir);
		if (again.at(-1) === newest) {
			const pruned = said === null ? new Set<SnapshotName>() : prunedBefore(said.record, said.history);
			return {
				names: again.filter((name) => !pruned.has(name)),
				record: said?.record ?? null,
				kept: said?.history.kept.map(({ name }) => name) ?? [],
				pruned,
			};
		}
		all = again;
	}
}

/** What a record says was removed: it speaks of what is older than itself, and what it kept came back. */
export function prunedBefore(record: SnapshotName, { kept, pruned }: History): Set<SnapshotName> {
	const stays = new Set(kept.map(({ name }) => name));
	return new Set(pruned.filter((name) => name < record && !stays.has(name)));
}

/** Only what the newest snapshot itself leads to, by its hash, can say that something was removed on purpose. */
function historyFrom(dir: string, newest: SnapshotName): { readonly record: SnapshotName; readonly history: History } | null {
	try {
		const { history, record } = readSnapshot(dir, newest).snapshot;
		if (history !== undefined) return { record: newest, history };
		if (record === undefined) return null;
		const { sha256, snapshot } = readSnapshot(dir, record.name);
		return sha256 === record.sha256 && snapshot.history !== undefined ? { record: record.name, history: snapshot.history } : null;
	} catch (error) {
		if (!isDamage(error)) throw error;
		return null;
	}
}

/** Tells, while a sync or a verify goes on, what a prune here took since. */
export interface PrunedHere {
	isPruned(name: SnapshotName): boolean;
	/** False for a bundle that was named when this was opened, and is named no more: nothing needs it since a prune. */
	isNamed(id: BundleId): boolean;
}

/** `opening`: the chain by which bundles were found to be named. */
export function openPrunedHere(dir: string, opening: Chain): PrunedHere {
	let newest = opening.names.at(-1);
	let chain = opening;
	let named: ReadonlySet<BundleId> | null = null;

	/** As it is now: a prune writes a snapshot before it removes anything. */
	function now(): Chain {
		const last = snapshotNames(dir).at(-1);
		if (last !== newest) {
			chain = chainHere(dir);
			named = null;
			newest = last;
		}
		return chain;
	}

	return {
		isPruned: (name) => now().pruned.has(name),
		isNamed(id) {
			const { record, names } = now();
			// Without another record, nothing was pruned since: to read every snapshot would tell nothing.
			if (record === opening.record) return true;
			named ??= namedBy(dir, names);
			return named === null || named.has(id);
		},
	};
}

/** Null where one of them cannot be read: it may name any bundle. */
function namedBy(dir: string, names: readonly SnapshotName[]): ReadonlySet<BundleId> | null {
	const named = new Set<BundleId>();
	try {
		for (const name of names) for (const { id } of readSnapshot(dir, name).snapshot.bundles) named.add(id);
		return named;
	} catch (error) {
		if (!isDamage(error)) throw error;
		return null;
	}
}
