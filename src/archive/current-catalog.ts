import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenBundle } from '../bundle/index.ts';
import { type Catalog, catalogDamage, openCatalog, type Place } from '../catalog/index.ts';
import { type BundleId, type BundleRef, type Finding, MailsealError, type Progress, SILENT, type SnapshotName } from '../domain/index.ts';
import { type Lock, sizeOf } from '../platform/index.ts';
import { dropBundles } from './drop-bundles.ts';
import { CATALOG_FILE } from './layout.ts';
import { refuseLostSnapshots } from './lost-snapshots.ts';
import type { Archive } from './open-archive.ts';
import { openManifests } from './open-manifest.ts';
import { isDamage } from './read-stored.ts';
import { newestSnapshot, type ReadSnapshot, readSnapshot, snapshotNames } from './snapshots.ts';

export interface CatalogRequest {
	/** The lock, where the caller holds it already. */
	readonly lock?: Lock;
	readonly progress?: Progress;
	readonly signal?: AbortSignal;
}

/** Opens the catalog at the newest snapshot: brings it up to date, or rebuilds it where it is missing, broken or another version's. */
export async function currentCatalog(archive: Archive, request: CatalogRequest = {}): Promise<Catalog> {
	const newest = newestSnapshot(archive.dir);
	const opened = openUnlessLost(archive);
	// What a pack writes is for ever: it starts from the very bundles that the last snapshot names.
	const isTrusted = request.lock === undefined ? isCurrent : isExact;
	if (opened !== null && isTrusted(opened, newest) && !(await canBeMended(archive, opened, { newest, signal: request.signal ?? NEVER })))
		return opened;
	if (!archive.writable) {
		opened?.close();
		return inMemory(archive, { newest, request, why: 'the archive is read-only' });
	}
	try {
		return await bringUpToDate(archive, { opened, newest, request });
	} catch (error) {
		if (request.lock !== undefined || !isFullDisk(error)) throw error;
		return inMemory(archive, { newest, request, why: 'the disk is full' });
	}
}

/** True where a bundle that was missing or damaged when the catalog was built can be opened now. */
async function canBeMended(
	archive: Archive,
	catalog: Catalog,
	{ newest, signal }: { readonly newest: ReadSnapshot | null; readonly signal: AbortSignal },
): Promise<boolean> {
	const lacking = new Set(catalog.lacks().map(({ subject }) => subject));
	if (lacking.size === 0) return false;
	for await (const opened of openManifests(archive, newest?.snapshot.bundles.filter(({ id }) => lacking.has(id)) ?? [], signal)) {
		if ('bundle' in opened) return true;
		// Whatever keeps it from being opened, the catalog stays as it is, and says what it lacks.
		if (!(opened.error instanceof MailsealError) || opened.error.code === 'interrupted') throw opened.error;
	}
	return false;
}

/** The catalog as it lies on disk, null where none can be read; throws `archive-damaged` where it shows that snapshots are gone. */
export function openUnlessLost(archive: Archive): Catalog | null {
	const opened = openExisting(archive);
	try {
		refuseLostSnapshots(archive.dir, opened);
		return opened;
	} catch (error) {
		opened?.close();
		throw error;
	}
}

function inMemory(
	archive: Archive,
	{ newest, request, why }: { newest: ReadSnapshot | null; request: CatalogRequest; why: string },
): Promise<Catalog> {
	archive.warn(`the catalog is missing or old and ${why}: building one in memory`);
	return buildCatalog(archive, { place: { kind: 'memory' }, newest, ...request, onFinding: throwFinding });
}

function isFullDisk(error: unknown): boolean {
	return error instanceof MailsealError && error.code === 'no-space';
}

async function bringUpToDate(
	archive: Archive,
	{ opened, newest, request }: { opened: Catalog | null; newest: ReadSnapshot | null; request: CatalogRequest },
): Promise<Catalog> {
	const lock = request.lock ?? lockUnlessBusy(archive, opened);
	if (lock === null) return opened as Catalog;
	try {
		if (opened?.usable && newest !== null) {
			try {
				if (await catchUpAll(archive, opened, { newest, signal: request.signal ?? NEVER })) return opened;
			} catch (error) {
				if (!catalogDamage(error)) {
					opened.close();
					throw error;
				}
			}
		}
		opened?.close();
		if (newest !== null) archive.warn('rebuilding the catalog from the bundles');
		// A pack that went on without a bundle would leave it out of its snapshot, and what it says for good.
		const { catalog } = await rebuild(archive, newest, { ...request, strict: request.lock !== undefined });
		return catalog;
	} finally {
		if (request.lock === undefined) lock.release();
	}
}

/** While another mailseal writes, a reader makes do with the snapshot before. */
function lockUnlessBusy(archive: Archive, opened: Catalog | null): Lock | null {
	try {
		return archive.lock();
	} catch (error) {
		if (error instanceof MailsealError && error.code === 'busy' && opened?.usable && opened.state() !== null) return null;
		opened?.close();
		throw error;
	}
}

function openExisting(archive: Archive, kind: 'file' | 'copy' = archive.writable ? 'file' : 'copy'): Catalog | null {
	const path = join(archive.dir, CATALOG_FILE);
	if (!existsSync(path)) return null;
	// A run that was cut off left the newest lines beside the file, where a copy does not see them.
	if (kind === 'copy' && hasBytes(`${path}-wal`)) return null;
	// An empty file is no catalog, but SQLite would make one of it that knows of nothing.
	if (!hasBytes(path) && !hasBytes(`${path}-wal`)) return null;
	try {
		return openCatalog({ kind, path });
	} catch (error) {
		if (catalogDamage(error)) return null;
		// SQLite wants room beside the file even to read it.
		if (kind === 'file' && isFullDisk(error)) return openExisting(archive, 'copy');
		throw error;
	}
}

function hasBytes(path: string): boolean {
	return (sizeOf(path) ?? 0) > 0;
}

function isCurrent(catalog: Catalog, newest: ReadSnapshot | null): boolean {
	if (!catalog.usable) return false;
	try {
		const state = catalog.state();
		return newest === null ? state === null : state?.name === newest.name && state.sha256 === newest.sha256;
	} catch (error) {
		if (catalogDamage(error)) return false;
		throw error;
	}
}

/** Current, and of the time and the bundles that the snapshot names, each as it is there. */
function isExact(catalog: Catalog, newest: ReadSnapshot | null): boolean {
	if (!isCurrent(catalog, newest) || catalog.state()?.time !== newest?.snapshot.time) return false;
	const listed = newest?.snapshot.bundles ?? [];
	const present = catalog.bundles();
	return (
		present.length === listed.length &&
		present.every(({ id, kind, size }, index) => {
			const ref = listed[index];
			return ref?.id === id && ref.kind === kind && ref.size === size;
		})
	);
}

const NEVER = new AbortController().signal;

/** More nights than this are not followed one by one: by then a rebuild is no slower. */
const LONGEST_CHAIN = 400;

/** Follows the snapshots from the catalog's to the newest; false where they do not continue it. */
async function catchUpAll(
	archive: Archive,
	catalog: Catalog,
	{ newest, signal }: { readonly newest: ReadSnapshot; readonly signal: AbortSignal },
): Promise<boolean> {
	const chain = chainTo(archive, catalog, newest);
	if (chain === null) return false;
	try {
		for (const next of chain) if (!(await catchUp(archive, catalog, { newest: next, signal }))) return false;
		return true;
	} catch (error) {
		// A bundle that only a night between needed may have been pruned since.
		if (isDamage(error)) return false;
		throw error;
	}
}

/** The snapshots after the catalog's up to the newest, oldest first; null where they do not lead to it. */
function chainTo(archive: Archive, catalog: Catalog, newest: ReadSnapshot): ReadSnapshot[] | null {
	const state = catalog.state();
	const chain = [newest];
	for (let first = newest; state !== null && chain.length <= LONGEST_CHAIN; ) {
		const { parent } = first.snapshot;
		if (parent === null) return null;
		if (parent.name === state.name) return parent.sha256 === state.sha256 ? chain : null;
		// Each is later than its parent.
		if (parent.name < state.name) return null;
		try {
			first = readSnapshot(archive.dir, parent.name);
		} catch (error) {
			if (!isDamage(error)) throw error;
			return null;
		}
		chain.unshift(first);
	}
	return null;
}

/** Applies what a snapshot has beyond the catalog's, which is its parent; false where the one does not continue the other. */
async function catchUp(
	archive: Archive,
	catalog: Catalog,
	{ newest, signal }: { readonly newest: ReadSnapshot; readonly signal: AbortSignal },
): Promise<boolean> {
	const listed = newest.snapshot.bundles;
	const before = catalog.bundles();
	const present = new Map(before.map((ref, index) => [ref.id, index]));
	const firstNew = listed.findIndex((ref) => !present.has(ref.id));
	const kept = firstNew < 0 ? listed : listed.slice(0, firstNew);
	const added = firstNew < 0 ? [] : listed.slice(firstNew);
	const inOrder = kept.every(
		(ref, index) => index === 0 || Number(present.get(kept[index - 1]?.id ?? ref.id)) < Number(present.get(ref.id)),
	);
	if (!inOrder || added.some((ref) => present.has(ref.id)) || !continues(catalog, newest)) return false;
	catalog.begin();
	try {
		for await (const opened of openManifests(archive, added, signal)) {
			if (!('bundle' in opened)) throw opened.error;
			applyOpened(catalog, opened.ref, opened.bundle);
		}
		const keep = new Set(listed.map((ref) => ref.id));
		const left = before.filter(({ id }) => !keep.has(id));
		await dropBundles(left, { archive, catalog, signal });
		// What was folded away since is missed no more.
		catalog.setLacks(catalog.lacks().filter(({ subject }) => keep.has(subject as BundleId) && !added.some(({ id }) => id === subject)));
		catalog.tidy();
		noteSnapshots(archive, catalog, newest.name);
		catalog.commit({ name: newest.name, sha256: newest.sha256, time: newest.snapshot.time });
		return true;
	} finally {
		catalog.rollback();
	}
}

/** A pack in between may have dropped a removal together with all that it removed, so that only the very next snapshot will do. */
function continues(catalog: Catalog, { snapshot: { parent } }: ReadSnapshot): boolean {
	const state = catalog.state();
	return state?.name === parent?.name && state?.sha256 === parent?.sha256;
}

function applyOpened(catalog: Catalog, ref: BundleRef, { lines, messages, attachments }: OpenBundle): void {
	catalog.apply({ ref, lines, locations: messages, attachmentLocations: attachments }, null);
}

/** Notes the bundles of every older snapshot, so that none of them counts as left over. Returns snapshots that cannot be read. */
export function noteSnapshots(archive: Archive, catalog: Catalog, except?: SnapshotName): Finding[] {
	const known = catalog.knownSnapshots();
	const noted = new Set<string>();
	const findings: Finding[] = [];
	for (const name of snapshotNames(archive.dir)) {
		if (known.has(name) || name === except) continue;
		try {
			const { snapshot, sha256 } = readSnapshot(archive.dir, name);
			for (const ref of snapshot.bundles) {
				// A year of nights names the same bundles again and again.
				if (noted.has(ref.id)) continue;
				noted.add(ref.id);
				catalog.noteBundle(ref);
			}
			catalog.noteSnapshot(name, sha256);
		} catch (error) {
			if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
			findings.push({
				code: 'snapshot-damaged',
				severity: 'error',
				subject: name,
				text: error.message,
				hint: 'put the file back from a copy of the archive',
			});
		}
	}
	return findings;
}

function throwFinding(finding: Finding): void {
	throw new MailsealError('archive-damaged', finding.text, finding.hint === undefined ? {} : { hint: finding.hint });
}

export interface BuildRequest extends CatalogRequest {
	readonly place: Place;
	readonly newest: ReadSnapshot | null;
	/** Told of a bundle that is missing or damaged; what it says is then left out. May throw. */
	readonly onFinding: (finding: Finding) => void;
}

/** Builds a catalog of one snapshot from nothing but the bundles that it names. */
export async function buildCatalog(archive: Archive, request: BuildRequest): Promise<Catalog> {
	const { newest, place } = request;
	const progress = request.progress ?? SILENT;
	const catalog = openCatalog(place);
	let done = false;
	try {
		if (newest !== null) {
			catalog.begin();
			const lacks: Finding[] = [];
			progress.step('index', newest.snapshot.bundles.length);
			for await (const opened of openManifests(archive, newest.snapshot.bundles, request.signal ?? NEVER)) {
				if (request.signal?.aborted === true) throw new MailsealError('interrupted', 'Interrupted: the catalog is as it was before');
				if ('bundle' in opened) applyOpened(catalog, opened.ref, opened.bundle);
				else if (isDamage(opened.error)) {
					const finding = bundleFinding(opened.ref, opened.error);
					request.onFinding(finding);
					lacks.push(finding);
					// What it says is not known, but that a snapshot names it is.
					if (place.kind !== 'memory') catalog.noteBundle(opened.ref);
				} else throw opened.error;
				progress.advance(1);
			}
			catalog.tidy();
			catalog.setLacks(lacks);
			// Only what stays on disk ever asks which bundles are known.
			if (place.kind !== 'memory') noteSnapshots(archive, catalog, newest.name);
			catalog.commit({ name: newest.name, sha256: newest.sha256, time: newest.snapshot.time });
		}
		done = true;
		return catalog;
	} finally {
		if (!done) {
			catalog.rollback();
			catalog.close();
		}
	}
}

function bundleFinding(ref: BundleRef, error: MailsealError): Finding {
	const missing = error.code === 'not-found';
	return {
		code: missing ? 'bundle-missing' : 'bundle-damaged',
		severity: 'error',
		subject: ref.id,
		text: missing ? `The ${ref.kind} bundle ${ref.id} is missing` : error.message,
		hint: 'put the bundle back from a copy of the archive and run "mailseal reindex"',
	};
}

/** Builds the catalog anew beside the old one, then puts it in its place. The caller holds the lock. `strict`: every bundle must be whole. */
export async function rebuild(
	archive: Archive,
	newest: ReadSnapshot | null,
	request: CatalogRequest & { readonly strict: boolean },
): Promise<{ readonly catalog: Catalog; readonly findings: Finding[] }> {
	const path = join(archive.dir, CATALOG_FILE);
	const fresh = `${path}.new`;
	const findings: Finding[] = [];
	removeDatabase(fresh);
	try {
		const built = await buildCatalog(archive, {
			...request,
			place: { kind: 'new-file', path: fresh },
			newest,
			onFinding: request.strict ? throwFinding : (finding) => findings.push(finding),
		});
		built.close();
	} catch (error) {
		// A disk that is full needs the room.
		removeDatabase(fresh);
		throw error;
	}
	removeDatabase(path);
	renameSync(fresh, path);
	for (const finding of findings) archive.warn(finding.text);
	return { catalog: openCatalog({ kind: 'file', path }), findings };
}

function removeDatabase(path: string): void {
	for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
}
