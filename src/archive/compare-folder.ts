import { type Catalog, type KnownFolder, keyOfLine, type ListedFacts, listedLines, listedPlacement } from '../catalog/index.ts';
import {
	type AccountName,
	type ControlWord,
	type FolderName,
	type FolderWord,
	formatInstant,
	type PlacedWord,
	type Word,
} from '../domain/index.ts';
import type { ControlFile, FolderListing, FolderLook, ListedPlacement, MailSource } from '../sources/index.ts';
import { packPlacements } from './added-placements.ts';
import type { NewPlacement, ScannedFolder } from './scan.ts';

/** What a listed folder says that the catalog does not. */
export interface FolderNews {
	readonly words: readonly Word[];
	readonly folder: ScannedFolder;
}

/** Compares a listing with what the catalog knows of the folder. */
export function compareFolder(options: {
	readonly account: AccountName;
	readonly look: FolderLook;
	readonly listing: FolderListing;
	readonly before: KnownFolder | null;
	readonly source: MailSource;
	readonly catalog: Catalog;
	readonly now: number;
	readonly rescan: boolean;
}): FolderNews {
	const { account, look, listing, before, source, catalog, now, rescan } = options;
	const { folder } = look;
	const words: Word[] = [];
	const added: NewPlacement[] = [];
	const facts = listing.tablesComplete || before?.word == null ? listing.facts : keepUids(listing.facts, before.word);
	const word: FolderWord = { type: 'folder', account, folder, ...facts };
	if (before === null || !sameFolder(before.word, word)) words.push(word);
	const controls = before === null ? new Map<string, ControlWord>() : catalog.pack.controls(account, folder);
	words.push(...controlNews(listing.controls, { account, folder, known: controls, complete: listing.controlsComplete }));
	const { unlike, known, doubled } = withoutTheSame(listing, before === null ? [] : catalog.pack.placementLines(before), { rescan });
	const wordOf = (key: string): PlacedWord | null => (before === null ? null : catalog.pack.placed(account, before, key));
	for (const found of unlike) {
		const { key } = found;
		const old = known.get(key);
		known.delete(key);
		const listed = listing.tablesComplete || old === undefined ? found : keepTables(found, old);
		if (old === undefined || !isTrusted(listed, { doubled, rescan })) {
			// What is gone already is looked for again when it is read.
			const { date, size } = source.measure(listed.path) ?? { date: now, size: 0 };
			added.push({ listed, date, size, known: old === undefined ? null : wordOf(key) });
			continue;
		}
		if (saysTheSame(old, listed)) continue;
		const word = wordOf(key);
		if (word !== null) words.push(changedWord(word, listed, now));
	}
	if (listing.complete) for (const key of known.keys()) words.push({ type: 'removed', account, folder, key });
	return { words, folder: { account, folder, look, facts, added: packPlacements(added), signature: listing.signature } };
}

interface Unlike {
	/** What is listed, and what was known, but for placements that are as they were. */
	readonly unlike: readonly ListedPlacement[];
	readonly known: Map<string, ListedFacts>;
	/** Keys that cannot be trusted. */
	readonly doubled: ReadonlySet<string>;
}

/** Puts aside what is as it was, which is nearly all: texts are compared, and only those that differ are taken apart. */
function withoutTheSame(listing: FolderListing, lines: readonly string[], { rescan }: { readonly rescan: boolean }): Unlike {
	const doubled = doubledKeys(lines);
	const left = new Set(lines);
	const lineOf = listedLines();
	const unlike: ListedPlacement[] = [];
	for (const listed of listing.placements.values()) {
		if (isTrusted(listed, { doubled, rescan }) && left.delete(lineOf(listed))) continue;
		unlike.push(listed);
	}
	const known = new Map<string, ListedFacts>();
	for (const line of left) {
		const placement = listedPlacement(line);
		known.set(placement.key, placement);
	}
	return { unlike, known, doubled };
}

/** Two files had one base name: the key may now stand for the other's bytes, so they are read again. */
function isTrusted(
	{ key, ambiguous }: ListedPlacement,
	{ doubled, rescan }: { readonly doubled: ReadonlySet<string>; readonly rescan: boolean },
): boolean {
	return !rescan && ambiguous !== true && !doubled.has(key);
}

/** Keys that stood beside another file of the same base name: such a file has its whole name as key, or the base with colons behind it. */
function doubledKeys(lines: readonly string[]): Set<string> {
	const doubled = new Set<string>();
	for (const line of lines) {
		const key = keyOfLine(line);
		const colon = key.indexOf(':');
		if (colon > 0) doubled.add(key.slice(0, colon));
		if (colon !== 0) continue;
		// A name that starts with a colon is its own base, whatever colons are in it.
		for (let end = key.length; key[end - 1] === ':'; end--) doubled.add(key.slice(0, end - 1));
	}
	return doubled;
}

/** A table of uids that cannot be read says nothing: what is known of them stays. */
function keepUids(facts: FolderListing['facts'], before: FolderWord): FolderListing['facts'] {
	const { uidValidity: _validity, uidNext: _next, uidlist: _rest, ...others } = facts;
	const { uidValidity, uidNext, uidlist } = before;
	return {
		...others,
		...(uidValidity === undefined ? {} : { uidValidity }),
		...(uidNext === undefined ? {} : { uidNext }),
		...(uidlist === undefined ? {} : { uidlist }),
	};
}

function keepTables(listed: ListedPlacement, old: ListedFacts): ListedPlacement {
	const { uid: _uid, uidlist: _uidlist, ...others } = listed;
	return {
		...others,
		keywords: old.keywords,
		...(old.uid === undefined ? {} : { uid: old.uid }),
		...(old.uidlist === undefined ? {} : { uidlist: old.uidlist }),
	};
}

/** True where a listing finds a placement as it was. */
function saysTheSame(old: ListedFacts, listed: ListedPlacement): boolean {
	return (
		old.uid === listed.uid &&
		old.dir === listed.dir &&
		(old.info ?? '') === (listed.info ?? '') &&
		(old.uidlist ?? '') === (listed.uidlist ?? '') &&
		sameState(old, listed)
	);
}

function sameState(old: ListedFacts, listed: ListedPlacement): boolean {
	return sameList(old.flags, listed.flags) && sameList(old.keywords, listed.keywords);
}

/** The word that says how a known placement changed. */
function changedWord(old: PlacedWord, listed: ListedPlacement, now: number): PlacedWord {
	const { uid: _uid, dir: _dir, info: _info, uidlist: _uidlist, ...kept } = old;
	return {
		...kept,
		...placedState(listed),
		...(sameState(old, listed) ? {} : { since: formatInstant(now) }),
	};
}

/** The part of a placed word that a listing alone gives. */
export function placedState(listed: ListedPlacement): Pick<PlacedWord, 'flags' | 'keywords' | 'uid' | 'dir' | 'info' | 'uidlist'> {
	return {
		flags: listed.flags,
		keywords: listed.keywords,
		...(listed.uid === undefined ? {} : { uid: listed.uid }),
		...(listed.dir === undefined ? {} : { dir: listed.dir }),
		...(listed.info === undefined || listed.info === '' ? {} : { info: listed.info }),
		...(listed.uidlist === undefined || listed.uidlist === '' ? {} : { uidlist: listed.uidlist }),
	};
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
	if (a.length !== b.length) return false;
	for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
	return true;
}

function sameFolder(a: FolderWord | null, b: FolderWord): boolean {
	return (
		a !== null &&
		a.dir === b.dir &&
		a.uidValidity === b.uidValidity &&
		a.uidNext === b.uidNext &&
		a.uidlist === b.uidlist &&
		a.mode === b.mode &&
		a.owner?.[0] === b.owner?.[0] &&
		a.owner?.[1] === b.owner?.[1]
	);
}

/** Words about control files that are new, changed or gone; none counts as gone where not all could be looked at. */
export function controlNews(
	controls: readonly ControlFile[],
	{
		account,
		folder,
		known,
		complete,
	}: { account: AccountName; folder: FolderName | ''; known: Map<string, ControlWord>; complete: boolean },
): Word[] {
	const words: Word[] = [];
	const place = folder === '' ? {} : { folder };
	for (const control of controls) {
		const old = known.get(control.path);
		known.delete(control.path);
		const word: ControlWord = { type: 'control', account, ...place, ...control };
		const { type: _a, account: _b, folder: _c, ...before } = old ?? word;
		if (old === undefined || JSON.stringify(sorted(before)) !== JSON.stringify(sorted(control))) words.push(word);
	}
	if (complete) for (const path of known.keys()) words.push({ type: 'control-removed', account, ...place, path });
	return words;
}

function sorted(value: object): [string, unknown][] {
	return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
