import type { BundleId } from '../domain/index.ts';

const DAY = 24 * 3600 * 1000;

/** Spread by the bundle's own id, so that every bundle has its turn once in so many days. `now`: milliseconds since 1970. */
export function isItsTurn(id: BundleId, { days, now }: { readonly days: number; readonly now: number }): boolean {
	return Number.parseInt(id.slice(0, 8), 16) % days === Math.floor(now / DAY) % days;
}
