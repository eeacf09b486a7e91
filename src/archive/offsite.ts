import { type BundleId, type BundleRef, MailsealError } from '../domain/index.ts';
import type { BlobStore } from '../remote/index.ts';
import { type HeadCache, openHeadCache } from './target/head-cache.ts';
import type { TargetAddress, TargetKeys } from './target/keys.ts';
import { type BundleCopy, listFolder } from './target/listing.ts';
import { bundleBlob, bundleFolderOf } from './target/names.ts';
import { openTarget, type Target } from './target/open-target.ts';
import { readRecords, type TargetRecord } from './target/record.ts';
import { type OpenedBlob, openBlob, readBlob } from './target/sealing.ts';

/** A bundle at a target, read in ranges. */
export interface OffsiteBundle {
	readonly size: number;
	read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bundles that need not be here, since a target has them. */
export interface Offsite {
	/** True for a bundle that counts as there although it is not here. */
	has(id: BundleId): boolean;
	/** Opens a bundle at its target; throws what reaching the target throws, `not-found` where it is not there either. Opened once and kept. */
	open(ref: BundleRef, signal: AbortSignal): Promise<OffsiteBundle>;
	/** All bytes of a bundle, from the first on, unproved. */
	stream(ref: BundleRef, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
	close(): Promise<void>;
}

/** Opens the store at an address that an archive remembers, with what opens it. */
export type Reach = (address: TargetAddress) => Promise<{ readonly store: BlobStore; readonly keys: TargetKeys }>;

/** For an archive that keeps everything here. */
export const NOTHING_OFFSITE: Offsite = {
	has: () => false,
	open: (ref) =>
		Promise.reject(new MailsealError('not-found', `Cannot read bundle ${ref.id}: it is not here, and no target is known to have it`)),
	stream: (ref) =>
		Promise.reject(new MailsealError('not-found', `Cannot read bundle ${ref.id}: it is not here, and no target is known to have it`)),
	async close() {},
};

/** Copies of bundles at one target, found when they are first asked for. */
interface Finder {
	readonly target: Target;
	find(ref: BundleRef, signal: AbortSignal): Promise<readonly BundleCopy[]>;
}

function openFinder(target: Target, preferred: (id: BundleId) => string | null): Finder {
	return {
		target,
		async find(ref, signal) {
			if (target.encryption === 'none') {
				return [{ ...ref, name: bundleBlob(ref, null), sealedHash: null, modified: null, md5: null }];
			}
			const own = preferred(ref.id);
			const copies = (await listFolder(target.store, bundleFolderOf(ref), signal)).filter(({ id }) => id === ref.id);
			// What this host shipped itself is what it can vouch for.
			return copies.sort((a, b) => Number(b.sealedHash === own) - Number(a.sealedHash === own));
		},
	};
}

/** Everything that is not here lies at this one target. The caller closes its store. */
export function offsiteAt(target: Target, dir: string): Offsite {
	const finder = openFinder(target, () => null);
	return openOffsite({ dir, has: () => true, finderOf: async () => finder, close: async () => {} });
}

/** What an archive's own records say that it dropped; each target is reached when it is first needed. */
export function offsiteOfRecords(dir: string, reach: Reach): Offsite {
	let records: readonly TargetRecord[] | null = null;
	const finders = new Map<TargetRecord, Promise<Finder>>();

	function holderOf(id: BundleId): TargetRecord | undefined {
		records ??= readRecords(dir).filter(({ dropped }) => dropped.size > 0);
		return records.find(({ dropped }) => dropped.has(id));
	}

	async function connect(record: TargetRecord, signal: AbortSignal): Promise<Finder> {
		const { store, keys } = await reach(record.address);
		const target = await openTarget({ address: record.address, store, keys, signal });
		return openFinder(target, (id) => record.copies.get(id)?.sealedHash ?? null);
	}

	return openOffsite({
		dir,
		has: (id) => holderOf(id) !== undefined,
		finderOf(id, signal) {
			const record = holderOf(id);
			if (record === undefined) return NOTHING_OFFSITE.open({ id, kind: 'sealed', size: 0 }, signal) as Promise<never>;
			let finder = finders.get(record);
			if (finder === undefined) {
				finder = connect(record, signal);
				finders.set(record, finder);
			}
			return finder;
		},
		async close() {
			for (const finder of finders.values()) {
				await finder.then(
					({ target }) => target.store.close(),
					// It was never reached, which was told when it was tried.
					() => {},
				);
			}
		},
	});
}

function openOffsite(options: {
	readonly dir: string;
	has(id: BundleId): boolean;
	finderOf(id: BundleId, signal: AbortSignal): Promise<Finder>;
	close(): Promise<void>;
}): Offsite {
	const heads: HeadCache = openHeadCache(options.dir);
	const opened = new Map<BundleId, Promise<OffsiteBundle>>();

	/** The first copy that can be used. */
	async function firstGood<Result>(
		ref: BundleRef,
		signal: AbortSignal,
		use: (target: Target, copy: BundleCopy) => Promise<Result>,
	): Promise<Result> {
		const finder = await options.finderOf(ref.id, signal);
		let first: MailsealError | null = null;
		for (const copy of await finder.find(ref, signal)) {
			try {
				return await use(finder.target, copy);
			} catch (error) {
				if (!(error instanceof MailsealError) || error.code !== 'archive-damaged') throw error;
				first ??= error;
			}
		}
		throw (
			first ?? new MailsealError('not-found', `Cannot read bundle ${ref.id}: the target "${finder.target.store.place}" does not have it`)
		);
	}

	async function connect(ref: BundleRef, signal: AbortSignal): Promise<OffsiteBundle> {
		return firstGood(ref, signal, async (target, copy) => {
			const open = (head: Uint8Array | null): Promise<OpenedBlob> => openBlob(target, { name: copy.name, size: copy.size, head, signal });
			const kept = heads.read(copy);
			const blob = await open(kept).catch((error: unknown) => {
				// The head that was kept may be the damaged one.
				if (kept !== null && error instanceof MailsealError && error.code === 'archive-damaged') return open(null);
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
		});
	}

	return {
		has: options.has,
		async open(ref, signal) {
			let bundle = opened.get(ref.id);
			if (bundle === undefined) {
				bundle = connect(ref, signal);
				opened.set(ref.id, bundle);
				bundle.catch(() => opened.delete(ref.id));
			}
			return bundle;
		},
		stream: (ref, signal) => firstGood(ref, signal, async (target, copy) => readBlob(target, { name: copy.name, signal })),
		close: options.close,
	};
}
