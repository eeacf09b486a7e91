import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { liveOneDay } from '../../bench/life.ts';
import { makeTree } from '../../bench/tree.ts';
import type { BundleSettings, Outcome, PackResult } from '../../src/archive/index.ts';
import type { FileHooks } from '../../src/platform/index.ts';
import { filesBelow, packOnce, restoreOnce, verifyOnce } from './archive.ts';
import { compareTreeStates, type FolderState, readTreeState } from './tree-state.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 8, 1, 2);
const SEED = 22;
/** Nights before the one that is broken. */
const NIGHTS = 10;

/** Small bundles, and attachments that are volatile first, so that one night seals, writes news and folds. */
export const SMALL_BUNDLES: Partial<BundleSettings> = {
	...{ target: 8 * 1024, max: 12 * 1024, linger: 2 * DAY },
	...{ attachments: 'quiet', foldBelow: 0.5 },
};

/** Low enough that texts of mail are stored apart, so that bundles of attachments are written too. Bytes. */
const ATTACHMENT_MIN = 1500;

/** A mail store on one night. */
export interface Night {
	readonly spec: string;
	readonly now: number;
	/** The store as the pack will find it. */
	readonly tree: Map<string, FolderState>;
}

/** An archive on the eve of a pack that seals, writes news and folds, and the mail store of that night. */
export interface EventfulNight extends Night {
	/** The archive after the nights before; copied, never changed. */
	readonly eve: string;
	/** What the newest snapshot of the eve restores to. */
	readonly treeBefore: Map<string, FolderState>;
	readonly snapshotBefore: string;
	/** A new folder beside the store. */
	folder(): string;
	remove(): void;
}

/** A new folder, in memory where the machine has such a place: hundreds of packs wait for the disk otherwise. */
export function fastFolder(): string {
	return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mailseal-night-'));
}

export async function makeEventfulNight(): Promise<EventfulNight> {
	const place = fastFolder();
	const root = join(place, 'store');
	const eve = join(place, 'eve');
	const spec = `maildir:${root}/{account}/Maildir`;
	makeTree({ root, seed: SEED, accounts: 3, messages: 60, bytes: 'small', domain: ['example.org', 'example.net'], now: START });
	let snapshotBefore = '';
	for (let day = 0; day < NIGHTS; day++) {
		if (day > 0) liveOneDay({ root, seed: SEED, day, now: START + day * DAY, churn: 0.15, bytes: 'small' });
		const { result } = await packOnce(eve, spec, { now: START + day * DAY, bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN });
		snapshotBefore = String(result.snapshot);
	}
	const treeBefore = readTreeState(root);
	const now = START + NIGHTS * DAY;
	liveOneDay({ root, seed: SEED, day: NIGHTS, now, churn: 0.15, bytes: 'small' });
	return {
		spec,
		eve,
		treeBefore,
		snapshotBefore,
		tree: readTreeState(root),
		now,
		folder: () => mkdtempSync(join(place, 'folder-')),
		remove: () => rmSync(place, { recursive: true, force: true }),
	};
}

/** A store that no pack has seen yet, small. */
export function makeFirstNight(folder: string): Night {
	const root = join(folder, 'first-store');
	makeTree({ root, seed: SEED, accounts: 2, messages: 16, bytes: 'small', domain: ['example.org', 'example.net'], now: START });
	return { spec: `maildir:${root}/{account}/Maildir`, now: START, tree: readTreeState(root) };
}

/** A copy to break. */
export function copyOfEve(night: EventfulNight): string {
	const copy = join(night.folder(), 'archive');
	execFileSync('cp', ['-a', night.eve, copy]);
	return copy;
}

export async function packTheNight(archive: string, night: Night, hooks: FileHooks = {}): Promise<Outcome<PackResult>> {
	return await packOnce(archive, night.spec, { now: night.now, bundles: SMALL_BUNDLES, attachmentMin: ATTACHMENT_MIN, hooks });
}

/** What differs between the store and what a snapshot restores to. */
async function restoredDifferences(
	archive: string,
	what: { readonly tree: Map<string, FolderState>; readonly at?: string },
): Promise<string[]> {
	const to = join(archive, '..', 'restored');
	const { findings } = await restoreOnce(archive, to, what.at === undefined ? {} : { at: what.at });
	const differences = compareTreeStates(what.tree, readTreeState(to));
	rmSync(to, { recursive: true });
	return [...findings.map((finding) => `${finding.code}: ${finding.text}`), ...differences];
}

/** Everything that is wrong with an archive whose pack was cut off; empty where nothing was lost. */
export async function lossesAfterBreak(archive: string, night: EventfulNight): Promise<string[]> {
	const { findings } = await verifyOnce(archive, 'deep');
	const losses = findings.map((finding) => `verify: ${finding.code}: ${finding.text}`);
	losses.push(...(await restoredDifferences(archive, { tree: night.treeBefore, at: night.snapshotBefore })));
	const newest = snapshotsOf(archive).at(-1);
	if (newest !== night.snapshotBefore) losses.push(...(await restoredDifferences(archive, { tree: night.tree })));
	return losses;
}

/** Everything that is wrong after the next pack went through: differences, damage, and leftovers. */
export async function flawsAfterNextPack(archive: string, night: Night): Promise<string[]> {
	const { findings } = await verifyOnce(archive, 'deep');
	return [
		...findings.map((finding) => `verify: ${finding.code}: ${finding.text}`),
		...(await restoredDifferences(archive, { tree: night.tree })),
		...leftovers(archive),
	];
}

export function snapshotsOf(archive: string): string[] {
	const folder = join(archive, 'snapshots');
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.flatMap((year) => readdirSync(join(folder, year)))
		.filter((name) => /^[0-9]{8}T/.test(name))
		.map((name) => name.replace('.json', ''))
		.sort();
}

function snapshotFile(name: string): string {
	return join('snapshots', name.slice(0, 4), `${name}.json`);
}

/** What a snapshot names, oldest first. */
export function bundlesOf(archive: string, snapshot: string): { readonly id: string; readonly kind: 'sealed' | 'volatile' }[] {
	const { bundles } = JSON.parse(readFileSync(join(archive, snapshotFile(snapshot)), 'utf8')) as {
		bundles: { id: string; kind: 'sealed' | 'volatile' }[];
	};
	return bundles;
}

/** Files that no snapshot names and that are not the archive's own. */
export function leftovers(archive: string): string[] {
	const named = new Set<string>();
	for (const name of snapshotsOf(archive)) {
		named.add(snapshotFile(name));
		for (const { id, kind } of bundlesOf(archive, name)) named.add(join('bundles', kind, id.slice(0, 2), `${id}.zip`));
	}
	const own = new Set(['mailseal.json', 'README.txt', 'recover.py', 'catalog.sqlite', '.lock']);
	return [...filesBelow(archive).keys()].filter((path) => !named.has(path) && !own.has(path)).map((path) => `left over: ${path}`);
}
