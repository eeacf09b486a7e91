import type { PlacementState } from '../../catalog/index.ts';
import type { FolderName, MessageId } from '../../domain/index.ts';

/** One account in one state. Folders are asked for one by one, so that no more than one is held. */
export interface AccountState {
	readonly folders: ReadonlySet<FolderName>;
	/** Placements of a folder by key; empty for a folder that is not there. */
	placements(folder: FolderName): ReadonlyMap<string, PlacementState>;
	/** True where some placement of the account stands for the message. */
	hasMessage(id: MessageId): boolean;
}

export type PlacementChange =
	| { readonly change: 'added' | 'copied'; readonly after: PlacementState }
	| { readonly change: 'removed'; readonly before: PlacementState }
	| { readonly change: 'moved' | 'flagged'; readonly before: PlacementState; readonly after: PlacementState };

export interface AccountChanges {
	/** Sorted, as the placements are by folder and key. */
	readonly foldersMade: readonly FolderName[];
	readonly foldersRemoved: readonly FolderName[];
	readonly placements: readonly PlacementChange[];
}

/** An account that is not there. */
export const NO_ACCOUNT: AccountState = { folders: new Set(), placements: () => new Map(), hasMessage: () => false };

/**
 * What became of an account. A message that stands under another folder or key was moved; one that came to stand in one more place of
 * an account that had it was copied. What goes back from `after` to `before` is the same with the words turned around.
 */
export function compareAccounts(before: AccountState, after: AccountState): AccountChanges {
	const gone = new Map<MessageId, PlacementState[]>();
	const come = new Map<MessageId, PlacementState[]>();
	const placements: PlacementChange[] = [];
	for (const folder of new Set([...before.folders, ...after.folders])) {
		const there = before.placements(folder);
		const now = after.placements(folder);
		for (const [key, placed] of now) {
			const old = there.get(key);
			if (old?.message !== placed.message) collect(come, placed);
			else if (!isSameState(old, placed)) placements.push({ change: 'flagged', before: old, after: placed });
		}
		for (const [key, old] of there) if (now.get(key)?.message !== old.message) collect(gone, old);
	}
	for (const message of new Set([...gone.keys(), ...come.keys()])) {
		const { pairs, lost, found } = pairUp(gone.get(message) ?? [], come.get(message) ?? []);
		for (const [old, placed] of pairs) placements.push({ change: 'moved', before: old, after: placed });
		for (const old of lost) placements.push({ change: 'removed', before: old });
		const change = found.length > 0 && before.hasMessage(message) ? 'copied' : 'added';
		for (const placed of found) placements.push({ change, after: placed });
	}
	return {
		foldersMade: [...after.folders].filter((folder) => !before.folders.has(folder)).sort(),
		foldersRemoved: [...before.folders].filter((folder) => !after.folders.has(folder)).sort(),
		placements: placements.sort((a, b) => byPlace(placeOf(a), placeOf(b))),
	};
}

function collect(into: Map<MessageId, PlacementState[]>, placed: PlacementState): void {
	const others = into.get(placed.message);
	if (others === undefined) into.set(placed.message, [placed]);
	else others.push(placed);
}

function isSameState(a: PlacementState, b: PlacementState): boolean {
	return a.flags.join() === b.flags.join() && a.keywords.join('\0') === b.keywords.join('\0');
}

/** Where a change is shown: what was moved, at its new place. */
export function placeOf(change: PlacementChange): PlacementState {
	return change.change === 'removed' ? change.before : change.after;
}

function byPlace(a: PlacementState, b: PlacementState): number {
	if (a.folder !== b.folder) return a.folder < b.folder ? -1 : 1;
	return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

interface Paired {
	readonly pairs: readonly (readonly [PlacementState, PlacementState])[];
	readonly lost: readonly PlacementState[];
	readonly found: readonly PlacementState[];
}

/** Pairs placements of one message: those of one key first, since a mail server keeps the name of a file that it moves; then the rest as they stand. */
function pairUp(gone: readonly PlacementState[], come: readonly PlacementState[]): Paired {
	const ofKey = new Map<string, PlacementState[]>();
	// The last of each list is the first to be taken.
	for (const placed of [...come].sort(byPlace).reverse()) {
		const others = ofKey.get(placed.key);
		if (others === undefined) ofKey.set(placed.key, [placed]);
		else others.push(placed);
	}
	const pairs: (readonly [PlacementState, PlacementState])[] = [];
	const lost: PlacementState[] = [];
	for (const old of [...gone].sort(byPlace)) {
		const same = ofKey.get(old.key)?.pop();
		if (same === undefined) lost.push(old);
		else pairs.push([old, same]);
	}
	const found = [...ofKey.values()].flat().sort(byPlace);
	const count = Math.min(lost.length, found.length);
	for (const [index, old] of lost.slice(0, count).entries()) pairs.push([old, found[index] as PlacementState]);
	return { pairs, lost: lost.slice(count), found: found.slice(count) };
}
