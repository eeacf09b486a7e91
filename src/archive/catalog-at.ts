import type { Catalog } from '../catalog/index.ts';
import { MailsealError, parseMoment, type SnapshotName } from '../domain/index.ts';
import { buildCatalog, currentCatalog, openUnlessLost } from './current-catalog.ts';
import type { Archive } from './open-archive.ts';
import { chainHere } from './pruned-here.ts';
import type { Run } from './requests.ts';
import { type ReadSnapshot, readSnapshot, snapshotNames } from './snapshots.ts';

/** The snapshot that a moment means: itself, or the last one taken at or before it. */
export function resolveMoment(archive: Archive, at: string, now: number): SnapshotName {
	const names = snapshotNames(archive.dir);
	if (names.length === 0) throw noSnapshot(archive);
	try {
		return chooseSnapshot(names, { at, now, place: `"${archive.dir}"` });
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'not-found') throw prunedError(archive, at) ?? error;
		throw error;
	}
}

/** For a snapshot that was there and was pruned; null for any other moment. */
function prunedError(archive: Archive, at: string): MailsealError | null {
	const name = at.trim() as SnapshotName;
	if (!chainHere(archive.dir).pruned.has(name)) return null;
	return new MailsealError('not-found', `Cannot read snapshot ${name}: it was pruned`, {
		hint: 'see "mailseal ls snapshots" for those that were kept',
	});
}

/** Which of `names` (oldest first, not empty) a moment means; throws `not-found` where none. `place`: whose snapshots they are, for the text. */
export function chooseSnapshot(
	names: readonly SnapshotName[],
	{ at, now, place }: { readonly at: string; readonly now: number; readonly place: string },
): SnapshotName {
	const moment = parseMoment(at, now);
	const newest = names.at(-1) as SnapshotName;
	if (moment.kind === 'latest') return newest;
	if (moment.kind === 'snapshot') {
		if (names.includes(moment.name)) return moment.name;
		throw new MailsealError('not-found', `Cannot find snapshot ${moment.name} in ${place}`, {
			hint: 'see "mailseal ls snapshots"',
		});
	}
	// Names tell whole seconds, of times cut down to them.
	const found = names.filter((name) => timeOf(name) <= moment.at).at(-1);
	if (found !== undefined) return found;
	throw new MailsealError('not-found', `Cannot find a snapshot at or before "${at}": the oldest is ${names[0]}`, {
		hint: 'see "mailseal ls snapshots"',
	});
}

function timeOf(name: SnapshotName): number {
	const [year, month, day, hour, minute, second] = [0, 4, 6, 9, 11, 13].map((start, index) =>
		Number(name.slice(start, start + (index === 0 ? 4 : 2))),
	);
	return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

export function noSnapshot(archive: Archive): MailsealError {
	return new MailsealError('not-found', `Cannot read "${archive.dir}": it has no snapshot`, { hint: 'run "mailseal pack" first' });
}

/** The catalog as of a moment: the one on disk for the newest snapshot, otherwise one built in memory from that snapshot's bundles. */
export async function catalogAt(
	archive: Archive,
	options: { readonly at?: string | undefined; readonly now: number } & Partial<Run>,
): Promise<Catalog> {
	const { at, now } = options;
	const run = {
		...(options.progress === undefined ? {} : { progress: options.progress }),
		...(options.signal === undefined ? {} : { signal: options.signal }),
	};
	const newest = snapshotNames(archive.dir).at(-1);
	if (newest === undefined) {
		openUnlessLost(archive)?.close();
		throw noSnapshot(archive);
	}
	const name = at === undefined ? newest : resolveMoment(archive, at, now);
	if (name === newest) {
		const catalog = await currentCatalog(archive, run);
		if (catalog.state() !== null) return catalog;
		catalog.close();
		throw noSnapshot(archive);
	}
	return buildCatalog(archive, {
		...run,
		place: { kind: 'memory' },
		newest: readChosen(archive, name),
		onFinding({ text, hint }) {
			throw prunedError(archive, name) ?? new MailsealError('archive-damaged', text, hint === undefined ? {} : { hint });
		},
	});
}

/** A prune may take it between the choice and now. */
function readChosen(archive: Archive, name: SnapshotName): ReadSnapshot {
	try {
		return readSnapshot(archive.dir, name);
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'not-found') throw prunedError(archive, name) ?? error;
		throw error;
	}
}
