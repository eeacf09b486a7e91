import type { Archive, Target, TargetAddress, TargetKeys, Wanted } from '../archive/index.ts';
import { type Finding, MailsealError } from '../domain/index.ts';
import type { BlobStore } from '../remote/index.ts';
import { type Call, warnTo, withArchive } from './call.ts';
import { cacheFolder } from './paths.ts';
import { keysOf, reachWith } from './reach.ts';
import { type FromTargetOptions, given, TRANSFERS } from './target-options.ts';
import { addressOf, type TargetSettings, targetSettings } from './target-settings.ts';

/** A target that a call names, reached. */
export interface Reached {
	readonly address: TargetAddress;
	readonly settings: TargetSettings;
	readonly store: BlobStore;
	readonly keys: TargetKeys;
}

/** Opens the store of a target for the time of `work`. */
export async function withStore<Result>(
	call: Call,
	settings: TargetSettings,
	work: (reached: Reached) => Promise<Result>,
): Promise<Result> {
	const address = addressOf(call, settings);
	const keys = keysOf(call, settings);
	const store = call.services.openStore(address, settings, call.io);
	try {
		return await work({ address, settings, store, keys });
	} finally {
		await store.close();
	}
}

/** Opens a target that is there for the time of `work`. */
export function withTarget<Result>(call: Call, settings: TargetSettings, work: (target: Target) => Promise<Result>): Promise<Result> {
	return withStore(call, settings, async ({ address, store, keys }) =>
		work(await call.services.openTarget({ address, store, keys, signal: call.io.signal })),
	);
}

/** What reading commands say of where they read. */
export interface ReadFrom {
	readonly options: FromTargetOptions;
	readonly wanted: Wanted;
}

/** Where an archive is read from. */
export interface ReadableAt {
	/** Null for an archive here. */
	readonly target: Target | null;
	/** What opening it found. */
	readonly opening: readonly Finding[];
	/** Bundles under way at once. */
	readonly transfers: number;
}

/** Opens the archive here, or where the call names a target, what that has, for the time of `work`. */
export async function withReadable<Result>(
	call: Call,
	from: ReadFrom & {
		readonly work: (archive: Archive, at: ReadableAt) => Promise<Result>;
	},
): Promise<Result> {
	const { options, wanted, work } = from;
	if (options.target === undefined) {
		if (options.archiveId !== undefined) {
			throw new MailsealError('usage', 'Cannot use "--archive-id": it says which archive of a target is meant', {
				hint: 'give --target too',
			});
		}
		return withArchive(call, {
			reach: reachWith(call, options),
			work: (archive) => work(archive, { target: null, opening: [], transfers: TRANSFERS }),
		});
	}
	const settings = targetSettings(call, options.target, given(options));
	return withTarget(call, settings, async (target) => {
		const { archive, findings } = await call.services.openRemoteArchive({
			target,
			cacheFolder: cacheFolder(call.io),
			archiveId: options.archiveId ?? null,
			ownId: call.services.archiveIdAt(call.settings.archive),
			wanted,
			files: call.services.files,
			signal: call.io.signal,
			warn: warnTo(call),
		});
		try {
			return await work(archive, { target, opening: findings, transfers: settings.transfers ?? TRANSFERS });
		} finally {
			await archive.close();
		}
	});
}

/** Which snapshots of a target a call needs. */
export function wantedFor(call: Call, at: string | undefined): Wanted {
	return at === undefined ? { kind: 'newest' } : { kind: 'moments', at: [at], now: call.io.now() };
}
