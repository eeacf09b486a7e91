import { readFileSync } from 'node:fs';
import { decodeSnapshot } from '../../bundle/index.ts';
import { MailsealError, type SnapshotName } from '../../domain/index.ts';
import { asMailsealError, sizeOf } from '../../platform/index.ts';
import type { BlobFacts } from '../../remote/index.ts';
import { sha256 } from '../hash.ts';
import { isItsTurn } from '../its-turn.ts';
import { snapshotPath } from '../layout.ts';
import type { Archive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { isStoredAs, sizeProblem } from './compare.ts';
import type { SnapshotCopy } from './listing.ts';
import { archiveHeadBlob } from './names.ts';
import type { SyncState } from './sync-state.ts';

/** What is known of the snapshots of an archive at a target. */
export interface SnapshotStanding {
	/** Those of this archive that lie there whole. */
	readonly there: Set<SnapshotName>;
	/** Copies that are to be replaced. */
	readonly damaged: Map<SnapshotName, SnapshotCopy>;
	readonly head: 'there' | 'absent' | 'damaged';
}

interface Listed {
	readonly names: readonly SnapshotName[];
	readonly copies: ReadonlyMap<SnapshotName, readonly SnapshotCopy[]>;
	readonly head: BlobFacts | undefined;
}

/**
 * Compares the snapshots that lie at a target with those here: all by their size, the newest and those whose turn it is by their bytes;
 * `days` null: none by its bytes. A damaged one is named, and does not count as there.
 */
export async function checkSnapshotCopies(
	state: SyncState,
	{ names, copies, head }: Listed,
	days: number | null,
): Promise<SnapshotStanding> {
	const { archive, target, request } = state;
	const there = new Map<SnapshotName, SnapshotCopy>();
	const damaged = new Map<SnapshotName, SnapshotCopy>();
	function report(name: SnapshotName, copy: SnapshotCopy, text: string): void {
		there.delete(name);
		damaged.set(name, copy);
		state.findings.push({
			code: 'target-snapshot-damaged',
			severity: 'warning',
			subject: name,
			text: `The copy of snapshot ${name} at "${target.store.place}" is damaged: ${text}`,
			hint: 'it is shipped again; look after the disk or the store',
		});
	}
	for (const name of names) {
		const stored = (copies.get(name) ?? []).filter((copy) => isStoredAs(copy, target.encryption));
		const size = sizeOf(snapshotPath(archive.dir, name)) ?? 0;
		const good = stored.find((copy) => sizeProblem(copy, size) === null);
		const [first] = stored;
		if (good !== undefined) there.set(name, good);
		else if (first === undefined) continue;
		// Only what is whole itself can say that another is not.
		else if (bytesOf(archive, name) === null) there.set(name, first);
		else report(name, first, sizeProblem(first, size) ?? '');
	}
	const newest = names.filter((name) => there.has(name)).at(-1);
	const isTurn = (name: SnapshotName): boolean => name === newest || isItsTurn(name.slice(-8), { days: days ?? 1, now: request.now });
	await eachParallel(days === null ? [] : [...there].filter(([name]) => isTurn(name)), {
		width: request.transfers,
		signal: request.signal,
		async work([name, copy], signal) {
			const bytes = bytesOf(archive, name);
			if (bytes === null) return;
			const expected = { size: copy.size, sha256: copy.sealedHash ?? sha256(bytes), md5: null };
			const proof = await target.store.prove(copy.name, expected, signal);
			if (proof.state === 'damaged') report(name, copy, proof.text);
			if (proof.state === 'missing') there.delete(name);
		},
	});
	return { there: new Set(there.keys()), damaged, head: await headStanding(state, head, days) };
}

async function headStanding({ archive, target, request }: SyncState, facts: BlobFacts | undefined, days: number | null) {
	if (facts === undefined) return 'absent';
	const head = archive.readHead();
	if (facts.size !== head.length) return 'damaged';
	if (days === null) return 'there';
	const expected = { size: head.length, sha256: sha256(head), md5: null };
	const proof = await target.store.prove(archiveHeadBlob(archive.id), expected, request.signal);
	return proof.state === 'intact' ? 'there' : proof.state === 'missing' ? 'absent' : 'damaged';
}

/** A snapshot as it lies here; null where it is damaged or missing. */
function bytesOf({ dir }: Archive, name: SnapshotName): Uint8Array | null {
	const path = snapshotPath(dir, name);
	try {
		const bytes = readFileSync(path);
		decodeSnapshot(name, bytes);
		return bytes;
	} catch (error) {
		const known = asMailsealError(error, 'read', path);
		if (known instanceof MailsealError && (known.code === 'archive-damaged' || known.code === 'not-found')) return null;
		throw known;
	}
}
