import type { Flag } from './flags.ts';
import type { FolderName } from './ids.ts';

/** What the classifier looks at. */
export interface PlacementFacts {
	readonly folder: FolderName;
	readonly flags: readonly Flag[];
	/** Internal date, milliseconds since 1970. */
	readonly date: number;
	/** When a pack first saw the present state, if it ever changed; milliseconds since 1970. */
	readonly since?: number;
}

export type Reason = 'quiet' | 'recent' | 'recently-changed' | 'unread' | 'never-folder' | 'draft' | 'deleted-marked' | 'date-in-future';

/** Seal now, or stay volatile until an instant (null: until something changes). */
export interface Decision {
	readonly seal: boolean;
	readonly reason: Reason;
	/** Milliseconds since 1970 at which this placement is due for sealing; in the past where seal is true. */
	readonly dueAt: number | null;
}
