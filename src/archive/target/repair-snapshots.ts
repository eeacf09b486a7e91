import { decodeSnapshot } from '../../bundle/index.ts';
import { type BundleId, type BundleRef, type Finding, MailsealError, type Snapshot, type SnapshotName } from '../../domain/index.ts';
import { snapshotPath } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { prunedBefore } from '../pruned-here.ts';
import { type ReadSnapshot, readSnapshot, snapshotNames } from '../snapshots.ts';
import type { SnapshotCopy } from './listing.ts';
import type { Target } from './open-target.ts';
import { readSnapshotBlob } from './remote-archive.ts';
import type { RepairRequest, Tally } from './repair.ts';
import { isPoorCopy } from './sealing.ts';

interface Context {
	readonly request: RepairRequest;
	readonly tally: Tally;
	/** Snapshots of the archive at the target. */
	readonly there: ReadonlyMap<SnapshotName, readonly SnapshotCopy[]>;
}

/**
 * Brings back snapshots; gives every bundle that any of them names. The newest comes first, and the record that it names: what a prune took on
 * purpose stays where it is.
 */
export async function repairSnapshots(archive: Archive, context: Context): Promise<Map<BundleId, BundleRef>> {
	const { tally, request, there } = context;
	const refs = new Map<BundleId, BundleRef>();
	const done = new Set<SnapshotName>();
	const here = new Set(snapshotNames(archive.dir));
	const all = [...new Set([...here, ...there.keys()])].sort();

	async function bring(name: SnapshotName): Promise<ReadSnapshot | null> {
		done.add(name);
		const found = await whole(archive, name, { ...context, isHere: here.has(name) });
		for (const ref of found?.snapshot.bundles ?? []) refs.set(ref.id, ref);
		return found;
	}

	let newest: ReadSnapshot | null = null;
	for (let index = all.length - 1; newest === null && index >= 0; index--) newest = await bring(all[index] as SnapshotName);
	const record = newest === null ? null : await recordOf(newest, bring);
	const pruned = record === null ? new Set<SnapshotName>() : prunedBefore(record.name, record.history);
	const listed = record?.history.kept.map(({ name }) => name) ?? [];
	for (const name of [...new Set([...all, ...listed])].sort()) if (!done.has(name) && !pruned.has(name)) await bring(name);
	const doomed = [...here].filter((name) => pruned.has(name)).sort();
	// Under the name of one that is damaged here may lie another: it has eight digits of a hash.
	const isBrought = record !== null && (tally.missing.has(record.name) || tally.damaged.has(record.name));
	if (record !== null && isBrought && doomed.length > 0) tally.findings.push(prunesHere(record.name, doomed, request.target));
	return refs;
}

/** The last history before the newest snapshot, or its own; null where there is none, or where it is at neither place. */
async function recordOf(
	newest: ReadSnapshot,
	bring: (name: SnapshotName) => Promise<ReadSnapshot | null>,
): Promise<{ readonly name: SnapshotName; readonly history: NonNullable<Snapshot['history']> } | null> {
	const { history, record } = newest.snapshot;
	if (history !== undefined) return { name: newest.name, history };
	if (record === undefined) return null;
	const found = await bring(record.name);
	if (found === null || found.sha256 !== record.sha256 || found.snapshot.history === undefined) return null;
	return { name: found.name, history: found.snapshot.history };
}

/** A snapshot as it is here, or as it came from the target; null, with a finding, where it is whole in neither place. */
async function whole(
	archive: Archive,
	name: SnapshotName,
	{ request, tally, there, isHere }: Context & { readonly isHere: boolean },
): Promise<ReadSnapshot | null> {
	try {
		if (isHere) return readSnapshot(archive.dir, name);
		tally.missing.add(name);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		tally.damaged.add(name);
	}
	const copies = there.get(name) ?? [];
	if (copies.length === 0) {
		tally.findings.push(notThere(name, `Snapshot ${name}`, request.target));
		return null;
	}
	const bytes = await fetchSnapshot(name, { copies, request, tally });
	if (bytes === null) return null;
	if (!request.dryRun) archive.files.writeFile(snapshotPath(archive.dir, name), bytes, { mode: 0o400, replace: true });
	tally.repairedBytes += bytes.length;
	tally.repaired++;
	return { name, ...decodeSnapshot(name, bytes) };
}

/** Null, with a finding, where no copy is whole. */
async function fetchSnapshot(
	name: SnapshotName,
	{ copies, request, tally }: { readonly copies: readonly SnapshotCopy[]; readonly request: RepairRequest; readonly tally: Tally },
): Promise<Uint8Array | null> {
	try {
		return await readSnapshotBlob(request.target, { name, copies, signal: request.signal });
	} catch (error) {
		if (!isPoorCopy(error)) throw error;
		tally.findings.push({
			code: 'target-snapshot-damaged',
			severity: 'error',
			subject: name,
			text: `Snapshot ${name} is harmed here, and its copy at the target too: ${error.message}`,
			hint: 'try another target',
		});
		return null;
	}
}

/** What is harmed here, and is nowhere to be had. */
export function notThere(subject: string, what: string, target: Target): Finding {
	return {
		code: 'not-at-target',
		severity: 'error',
		subject,
		text: `${what} is harmed here and is not at "${target.store.place}" either`,
		hint: 'try another target; "mailseal pack --rescan" stores again what the mail store still has',
	};
}

/** Snapshots are not signed: whoever can write to a target can have an archive prune itself, unless somebody looks. */
function prunesHere(record: SnapshotName, doomed: readonly SnapshotName[], { store }: Target): Finding {
	return {
		code: 'repair-brings-prune',
		severity: 'warning',
		subject: record,
		text: `Snapshot ${record}, which comes from "${store.place}", says that ${doomed.length} snapshots which are here were pruned, the last is ${doomed.at(-1)}: the next pack removes them`,
		hint: 'if nobody pruned this archive, move that snapshot and all newer ones out of it before the next pack',
	};
}
