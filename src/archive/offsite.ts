import { statSync } from 'node:fs';
import { type BundleId, type BundleRef, MailsealError, systemCode } from '../domain/index.ts';
import { asMailsealError } from '../platform/index.ts';
import type { BlobStore } from '../remote/index.ts';
import { isDamage } from './read-stored.ts';
import { isStoredAs } from './target/compare.ts';
import { digestOf } from './target/content.ts';
import { type HeadCache, openHeadCache } from './target/head-cache.ts';
import type { TargetAddress, TargetKeys } from './target/keys.ts';
import { type BundleCopy, listFolder } from './target/listing.ts';
import { bundleBlob, bundleFolderOf } from './target/names.ts';
import { openTarget, type Target } from './target/open-target.ts';
import { type KnownCopy, readRecords, recordsFolder, type TargetRecord, targetKey } from './target/record.ts';
import { isPoorCopy, type OpenedBlob, openBlob, readBlob } from './target/sealing.ts';

/** A bundle at a target, read in ranges; of several copies the first that has a range whole gives it. */
export interface OffsiteBundle {
	readonly size: number;
	read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bundles that need not be here, since a target has them. */
export interface Offsite {
	/** True for a bundle that counts as there although it is not here. */
	has(id: BundleId): boolean;
	/** Opens a bundle at its target; throws what reaching the target throws, `not-found` where it is not there either. `signal` ends its reads too. */
	open(ref: BundleRef, signal: AbortSignal): Promise<OffsiteBundle>;
	/**
	 * Makes sure, where that matters, that what lies at a target is the bundle: a pack believes what a manifest says is stored. Throws
	 * `archive-damaged` where it is not.
	 */
	prove(ref: BundleRef, signal: AbortSignal): Promise<void>;
	/** All bytes of a bundle, from the first on, unproved. */
	stream(ref: BundleRef, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
	close(): Promise<void>;
}

/** Opens the store at an address that an archive remembers, with what opens it. */
export type Reach = (address: TargetAddress) => Promise<{ readonly store: BlobStore; readonly keys: TargetKeys }>;

/** For an archive that keeps everything here. */
export const NOTHING_OFFSITE: Offsite = {
	has: () => false,
	open: (ref) => Promise.reject(unknownBundle(ref)),
	prove: (ref) => Promise.reject(unknownBundle(ref)),
	stream: (ref) => Promise.reject(unknownBundle(ref)),
	async close() {},
};

function unknownBundle({ id }: BundleRef): MailsealError {
	return new MailsealError('not-found', `Cannot read bundle ${id}: it is not here, and no target is known to have it`);
}

/** Copies of bundles at one target, found when they are first asked for. */
interface Finder {
	readonly target: Target;
	/** Those that this host can vouch for come first. */
	find(ref: BundleRef, signal: AbortSignal): Promise<readonly BundleCopy[]>;
	/** True for a copy that is the bundle: the target proved its bytes, or all of them were opened. */
	prove(ref: BundleRef, copy: BundleCopy, signal: AbortSignal): Promise<boolean>;
	/** Looks again the next time; false where it would have done so. */
	forget(ref: BundleRef): boolean;
}

/** `known`: what this host knows of the copy that it shipped itself. */
function openFinder(
	target: Target,
	{ heads, known: knownOf }: { readonly heads: HeadCache; readonly known: (id: BundleId) => KnownCopy | undefined },
): Finder {
	// One folder has a 256th of all bundles: whoever reads many lists each folder once.
	const listed = new Map<string, readonly BundleCopy[]>();

	/** Of several copies one may be another file, which only all of its bytes tell: by its size and its seal it looks the same. */
	async function wholeFirst(ref: BundleRef, copies: readonly BundleCopy[], signal: AbortSignal): Promise<readonly BundleCopy[]> {
		if (copies.length < 2) return copies;
		const known = copies.filter((copy) => heads.isWhole(copy));
		if (known.length > 0) return [...known, ...copies.filter((copy) => !known.includes(copy))];
		for (const copy of copies) {
			if (!(await isWholeCopy(target, { ref, copy, signal }))) continue;
			heads.noteWhole(copy);
			return [copy, ...copies.filter((other) => other !== copy)];
		}
		return copies;
	}

	return {
		target,
		async find(ref, signal) {
			if (target.encryption === 'none') return [{ ...ref, name: bundleBlob(ref, null), sealedHash: null, modified: null, md5: null }];
			const folder = bundleFolderOf(ref);
			const copies = listed.get(folder) ?? (await listFolder(target.store, folder, signal));
			listed.set(folder, copies);
			const hash = knownOf(ref.id)?.sealedHash ?? null;
			const ours = copies.filter((copy) => copy.id === ref.id && isStoredAs(copy, target.encryption));
			const own = ours.find(({ sealedHash }) => sealedHash === hash);
			return own === undefined ? wholeFirst(ref, ours, signal) : [own, ...ours.filter((copy) => copy !== own)];
		},
		async prove(ref, copy, signal) {
			const known = knownOf(ref.id);
			if (copy.sealedHash !== null && copy.sealedHash !== known?.sealedHash) return isWholeCopy(target, { ref, copy, signal });
			const expected = { size: copy.size, sha256: copy.sealedHash ?? ref.id, md5: known?.md5 ?? null };
			return (await target.store.prove(copy.name, expected, signal)).state === 'intact';
		},
		forget: (ref) => listed.delete(bundleFolderOf(ref)),
	};
}

/** False for a copy that is damaged, encrypted for somebody else, or another file. */
async function isWholeCopy(
	target: Target,
	{ ref, copy, signal }: { readonly ref: BundleRef; readonly copy: BundleCopy; readonly signal: AbortSignal },
): Promise<boolean> {
	try {
		return (await digestOf(readBlob(target, { name: copy.name, signal }), { signal })).sha256 === ref.id;
	} catch (error) {
		if (!isPoorCopy(error)) throw error;
		return false;
	}
}

/** Everything that is not here lies at this one target. The caller closes its store. */
export function offsiteAt(target: Target, dir: string): Offsite {
	const heads = openHeadCache(dir);
	const finder = openFinder(target, { heads, known: () => undefined });
	// Who only reads proves each message by its id, and writes nothing that others go by.
	return openOffsite({ heads, proves: false, has: () => true, findersOf: () => [async () => finder], close: async () => {} });
}

/** What an archive's own records say that it dropped; each target is reached when it is first needed. */
export function offsiteOfRecords(dir: string, reach: Reach): Offsite {
	let records: readonly TargetRecord[] = [];
	let read: bigint | null = null;
	const finders = new Map<string, Promise<Finder>>();
	const heads = openHeadCache(dir);

	/** As it is now: a sync of this very process may just have dropped a bundle. */
	function holdersOf(id: BundleId): readonly TargetRecord[] {
		const changed = changeOf(recordsFolder(dir));
		if (changed !== read) {
			records = readRecords(dir).filter(({ dropped }) => dropped.size > 0);
			read = changed;
		}
		return records.filter(({ dropped }) => dropped.has(id));
	}

	function connect({ address }: TargetRecord, signal: AbortSignal): Promise<Finder> {
		const key = targetKey(address);
		let finder = finders.get(key);
		if (finder === undefined) {
			finder = openKnown(address, signal);
			finders.set(key, finder);
			// It is tried again the next time.
			finder.catch(() => finders.delete(key));
		}
		return finder;
	}

	async function openKnown(address: TargetAddress, signal: AbortSignal): Promise<Finder> {
		const { store, keys } = await reach(address);
		try {
			const target = await openTarget({ address, store, keys, signal });
			const own = (id: BundleId): TargetRecord | undefined =>
				holdersOf(id).find((record) => targetKey(record.address) === targetKey(address));
			return openFinder(target, { heads, known: (id) => own(id)?.copies.get(id) });
		} catch (error) {
			await store.close();
			// Bundles were proved there before: that it has none of them now says that it is another place.
			if (!(error instanceof MailsealError) || error.code !== 'not-found') throw error;
			throw new MailsealError('unreachable', error.message, {
				cause: error,
				hint: 'is the disk mounted, is it the right bucket? Where another target has it all, "mailseal sync TARGET --drop-local" has the archive read from there',
			});
		}
	}

	return openOffsite({
		heads,
		proves: true,
		has: (id) => holdersOf(id).length > 0,
		findersOf: (id, signal) => holdersOf(id).map((record) => () => connect(record, signal)),
		async close() {
			const open = [...finders.values()];
			finders.clear();
			for (const finder of open) {
				await finder.then(
					({ target }) => target.store.close(),
					// It was never reached, which was told when it was tried.
					() => {},
				);
			}
		},
	});
}

/** When a folder's entries last changed; null where it is not there. */
function changeOf(folder: string): bigint | null {
	try {
		return statSync(folder, { bigint: true }).mtimeNs;
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return null;
		throw asMailsealError(error, 'look at', folder);
	}
}

/** A head in which the part of a recipient is damaged looks like one for somebody else. */
const HEAD_FAULTS: ReadonlySet<string> = new Set(['archive-damaged', 'permission']);

function openOffsite(options: {
	readonly heads: HeadCache;
	/** True where a bundle is proved before its manifest is believed. */
	readonly proves: boolean;
	has(id: BundleId): boolean;
	/** The targets that have a bundle, each reached when it is called. */
	findersOf(id: BundleId, signal: AbortSignal): readonly (() => Promise<Finder>)[];
	close(): Promise<void>;
}): Offsite {
	const { heads } = options;

	/** Uses the first copy that can be used, of the first target that has one. */
	async function firstGood<Result>(
		ref: BundleRef,
		signal: AbortSignal,
		use: (target: Target, copy: BundleCopy, finder: Finder) => Promise<Result>,
	): Promise<Result> {
		let worst: MailsealError | null = null;
		function note(error: unknown): void {
			if (!(error instanceof MailsealError) || error.code === 'interrupted') throw error;
			// What is damaged at one target may be whole at another that cannot be reached.
			if (worst === null || (isDamage(worst) && !isDamage(error))) worst = error;
		}
		for (const connect of options.findersOf(ref.id, signal)) {
			try {
				const finder = await connect();
				for (let looks = 0; looks < 2; looks++) {
					const copies = await finder.find(ref, signal);
					for (const copy of copies) {
						try {
							return await use(finder.target, copy, finder);
						} catch (error) {
							if (!isPoorCopy(error)) throw error;
							note(error);
						}
					}
					if (copies.length === 0) note(notThere(ref, finder.target));
					// A copy may have taken another's place since.
					if (!finder.forget(ref)) break;
				}
			} catch (error) {
				note(error);
			}
		}
		throw worst ?? unknownBundle(ref);
	}

	async function openCopy(
		ref: BundleRef,
		{ target, copy, signal }: { target: Target; copy: BundleCopy; signal: AbortSignal },
	): Promise<OpenedBlob> {
		const open = (head: Uint8Array | null): Promise<OpenedBlob> => openBlob(target, { name: copy.name, size: copy.size, head, signal });
		const kept = heads.read(copy);
		const blob = await open(kept).catch((error: unknown) => {
			// The head that was kept may be the damaged one.
			if (kept !== null && error instanceof MailsealError && HEAD_FAULTS.has(error.code)) return open(null);
			throw error;
		});
		if (blob.size !== ref.size) {
			throw new MailsealError(
				'archive-damaged',
				`Cannot read bundle ${ref.id}: at "${target.store.place}" it has ${blob.size} bytes (${ref.size} are right)`,
			);
		}
		if (blob.head !== null) heads.keep(copy, blob.head);
		return blob;
	}

	return {
		has: options.has,
		async open(ref, signal) {
			const blobs = new Map<string, Promise<OpenedBlob>>();
			const use = <Result>(work: (blob: OpenedBlob) => Promise<Result>): Promise<Result> =>
				firstGood(ref, signal, async (target, copy) => {
					const key = `${target.store.place}\n${copy.name}`;
					const blob = blobs.get(key) ?? openCopy(ref, { target, copy, signal });
					blobs.set(key, blob);
					return work(await blob);
				});
			await use(async () => {});
			return { size: ref.size, read: (offset, length) => use((blob) => blob.read(offset, length)) };
		},
		async prove(ref, signal) {
			if (!options.proves) return;
			await firstGood(ref, signal, async (target, copy, finder) => {
				if (await finder.prove(ref, copy, signal)) return;
				throw new MailsealError(
					'archive-damaged',
					`Cannot read bundle ${ref.id}: what lies at "${target.store.place}" under its name is another file`,
				);
			});
		},
		stream: (ref, signal) => firstGood(ref, signal, (target, copy) => begun(readBlob(target, { name: copy.name, signal }))),
		close: options.close,
	};
}

/** The same pieces, of which the first is there already: what cannot be read at all shows before any is given. */
async function begun(pieces: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
	const rest = pieces[Symbol.asyncIterator]();
	const first = await rest.next();
	return (async function* () {
		try {
			for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
		} finally {
			await rest.return?.();
		}
	})();
}

function notThere({ id }: BundleRef, { store }: Target): MailsealError {
	return new MailsealError('not-found', `Cannot read bundle ${id}: the target "${store.place}" does not have it`);
}
