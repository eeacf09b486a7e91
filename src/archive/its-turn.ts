const DAY = 24 * 3600 * 1000;

/** Spread by the 8 hex digits that `digits` begins with, so that each bundle or snapshot has its turn once in so many days. `now`: milliseconds since 1970. */
export function isItsTurn(digits: string, { days, now }: { readonly days: number; readonly now: number }): boolean {
	return Number.parseInt(digits.slice(0, 8), 16) % days === Math.floor(now / DAY) % days;
}
