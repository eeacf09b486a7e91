import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSnapshot } from '../../bundle/index.ts';
import { type Finding, MailsealError, type SnapshotName } from '../../domain/index.ts';
import type { Files } from '../../platform/index.ts';
import { chooseSnapshot } from '../catalog-at.ts';
import { CATALOG_FILE, HEAD_FILE, snapshotPath } from '../layout.ts';
import { offsiteAt } from '../offsite.ts';
import { type Archive, openArchive } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { snapshotNames } from '../snapshots.ts';
import { listSnapshotCopies, type SnapshotCopy } from './listing.ts';
import { archiveHeadBlob } from './names.ts';
import type { Target } from './open-target.ts';
import { targetKey } from './record.ts';
import { needIdentities, readSmallBlob } from './sealing.ts';

/** Which snapshots of a target are needed here. */
export type Wanted =
	| { readonly kind: 'newest' }
	| { readonly kind: 'all' }
	| { readonly kind: 'moment'; readonly at: string; readonly now: number };

export interface RemoteArchiveOptions {
	readonly target: Target;
	/** Where what was learned of targets is kept between calls. */
	readonly cacheFolder: string;
	/** Which of the archives at the target; may be left out where there is one. */
	readonly archiveId: string | null;
	/** The archive that is meant where there are several and none is named: the one that this host has. */
	readonly ownId: string | null;
	readonly wanted: Wanted;
	readonly files: Files;
	readonly signal: AbortSignal;
	readonly warn: (text: string) => void;
}

/** The largest snapshot that is read: one of a million bundles has 110 MB. Bytes. */
export const LARGEST_SNAPSHOT = 256 * 1024 * 1024;
const LARGEST_HEAD = 64 * 1024;

/**
 * Opens an archive of which this machine has nothing but a cache: its snapshots and a catalog lie in `cacheFolder`, its bundles at the
 * target. Everything that reads an archive reads this one. Asks the target for one listing, and for snapshots that are new.
 */
export async function openRemoteArchive(options: RemoteArchiveOptions): Promise<RemoteArchive> {
	const { target, files, signal, warn } = options;
	const findings: Finding[] = [];
	needIdentities(target);
	const listed = await listSnapshotCopies(target.store, { archive: options.archiveId, signal });
	const ids = [...listed.snapshots.keys()];
	const isOwnThere = options.ownId !== null && ids.includes(options.ownId);
	const id = chooseArchive(target, ids, options.archiveId ?? (isOwnThere ? options.ownId : null));
	const copies = listed.snapshots.get(id) ?? new Map<SnapshotName, readonly SnapshotCopy[]>();
	const dir = join(options.cacheFolder, 'targets', targetKey(target.address), id);
	files.makeFolder(dir);
	if (!existsSync(join(dir, HEAD_FILE))) {
		const head = await readHeadBlob(target, id, signal);
		files.writeFile(join(dir, HEAD_FILE), head, { mode: 0o600 });
	}
	forgetGone(dir, { there: copies, warn });
	const names = wantedSnapshots(dir, [...copies.keys()].sort(), options.wanted);
	await eachParallel(names, {
		width: 8,
		signal,
		async work(name, stop) {
			try {
				const bytes = await readSnapshotBlob(target, { name, copies: copies.get(name) ?? [], signal: stop });
				files.writeFile(snapshotPath(dir, name), bytes, { mode: 0o400, replace: true });
			} catch (error) {
				if (options.wanted.kind !== 'all' || !(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
				findings.push(damagedSnapshot(target, name, error));
			}
		},
	});
	return { archive: openArchive({ dir, files, warn, offsite: offsiteAt(target, dir) }), findings };
}

function damagedSnapshot(target: Target, name: SnapshotName, error: MailsealError): Finding {
	return {
		code: 'snapshot-damaged',
		severity: 'error',
		subject: name,
		text: `The copy of snapshot ${name} at "${target.store.place}" is damaged: ${error.message}`,
		hint: 'the next "mailseal sync --check" of the archive ships it again, as long as the archive has it',
	};
}

export interface RemoteArchive {
	readonly archive: Archive;
	/** Snapshots that cannot be read, where all were wanted. */
	readonly findings: readonly Finding[];
}

/** The head of an archive, as its host shipped it. */
export async function readHeadBlob(target: Target, id: string, signal: AbortSignal): Promise<Uint8Array> {
	const name = archiveHeadBlob(id);
	const facts = await target.store.stat(name, signal);
	if (facts === null || facts.size > LARGEST_HEAD) {
		throw new MailsealError(
			'archive-damaged',
			`Cannot read archive ${id} at "${target.store.place}": its ${name} is ${facts === null ? 'missing' : 'too long'}`,
			{
				hint: 'the next sync of that archive writes it again',
			},
		);
	}
	return target.store.readRange(name, { offset: 0, length: facts.size }, signal);
}

/** Which archive at a target is meant. */
export function chooseArchive(target: Target, ids: readonly string[], wanted: string | null): string {
	const place = target.store.place;
	const [first, second] = ids;
	if (first === undefined) {
		const what = wanted === null ? 'there is no snapshot of any archive' : `there is no snapshot of archive ${wanted}`;
		throw new MailsealError('not-found', `Cannot read the target "${place}": ${what}`, {
			hint: 'run "mailseal sync" on the host with the archive',
		});
	}
	if (wanted === null && second !== undefined) {
		throw new MailsealError('usage', `Cannot tell which archive at "${place}" is meant: there are ${ids.length}`, {
			hint: `give --archive-id with one of ${ids.slice(0, 10).join(', ')}`,
		});
	}
	return wanted ?? first;
}

/** One snapshot, from the first copy that is whole. */
export async function readSnapshotBlob(
	target: Target,
	options: { readonly name: SnapshotName; readonly copies: readonly SnapshotCopy[]; readonly signal: AbortSignal },
): Promise<Uint8Array> {
	let first: unknown = new MailsealError('not-found', `Cannot read snapshot ${options.name}: it is not at "${target.store.place}"`);
	let tried = false;
	for (const copy of options.copies) {
		try {
			const bytes = await readSmallBlob(target, { name: copy.name, limit: LARGEST_SNAPSHOT, signal: options.signal });
			decodeSnapshot(options.name, bytes);
			return bytes;
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
			if (!tried) first = error;
			tried = true;
		}
	}
	throw first;
}

/** Snapshots that the target has no more are forgotten here too, and a catalog that stands at one of them. */
function forgetGone(
	dir: string,
	{ there, warn }: { readonly there: ReadonlyMap<SnapshotName, unknown>; readonly warn: (text: string) => void },
): void {
	const gone = snapshotNames(dir).filter((name) => !there.has(name));
	const newest = snapshotNames(dir).at(-1);
	if (gone.length === 0) return;
	if (newest !== undefined && gone.includes(newest)) {
		warn(`the target had snapshot ${newest} when it was read last, and has it no more: it was set back, or somebody removed it`);
	}
	for (const name of gone) rmSync(snapshotPath(dir, name), { force: true });
	for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG_FILE + suffix), { force: true });
}

/** Those that are wanted, or follow what is here: the catalog goes on from where it stands. */
function wantedSnapshots(dir: string, there: readonly SnapshotName[], wanted: Wanted): SnapshotName[] {
	const here = new Set(snapshotNames(dir).filter((name) => isWhole(dir, name)));
	const last = [...here].sort().at(-1);
	const chosen = new Set<SnapshotName>(there.slice(-1));
	if (wanted.kind === 'moment') chosen.add(chooseSnapshot(there, { at: wanted.at, now: wanted.now, place: 'the target' }));
	return there.filter((name) => !here.has(name) && (wanted.kind === 'all' || chosen.has(name) || (last !== undefined && name > last)));
}

function isWhole(dir: string, name: SnapshotName): boolean {
	try {
		decodeSnapshot(name, readFileSync(snapshotPath(dir, name)));
		return true;
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'archive-damaged') return false;
		throw error;
	}
}
