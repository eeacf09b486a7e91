import type { BundleSettings } from '../../src/archive/index.ts';
import type { Retention } from '../../src/domain/index.ts';

/** What pack-until-killed.ts is told. */
export interface KillOrder {
	readonly archive: string;
	readonly spec: string;
	readonly now: number;
	readonly bundles: Partial<BundleSettings>;
	/** The number of the last operation, counted from 0; -1 dies before the first. */
	readonly killAt: number;
}

/** What prune-until-killed.ts is told. */
export interface PruneOrder extends Pick<KillOrder, 'archive' | 'now' | 'killAt'> {
	readonly keep: Partial<Retention>;
}
