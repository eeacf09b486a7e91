import type { Call } from './call.ts';
import { countOf } from './text.ts';

/** How many rows a terminal gets where no limit is given. */
export const ROWS_ON_TERMINAL = 1000;
/** The largest limit: as good as none, and still a number that every part can count with. */
export const ALL_ROWS = 2 ** 31 - 1;

/** No pack keeps more volatile bundles than this, whatever it is asked for: each costs a reader a look. */
export const MOST_VOLATILE = 1000;

/** The limit that holds for a call: what it says, else a thousand for a terminal and none for a file or a program. */
export function limitOf(call: Call, given: number | undefined): number | undefined {
	return given ?? (call.io.stdout.terminal && !call.json ? ROWS_ON_TERMINAL : undefined);
}

/** What to tell where a list of `noun` (in the singular) was cut; it may stand below something else, so it names what it means. */
export function remarkMore(rows: number, noun: string): string {
	return `only ${countOf(rows, noun)} ${rows === 1 ? 'is' : 'are'} listed, more exist; --limit COUNT shows more`;
}
