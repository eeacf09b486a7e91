import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSnapshot } from '../bundle/index.ts';
import { MailsealError, parseSnapshotName, type Snapshot, type SnapshotName } from '../domain/index.ts';
import { asMailsealError, listNames } from '../platform/index.ts';
import { snapshotFolder, snapshotPath } from './layout.ts';
import { isDamage } from './read-stored.ts';

export interface ReadSnapshot {
	readonly name: SnapshotName;
	readonly snapshot: Snapshot;
	readonly sha256: string;
}

const FILE = /^([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})\.json$/;

/** Names of all snapshots, oldest first: time leads the name, and each is later than its parent. */
export function snapshotNames(dir: string): SnapshotName[] {
	const names: SnapshotName[] = [];
	const folder = snapshotFolder(dir);
	for (const year of listNames(folder)) {
		if (!/^[0-9]{4}$/.test(year)) continue;
		for (const file of listNames(join(folder, year))) {
			const match = FILE.exec(file);
			if (match?.[1]?.startsWith(year)) names.push(parseSnapshotName(match[1]));
		}
	}
	return names.sort();
}

/** Reads a snapshot and proves it by its name; throws `archive-damaged`, `format-newer` or `not-found`. */
export function readSnapshot(dir: string, name: SnapshotName): ReadSnapshot {
	const path = snapshotPath(dir, name);
	let bytes: Uint8Array;
	try {
		bytes = readFileSync(path);
	} catch (error) {
		throw asMailsealError(error, 'read', path);
	}
	return { name, ...decodeSnapshot(name, bytes) };
}

/** True where a pack wrote `newest` or a snapshot before it after `instant`, milliseconds since 1970; one that cannot be read counts as such. */
export function isPackedAfter(
	dir: string,
	{ newest, instant }: { readonly newest: SnapshotName | undefined; readonly instant: number },
): boolean {
	for (let name = newest; name !== undefined; ) {
		const snapshot = readUnlessDamaged(dir, name);
		if (snapshot === null) return true;
		if (Date.parse(snapshot.time) <= instant) return false;
		if (snapshot.changes !== undefined) return true;
		name = snapshot.parent?.name;
	}
	return false;
}

function readUnlessDamaged(dir: string, name: SnapshotName): Snapshot | null {
	try {
		return readSnapshot(dir, name).snapshot;
	} catch (error) {
		if (!isDamage(error)) throw error;
		return null;
	}
}

/** What a snapshot that follows `parent` says of the last record. */
export function recordAfter({ name, sha256, snapshot }: ReadSnapshot): Pick<Snapshot, 'record'> {
	if (snapshot.history !== undefined) return { record: { name, sha256 } };
	return snapshot.record === undefined ? {} : { record: snapshot.record };
}

/** The newest snapshot, or null in an archive that has none. */
export function newestSnapshot(dir: string): ReadSnapshot | null {
	const names = snapshotNames(dir);
	const name = names.at(-1);
	if (name === undefined) return null;
	try {
		return readSnapshot(dir, name);
	} catch (error) {
		// The record of the prune before is gone as soon as there is another.
		if (error instanceof MailsealError && error.code === 'not-found' && snapshotNames(dir).at(-1) !== name) return newestSnapshot(dir);
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		const before = names.at(-2);
		throw new MailsealError('archive-damaged', error.message, {
			hint:
				before === undefined
					? `put back ${name}.json from a copy of the archive`
					: `put back ${name}.json from a copy of the archive; to go on from ${before} instead, move the file out of the archive and run "mailseal reindex"`,
			cause: error,
			details: error.details,
		});
	}
}
