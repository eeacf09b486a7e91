import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSnapshot } from '../../bundle/index.ts';
import { openCatalog } from '../../catalog/index.ts';
import { type Finding, MailsealError, type SnapshotName } from '../../domain/index.ts';
import type { Files } from '../../platform/index.ts';
import { chooseSnapshot } from '../catalog-at.ts';
import { CATALOG_FILE, HEAD_FILE, snapshotPath } from '../layout.ts';
import { offsiteAt } from '../offsite.ts';
import { type Archive, openArchive, parseHead } from '../open-archive.ts';
import { eachParallel } from '../parallel.ts';
import { prunedBefore } from '../pruned-here.ts';
import { isDamage } from '../read-stored.ts';
import { snapshotNames } from '../snapshots.ts';
import { listSnapshotCopies, type SnapshotCopy } from './listing.ts';
import { archiveHeadBlob } from './names.ts';
import type { Target } from './open-target.ts';
import { targetKey } from './record.ts';
import { isPoorCopy, needIdentities, readSmallBlob } from './sealing.ts';

/** Which snapshots of a target are needed here. */
export type Wanted =
	| { readonly kind: 'newest' }
	| { readonly kind: 'all' }
	| { readonly kind: 'moments'; readonly at: readonly string[]; readonly now: number };

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
	const own = archiveIdOf(options.archiveId) ?? options.ownId;
	const ofOwn = own === null ? null : await listSnapshotCopies(target.store, { archive: own, signal });
	// Only where this host's own archive is not there are all others looked at.
	const isEnough = ofOwn !== null && (options.archiveId !== null || ofOwn.snapshots.size > 0);
	const listed = isEnough ? ofOwn : await listSnapshotCopies(target.store, { archive: null, signal });
	const ids = [...listed.snapshots.keys()];
	const isOwnThere = options.ownId !== null && ids.includes(options.ownId);
	const id = chooseArchive(target, ids, options.archiveId ?? (isOwnThere ? options.ownId : null));
	const copies = listed.snapshots.get(id) ?? new Map<SnapshotName, readonly SnapshotCopy[]>();
	const dir = join(options.cacheFolder, 'targets', targetKey(target.address), id);
	files.makeFolder(dir);
	if (headAt(dir) !== id)
		files.writeFile(join(dir, HEAD_FILE), await usableHead(target, id, { signal, warn }), { mode: 0o600, replace: true });
	await forgetGone(dir, { target, there: copies, signal, warn });
	const { names, chosen } = wantedSnapshots(dir, [...copies.keys()].sort(), options.wanted);
	await eachParallel(names, {
		width: 8,
		signal,
		async work(name, stop) {
			try {
				const bytes = await readSnapshotBlob(target, { name, copies: copies.get(name) ?? [], signal: stop });
				files.writeFile(snapshotPath(dir, name), bytes, { mode: 0o400, replace: true });
			} catch (error) {
				if (!isDamage(error) || chosen.has(name)) throw error;
				// One between is only a shorter way to the catalog of the newest.
				if (options.wanted.kind === 'all') findings.push(damagedSnapshot(target, name, error));
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

/** The head of an archive, as its host shipped it; throws `archive-damaged` where it is missing, or another's. */
export async function readHeadBlob(target: Target, id: string, signal: AbortSignal): Promise<Uint8Array> {
	const name = archiveHeadBlob(id);
	const damaged = (what: string): MailsealError =>
		new MailsealError('archive-damaged', `Cannot read archive ${id} at "${target.store.place}": its ${name} is ${what}`, {
			hint: 'the next "mailseal sync --check" of that archive writes it again',
		});
	const facts = await target.store.stat(name, signal);
	if (facts === null) throw damaged('missing');
	if (facts.size > LARGEST_HEAD) throw damaged('too long');
	const bytes = await target.store.readRange(name, { offset: 0, length: facts.size }, signal);
	if (idInHead(bytes, name) !== id) throw damaged('damaged');
	return bytes;
}

/** For reading, what a lost head said of an archive can be done without. */
async function usableHead(
	target: Target,
	id: string,
	{ signal, warn }: { readonly signal: AbortSignal; readonly warn: (text: string) => void },
): Promise<Uint8Array> {
	try {
		return await readHeadBlob(target, id, signal);
	} catch (error) {
		if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
		warn(`${error.message}; its mail is read nevertheless`);
		return Buffer.from(`${JSON.stringify({ format: 1, id })}\n`);
	}
}

/** The id of the archive that a cache is of; null where none is kept, or what is kept is damaged. */
function headAt(dir: string): string | null {
	const path = join(dir, HEAD_FILE);
	return existsSync(path) ? idInHead(readFileSync(path), path) : null;
}

/** Throws `format-newer` for an archive of a later mailseal; null for what is no head. */
function idInHead(bytes: Uint8Array, path: string): string | null {
	try {
		return parseHead(Buffer.from(bytes).toString('utf8'), path).id;
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'archive-damaged') return null;
		throw error;
	}
}

/** Checks the id of an archive as a user gives it; throws `usage` for what is none. */
export function archiveIdOf(text: string | null): string | null {
	if (text === null || /^[0-9a-f]{32}$/.test(text)) return text;
	throw new MailsealError('usage', `Cannot find archive "${text}": an archive's id has 32 lower-case hex digits`, {
		hint: 'it is in mailseal.json of the archive; "mailseal status" shows it',
	});
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

/** One snapshot, from the first copy that is whole; throws `archive-damaged`, or `not-found`, where none is. */
export async function readSnapshotBlob(
	target: Target,
	options: { readonly name: SnapshotName; readonly copies: readonly SnapshotCopy[]; readonly signal: AbortSignal },
): Promise<Uint8Array> {
	const { name, copies, signal } = options;
	let first: MailsealError | null = null;
	for (const copy of copies) {
		try {
			const bytes = await readSmallBlob(target, { name: copy.name, limit: LARGEST_SNAPSHOT, signal });
			decodeSnapshot(name, bytes);
			return bytes;
		} catch (error) {
			if (!isPoorCopy(error)) throw error;
			first ??= error;
		}
	}
	const place = target.store.place;
	if (first === null) throw new MailsealError('not-found', `Cannot read snapshot ${name}: it is not at "${place}"`);
	if (first.code === 'permission') throw first;
	throw new MailsealError('archive-damaged', `Cannot read snapshot ${name} at "${place}": ${first.message}`, {
		hint: 'the next "mailseal sync --check" of the archive ships it again, as long as the archive has it; --at reads an older one',
		cause: first,
	});
}

/** Snapshots that the target has no more are forgotten here too, and a catalog that stands at one of them. */
async function forgetGone(
	dir: string,
	{
		target,
		there,
		signal,
		warn,
	}: {
		readonly target: Target;
		readonly there: ReadonlyMap<SnapshotName, readonly SnapshotCopy[]>;
		readonly signal: AbortSignal;
		readonly warn: (text: string) => void;
	},
): Promise<void> {
	const here = snapshotNames(dir);
	const gone = here.filter((name) => !there.has(name));
	if (gone.length === 0) return;
	const newest = here.at(-1);
	if (newest !== undefined && gone.includes(newest) && !(await prunedThere(target, { there, signal })).has(newest)) {
		warn(`the target had snapshot ${newest} when it was read last, and has it no more: it was set back, or somebody removed it`);
	}
	const stands = catalogStand(dir);
	for (const name of gone) rmSync(snapshotPath(dir, name), { force: true });
	if (stands === 'unknown' || (stands !== null && gone.includes(stands))) {
		for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, CATALOG_FILE + suffix), { force: true });
	}
}

/** What was pruned by what the newest snapshot there says; nothing where that cannot be read. */
async function prunedThere(
	target: Target,
	{ there, signal }: { readonly there: ReadonlyMap<SnapshotName, readonly SnapshotCopy[]>; readonly signal: AbortSignal },
): Promise<ReadonlySet<SnapshotName>> {
	async function read(name: SnapshotName) {
		return decodeSnapshot(name, await readSnapshotBlob(target, { name, copies: there.get(name) ?? [], signal }));
	}
	const newest = [...there.keys()].sort().at(-1);
	if (newest === undefined) return new Set();
	try {
		const { history, record } = (await read(newest)).snapshot;
		if (history !== undefined) return prunedBefore(newest, history);
		if (record === undefined) return new Set();
		const found = await read(record.name);
		const said = found.sha256 === record.sha256 ? found.snapshot.history : undefined;
		return said === undefined ? new Set() : prunedBefore(record.name, said);
	} catch (error) {
		if (!isPoorCopy(error)) throw error;
		return new Set();
	}
}

/** The snapshot that the catalog stands at; null where there is no catalog. */
function catalogStand(dir: string): SnapshotName | 'unknown' | null {
	const path = join(dir, CATALOG_FILE);
	if (!existsSync(path)) return null;
	try {
		const catalog = openCatalog({ kind: 'file', path });
		try {
			return (catalog.usable ? catalog.state()?.name : undefined) ?? 'unknown';
		} finally {
			catalog.close();
		}
	} catch (error) {
		if (!(error instanceof MailsealError)) throw error;
		return 'unknown';
	}
}

/** Those to be fetched: all, or those that are meant and those between what is here and the last of them, so that the catalog goes on from where it stands. */
function wantedSnapshots(
	dir: string,
	there: readonly SnapshotName[],
	wanted: Wanted,
): { readonly names: readonly SnapshotName[]; readonly chosen: ReadonlySet<SnapshotName> } {
	const here = new Set(snapshotNames(dir));
	if (wanted.kind === 'all') return { names: there.filter((name) => !here.has(name) || !isWhole(dir, name)), chosen: new Set() };
	// None but those that are meant: a newer one that is damaged must not be in the way of an older.
	const chosen = new Set(
		wanted.kind === 'newest' ? there.slice(-1) : wanted.at.map((at) => chooseSnapshot(there, { at, now: wanted.now, place: 'the target' })),
	);
	const last = [...here].sort().at(-1);
	const lastChosen = [...chosen].sort().at(-1);
	const isBetween = (name: SnapshotName): boolean => last !== undefined && lastChosen !== undefined && name > last && name < lastChosen;
	const isNeeded = (name: SnapshotName): boolean =>
		chosen.has(name) ? !here.has(name) || !isWhole(dir, name) : !here.has(name) && isBetween(name);
	return { names: there.filter(isNeeded), chosen };
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
