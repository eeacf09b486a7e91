import { type AccountName, type Finding, type FolderName, MailsealError } from '../../domain/index.ts';
import type { FolderListing, ListedPlacement } from '../contract.ts';
import { type DiskPath, diskDirectory, shownPath } from './disk-name.ts';
import { lettersOf, type NamedState, sortByCodePoint, stateOf } from './file-name.ts';
import { readFolderControls } from './folder-controls.ts';
import { type FolderTables, readFolderTables } from './folder-tables.ts';
import { addSightings, keysOf, listMiddle, type SeenName, type Sightings, stillThere } from './names.ts';
import { type FolderStat, statFolder, statMessages } from './signature.ts';

/** One listing of a folder under renames misses files in up to three of four tries; the union of three missed none. */
const PASSES = 3;
/** More, while a pass still finds something that no other saw. */
const MAX_PASSES = 8;
const QUIET_PASSES = 2;

/** A folder to list: its directory as text (disk-name.ts), and its name for findings. */
export interface FolderPlace {
	readonly account: AccountName;
	readonly folder: FolderName;
	/** Relative to the account's root. */
	readonly dir: string;
	/** Absolute. */
	readonly directory: string;
}

/** Lists a folder that others may be changing. */
export function listFolder(place: FolderPlace, now: () => number): FolderListing {
	const directory = diskDirectory(place.directory);
	const began = now();
	const before = statFolder(directory, { now: began });
	if (before === undefined || (before.cur === undefined && before.fresh === undefined)) throw gone(directory);
	const { seen, stable } = lookUntilStable(directory, now);
	// Should one of them come meanwhile, the next pack lists again.
	const tables = readFolderTables(directory, before.absent);
	const controls = readFolderControls(directory, { withIndex: tables.index !== null, absent: before.absent });
	const findings: Finding[] = [...tables.findings, ...controls.findings];
	const placements = placeAll(place, seen, tables, findings);
	const after = statFolder(directory, { now: began, known: before.racy ? null : before.signature });
	if (after === undefined) throw gone(directory);
	const complete = checkMiddles(directory, after, findings);
	const tablesComplete = tables.uidsComplete && tables.keywordsComplete;
	const isSure = stable && complete && !after.racy && after.signature === before.signature && tablesComplete && !controls.skipped;
	return {
		facts: { dir: place.dir, ...tables.facts, ...after.facts },
		placements,
		controls: controls.controls,
		findings,
		signature: isSure ? after.signature : null,
		complete,
		tablesComplete,
		// Which index files are kept depends on the keywords.
		controlsComplete: controls.complete && tables.keywordsComplete,
	};
}

/**
 * `new` before `cur`, since mail moves that way. A pass during which neither directory's mtime moved saw everything; where the
 * mtime is too recent to tell, the union of two such passes; else of three or more.
 */
export function lookUntilStable(directory: DiskPath, now: () => number): { readonly seen: Sightings; readonly stable: boolean } {
	const seen: Sightings = new Map();
	let quietPasses = 0;
	let messages = '';
	for (let pass = 1; ; pass++) {
		const known = seen.size;
		const before = statMessages(directory, now());
		const names = { new: listMiddle(directory, 'new'), cur: listMiddle(directory, 'cur') };
		const after = statMessages(directory, now());
		const isQuiet = before !== undefined && before.messages === after?.messages;
		const isSettled = isQuiet && !before.racyMessages;
		if (isSettled) seen.clear();
		addSightings(seen, 'new', names.new);
		addSightings(seen, 'cur', names.cur);
		if (isSettled) return { seen, stable: true };
		quietPasses = isQuiet && (quietPasses === 0 || before.messages === messages) ? quietPasses + 1 : 0;
		messages = after?.messages ?? '';
		if (quietPasses >= QUIET_PASSES) return { seen, stable: true };
		if (pass >= MAX_PASSES || (pass >= PASSES && seen.size === known)) return { seen, stable: false };
	}
}

/** Placements of all that was seen, with a finding for files that share a base name. */
function placeAll(place: FolderPlace, seen: Sightings, tables: FolderTables, findings: Finding[]): Map<string, ListedPlacement> {
	const directory = diskDirectory(place.directory);
	const toPlacement = placer(place.directory, tables);
	const placements = new Map<string, ListedPlacement>();
	const shared: [base: string, files: readonly SeenName[]][] = [];
	for (const [base, sighting] of seen) {
		if (!(sighting instanceof Map)) {
			placements.set(base, toPlacement(base, sighting));
			continue;
		}
		const files = stillThere(directory, [...sighting.values()]);
		const [only] = files;
		if (files.length > 1) shared.push([base, files]);
		else if (only !== undefined) placements.set(base, toPlacement(base, only));
	}
	for (const [base, files] of shared) {
		for (const file of keysOf(base, files, (key) => placements.has(key) || seen.has(key))) {
			placements.set(file.key, { ...toPlacement(file.key, file), ambiguous: true });
		}
		findings.push({
			code: 'duplicate-key',
			severity: 'warning',
			subject: `${place.account}/${place.folder}/${base}`,
			text: `${files.length} files have this base name, all are packed, all but the first under their whole file name`,
			hint: 'give each message file a base name of its own',
		});
	}
	return placements;
}

/** Makes placements of names. Most messages of a folder share a few combinations of flags. */
export function placer(directory: string, tables: FolderTables): (key: string, file: SeenName) => Mutable<ListedPlacement> {
	const states = new Map<string, NamedState>();
	return (key, { dir, name }) => {
		const letters = lettersOf(name);
		let state = states.get(letters);
		if (state === undefined) {
			state = stateOf(letters, tables.keywords);
			states.set(letters, state);
		}
		// Filled step by step: a folder may have hundreds of thousands of messages, and spreading doubles the time.
		const placement: Mutable<ListedPlacement> = {
			key,
			flags: state.flags,
			keywords: state.keywords,
			dir,
			path: `${directory}/${dir}/${name}`,
		};
		if (key.length < name.length) placement.info = name.slice(key.length);
		const entry = tables.uidlist?.entries.get(key);
		if (entry === undefined) return placement;
		placement.uid = entry.uid;
		if (entry.fields !== '') placement.uidlist = entry.fields;
		const more = tables.index?.byUid.get(entry.uid);
		if (more !== undefined) placement.keywords = sortByCodePoint([...state.keywords, ...more]);
		return placement;
	};
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** A `cur` or `new` that is there but no directory may hide mail. */
function checkMiddles(directory: DiskPath, stat: FolderStat, findings: Finding[]): boolean {
	let complete = true;
	for (const [name, middle] of [
		['cur', stat.cur],
		['new', stat.fresh],
	] as const) {
		if (middle === undefined || middle.isDirectory()) continue;
		complete = false;
		const isLink = middle.isSymbolicLink();
		findings.push({
			code: isLink ? 'symbolic-link' : 'not-a-directory',
			severity: 'warning',
			subject: `${shownPath(directory)}/${name}`,
			text: isLink ? 'a symbolic link stands where messages should be, it is not followed' : 'it is not a directory',
			hint: 'put the directory itself in its place',
		});
	}
	return complete;
}

function gone(directory: DiskPath): MailsealError {
	return new MailsealError('not-found', `Cannot list "${shownPath(directory)}": the folder is gone`, { retryable: true });
}
