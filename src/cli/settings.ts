import type { BundleSettings } from '../archive/index.ts';
import { DEFAULT_POLICY, type Policy, type Retention } from '../domain/index.ts';
import type { ConfigSource } from './config-schema.ts';
import type { Io } from './io.ts';
import { configPaths, defaultArchive, placePath } from './paths.ts';
import type { TargetSettings } from './target-settings.ts';

/** What holds for a call before its own options: the config file over the defaults. */
export interface Settings {
	/** Absolute path. */
	readonly archive: string;
	readonly sources: readonly ConfigSource[];
	readonly policy: Policy;
	/** Only what the config file says. */
	readonly bundles: Partial<BundleSettings>;
	readonly retention: Partial<Retention>;
	/** Bytes; only where the config file says it. */
	readonly attachmentMin?: number;
	/** Targets of the config file by name. */
	readonly targets: ReadonlyMap<string, TargetSettings>;
	/** Null where no config file was found. */
	readonly configPath: string | null;
}

/** Reads the config file and says where the archive is: option, environment, config file, default. */
export async function resolveSettings(io: Io, options: { readonly archive?: string; readonly config?: string }): Promise<Settings> {
	const { loadConfig } = await import('./config.ts');
	const here = { folder: io.folder, home: io.home };
	const config = loadConfig({
		paths: options.config === undefined ? configPaths(io) : [placePath(options.config, here)],
		required: options.config !== undefined,
		home: io.home,
	});
	const named = options.archive ?? (io.env.MAILSEAL_ARCHIVE || undefined);
	return {
		archive: named === undefined ? (config?.archive ?? defaultArchive(io)) : placePath(named, here),
		sources: config?.sources ?? [],
		policy: { ...DEFAULT_POLICY, ...config?.policy },
		bundles: config?.bundles ?? {},
		retention: config?.retention ?? {},
		...(config?.attachmentMin === undefined ? {} : { attachmentMin: config.attachmentMin }),
		targets: config?.targets ?? new Map(),
		configPath: config?.path ?? null,
	};
}
